"""The database of an old board itself, where a server or a file of it can be read: a dump needs neither, and is first.

All of it is read as it was at one moment, in a transaction that can only read, and each value as the bytes that are
stored: what they mean, the reader of the board decides, as for a dump. The password is never on the command line, where
everybody on the machine could read it, and in no message.
"""

import asyncio
import os
import re
import sqlite3
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import asyncpg

from forum.importers.errors import CannotMove
from forum.importers.sources.mysql_dump import ROW_MAX, MysqlDump, Row, Value, Wanted

PASSWORD = "OLD_BOARD_PASSWORD"  # noqa: S105 (the name of a variable)
_SCHEMES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql", "postgres": "postgresql"}
_LIVE = re.compile(r"(\w+)://")
_SQLITE = b"SQLite format 3\0"
_AT_ONCE = 200  # rows: each can have 16 MiB
_HERE = {"localhost", "127.0.0.1", "::1"}
_WAIT = 30  # seconds until a server that does not answer is given up
Columns = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class LiveBoard:
    """Where the database of an old board is, and how it is opened."""

    kind: str
    host: str
    port: int | None
    user: str
    database: str
    socket: str | None = None
    ca: str | None = None
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.kind}://{self.user}@{self.host}/{self.database}"

    @property
    def is_here(self) -> bool:
        """Whether nobody between can read along."""
        return self.socket is not None or self.host in _HERE or self.host.startswith("/")

    def tls(self) -> ssl.SSLContext | None:
        """Return how a server elsewhere proves who it is, and that nobody reads along; None on this machine.

        Raises CannotMove when its certificates cannot be read.
        """
        if self.is_here:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError) as error:
            raise CannotMove(f"{self.ca} holds no certificate that can be read.") from error


Source = Path | LiveBoard


def source_of(named: str, ask: Callable[[str], str]) -> Source:
    """Return what somebody named: a file, or a database, whose password is in the environment or asked for.

    Raises CannotMove for an address that cannot be understood, or that has a password in it.
    """
    begins = _LIVE.match(named)
    if begins is None:
        return Path(named)
    if begins[1] not in _SCHEMES:
        raise CannotMove(f"{begins[1]}:// is no database that is understood: give a file, mysql:// or postgresql://.")
    try:
        parts = urlsplit(named)
        board = _board(parts)
    except ValueError:
        board = None
    if board is None:
        raise CannotMove("Write the address of the database as mysql://USER@HOST/DATABASE.")
    if parts.password is not None:
        raise CannotMove(
            "Leave the password out of the address, where everybody on this machine can read it: it is asked for, or "
            f"taken from {PASSWORD}."
        )
    password = os.environ.get(PASSWORD)
    return LiveBoard(*board, password=ask(f"Password of {parts.username}") if password is None else password)


def _board(parts: SplitResult) -> tuple[str, str, int | None, str, str, str | None, str | None] | None:
    asked, database = parse_qs(parts.query), unquote(parts.path.removeprefix("/"))
    host = unquote(parts.hostname or "localhost")
    if not parts.username or not database or not asked.keys() <= {"socket", "ca"}:
        return None
    socket, ca = (asked.get(name, [None])[0] for name in ("socket", "ca"))
    return _SCHEMES[parts.scheme], host, parts.port, unquote(parts.username), database, socket, ca


class Tables(ABC):
    """The tables of a database, row by row, as a dump would have them. What it saw is in its fields once it ended."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.columns: Columns = {}
        self.tables: dict[str, int] = {}

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Give all wanted rows. Raises CannotMove when the database cannot be read."""

    def _chosen(self, found: Columns) -> Iterator[tuple[str, list[str], Sequence[int | None]]]:
        """Give each wanted table with the wanted columns that it has, and where in its rows each wanted one is."""
        self.columns = found
        for table, columns in found.items():
            if (wanted := self.wanted(table)) is None:
                continue
            here = [column for column in wanted if column in columns]
            self.tables[table] = 0
            if here:
                yield table, here, [here.index(column) if column in here else None for column in wanted]

    def _row(self, table: str, values: Sequence[Value], places: Sequence[int | None]) -> Row:
        if sum(len(value) for value in values if value) > ROW_MAX:
            raise CannotMove(f"A row of {table} is longer than 16 MiB: no board has such a one.")
        self.tables[table] += 1
        return Row(table, tuple(None if place is None else values[place] for place in places))


