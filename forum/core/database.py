"""The database: two engines, one unit of work, and the few things that every table shares."""

import asyncio
import json
from collections import namedtuple
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    DateTime,
    Executable,
    Insert,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi as driver
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel
from uuid_utils.compat import uuid7

from forum.core import jobs

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

# SQLSTATEs that say "not you, not now": deadlock, serialisation, lock or statement timeout, a server
# that is starting, stopping or full (PostgreSQL, appendix A).
PASSING = {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300"}

PATIENCE = 10  # seconds to wait for a connection

# What asyncpg raises, the last one included, when the server goes while it reads.
_LOST = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)

# Compiling a plan to machine code takes longer than any of our statements.
SERVER_SETTINGS = {"jit": "off", "application_name": "forum"}
# Planning a page anew takes three times as long as reading it, and every reader's plan is the same. Nothing that must
# survive a power cut is written outside a transaction: only throttles are.
READER_SETTINGS = {**SERVER_SETTINGS, "plan_cache_mode": "force_generic_plan", "synchronous_commit": "off"}

_DIALECT = dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's own


class Moment(TypeDecorator[datetime]):
    """A point in time, with its zone: PostgreSQL's timestamptz."""

    impl = DateTime(timezone=True)
    cache_ok = True


# A select that gives rows, and one of its rows.
Query = Select[*tuple[Any, ...]]
Record = Row[*tuple[Any, ...]]


def query(*entities: Any) -> Query:
    """SQLAlchemy's `select`, for lists of columns that are longer than its types count."""
    return select(*entities)


def rows_of(model: type[SQLModel]) -> Table:
    """The table itself, for statements about rows and not objects."""
    table: Table = model.__table__  # type: ignore[attr-defined] # SQLModel makes it and does not say so
    return table


def columns(model: type[SQLModel]) -> list[Column[Any]]:
    """The columns of a table, for a select that loads rows and no objects."""
    return list(rows_of(model).columns)


def bind_names(model: type[SQLModel]) -> dict[str, str]:
    """Return the name under which `insert_of` and `update_of` ask for each column's value: "post_number"."""
    table = rows_of(model)
    return {column.name: f"{table.name}_{column.name}" for column in table.columns}


