"""A session that can begin its transaction on the driver's own connection: what is done for each reply needs no more.

SQLAlchemy takes part in the same transaction from its first statement on, and then ends it. Without it, the connection
is taken from its pool, and goes back there.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncpg
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi as driver
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import greenlet_spawn

# What asyncpg raises when the connection is lost; InternalClientError when that happens while it reads.
CONNECTION_LOST = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Held:
    """A connection of the pool, as long as a transaction needs it: SQLAlchemy's, its adapter, and asyncpg's own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        pooled: Any = connection.connection
        self.adapter: Any = pooled.dbapi_connection
        self.driver: asyncpg.Connection = self.adapter.driver_connection

    async def commit(self) -> None:
        """Commit what was done without SQLAlchemy. Raises what SQLAlchemy raises."""
        if self.adapter._transaction is None:
            return  # SQLAlchemy did, or there was nothing
        try:
            await self.adapter._call_and_discard(self.adapter._transaction.commit)
        except (driver.Error, asyncpg.PostgresError, *CONNECTION_LOST) as error:
            await greenlet_spawn(raise_as_usual, self.connection, self.adapter, "COMMIT", error)

    async def give_back(self, *, is_whole: bool) -> None:
        """Give the connection back to its pool, which rolls back what was not committed.

        One that is not whole is closed: whoever gave up while the server answered cannot know what that one did.
        """
        if not is_whole and not self.connection.closed:
            await _whatever_happens(greenlet_spawn(self.connection.invalidate))
        elif self.adapter._transaction is None and self.is_kept:
            self.connection.close()
            return
        await _whatever_happens(greenlet_spawn(self.connection.close))

    @property
    def is_kept(self) -> bool:
        """Whether the pool has room for it: else it is closed, which takes a message to the server."""
        pool: Any = self.connection.engine.pool
        return bool(pool.overflow() <= 0)


class _Session(Session):
    held: Held | None = None

    def get_bind(self, *args: Any, **options: Any) -> Engine | Connection:
        return self.held.connection if self.held else super().get_bind(*args, **options)


class DriverSession(AsyncSession):
    """A session of one transaction. `end` commits it or rolls it back: what else would leave the driver's part out."""

    sync_session_class = _Session
    sync_session: _Session

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, expire_on_commit=False)
        self._engine = engine.sync_engine

    async def hold(self) -> Held:
        """Return the connection of the transaction, in which SQLAlchemy takes no part yet."""
        held = self.sync_session.held
        if held is None:
            held = self.sync_session.held = Held(await greenlet_spawn(self._engine.connect))
        return held

    async def end(self, *, well: bool, given_up: bool = False) -> None:
        """Commit the transaction, or roll it back: `given_up` where somebody left in the middle of something."""
        held = self.sync_session.held
        try:
            if self.in_transaction():
                await (self.commit() if well else self.rollback())
            if held and well:
                await held.commit()
        except asyncio.CancelledError:
            given_up = True
            raise
        finally:
            try:
                if self.in_transaction():
                    await _whatever_happens(self.close())
                else:
                    self.sync_session.close()
            finally:
                if held:
                    await held.give_back(is_whole=not given_up)


async def _whatever_happens(ending: Coroutine[Any, Any, Any]) -> None:
    """Do this to its end: whoever gives up does not keep it from being done."""
    await asyncio.shield(asyncio.ensure_future(ending))


def raise_as_usual(connection: Connection, adapter: Any, sql: str, error: Exception) -> None:
    """Raise what SQLAlchemy raises for an error of the driver, once it has noted it: a lost connection is not kept."""
    usual: Exception
    try:
        adapter._handle_exception(error)
    except driver.Error as translated:
        usual = translated
    except Exception as lost:  # noqa: BLE001 - it is raised again, as one of those
        usual = driver.OperationalError(type(lost).__name__, lost)  # type: ignore[no-untyped-call] # SQLAlchemy's own
        usual.__cause__ = lost
    connection._handle_dbapi_exception(usual, sql, None, None, None)
