"""A board that is read from its database itself is the board that its dump has, byte for byte where it can be."""

import asyncio
import sqlite3
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from forum.core import embedded_postgres
from forum.importers import phpbb
from forum.importers.errors import CannotMove
from forum.importers.sources.live import PASSWORD, LiveBoard, MysqlTables, Source, source_of
from forum.importers.staging import Staging
from tests.conftest import database_called
from tests.support.mysql_server import mysql_server
from tests.support.old_boards import OldBoard, Table, make_board, write

TABLES = ("board", "person", "thread", "post", "other", "remark")


def records(source: Source, folder: Path, name: str) -> list[list[tuple[object, ...]]]:
    """Return all that is read of a board."""
    with Staging(folder / f"{name}.sqlite") as staging:
        phpbb.read(source, staging)
        return [list(staging.connection.execute(f"SELECT * FROM {table}")) for table in TABLES]


def in_sqlite(board: OldBoard, path: Path) -> Path:
    """Write a board as phpBB on SQLite has it, and a table of somebody else."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('CREATE TABLE "odd ""one""_posts" (a, b)')
        for name, table in board.tables.items():
            columns = ", ".join(f"{column} {_type(column)}" for column in table.columns)
            connection.execute(f"CREATE TABLE {board.prefix}{name} ({columns})")
            marks = ", ".join("?" * len(table.columns))
            connection.executemany(f"INSERT INTO {board.prefix}{name} VALUES ({marks})", table.rows())
    return path


def _type(column: str) -> str:
    return "INTEGER" if column.endswith("_id") else "TEXT"


def without_broken_bytes(board: OldBoard) -> OldBoard:
    """Return a board as PostgreSQL can have it: it keeps no bytes that are no text."""

    def clean(table: Table) -> Table:
        def rows() -> Iterator[list[int | str | bytes | None]]:
            for row in table.rows():
                texts = (value.decode("utf-8", "ignore") if isinstance(value, bytes) else value for value in row)
                yield [value.replace("\0", "") if isinstance(value, str) else value for value in texts]

        return Table(table.columns, rows)

    return replace(board, tables={name: clean(table) for name, table in board.tables.items()})


@pytest.fixture
async def old_server(
    server: embedded_postgres.Server, operator: AsyncConnection
) -> AsyncIterator[tuple[asyncpg.Connection, LiveBoard]]:
    """A database of an old board on PostgreSQL, and how it is opened."""
    await operator.execute(text("CREATE DATABASE old_board TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"))
    url = make_url(database_called(server.url, "old_board"))
    socket = url.query.get("host")
    live = LiveBoard(
        "postgresql",
        str(url.host or "localhost"),
        url.port or 5432,
        str(url.username),
        "old_board",
        socket=str(socket) if socket else None,
        password=str(url.password or ""),
    )
    connection = await asyncpg.connect(
        host=live.socket or live.host, port=live.port, user=live.user, password=live.password, database=live.database
    )
    yield connection, live
    await connection.close()
    await operator.execute(text("DROP DATABASE old_board WITH (FORCE)"))


async def test_a_database_has_what_its_dump_has(
    old_server: tuple[asyncpg.Connection, LiveBoard], tmp_path: Path
) -> None:
    board = make_board(60, version="3.0.12")
    of_dump = records(write(board, tmp_path / "a.sql", "mysqldump"), tmp_path, "dump")
    assert records(in_sqlite(board, tmp_path / "board.sqlite3"), tmp_path, "file") == of_dump

    connection, live = old_server
    clean = without_broken_bytes(board)
    for name, table in clean.tables.items():
        columns = ", ".join(f"{column} {'int' if column.endswith('_id') else 'text'}" for column in table.columns)
        await connection.execute(f"CREATE TABLE phpbb_{name} ({columns})")
        rows = [tuple(_latin_row(table, row)) for row in table.rows()]
        await connection.copy_records_to_table(f"phpbb_{name}", records=rows)
    of_server = await asyncio.to_thread(records, live, tmp_path, "server")
    of_dump = records(write(_in_latin(clean), tmp_path / "b.sql", "mysqldump"), tmp_path, "clean")
    assert of_server == of_dump
    await connection.execute("DROP TABLE phpbb_posts")
    with pytest.raises(CannotMove, match=r"postgresql://.*/old_board has no table of posts"):
        records(live, tmp_path, "none")
    with pytest.raises(CannotMove, match=r"cannot be read: "):
        records(replace(live, database="nowhere"), tmp_path, "nowhere")


def _latin(value: int | str | bytes | None, column: str) -> int | str | None:
    """Return a value as the database of Western letters can have it."""
    if column.endswith("_id"):
        return value if isinstance(value, int) else None
    return str(value).encode("latin-1", "ignore").decode("latin-1")


def _in_latin(board: OldBoard) -> OldBoard:
    def of(table: Table) -> Table:
        return Table(table.columns, lambda: map(partial(_latin_row, table), table.rows()))

    return replace(board, tables={name: of(table) for name, table in board.tables.items()})


def _latin_row(table: Table, row: Sequence[int | str | bytes | None]) -> list[int | str | None]:
    return [_latin(value, column) for column, value in zip(table.columns, row, strict=True)]


def test_a_server_of_mysql_is_read_at_one_moment_as_bytes_and_gets_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make_board(60)
    of_dump = records(write(board, tmp_path / "a.sql", "mysqldump"), tmp_path, "dump")
    monkeypatch.setenv(PASSWORD, "four quiet herons")
    with mysql_server(in_sqlite(board, tmp_path / "board.sqlite3")) as spoken:
        named = source_of(f"mysql://kin@127.0.0.1:{spoken.port}/board", pytest.fail)
        assert records(named, tmp_path, "server") == of_dump
    begun = spoken.statements.index("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    assert "SET NAMES binary" in spoken.statements[:begun]
    assert all(said.startswith("SELECT") for said in spoken.statements[begun + 1 :])
    assert not any("privmsgs" in said and "message" in said for said in spoken.statements)
    [signed_in] = spoken.sign_ins
    assert b"kin\0" in signed_in
    for said in (str(signed_in), str(named), repr(named)):
        assert "herons" not in said


def test_who_stops_reading_a_server_of_mysql_does_not_wait_for_the_rest_of_its_table(tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite3"
    with closing(sqlite3.connect(file)) as board:
        numbers = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
        board.execute(f"CREATE VIEW endless AS {numbers}")
    with mysql_server(file) as spoken:
        tables = MysqlTables(LiveBoard("mysql", "127.0.0.1", spoken.port, "kin", "board"), lambda _table: ("id",))
        reading = tables.rows()
        assert next(reading).values == (b"1",)
        stopping = threading.Thread(target=reading.close, daemon=True)
        stopping.start()
        stopping.join(20)
        assert not stopping.is_alive()


def test_what_names_no_database_that_can_be_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD, raising=False)
    for named, says in (
        ("mysql://kin:herons@localhost/board", "Leave the password out of the address"),
        ("mysql://localhost/board", "Write the address"),
        ("mysql://kin@localhost/", "Write the address"),
        ("mysql://kin@localhost:99999999/board", "Write the address"),
        ("mysql://kin@localhost/board?init=x", "Write the address"),
        ("oracle://kin@localhost/board", "is no database that is understood"),
    ):
        with pytest.raises(CannotMove, match=says) as refused:
            source_of(named, lambda _: "herons")
        assert "herons" not in str(refused.value)
    assert source_of(str(tmp_path), pytest.fail) == tmp_path
    live = source_of("mariadb://kin@localhost:1/board", {"Password of kin": "herons"}.__getitem__)
    assert isinstance(live, LiveBoard)
    for source, says in (
        (live, "mysql://kin@localhost/board cannot be read: "),
        (replace(live, kind="postgresql"), "postgresql://kin@localhost/board cannot be read: "),
        (replace(live, host="db.example.org", ca=str(tmp_path)), "holds no certificate"),
        (_half_of(in_sqlite(make_board(), tmp_path / "cut.sqlite3")), "cannot be read as a file of SQLite"),
    ):
        with pytest.raises(CannotMove, match=says) as refused:
            records(source, tmp_path, "none")
        assert "herons" not in str(refused.value)
    # Beyond this machine, a server has to prove who it is.
    far = replace(live, host="db.example.org").tls()
    assert far
    assert far.verify_mode == ssl.CERT_REQUIRED
    assert live.tls() is None


def _half_of(path: Path) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path
