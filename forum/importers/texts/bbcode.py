"""Read BBCode as phpBB 3.0 and 3.1 keep it: entities of HTML, and in each tag the post's own id, `[b:1a2b3c4d]`.

What has no such id is what somebody typed. Smileys and links are already HTML, in comments that say what they are.
"""

import re
from collections.abc import Iterator
from html import unescape

from forum.core.text import carried
from forum.importers.texts.tags import COLLECTED, close_tag, open_tag, put, smiley
from forum.importers.texts.tree import Builder

# `[quote="Name":1a2b3c4d]`, `[/list:o:1a2b3c4d]`, `[*:1a2b3c4d]`; without the id and the bracket, which end it.
_TAG = re.compile(r"\[(?P<end>/?)(?P<name>\*|[a-zA-Z0-9_-]{1,30})(?:[=\s](?P<value>.*))?(?P<kind>:[a-z])?\Z", re.DOTALL)
_HTML = re.compile(
    r"""
    <!--\ s(?P<smiley>.{1,50}?)\ --><img\ [^<>]*><!--\ s(?P=smiley)\ -->
    | <!--\ (?P<kind>[mwel])\ --><a\ [^<>]*?href="(?P<url>[^"]*)"[^<>]*>(?P<words>[^<]*)</a><!--\ (?P=kind)\ -->
    | (?P<break><br\s?/?>\n?)
    | <(?:!--|/?[a-z])[^<>]*>
    """,
    re.VERBOSE,
)
_QUOTE, _LONGEST_NAME = "[quote=&quot;", 500
_IMAGE = re.compile(r'<img [^<>]*?alt="([^"]*)"[^<>]*>')
_ANY_TAG = re.compile(r"<(?:!--|/?[a-z])[^<>]*>")


def read(text: str, uid: str, builder: Builder) -> None:
    """Build the tree of a text whose tags have this id."""
    _BBCodeReader(builder).parse(text, f":{uid}]" if uid else "")


def words_of(text: str, uid: str) -> str:
    """Return the words of a text, found in another way: without tags."""
    kept = "".join(words for words, _, _ in _parts(text, f":{uid}]" if uid else ""))
    return _plain(_ANY_TAG.sub("", _IMAGE.sub(r"\1", kept)))


class _BBCodeReader:
    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.collecting = ""  # the tag whose words are needed as a whole
        self.about = ""
        self.words: list[str] = []

    def parse(self, text: str, mark: str) -> None:
        for words, tag, end in _parts(text, mark):
            self.text(words)
            self.tag(_TAG.match(_without_tags(tag, mark)), _content(text, end))
        self.finish()

    def tag(self, tag: re.Match[str] | None, following: str) -> None:
        """Begin or end what a tag means. What `follows` is the address of a link that names none."""
        if tag is None:
            return
        name = tag["name"].lower()
        if self.collecting:
            if tag["end"] and name == self.collecting:
                self.finish()
        elif tag["end"]:
            close_tag(self.builder, name)
        elif name in COLLECTED:
            self.collecting, self.about = name, ""
        else:
            open_tag(self.builder, name, _about(name, _plain(tag["value"] or ""), following))

    def text(self, text: str) -> None:
        at = 0
        for html in _HTML.finditer(text):
            self.say(text[at : html.start()])
            at = html.end()
            if html["smiley"] and not self.collecting:
                smiley(self.builder, _plain(html["smiley"]))
            elif html["kind"] and not self.collecting:
                self.link(_plain(html["url"]), _plain(html["words"]))
            elif html["break"]:
                self.say("\n")
        self.say(text[at:])

    def link(self, url: str, words: str) -> None:
        """Add a link that phpBB made of an address, in whole where phpBB had left out its middle."""
        self.builder.open_link(url)
        self.builder.say(words, url if " ... " in words else None)
        self.builder.close_link()

    def say(self, text: str) -> None:
        if self.collecting:
            self.words.append(text)
        elif text:
            self.builder.say(_plain(text))

    def finish(self) -> None:
        if self.collecting:
            put(self.builder, self.collecting, self.about, _plain("".join(self.words)))
            self.collecting, self.words = "", []


def _parts(text: str, mark: str) -> Iterator[tuple[str, str, int]]:
    """Give the words before each tag, the tag without its mark, and where it ends; at last the words after them."""
    at = 0
    while mark and (end := text.find(mark, at)) >= 0:
        start = at + _tag_start(text[at:end])
        quote = text.rfind(_QUOTE, at, end)
        if quote >= 0 and text.find("&quot;", quote + len(_QUOTE), end) < 0:
            # The name has tags of its own.
            close = text.find(f"&quot;{mark}", end, end + _LONGEST_NAME)
            if close >= 0 and text.find(_QUOTE, quote + 1, close) < 0:
                start, end = quote, close + len("&quot;")
        yield text[at:start], text[start:end], end + len(mark)
        at = end + len(mark)
    yield text[at:], "", len(text)


def _without_tags(tag: str, mark: str) -> str:
    """Return a tag without those in the name of who is quoted."""
    *parts, last = tag.split(mark) if mark else [tag]
    return "".join([*(part[: max(part.rfind("["), 0)] for part in parts), last])


def _tag_start(part: str) -> int:
    """Return where the tag begins that a part ends with: names in a quote may have brackets."""
    at = part.rfind("[")
    if at >= 0 and _TAG.match(part, at):
        return at
    quote = part.rfind(_QUOTE)
    return quote if quote >= 0 else len(part)


def _content(text: str, start: int) -> str:
    return text[start : text.find("[", start, start + 2_000)]


def _about(name: str, value: str, following: str) -> str:
    match name:
        case "url":
            return value or _plain(following)
        case "email":
            return f"mailto:{value or _plain(following)}"
        case "quote":
            return value.removeprefix('"').removesuffix('"')
    return value


def _plain(text: str) -> str:
    """Return words with their entities resolved, once."""
    return carried(unescape(text)) if "&" in text else text
