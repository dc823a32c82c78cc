"""Prepared statements within a transaction, straight over asyncpg: for what is done for each reply.

Outside of one, `Reader` runs them.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import Connection, func, true
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi as driver
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from forum.core.database import Prepared
from forum.core.driver_session import CONNECTION_LOST, DriverSession, Held, raise_as_usual

_KEY = "straight"  # in `Session.info`
# Ends what `first_row_in` asks for, with the statement for which it is asked.
PLANS_AS_USUAL = func.set_config("plan_cache_mode", "auto", true()).label("plans")


class _Straight(NamedTuple):
    """The connection of a transaction in which SQLAlchemy takes part: its adapter, asyncpg's own, and its own."""

    adapter: Any
    driver: asyncpg.Connection
    transaction: SessionTransaction | None
    connection: Connection


async def rows_in(session: AsyncSession, statement: Prepared, **values: Any) -> Sequence[Any]:
    """Run a prepared statement in the session's transaction, and return every row.

    It costs a third of `session.execute`, and knows nothing of the session's objects: what was not flushed is not seen.
    Raises what `session.execute` raises, and KeyError when a value is missing.
    """
    straight = await _straight(session)
    arguments = statement.arguments(values)
    try:
        if straight.adapter._transaction is None:  # SQLAlchemy sends BEGIN with the first statement of its own
            await straight.adapter._start_transaction()
        records = await straight.driver.fetch(statement.sql, *arguments)
    except (driver.Error, asyncpg.PostgresError, *CONNECTION_LOST) as error:
        await (await session.connection()).run_sync(raise_as_usual, straight.adapter, statement.sql, error)
    return statement.shaped(records)


async def first_row_in(session: AsyncSession, statement: Prepared, **values: Any) -> Any:
    """Return what `row_in` returns, and begin the transaction, if it has not begun, so that the plan serves all values.

    For a statement of many tables, which PostgreSQL would plan anew each time, because its arrays can be short or long:
    that takes six times as long as to run it. The statement has `PLANS_AS_USUAL` as a column, for those that follow.
    """
    straight = await _straight(session)
    if straight.adapter._transaction is None:
        with suppress(asyncpg.PostgresError, *CONNECTION_LOST):  # then the statement says so
            await straight.driver.execute("BEGIN; SET LOCAL plan_cache_mode = force_generic_plan")
            straight.adapter._transaction = _Begun(straight.driver)
    return await row_in(session, statement, **values)


async def row_in(session: AsyncSession, statement: Prepared, **values: Any) -> Any:
    """Run a prepared statement in the session's transaction, and return its first row, or None."""
    rows = await rows_in(session, statement, **values)
    return rows[0] if rows else None


@dataclass(frozen=True)
class _Begun:
    """A transaction that was begun by hand, as SQLAlchemy's adapter ends one."""

    driver: asyncpg.Connection

    async def commit(self) -> None:
        await self.driver.execute("COMMIT")

    async def rollback(self) -> None:
        await self.driver.execute("ROLLBACK")


async def _straight(session: AsyncSession) -> _Straight | Held:
    """Return the connection of the transaction."""
    sync = session.sync_session
    if isinstance(session, DriverSession) and not sync.in_transaction():
        return await session.hold()
    known: _Straight | None = session.info.get(_KEY)
    # Of a savepoint too, SQLAlchemy begins it when its connection is asked for.
    if known is None or known.transaction is not _innermost(sync) or known.connection.invalidated:
        connection: Any = (await session.connection()).sync_connection
        adapter = connection.connection.dbapi_connection
        known = session.info[_KEY] = _Straight(adapter, adapter.driver_connection, _innermost(sync), connection)
    return known


def _innermost(session: Session) -> SessionTransaction | None:
    return session.get_nested_transaction() or session.get_transaction()
