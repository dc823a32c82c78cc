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
    **dict.fromkeys(("div", "section", "article", "figure", "figcaption", "dl", "dt", "dd"), "p"),
}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_EMBEDDED = {"iframe": "A page or video", "video": "A video", "audio": "A recording"}
_KEPT = {
    *_SAME, *_HEADINGS, *_EMBEDDED,
    *("b", "br", "del", "em", "hr", "i", "img", "ins", "li", "ol", "p", "pre"),
    *("q", "s", "strike", "strong", "table", "td", "th", "tr", "u", "ul"),
}  # fmt: skip
_TAGS = nh3.Cleaner(
    tags=_KEPT,
    attributes={"*": set(), "a": {"href"}, "img": {"src"}, "ol": {"type"}, **{tag: {"src"} for tag in _EMBEDDED}},
    link_rel=None,
    strip_comments=True,
)
_WORDS = nh3.Cleaner(tags=set(), attributes={"*": set()}, link_rel=None, strip_comments=True)
_TOKEN = re.compile(r'<(?P<end>/?)(?P<name>[a-z0-9]+)(?P<attributes>(?:"[^"]*"|[^">])*)>|[^<]+')
_VALUE = re.compile(r'(?:href|src|type)="([^"]*)"')
_IS_BLOCKS = "<!-- wp:"  # of the block editor, in which a line end is a mere space


def read(text: str, builder: Builder) -> None:
    """Build the tree of a text."""
    _HtmlReader(builder, breaks=_IS_BLOCKS not in text).parse(_TAGS.clean(text))


def words_of(text: str) -> str:
    """Return the words of a text, found in another way: without tags."""
    return carried(unescape(_WORDS.clean(text)))


class _HtmlReader:
    def __init__(self, builder: Builder, breaks: bool) -> None:
        self.builder = builder
        self.breaks = breaks
        self.code: list[str] | None = None
        self.depth = 0  # of code in code

    def parse(self, html: str) -> None:
        for token in _TOKEN.finditer(html):
            if not token["name"]:
                self.words(carried(unescape(token[0])))
            elif token["end"]:
                self.end(token["name"])
            else:
                value = _VALUE.search(token["attributes"])
                self.start(token["name"], unescape(value[1]) if value else "")

    def words(self, text: str) -> None:
        if self.code is not None:
            self.code.append(text)
        else:
            self.builder.say(text if self.breaks else text.replace("\n", " "))

    def start(self, name: str, value: str) -> None:
        match name:
            case "pre":
                self.code = self.code or []
                self.depth += 1
            case "br":
                self.words("\n") if self.code is not None else self.builder.say("\n")
            case _ if self.code is not None:
                return
            case "q":
                self.builder.say("", "“")
            case "img":
                self.builder.picture(value, "")
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
                    code, self.code = "".join(self.code or []), None
                    self.builder.code(code)
            case _ if self.code is not None:
                return
            case "q":
                self.builder.say("", "”")
            case _ if name in _HEADINGS:
                self.builder.end_paragraph()
            case _:
                close_tag(self.builder, _SAME.get(name, name))

    def embedded(self, name: str, url: str) -> None:
        """Add a link to what another site would show in the page."""
        self.builder.losses.add(Loss.PICTURE)
        self.builder.open_link(url)
        self.builder.say("", _EMBEDDED[name])
        self.builder.close_link()
