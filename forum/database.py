"""The database: two engines, one unit of work, and the few things that every table shares."""

from collections.abc import AsyncIterator, Sequence
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
from sqlalchemy import Column, DateTime, Row, Select, select, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi as driver
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel
from uuid_utils.compat import uuid7

from forum import jobs

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

# SQLSTATEs that say "not you, not now": deadlock, serialisation, lock or statement timeout, a server
# that is starting, stopping or full (PostgreSQL, appendix A).
PASSING = {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300"}


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


def columns(table: type[SQLModel]) -> list[Column[Any]]:
    """The columns of a table, for a select that loads rows and no objects."""
    return list(table.__table__.columns)  # type: ignore[attr-defined]


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


class Reader:
    """Reads outside any transaction: each statement sees what is committed at that moment.

    A statement that fails for a passing reason is sent once more: a migration in another process
    makes every prepared statement fail exactly once.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, query: Query) -> Sequence[Record]:
        """Every row of the answer."""
        try:
            return (await self._connection.execute(query)).all()
        except DBAPIError as error:
            if not is_passing(error):
                raise
        await self._connection.rollback()  # where the connection was lost, this is how another is had
        return (await self._connection.execute(query)).all()

    async def row(self, query: Query) -> Record | None:
        """The first row, or None."""
        rows = await self.rows(query)
        return rows[0] if rows else None


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


async def _connected(*where: Any, **how: Any) -> asyncpg.Connection:
    """A connection. One that cannot be had is a database error like any other, so that it has one answer."""
    try:
        return await asyncpg.connect(*where, **how)
    except (OSError, asyncpg.PostgresError) as error:
        raise driver.OperationalError(type(error).__name__, error) from error  # type: ignore[no-untyped-call]


class Database:
    """One process's way to the database at `url` (postgresql+asyncpg://…)."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.transactions = self._engine(url, pool_size)
        # Nothing that must survive a power cut is written outside a transaction: only throttles are.
        self.autocommit = self._engine(
            url, pool_size, isolation_level="AUTOCOMMIT", settings={"synchronous_commit": "off"}
        )

    @staticmethod
    def _engine(url: str, pool_size: int, settings: dict[str, str] | None = None, **options: Any) -> AsyncEngine:
        # Compiling a plan to machine code takes longer than any of our statements.
        server_settings = {"jit": "off", "application_name": "forum", **(settings or {})}
        return create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            hide_parameters=True,  # in errors and logs: they are people's words
            connect_args={"server_settings": server_settings, "timeout": 10, "async_creator_fn": _connected},
            **options,
        )

    @asynccontextmanager
    async def work(self) -> AsyncIterator[AsyncSession]:
        """A unit of work: committed when the block ends, rolled back when it raises."""
        async with AsyncSession(self.transactions, expire_on_commit=False) as session, session.begin():
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        """A connection to read from, without a transaction."""
        async with self.autocommit.connect() as connection:
            yield Reader(connection)

    async def is_ready(self) -> bool:
        """Whether the server answers and every migration that this program knows has run."""
        try:
            async with self.autocommit.connect() as connection:
                done = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        except (SQLAlchemyError, OSError):
            return False
        return bool(done == newest_migration())

    async def close(self) -> None:
        """Give every connection back to the server."""
        await self.transactions.dispose()
        await self.autocommit.dispose()