def values_of(model: type[SQLModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of some columns, by the names under which `insert_of` and `update_of` ask for them."""
    names = bind_names(model)
    return {names[name]: value for name, value in values.items()}


def insert_of(model: type[SQLModel], *columns: str) -> Insert:
    """Return an INSERT of one row with a bound value for each of these columns."""
    return insert(rows_of(model)).values(_bound(model, columns))


def update_of(model: type[SQLModel], *columns: str) -> Update:
    """Return an UPDATE with a bound value for each of these columns; add a condition on the table."""
    return update(rows_of(model)).values(_bound(model, columns))


def _bound(model: type[SQLModel], columns: Sequence[str]) -> dict[str, Any]:
    table, names = rows_of(model), bind_names(model)
    return {name: bindparam(names[name], type_=table.c[name].type) for name in columns}


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): unguessable, and sorted by the time it was made."""
    return uuid7()


def is_passing(error: DBAPIError) -> bool:
    """Whether the same statement may well succeed a moment later: another process migrated the
    tables, the connection was lost or cannot be had, or the server is busy."""
    if error.connection_invalidated or isinstance(error.orig, driver.InvalidCachedStatementError):
        return True
    if isinstance(getattr(error.orig, "__cause__", None), OSError):
        return True
    return getattr(error.orig, "sqlstate", None) in PASSING


def broken_constraint(error: IntegrityError) -> str | None:
    """The name of the constraint that refused the write."""
    return getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)


class Prepared:
    """A statement that is built and compiled once, and each time only given its values, which `bindparam` names.

    Building a select of twenty columns and compiling it takes several times as long as PostgreSQL takes to answer.
    """

    def __init__(self, query: Executable, shape: type[Any] | None = None) -> None:
        self.query = query  # the same, for a unit of work
        compiled = query.compile(dialect=_DIALECT)  # type: ignore[attr-defined] # each that there is has it
        self.sql = str(compiled)
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._names: Sequence[str] = compiled.positiontup or ()
        self._shape = shape

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """What `sql` asks for, in its order, from values by name; KeyError when one is missing."""
        return [self._fixed[name] if name in self._fixed else values[name] for name in self._names]

    def shaped(self, records: Sequence[asyncpg.Record]) -> Sequence[Any]:
        """The rows of an answer as named tuples: of the class that was given, else of one made of the columns."""
        if records and self._shape is None:
            self._shape = namedtuple("Line", records[0].keys(), rename=True)  # type: ignore[misc] # known only now
        return [self._shape._make(record) for record in records] if self._shape else []


class Reader:
    """Prepared statements, straight over the driver and outside any transaction: each sees what is committed.

    One that fails for a passing reason is sent once more. (Throttles count through it too: they must outlive a
    transaction that is rolled back, and may be lost with the power.)
    """

    def __init__(self, engine: AsyncEngine, size: int) -> None:
        _, self._where = engine.dialect.create_connect_args(engine.url)
        self._size = size
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def rows(self, statement: Prepared, **values: Any) -> Sequence[Any]:
        """Every row of the answer."""
        arguments = statement.arguments(values)
        try:
            return statement.shaped(await self._sent(statement.sql, arguments))
        except DBAPIError as error:
            if not is_passing(error):
                raise
        return statement.shaped(await self._sent(statement.sql, arguments))

    async def row(self, statement: Prepared, **values: Any) -> Any:
        """The first row, or None."""
        rows = await self.rows(statement, **values)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Give every connection back to the server."""
        if self._pool:
            await self._pool.close()

    async def _sent(self, sql: str, arguments: Sequence[Any]) -> Sequence[asyncpg.Record]:
        try:
            pool = self._pool or await self._opened()
            async with asyncio.timeout(PATIENCE), pool.acquire() as connection:
                records: Sequence[asyncpg.Record] = await connection.fetch(sql, *arguments)
        except TimeoutError as error:
            raise PoolTimeoutError("No connection was free.") from error
        except (asyncpg.PostgresError, *_LOST) as error:
            # The server's class 08 (PostgreSQL, appendix A) says so too, where it still can.
            lost = isinstance(error, (asyncpg.PostgresConnectionError, *_LOST))
            raise DBAPIError(None, None, error, hide_parameters=True, connection_invalidated=lost) from error
        return records

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    **self._where,
                    min_size=0,
                    max_size=self._size,
                    timeout=PATIENCE,
                    server_settings=READER_SETTINGS,
                    init=_read_json,
                    reset=_leave_as_it_is,
                )
            return self._pool


async def _read_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Single statements leave nothing behind on a connection; asyncpg would ask the server to clear it each time."""


def alembic_config(url: str) -> Config:
    """What Alembic needs to work on the database at `url`."""
    config = Config(str(MIGRATIONS.parent / "alembic.ini"))
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at `url` up to `revision`, and the job library's tables up to its version; call it
    where no event loop runs.
    """
    config = alembic_config(url)
    config.attributes["then"] = jobs.install
    command.upgrade(config, revision)


@cache
def newest_migration() -> str | None:
    """The revision that a database has once every migration that this program knows has run."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def known_migrations() -> set[str]:
    """Every revision that this program knows."""
    return {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


async def _connected(*where: Any, **how: Any) -> asyncpg.Connection:
    """A connection. One that cannot be had is a database error like any other, so that it has one answer."""
    try:
        return await asyncpg.connect(*where, **how)
    except (asyncpg.PostgresError, *_LOST) as error:
        raise driver.OperationalError(type(error).__name__, error) from error  # type: ignore[no-untyped-call]


class Database:
    """One process's way to the database at `url` (postgresql+asyncpg://…)."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.transactions = self._engine(url, pool_size)
        self.reader = Reader(self.transactions, pool_size)
        # For the worker, which listens on one connection.
        self.autocommit = self._engine(url, pool_size, isolation_level="AUTOCOMMIT")

    @staticmethod
    def _engine(url: str, pool_size: int, **options: Any) -> AsyncEngine:
        return create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=PATIENCE,
            hide_parameters=True,  # in errors and logs: they are people's words
            connect_args={"server_settings": SERVER_SETTINGS, "timeout": PATIENCE, "async_creator_fn": _connected},
            **options,
        )

    @asynccontextmanager
    async def work(self) -> AsyncIterator[AsyncSession]:
        """A unit of work: committed when the block ends, rolled back when it raises."""
        async with AsyncSession(self.transactions, expire_on_commit=False) as session, session.begin():
            yield session

    async def is_ready(self) -> bool:
        """Whether the server answers and every migration that this program knows has run."""
        try:
            [row] = await self.reader.rows(_DONE)
        except (DBAPIError, PoolTimeoutError):
            return False
        return bool(row.version_num == newest_migration())

    async def close(self) -> None:
        """Give every connection back to the server."""
        await self.reader.close()
        await self.transactions.dispose()
        await self.autocommit.dispose()


_DONE = Prepared(text("SELECT version_num FROM alembic_version"))
