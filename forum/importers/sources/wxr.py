"""An export of WordPress (WXR), entry by entry: a feed with what the site holds, as Tools, Export writes it.

It is read as text: nothing in it is looked up elsewhere, and a document type or an entity of its own is refused, as no
export has one. Memory stays bounded, because a text is, and how deep its elements stand.
"""

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from xml.parsers import expat

from forum.importers.errors import CannotMove
from forum.importers.sources import files
from forum.importers.sources.files import CUT

TEXT_MAX = 16 << 20  # characters; MySQL's longest text for an article has as many bytes
ENTRY_MAX = 64 << 20  # of an article with its comments
_COMMENT_COSTS = 500  # however empty it is
DEPTH_MAX = 12  # an export has six
# What stands in a text for what XML forbids, until it is dropped: these two may be in XML, and nobody writes them.
CONTROL, BROKEN = "\ufdd0", "\ufdd1"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufdd0\ufdd1\ufffe\uffff]")
_ENCODING = re.compile(rb"""^<\?xml[^>]{0,100}?\bencoding\s*=\s*["']([\w.:-]{1,40})["']""")
_LATIN = {"iso8859-1": "cp1252", "ascii": "utf-8"}  # as browsers read them, too
_KNOWN = {"utf-8", "cp1252", "iso8859-15"}

_ITEM, _COMMENT = "rss/channel/item", "rss/channel/item/wp:comment"
_AUTHOR, _META = "rss/channel/wp:author", "rss/channel/item/wp:postmeta"
_COMMENT_META = f"{_COMMENT}/wp:commentmeta"
# Which elements of an entry are read. Addresses of machines and of commenters' sites are not.
_NAMES: Mapping[str, str] = {
    "rss/channel": "title link pubDate generator wp:wxr_version wp:base_blog_url",
    _AUTHOR: "wp:author_id wp:author_login wp:author_email wp:author_display_name",
    _ITEM: "title link dc:creator content:encoded pubDate wp:post_id wp:post_date wp:post_date_gmt wp:comment_status "
    "wp:status wp:post_type wp:post_password wp:post_name wp:is_sticky",
    _COMMENT: "wp:comment_id wp:comment_author wp:comment_author_email wp:comment_date wp:comment_date_gmt "
    "wp:comment_content wp:comment_approved wp:comment_type wp:comment_parent wp:comment_user_id",
    **dict.fromkeys((_META, _COMMENT_META), "wp:meta_key wp:meta_value"),
}
# What plugins note of an article or a comment that only some readers see, unless the value says that everybody does.
KEPT_FROM_SOME = "kept from some"
_RESTRICTS = re.compile(
    r"restrict|members?_(?:access|only|role|level|content)|membership|access(?!ib|ory|ories)|protected|privat|paywall"
    r"|logged_?in|wpmem_block|groups-(?:groups_)?read|subscribers?_only|subscription_level|user_level|_is_paid",
    re.IGNORECASE,
)
_NAMES_LEVELS = re.compile(r"subscription_level|membership_level", re.IGNORECASE)
_ANY_LEVEL = re.compile(r"\s*(?:any|anyone|all)\s*", re.IGNORECASE)  # of those that a reader pays for
_RESTRICTS_NOTHING = re.compile(
    r"\s*(?:0|no|none|off|false|public|open|everybody|everyone|anyone|all|any|default|inherit|visible|a:0:\{\}|\[\]|\{\})?\s*"
    r"|a:.*_um_custom_access_settings\";(?:s:1:\"0\"|s:0:\"\"|b:0|i:0);.*",
    re.IGNORECASE | re.DOTALL,
)
_FIELDS = {place: frozenset(names.split()) for place, names in _NAMES.items()}
Fields = Mapping[str, str]


class Entry(NamedTuple):
    """An author, or an article with its comments, as they stand in an export; `export` is what the export says."""

    export: Fields
    author: Fields | None = None
    item: Fields | None = None
    comments: tuple[Fields, ...] = ()


def is_xml(start: bytes) -> bool:
    """Return whether a file that begins so is XML."""
    return start.removeprefix(codecs.BOM_UTF8).lstrip()[:5].lower() in {b"<?xml", b"<rss ", b"<rss>"}


def read_entries(path: Path, seen: Callable[[int], None], member: str = "") -> Iterator[Entry]:
    """Give the entries of an export, then an empty one. Raises CannotMove when it is none, is cut or broken."""
    reader = _ExportReader(path)
    with files.pieces(path, seen, member) as pieces:
        for text in _decoded(pieces, path):
            yield from reader.feed(text)
            if reader.is_whole:
                break
        yield from reader.end()


def is_rule(kind: str) -> bool:
    """Return whether an entry of this kind is a rule of a plugin about who reads what: it names no article."""
    return _RESTRICTS.search(kind) is not None or "memberpress" in kind.lower()


def _asks_for_any(key: str, value: str) -> bool:
    return bool(_NAMES_LEVELS.search(key) and _ANY_LEVEL.fullmatch(value))