class SqliteTables(Tables):
    """A board whose database is a file of SQLite."""

    def __init__(self, path: Path, wanted: Wanted, seen: Callable[[int], None]) -> None:
        super().__init__(wanted)
        self.path, self.seen = path, seen

    def rows(self) -> Iterator[Row]:
        """Give all wanted rows of the file. Raises CannotMove when it is none of SQLite."""
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                connection.isolation_level = None
                connection.execute("BEGIN")  # until the end: one moment
                for table, columns, places in self._chosen(_sqlite_columns(connection)):
                    listed = ", ".join(f"CAST({_quoted(column)} AS BLOB)" for column in columns)
                    query = f"SELECT {listed} FROM {_quoted(table)}"  # noqa: S608 (names of its own, quoted)
                    for values in connection.execute(query):
                        yield self._row(table, values, places)
        except sqlite3.Error as error:
            raise CannotMove(f"{self.path} cannot be read as a file of SQLite: {error}.") from error
        self.seen(self.path.stat().st_size)


def _sqlite_columns(connection: sqlite3.Connection) -> Columns:
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    tables = [name for (name,) in connection.execute(names)]
    columns = "SELECT name FROM pragma_table_info(?)"
    return {table: tuple(name for (name,) in connection.execute(columns, (table,))) for table in tables}


class MysqlTables(Tables):
    """A board on a server of MySQL or MariaDB."""

    def __init__(self, board: LiveBoard, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.board = board

    def rows(self) -> Iterator[Row]:
        """Give all wanted rows, as they come. Raises CannotMove when the server cannot be read."""
        with self._connected() as (connection, cursor):
            # Bytes as they are stored: the server turns none of them into another encoding.
            for statement in (
                "SET NAMES binary",
                "SET SESSION net_write_timeout = 3600",  # we may be long with what came
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ):
                cursor.execute(statement)
            for table, columns, places in self._chosen(_mysql_columns(cursor)):
                listed = ", ".join(_quoted(column, "`") for column in columns)
                reading = connection.cursor()
                try:
                    reading.execute(f"SELECT {listed} FROM {_quoted(table, '`')}")  # noqa: S608 (as above)
                    for values in reading:
                        yield self._row(table, values, places)
                except BaseException:
                    _hang_up(connection, reading)
                    raise
                reading.close()

    @contextmanager
    def _connected(self) -> Iterator[tuple[Any, Any]]:
        if find_spec("pymysql") is None:
            raise CannotMove("To read a database of MySQL itself, install the forum with its extra “mysql”.")
        import pymysql  # noqa: PLC0415 (an extra)
        from pymysql.converters import conversions  # noqa: PLC0415
        from pymysql.cursors import SSCursor  # noqa: PLC0415

        board = self.board
        try:
            with _open(
                pymysql.connect(
                    host=board.host,
                    port=board.port or 3306,
                    unix_socket=board.socket,
                    # As bytes: of text, the library sends what Latin-1 has.
                    user=board.user.encode(),
                    password=board.password.encode(),
                    database=board.database,
                    charset="latin1",
                    use_unicode=False,
                    # Nothing is made of what comes; what is sent is written as ever.
                    conv={kind: how for kind, how in conversions.items() if not isinstance(kind, int)},
                    cursorclass=SSCursor,
                    connect_timeout=_WAIT,
                    local_infile=False,
                    ssl=board.tls(),
                )
            ) as connection, closing(connection.cursor()) as cursor:  # fmt: skip
                yield connection, cursor
        except pymysql.MySQLError as error:
            raise CannotMove(f"{board} cannot be read: {_said(error)}.") from None
        except RuntimeError as error:  # a way of signing in that needs another package
            raise CannotMove(f"{board} cannot be read: {error}.") from None


@contextmanager
def _open(connection: Any) -> Iterator[Any]:
    """Give a connection to a server of MySQL, which is closed at the end, unless somebody hung up before."""
    try:
        yield connection
    finally:
        if connection.open:
            connection.close()


def _hang_up(connection: Any, reading: Any) -> None:
    """Close a connection in the middle of a table: the library would read to its end first, however long it is."""
    result, reading.connection = reading._result, None
    if connection.open:
        connection.close()
    if result is not None:
        result.unbuffered_active, result.connection = False, None


def _mysql_columns(cursor: Any) -> Columns:
    cursor.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() "
        "ORDER BY table_name, ordinal_position"
    )
    return _grouped((table.decode("utf-8", "replace"), column.decode("utf-8", "replace")) for table, column in cursor)


