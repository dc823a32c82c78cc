"""Read XML of s9e/TextFormatter, in which phpBB 3.2 and later keep their texts.

A text without markup is `<t>…</t>`, another `<r>…</r>`. In it, `<s>` and `<e>` are the tags as they were typed, and
`<i>` is what the parser passed over: none of them is shown.
"""

import re
from collections.abc import Mapping
from html import unescape
from xml.parsers.expat import ExpatError, ParserCreate

from forum.importers.texts.outcome import Damaged
from forum.importers.texts.tags import COLLECTED, close_tag, is_said, open_tag, put
from forum.importers.texts.tree import Builder

_ROOT = re.compile(r"<[rt][ >/]")
_AS_TYPED = {"s", "e", "i"}
_TYPED = re.compile(r"<([sei])>[^<]*(?:<br/>[^<]*)*</\1>")
_TAG = re.compile(r"<[^<>]*>")
# The attribute that says what a tag is about.
_VALUES = {
    "quote": "author",
    "list": "type",
    "url": "url",
    "email": "email",
    "img": "src",
    "emoji": "seq",
    "color": "color",
}
# Of a tag of the board's own, that of its name, else one of these, is what readers saw above or before its words.
_HEADINGS = ("title", "header", "heading", "caption", "label")
# Of its other attributes, these were never shown, or stand among its words.
_NEVER_SAID = {"content", "id", "url", "src", "lang", "type", "class", "style", "align", "float", "width", "height"}


def is_xml(text: str) -> bool:
    """Return whether a text is in this form: a board that was upgraded can have both."""
    return _ROOT.match(text) is not None


def read(text: str, builder: Builder) -> None:
    """Build the tree of a text. Raises Damaged."""
    try:
        _XmlReader(builder).parse(text)
    except (ExpatError, ValueError) as error:
        raise Damaged from error


def words_of(text: str) -> str:
    """Return the words of a text, found in another way: without tags."""
    return unescape(_TAG.sub("", _TYPED.sub("", text)))


class _XmlReader:
    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.typed = 0  # how deep in what was typed
        self.collecting: list[tuple[str, str]] = []  # tags whose words are needed as a whole, with what they are about
        self.words: list[str] = []
        self.has_broken = False  # a line, just now; the line end follows

    def parse(self, text: str) -> None:
        parser = ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.data
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.Parse(text.encode(), True)

    def start(self, element: str, attributes: dict[str, str]) -> None:
        name = element.lower()
        if element in _AS_TYPED:
            self.typed += 1
        elif name == "br":
            self.data("\n")
            self.has_broken = True
        elif self.collecting or name in COLLECTED:
            self.collecting.append((name, _value(name, attributes)))
        else:
            value = _value(name, attributes)
            value = f"mailto:{value}" if name == "email" else value
            open_tag(self.builder, name, value, attributes.get("post_id"))

    def end(self, element: str) -> None:
        name = element.lower()
        if element in _AS_TYPED:
            self.typed -= 1
        elif name == "br":
            pass
        elif self.collecting:
            tag, value = self.collecting.pop()
            if not self.collecting:
                words, self.words = "".join(self.words), []
                put(self.builder, tag, value, words)
        else:
            close_tag(self.builder, name)

    def data(self, text: str) -> None:
        if self.typed:
            return
        if self.has_broken and text.startswith("\n"):
            text = text[1:]
        self.has_broken = False
        if self.collecting:
            self.words.append(text)
        else:
            self.builder.say(text)


def _value(name: str, attributes: Mapping[str, str]) -> str:
    if name in _VALUES:
        return attributes.get(_VALUES[name], "")
    first = next((key for key in (name, *_HEADINGS) if key in attributes), "")
    others = (key for key in attributes if key != first and key not in _NEVER_SAID and is_said(attributes[key]))
    said = [attributes[key] for key in others]
    value = attributes.get(first, "")
    return ", ".join([value, *said] if is_said(value) else said) or value


def _refuse(*_: object) -> None:
    raise ValueError("a text of a post declares nothing")
