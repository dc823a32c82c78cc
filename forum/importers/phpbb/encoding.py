"""Bytes of an old database as text: UTF-8, and what became of it on the way through other programs' hands."""

import html
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from forum.core.text import carried
from forum.importers.remarks import Remark
from forum.importers.staging import Notebook

# What two bytes of UTF-8 look like as Western letters: "Ã©", "â€™", "ðŸ˜Š".
_DOUBLE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]"
)
# Windows' Western letters in place of C1 controls; its five gaps stay what they are in Latin-1.
_TO_BYTES = {ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte)): byte for byte in range(0x80, 0x100)}
# Letters, currency, quotation marks and dashes: what people wrote in Latin-1. ÿ and þ are rather broken bytes.
_LETTERS = re.compile(rb"(?:[\x00-\x7f\x80\x82-\x89\x8b\x91-\x97\x99\x9b\xa0-\xfd])*+")
_BEGUN = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")  # a character of UTF-8, perhaps a wrong one
# With what a letter of Latin, a quotation mark and an emoji begin in UTF-8; alone at the end, others are é, ë, ü.
_CUT_AFTER = b"\xc2\xc3\xc4\xc5\xe2\xf0"
_LOST = re.compile(r"\?{4,}|\ufffd")
# What a remark of a post is called where it is about a line.
_OF_LINES: Mapping[Remark, Remark] = {
    Remark.DOUBLE_ENCODED: Remark.LINE_MENDED,
    Remark.LATIN: Remark.LINE_MENDED,
    Remark.BYTES_DROPPED: Remark.LINE_DROPPED,
    Remark.CONTROLS_DROPPED: Remark.LINE_DROPPED,
    Remark.LOST_BEFORE: Remark.LINE_LOST,
}
_TAG = re.compile(r"<[^<>]*>")
_MARKUP_ONLY = re.compile(r"<([se])>.*?</\1>", re.DOTALL)


class Decoded(NamedTuple):
    """A text, and what was done to it."""

    text: str
    remarks: tuple[Remark, ...]


class Decoder:
    """Decodes the texts of one board; it must know whether the board is one that was encoded twice.

    What it finds in names and titles is noted in the notebook.
    """

    def __init__(self, is_double: bool = False, notebook: Notebook | None = None) -> None:
        self.is_double, self._notebook = is_double, notebook

    def decode(self, value: bytes | None) -> Decoded:
        """Return the text of some bytes."""
        if not value:
            return Decoded("", ())
        if value.isascii():
            text, repaired = value.decode("ascii"), None
        else:
            text, repaired = self._decode_foreign(value)
        remarks = [repaired] if repaired else []
        clean = carried(text)
        if len(clean) != len(text.replace("\r\n", "\n")):
            remarks.append(Remark.CONTROLS_DROPPED)
        if _LOST.search(clean):
            remarks.append(Remark.LOST_BEFORE)
        return Decoded(clean, tuple(remarks))

    def line(self, value: bytes | None, of: str | None = None) -> str:
        """Return a title or a name: in one line, its entities resolved once. What was found is noted `of` a record."""
        return " ".join(html.unescape(self.text(value, of)).split())

    def text(self, value: bytes | None, of: str | None = None) -> str:
        """Return the text of what is no post. What was found is noted `of` a record."""
        text, remarks = self.decode(value)
        if self._notebook and of:
            for what in dict.fromkeys(_OF_LINES[remark] for remark in remarks):
                self._notebook.add(what, of)
        return text

    def _decode_foreign(self, value: bytes) -> tuple[str, Remark | None]:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return _decode_broken(value)
        if self.is_double and (once := undouble(text)):
            return once, Remark.DOUBLE_ENCODED
        return text, None


def undouble(text: str) -> str | None:
    """Return what a text was before it was encoded twice, or None when it was not."""
    if not _DOUBLE.search(text):
        return None
    try:
        return bytes(_TO_BYTES.get(ord(char)) or _ascii(char) for char in text).decode()
    except ValueError:  # a character that is no Western letter, or no UTF-8 then
        return None


def is_double(texts: Iterable[bytes]) -> bool:
    """Return whether more than one in a hundred of the texts beyond ASCII was encoded twice."""
    foreign = double = 0
    for value in texts:
        if value.isascii():
            continue
        foreign += 1
        try:
            double += undouble(value.decode()) is not None
        except UnicodeDecodeError:
            continue
    return double * 100 > foreign


def plain(text: str, uid: str = "") -> str:
    """Return what was seen of a stored text, in one line: for descriptions and polls, never for posts."""
    if text.startswith(("<r>", "<t>", "<r ", "<t ")):
        text = _TAG.sub(" ", _MARKUP_ONLY.sub("", text).replace("<br/>", " "))
    elif uid:
        text = re.sub(rf"\[/?[^\[\]]*?:{re.escape(uid)}\]", "", text)
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _ascii(char: str) -> int:
    if ord(char) > 0x7F:
        raise ValueError(char)
    return ord(char)


def _decode_broken(value: bytes) -> tuple[str, Remark]:
    """Decode what is no UTF-8: Western letters of one byte, where nothing else than they would be broken."""
    rest = value.decode("utf-8", "ignore")
    is_latin = _LETTERS.fullmatch(value) and not _BEGUN.search(value)
    if is_latin and rest.isascii() and len(rest) < len(value) - _cut_end(value):
        return value.decode("cp1252", "replace"), Remark.LATIN
    return rest, Remark.BYTES_DROPPED


def _cut_end(value: bytes) -> int:
    """Return how many bytes at the end are a character that was cut, as where a column was too short."""
    for count in (1, 2, 3):
        if len(value) >= count and value[-count] >= 0xC2:
            return count if count > 1 or value[-1] in _CUT_AFTER else 0
    return 0
