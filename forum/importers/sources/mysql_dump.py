"""A dump of MySQL or MariaDB, row by row: as phpMyAdmin, mysqldump, mariadb-dump and phpBB's own backup write it.

It is read as text and never run. Of all statements, only CREATE TABLE and INSERT are understood; the others are passed
over. Memory stays bounded, because a row is: MEDIUMTEXT ends at 16 MiB.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from forum.importers.errors import CannotMove
from forum.importers.sources import files
from forum.importers.sources.files import CUT

ROW_MAX = 16 << 20
_CREATE_MAX = 1 << 20
_TABLES_MAX = 10_000
Value = bytes | None
# Which columns of a table are wanted; None: nothing of it.
Wanted = Callable[[str], Sequence[str] | None]

# Quantifiers with a second + give nothing back: what was read once is not read again.
_SINGLE = rb"'(?:[^'\\]++|\\.|'')*+'"
_DOUBLE = rb'"(?:[^"\\]++|\\.|"")*+"'
_VALUE = rb"(?:" + _SINGLE + rb"|" + _DOUBLE + rb"|[-+.\w]++(?:\s*+" + _SINGLE + rb")?+)"
_NAME = rb"(?:`(?:[^`]|``)++`|[\w$]++|\"[^\"]++\")"
# What the program said on its way, where a shell wrote that into the file, too. Whether it came to its end shows there.
_SAID = rb"(?:mysqldump: |mariadb-dump: |Warning: Using a password)[^\n]*+\n"
_GAP = re.compile(rb"(?:\s++|--(?=[\s])[^\n]*+\n|--\n|#[^\n]*+\n|" + _SAID + rb")*+")
_INSERT = re.compile(
    rb"(?:INSERT|REPLACE)\s+(?:(?:IGNORE|DELAYED|LOW_PRIORITY|HIGH_PRIORITY)\s+)*INTO\s+(?:("
    + _NAME + rb")\s*\.\s*)?(" + _NAME + rb")\s*(?:\(([^()]*)\)\s*)?VALUES?\s*(?=\()",
    re.IGNORECASE,
)  # fmt: skip
_CREATE = re.compile(
    rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:" + _NAME + rb"\s*\.\s*)?(" + _NAME + rb")\s*\(", re.IGNORECASE
)
_ROW = re.compile(rb"\s*+\(((?:[^'\"()]++|" + _SINGLE + rb"|" + _DOUBLE + rb")*+)\)", re.DOTALL)
_ONE = re.compile(_VALUE, re.DOTALL)
_NEXT = re.compile(rb"\s*+,\s*+(?=\()")
_PLAIN = re.compile(rb"[^'\"`;]*+")
_QUOTED = {quote: re.compile(rb"(?:[^" + quote + rb"\\]++|\\.)*+", re.DOTALL) for quote in (b"'", b'"')}
_QUOTED[b"`"] = re.compile(rb"[^`]*+")
_WORD = re.compile(rb"[A-Za-z]+")
_STATEMENTS = frozenset(
    b"ALTER ANALYZE BEGIN CALL CHANGE COMMIT CREATE DEALLOCATE DELETE DELIMITER DO DROP END EXECUTE FLUSH GRANT INSERT "
    b"LOCK OPTIMIZE PREPARE RELEASE RENAME REPLACE REVOKE ROLLBACK SAVEPOINT SELECT SET SHOW START TRUNCATE UNLOCK "
    b"UPDATE USE".split()
)
_NO_COLUMNS = re.compile(rb"\s*(?:PRIMARY|UNIQUE|KEY|INDEX|FULLTEXT|SPATIAL|CONSTRAINT|FOREIGN|CHECK|PERIOD)\b", re.I)
_COLUMN = re.compile(rb"\s*(" + _NAME + rb")\s")
_PART = re.compile(rb"(?:[^'\"`(),]++|" + _SINGLE + rb"|" + _DOUBLE + rb"|`[^`]*+`|\((?:[^'\"()]++|" + _SINGLE
                   + rb"|" + _DOUBLE + rb"|\([^()]*+\))*+\))++", re.DOTALL)  # fmt: skip
_ESCAPED = {quote: re.compile(rb"\\(.)|" + quote * 2, re.DOTALL) for quote in (b"'", b'"')}
_ESCAPES = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a", b"%": b"\\%", b"_": b"\\_"}
_SET_NAMES = re.compile(rb"SET\s+NAMES\s+'?(\w+)", re.IGNORECASE)
_USE = re.compile(rb"USE\s+(" + _NAME + rb")", re.IGNORECASE)
_WRITTEN = {b"\\", b"'", b'"', b"0", b"r", b"Z", b"n"}  # what servers and programs put a backslash before
_BACKSLASH = re.compile(rb"\\(.)", re.DOTALL)
_UNESCAPED = re.compile(rb"SQL_MODE\s*=\s*['\"][^'\"]*NO_BACKSLASH_ESCAPES", re.IGNORECASE)


class Row(NamedTuple):
    """A row of a table: its wanted columns, None where it has no such column or NULL."""

    table: str
    values: tuple[Value, ...]


class _Layout(NamedTuple):
    """How the rows of a table are written: one pattern for the whole row, whose groups are the wanted values."""

    row: re.Pattern[bytes]
    groups: Sequence[int | None]  # of each wanted column
    columns: int


@dataclass
class MysqlDump:
    """A dump: an iterator of rows. What it saw on the way is in its fields once it ended."""

    path: Path
    wanted: Wanted
    seen: Callable[[int], None] = lambda _: None
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)  # how many rows of those that are wanted
    charset: str = ""  # of SET NAMES

    def rows(self) -> Iterator[Row]:
        """Give all wanted rows. Raises CannotMove when the file is no dump, is cut or broken."""
        with files.pieces(self.path, self.seen) as pieces:
            yield from _Reader(self, pieces).rows()


class _Reader:
    """The place in a dump, and a buffer of what follows it."""

    def __init__(self, dump: MysqlDump, pieces: Iterator[bytes]) -> None:
        self.dump = dump
        self.pieces = pieces
        self.buffer = b""
        self.at = 0  # where in the buffer
        self.is_whole = False  # nothing follows the buffer
        self.statements = 0
        self.layouts: dict[tuple[str, bytes | None], _Layout] = {}
        self.must_end_with: bytes | None = None  # what the program that wrote it writes last
        self.database = ""  # that the statements here are about, where the dump names one
        self.has_raw_lines = self.has_escapes = self.has_lone = False  # of the values: how their signs are written
        self.databases: dict[str, str] = {}  # from which the rows of each wanted table are

    def rows(self) -> Iterator[Row]:
        self._more()
        if self.buffer.startswith(b"\xef\xbb\xbf"):
            self.at = 3
        self._note_promises(self.buffer[:4096])
        while self._to_statement():
            if self._starts(b"INSERT") or self._starts(b"REPLACE"):
                yield from self._insert()
            elif self._starts(b"CREATE"):
                self._create()
            elif self._starts(b"DELIMITER"):
                self._skip_delimited()
            else:
                self._note_statement()
                self._skip_statement()
            self.statements += 1
        if not self.statements:
            raise self._no_dump()
        if self.must_end_with:
            raise CannotMove(CUT.format(where=""))
        if self.has_raw_lines and self.has_lone and not self.has_escapes:
            raise self._unescaped()

    # The buffer

    def _more(self) -> bool:
        """Read on, and forget what lies behind; return whether anything came."""
        rest = [self.buffer[self.at :]]
        wanted = max(len(rest[0]), files.PIECE)  # twice as much each time: what is long is not read often
        got = 0
        for piece in self.pieces:
            rest.append(piece)
            got += len(piece)
            if got >= wanted:
                break
        else:
            self.is_whole = True
        self.buffer, self.at = b"".join(rest), 0
        return got > 0

    def _have(self, count: int) -> bool:
        while len(self.buffer) - self.at < count:
            if not self._more():
                return False
        return True

    def _starts(self, word: bytes) -> bool:
        return self.buffer[self.at : self.at + len(word)].upper() == word

    def _cut(self, where: str = "") -> CannotMove:
        return CannotMove(CUT.format(where=f" of {where}" if where else ""))

    def _no_dump(self) -> CannotMove:
        return CannotMove(
            f"{self.dump.path} is no dump of a MySQL database. In phpMyAdmin, choose Export, and SQL as the format."
        )

    def _broken(self, what: str) -> CannotMove:
        return CannotMove(f"{self.dump.path} is broken: {what}. Export the board anew.")

    # Statements

    def _to_statement(self) -> bool:
        """Go to where the next statement begins; return whether there is one."""
        while True:
            self._have(64 << 10)
            match = _GAP.match(self.buffer, self.at)
            assert match  # noqa: S101 (it may be empty)
            self._note_trailer(self.buffer[self.at : match.end()])
            self.at = match.end()
            if self._starts(b"/*"):
                self._skip_comment()
            elif self._starts(b";"):
                self.at += 1
            elif self._starts(b"--") or self._starts(b"#"):
                self._skip_line()
            elif self.at < len(self.buffer):
                break
            elif not self._more():
                return False
        word = _WORD.match(self.buffer, self.at)
        if word is None or word.group().upper() not in _STATEMENTS:
            if not self.statements:
                raise self._no_dump()
            start = self.buffer[self.at : self.at + 30].decode("ascii", "replace")
            raise self._broken(f"after {self.statements} statements, “{start}” begins none")
        return True

    def _skip_comment(self) -> None:
        self._have(256)
        match = _SET_NAMES.search(self.buffer, self.at, self.at + 256)
        if match and b"*/" not in self.buffer[self.at : match.start()]:
            self.dump.charset = match.group(1).decode().lower()
        self.at += 2
        while (end := self.buffer.find(b"*/", self.at)) < 0:
            self.at = max(self.at, len(self.buffer) - 1)
            if not self._more():
                raise self._cut()
        self.at = end + 2

    def _skip_line(self) -> None:
        while (end := self.buffer.find(b"\n", self.at)) < 0:
            self._note_trailer(self.buffer[self.at :])
            self.at = len(self.buffer)
            if not self._more():
                return
        self._note_trailer(self.buffer[self.at : end])
        self.at = end + 1

    def _skip_statement(self, where: str = "") -> None:
        """Go behind the next semicolon that stands in no string."""
        while True:
            self.at = _end_of(_PLAIN, self.buffer, self.at)
            if self.at < len(self.buffer):
                sign = self.buffer[self.at : self.at + 1]
                self.at += 1
                if sign == b";":
                    return
                self._skip_string(sign, where)
            elif not self._more():
                if where or self.statements == 0:
                    raise self._cut(where)
                return  # a last statement may lack it

    def _skip_string(self, quote: bytes, where: str) -> None:
        while True:
            self.at = _end_of(_QUOTED[quote], self.buffer, self.at)
            if self.buffer[self.at : self.at + 1] == quote:
                self.at += 1
                return  # two quotes are two strings side by side
            if not self._more():  # a backslash at the end of the buffer waits for what follows it
                raise self._cut(where)

    def _skip_delimited(self) -> None:
        """Go behind what stands between DELIMITER ;; and DELIMITER ; (triggers and procedures)."""
        delimiter = b";"
        while True:
            self._have(4096)
            if self._starts(b"DELIMITER"):
                line_end = self.buffer.find(b"\n", self.at)
                line = self.buffer[self.at : line_end if line_end >= 0 else len(self.buffer)]
                delimiter = line[len(b"DELIMITER") :].strip() or b";"
                self.at += len(line)
                if delimiter == b";":
                    return
            while (end := self.buffer.find(delimiter, self.at)) < 0:
                self.at = max(self.at, len(self.buffer) - len(delimiter) + 1)
                if not self._more():
                    raise self._cut()
            self.at = end + len(delimiter)
            self._have(4096)
            self.at = _end_of(_GAP, self.buffer, self.at)
            if self.at >= len(self.buffer) and not self._more():
                return

    def _create(self) -> None:
        while not self._has_end(self.at):
            if len(self.buffer) - self.at > _CREATE_MAX:
                if _CREATE.match(self.buffer, self.at):
                    raise self._broken("the description of a table has no end")
                break
            if not self._more():
                raise self._cut("the description of a table")
        if (match := _CREATE.match(self.buffer, self.at)) is None:  # of a view, a trigger, a database
            self._skip_statement()
            return
        table = _name(match.group(1))
        self.at = match.end()
        columns = []
        while True:
            part = _PART.match(self.buffer, self.at)
            if part is None:
                break
            if not _NO_COLUMNS.match(part.group()) and (name := _COLUMN.match(part.group())):
                columns.append(_name(name.group(1)))
            self.at = part.end()
            if self.buffer[self.at : self.at + 1] != b",":
                break
            self.at += 1
        self.dump.columns[table] = tuple(columns)
        if self.dump.wanted(table) is not None:
            self.dump.tables.setdefault(table, 0)
        self._refuse_many(self.dump.columns)
        self._skip_statement()

    def _has_end(self, at: int) -> bool:
        """Return whether the buffer holds the semicolon that ends the statement here."""
        while True:
            at = _end_of(_PLAIN, self.buffer, at)
            sign = self.buffer[at : at + 1]
            if sign in {b"", b";"}:
                return sign == b";"
            at = _end_of(_QUOTED[sign], self.buffer, at + 1)
            if at >= len(self.buffer):
                return False
            at += 1

    def _insert(self) -> Iterator[Row]:
        while (match := _INSERT.match(self.buffer, self.at)) is None:
            if len(self.buffer) - self.at > _CREATE_MAX or self._has_end(self.at):
                start = self.buffer[self.at : self.at + 30].decode("ascii", "replace")
                raise self._broken(f"“{start}…” cannot be understood")
            if not self._more():
                raise self._cut()
        table = _name(match.group(2))
        if match.group(3) is not None:  # data alone: which columns there are stands here
            self.dump.columns.setdefault(table, tuple(_names(match.group(3))))
        wanted = self.dump.wanted(table)
        if wanted is None:
            self.at = match.end()
            self._skip_statement(table)
            return
        self._note_database(table, match.group(1))
        layout = self._layout(table, wanted, match.group(3))
        self.at = match.end()
        count = 0
        while True:
            row = self._row(table, layout)
            self.at = row.end()
            if not self.has_escapes:
                self._note_signs(row.group(n) for n in layout.groups if n is not None)
            yield Row(table, tuple(None if n is None else _decode(row.group(n)) for n in layout.groups))
            count += 1
            self._have(64)
            if (following := _NEXT.match(self.buffer, self.at)) is None:
                break
            self.at = following.end()
        self.dump.tables[table] = self.dump.tables.get(table, 0) + count
        self._refuse_many(self.layouts)
        self._skip_statement(table)

    def _refuse_many(self, known: Sized) -> None:
        """Raise CannotMove for what would fill the memory, as no board does."""
        if len(known) > _TABLES_MAX:
            raise self._broken(f"it has more than {_TABLES_MAX:,} tables")

    def _layout(self, table: str, wanted: Sequence[str], named: bytes | None) -> _Layout:
        if (known := self.layouts.get((table, named))) is not None:
            return known
        columns = self._columns(table, named)
        kept = [column for column in columns if column in wanted]
        values = [b"(" + _VALUE + b")" if column in wanted else _VALUE for column in columns]
        layout = self.layouts[table, named] = _Layout(
            re.compile(rb"\s*+\(\s*+" + rb"\s*+,\s*+".join(values) + rb"\s*+\)", re.DOTALL),
            [kept.index(column) + 1 if column in kept else None for column in wanted],
            len(columns),
        )
        return layout

    def _columns(self, table: str, named: bytes | None) -> Sequence[str]:
        if named is not None:
            return _names(named)
        if (columns := self.dump.columns.get(table)) is None:
            raise CannotMove(
                f"{self.dump.path} does not say which columns {table} has. Export structure and data, not data alone."
            )
        return columns

    def _row(self, table: str, layout: _Layout) -> re.Match[bytes]:
        while True:
            row = layout.row.match(self.buffer, self.at)
            if row and row.end() - self.at <= ROW_MAX:
                return row
            if not row and (any_row := _ROW.match(self.buffer, self.at)):
                values = len(_ONE.findall(any_row.group(1)))
                if values == layout.columns:
                    raise self._broken(f"a row of {table} cannot be understood")
                raise self._broken(f"{table} has {layout.columns} columns, and a row of it {values} values")
            if len(self.buffer) - self.at > ROW_MAX:
                raise self._broken(f"a row of {table} is longer than 16 MiB, as after a missing quote")
            if not self._more():
                if self._has_end(self.at):
                    raise self._broken(f"a row of {table} cannot be understood")
                raise self._cut(table)

    # What the file says of itself

    def _note_database(self, table: str, named: bytes | None) -> None:
        """Raise CannotMove where a table comes from two databases: of two boards, one would cover the other."""
        database = _name(named) if named else self.database
        if database and (before := self.databases.setdefault(table, database)) != database:
            raise CannotMove(
                f"{self.dump.path} holds two databases, {before} and {database}, and each has a table {table}: export "
                "one of them."
            )

    def _note_signs(self, values: Iterable[bytes]) -> None:
        """Note how lines, quotation marks and backslashes are written in some values.

        Where a backslash is no letter, whoever writes lines as they are doubles each backslash or puts it before a
        quotation mark, soon enough; where it is one, it stands alone, as people typed it.
        """
        for value in values:
            self.has_raw_lines = self.has_raw_lines or b"\n" in value
            if b"\\" in value and value[:1] in {b"'", b'"'}:
                signs = {found[1] for found in _BACKSLASH.finditer(value)}
                self.has_escapes = self.has_escapes or not signs.isdisjoint((b"\\", b"'", b'"'))
                self.has_lone = self.has_lone or not signs <= _WRITTEN

    def _unescaped(self) -> CannotMove:
        return CannotMove(
            f"{self.dump.path} was written in the mode NO_BACKSLASH_ESCAPES, in which a backslash may be a letter: "
            "switch that mode off on the server, and export the board anew."
        )

    def _note_promises(self, start: bytes) -> None:
        if re.match(rb"(?:/\*M?!999999[^\n]*\n|" + _SAID + rb")*-- (?:MySQL|MariaDB) dump", start):
            self.must_end_with = b"-- Dump completed"
        if _UNESCAPED.search(start):
            raise self._unescaped()
        if b"-- PostgreSQL database dump" in start:
            raise CannotMove(f"{self.dump.path} is a dump of PostgreSQL; only MySQL and MariaDB are understood.")

    def _note_trailer(self, gap: bytes) -> None:
        if self.must_end_with and self.must_end_with in gap:
            self.must_end_with = None

    def _note_statement(self) -> None:
        start = self.buffer[self.at : self.at + 200]
        if match := _SET_NAMES.match(start):
            self.dump.charset = match.group(1).decode().lower()
        if match := _USE.match(start):
            self.database = _name(match.group(1))
        if start.upper().startswith(b"START TRANSACTION"):
            self.must_end_with = b"COMMIT"
        elif start.upper().startswith(b"COMMIT") and self.must_end_with == b"COMMIT":
            self.must_end_with = None


def _end_of(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    match = pattern.match(buffer, at)
    return match.end() if match else at


def _name(quoted: bytes) -> str:
    if quoted[:1] in {b"`", b'"'}:
        quoted = quoted[1:-1].replace(b"``", b"`")
    return quoted.decode("utf-8", "replace")


def _names(quoted: bytes) -> list[str]:
    return [_name(name.strip()) for name in quoted.split(b",")]


def _decode(value: bytes) -> Value:
    """Return a value as bytes; a number as it was written."""
    quote = value[:1]
    if quote in {b"'", b'"'}:
        return _unescape(value[1:-1], quote)
    if value.endswith(b"'"):  # _binary '…', x'…', b'…'
        return _decode_introduced(*value[:-1].split(b"'", 1))
    if value[:2] in {b"0x", b"0X"}:
        return _unhex(value[2:])
    return None if value.upper() == b"NULL" else value


def _decode_introduced(introducer: bytes, text: bytes) -> Value:
    match introducer.strip().lower():
        case b"x":
            return _unhex(text)
        case b"b":
            return _bits(text)
    return _unescape(text, b"'")


def _bits(digits: bytes) -> bytes:
    try:
        return str(int(digits or b"0", 2)).encode()
    except ValueError as error:
        raise CannotMove("The file is broken: what follows b is no number. Export the board anew.") from error


def _unhex(digits: bytes) -> bytes:
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError as error:
        raise CannotMove("The file is broken: what follows 0x is no number. Export the board anew.") from error


def _unescape(text: bytes, quote: bytes) -> bytes:
    if b"\\" not in text:
        return text.replace(quote * 2, quote)
    return _ESCAPED[quote].sub(_replace, text)


def _replace(match: re.Match[bytes]) -> bytes:
    sign = match.group(1)
    return match.group()[:1] if sign is None else _ESCAPES.get(sign, sign)