class PostgresTables(Tables):
    """A board on a server of PostgreSQL."""

    def __init__(self, board: LiveBoard, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.board = board

    def rows(self) -> Iterator[Row]:
        """Give all wanted rows, some at a time. Raises CannotMove when the server cannot be read."""
        for batch in _in_a_thread(self._batches):
            yield from batch

    async def _batches(self) -> AsyncIterator[list[Row]]:
        board = self.board
        try:
            connection = await asyncpg.connect(
                host=board.socket or board.host,
                port=board.port or 5432,
                user=board.user,
                password=board.password,
                database=board.database,
                ssl=board.tls() or False,
                timeout=_WAIT,
                command_timeout=None,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            raise CannotMove(f"{board} cannot be read: {_said(error)}.") from None
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                for table, columns, places in self._chosen(await _postgres_columns(connection)):
                    # What a database in whichever encoding stored, in UTF-8.
                    listed = ", ".join(f"convert_to({_quoted(column)}::text, 'UTF8')" for column in columns)
                    cursor = await connection.cursor(f"SELECT {listed} FROM {_quoted(table)}")  # noqa: S608 (as above)
                    while some := await cursor.fetch(_AT_ONCE):
                        yield [self._row(table, tuple(record), places) for record in some]
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise CannotMove(f"{board} cannot be read: {_said(error)}.") from None
        finally:
            await connection.close()


async def _postgres_columns(connection: Any) -> Columns:
    found = await connection.fetch(
        "SELECT table_name::text, column_name::text FROM information_schema.columns "
        "WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    )
    return _grouped(tuple(record) for record in found)


def _grouped(pairs: Any) -> Columns:
    columns: dict[str, list[str]] = {}
    for table, column in pairs:
        columns.setdefault(table, []).append(column)
    return {table: tuple(names) for table, names in columns.items()}


def _in_a_thread(batches: Callable[[], AsyncIterator[list[Row]]]) -> Iterator[list[Row]]:
    """Give what an asynchronous reader gives, whether or not this thread runs a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="old-board", daemon=True)
    thread.start()
    reading = batches()

    async def following() -> list[Row] | None:
        return await anext(reading, None)

    async def end() -> None:
        waiting = asyncio.all_tasks() - {asyncio.current_task()}  # where somebody stops the program while it reads
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await reading.aclose()  # type: ignore[attr-defined] # it is a generator

    try:
        while (batch := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not None:
            yield batch
    finally:
        try:
            asyncio.run_coroutine_threadsafe(end(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def _said(error: BaseException) -> str:
    """Return what a server said, in one line."""
    said = str(error.args[-1] if error.args else error)
    return " ".join(said.split())[:300].rstrip(".") or type(error).__name__


def _quoted(name: str, sign: str = '"') -> str:
    return sign + name.replace(sign, sign * 2) + sign


def open_tables(source: Source, wanted: Wanted, seen: Callable[[int], None]) -> MysqlDump | Tables:
    """Return the tables of an old board: in a dump, in a file of SQLite, or on a server."""
    if isinstance(source, LiveBoard):
        return MysqlTables(source, wanted) if source.kind == "mysql" else PostgresTables(source, wanted)
    return SqliteTables(source, wanted, seen) if is_sqlite(source) else MysqlDump(source, wanted, seen)


def is_sqlite(path: Path) -> bool:
    """Return whether a file is a database of SQLite."""
    try:
        with path.open("rb") as opened:
            return opened.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def size_of(sources: Sequence[Source]) -> int:
    """Return how many bytes files have together; of a server, nobody knows."""
    return sum(source.stat().st_size for source in sources if isinstance(source, Path) and source.exists())