def _decoded(pieces: Iterator[bytes], path: Path) -> Iterator[str]:
    """Give a file's text, with a mark in place of each character that XML forbids, and of bytes that are no text."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= 1_000:  # plugins put empty lines before it
            break
    start = start.removeprefix(codecs.BOM_UTF8).lstrip()
    said = _ENCODING.match(start)
    decoder = _decoder((said[1] if said else b"utf-8").decode("ascii"), path)
    yield _marked(decoder.decode(start))
    for piece in pieces:
        yield _marked(decoder.decode(piece))
    yield _marked(decoder.decode(b"", final=True))


def _decoder(encoding: str, path: Path) -> codecs.IncrementalDecoder:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        name = encoding
    name = _LATIN.get(name, name)
    if name not in _KNOWN:
        raise CannotMove(f"{path} is in the encoding {encoding}: only UTF-8 and Western European ones are understood.")
    return codecs.getincrementaldecoder(name)("surrogateescape")


def _marked(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: BROKEN if found[0] >= "\ud800" and found[0] <= "\udfff" else CONTROL, text)


class _ExportReader:
    """The place in an export."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_whole = False
        self._is_wordpress = False
        self._export: dict[str, str] = {}
        self._open: list[str] = []  # the path of each element that is open
        self._entry: list[dict[str, str]] = []  # of which entries fields are read
        self._comments: list[Fields] = []
        self._text: list[str] | None = None
        self._size = self._of_entry = self._silent = 0
        self._found: list[Entry] = []
        self._expat = self._make_parser()

    def feed(self, text: str) -> Iterator[Entry]:
        self._silent += len(text)
        if self._silent > TEXT_MAX:
            raise self._too_long()
        self._parse(text, is_final=False)
        yield from self._found
        self._found.clear()

    def end(self) -> Iterator[Entry]:
        if not self.is_whole:
            self._parse("", is_final=True)
        if not self._is_wordpress:
            raise self._no_export()
        yield Entry(self._export)

    def _parse(self, text: str, *, is_final: bool) -> None:
        try:
            self._expat.Parse(text, is_final)
        except expat.ExpatError as error:
            if is_final:
                raise CannotMove(CUT.format(where="")) from error
            if not self._open and not self.is_whole:
                raise self._no_export() from error
            if self.is_whole:
                return  # what stands behind the export is none of it
            message = expat.ErrorString(error.code)
            raise CannotMove(f"{self.path} is broken in line {error.lineno} ({message}): export it anew.") from error

    def _make_parser(self) -> Any:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._finish
        parser.CharacterDataHandler = self._say
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        return parser

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._silent = 0
        above = self._open[-1] if self._open else ""
        if not above and name != "rss":
            raise self._no_export()
        if len(self._open) >= DEPTH_MAX:
            raise CannotMove(f"{self.path} is no export of WordPress: its elements stand too deep in each other.")
        place = f"{above}/{name}" if above else name
        self._open.append(place)
        self._is_wordpress = self._is_wordpress or name.startswith("wp:")
        if place in _FIELDS:
            self._entry.append(self._export if place == "rss/channel" else {})
        elif name in _FIELDS.get(above, ()):
            self._text, self._size = [], 0

    def _say(self, text: str) -> None:
        self._silent = 0
        if self._text is None:
            return
        self._size += len(text)
        if self._size > TEXT_MAX:
            raise self._too_long()
        self._grow(len(text))
        self._text.append(text)

    def _grow(self, size: int) -> None:
        self._of_entry += size
        if self._of_entry > ENTRY_MAX:
            raise CannotMove(f"{self.path} is broken: it has an article of more than 64 MiB. Export it anew.")

    def _finish(self, name: str) -> None:
        self._silent = 0
        place = self._open.pop()
        if place in _FIELDS:
            self._close(place, self._entry.pop())
        elif self._open and self._text is not None and name in _FIELDS.get(self._open[-1], ()):
            self._entry[-1][name] = "".join(self._text)
            self._text = None
        self.is_whole = not self._open

    def _close(self, place: str, entry: dict[str, str]) -> None:
        if place == _COMMENT:
            self._comments.append(entry)
            self._grow(_COMMENT_COSTS)
        elif place in {_META, _COMMENT_META}:
            key, value = entry.get("wp:meta_key", ""), entry.get("wp:meta_value", "")
            if _RESTRICTS.search(key) and (_asks_for_any(key, value) or not _RESTRICTS_NOTHING.fullmatch(value)):
                self._entry[-1][KEPT_FROM_SOME] = "1"
        elif place == _ITEM:
            self._found.append(Entry(self._export, item=entry, comments=tuple(self._comments)))
            self._comments.clear()
            self._of_entry = 0
        elif place == _AUTHOR:
            self._found.append(Entry(self._export, author=entry))

    def _refuse(self, *_: object) -> NoReturn:
        raise CannotMove(f"{self.path} has a document type or entities of its own, which no export of WordPress has.")

    def _too_long(self) -> CannotMove:
        return CannotMove(
            f"{self.path} is broken: it has a text longer than 16 MiB, as after a missing end. Export it anew."
        )

    def _no_export(self) -> CannotMove:
        return CannotMove(
            f"{self.path} is no export of WordPress: there, choose Tools, Export, All content, and give that file. Of "
            "phpBB, export the database as SQL, not as XML."
        )
