"""Read HTML of articles and comments in WordPress: its own list of what is kept, all else becomes its words."""

import re
from html import unescape
from typing import Final

import nh3

from forum.core.text import carried
from forum.importers.texts.outcome import Loss
from forum.importers.texts.tags import close_tag, open_tag
from forum.importers.texts.tree import Builder

# Tags that mean the same as one of a board.
_SAME: Final = {
    **{"a": "url", "blockquote": "quote", "cite": "i"},
    **dict.fromkeys(("code", "kbd", "tt"), "c"),
    **dict.fromkeys(("div", "section", "article", "main", "aside", "header", "footer", "nav", "form", "fieldset"), "p"),
    **dict.fromkeys(("figure", "figcaption", "caption", "legend", "summary", "address", "dl", "dt", "dd"), "p"),
    "center": "center",
    "details": "spoiler",
}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_EMBEDDED = {"iframe": "A page or video", "video": "A video", "audio": "A recording"}
_KEPT = {
    *_SAME, *_HEADINGS, *_EMBEDDED,
    *("b", "br", "del", "em", "hr", "i", "img", "ins", "li", "ol", "p", "pre"),
    *("q", "s", "span", "strike", "strong", "table", "td", "th", "tr", "u", "ul"),
}  # fmt: skip
_TAGS = nh3.Cleaner(
    tags=_KEPT,
    attributes={
        "*": {"hidden", "style"},
        "a": {"href"},
        "img": {"src", "alt"},
        "ol": {"type"},
        **{tag: {"src"} for tag in _EMBEDDED},
    },
    link_rel=None,
    strip_comments=True,
)
_WORDS = nh3.Cleaner(tags=set(), attributes={"*": set()}, link_rel=None, strip_comments=True)
_TOKEN = re.compile(r'<(?P<end>/?)(?P<name>[a-z0-9]+)(?P<attributes>(?:"[^"]*"|[^">])*)>|[^<]+')
_ATTRIBUTE = re.compile(r'([a-z]+)="([^"]*)"')
_VALUES = ("href", "src", "type")
_VOID = ("br", "hr", "img")
_UNSEEN = re.compile(r"\b(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_FILE = re.compile(r"\S+\.\w{3,4}|\W*(?:img|dsc|image|photo|picture)?[\W_]*\d*\W*", re.IGNORECASE)  # a mere name of one
_IS_BLOCKS = "<!-- wp:"  # of the block editor, in which a line end is a mere space
_BEGINS_TAG = re.compile(r"<(?=[a-zA-Z/])")


def read(text: str, builder: Builder) -> None:
    """Build the tree of a text."""
    _HtmlReader(builder, breaks=_IS_BLOCKS not in text).parse(_TAGS.clean(_with_tags_ended(text)))


def words_of(text: str) -> str:
    """Return the words of a text, found in another way: without tags."""
    return carried(unescape(_WORDS.clean(_with_tags_ended(text))))


def _with_tags_ended(text: str) -> str:
    """Return the text with a sign in place of each `<` that nothing ends: it begins no tag."""
    ended, end, rest = text.rpartition(">")
    return ended + end + _BEGINS_TAG.sub("&lt;", rest)


class _HtmlReader:
    def __init__(self, builder: Builder, breaks: bool) -> None:
        self.builder = builder
        self.breaks = breaks
        self.code: list[str] | None = None
        self.depth = 0  # of code in code
        self.unseen = 0  # how deep in what no reader saw

    def parse(self, html: str) -> None:
        for token in _TOKEN.finditer(html):
            if not token["name"]:
                self.words(carried(unescape(token[0])))
            elif self.unseen or "hidden=" in token["attributes"] or "style=" in token["attributes"]:
                self.pass_over(token)
            else:
                self.tag(token)

    def tag(self, token: re.Match[str]) -> None:
        if token["end"]:
            self.end(token["name"])
            return
        attributes = dict(_ATTRIBUTE.findall(token["attributes"]))
        value = next((attributes[name] for name in _VALUES if name in attributes), "")
        self.start(token["name"], unescape(value), unescape(attributes.get("alt", "")))

    def pass_over(self, token: re.Match[str]) -> None:
        """Keep words that a page hid from its readers apart, as those for few."""
        attributes = dict(_ATTRIBUTE.findall(token["attributes"]))
        if not self.unseen and "hidden" not in attributes and not _UNSEEN.search(attributes.get("style", "")):
            self.tag(token)
        elif token["name"] not in _VOID:
            if not self.unseen:
                self.put_code()
                self.builder.open_few()
            self.unseen += -1 if token["end"] else 1
            if not self.unseen:
                self.builder.close_few()

    def words(self, text: str) -> None:
        if self.code is not None and not self.unseen:
            self.code.append(text)
        else:
            self.builder.say(text if self.breaks else text.replace("\n", " "))

    def start(self, name: str, value: str, alt: str = "") -> None:
        match name:
            case "pre":
                self.code = self.code or []
                self.depth += 1
            case "span":
                return
            case "br":
                self.words("\n") if self.code is not None else self.builder.say("\n")
            case _ if self.code is not None:
                return
            case "q":
                self.builder.say("", "“")
            case "img":
                self.builder.picture(value, "", "" if _FILE.fullmatch(alt) else alt)
            case _ if name in _HEADINGS:
                self.builder.heading(_HEADINGS[name])
            case _ if name in _EMBEDDED:
                self.embedded(name, value)
            case _:
                open_tag(self.builder, _SAME.get(name, name), value)

    def end(self, name: str) -> None:
        match name:
            case "pre":
                self.depth -= 1
                if not self.depth:
                    self.put_code()
                    self.code = None
            case _ if self.code is not None:
                return
            case "span":
                return
            case "q":
                self.builder.say("", "”")
            case _ if name in _HEADINGS:
                self.builder.end_paragraph()
            case _:
                close_tag(self.builder, _SAME.get(name, name))

    def put_code(self) -> None:
        """Add the words of code until here."""
        if self.code:
            self.builder.code("".join(self.code))
            self.code = []

    def embedded(self, name: str, url: str) -> None:
        """Add a link to what another site would show in the page."""
        self.builder.losses.add(Loss.PICTURE)
        self.builder.open_link(url)
        self.builder.say("", _EMBEDDED[name])
        self.builder.close_link()
