"""Wake those who wait for commits: a NOTIFY after the commit, few a second, and whoever listens for it.

In the transaction itself it would be dearer: PostgreSQL (up to 18) lets transactions with a NOTIFY commit one after the
other, each with its own write to the disk. Where a NOTIFY is lost with its process, whoever waits looks once a second.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from forum.core.database import Prepared, Reader
from forum.core.driver_session import CONNECTION_LOST

CHANNEL = "forum_commits"
LEAST_PAUSE = 0.05  # seconds between two NOTIFYs of one process
RECONNECTED_AFTER = 1.0  # seconds

_NOTIFY = Prepared(text("SELECT pg_notify(:channel, '')"))

log = structlog.get_logger()


class CommitBell:
    """Tells every process of the forum, soon after a commit, that there was one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._ringing: asyncio.Task[None] | None = None
        self._rang_again = False

    def ring(self) -> None:
        """Tell them soon: of all commits within a twentieth of a second, once."""
        self._rang_again = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._notify())

    async def stop(self) -> None:
        """Tell nobody any more."""
        if self._ringing:
            self._ringing.cancel()
            await asyncio.gather(self._ringing, return_exceptions=True)

    async def _notify(self) -> None:
        while self._rang_again:
            self._rang_again = False
            try:
                await self._reader.rows(_NOTIFY, channel=CHANNEL)
            except (DBAPIError, PoolTimeoutError) as error:  # those who wait look by themselves a second later
                log.warning("commits_not_told", reason=type(error).__name__)
            await asyncio.sleep(LEAST_PAUSE)


@asynccontextmanager
async def listening(reader: Reader, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Call `wake` soon after each commit of any process, for as long as the block lasts; also after each new start."""
    task = asyncio.create_task(_listen(reader, wake))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _listen(reader: Reader, wake: Callable[[], None]) -> None:
    """Listen, at once again where the connection is lost, and a little later where there is none to be had."""
    while True:
        begun = time.monotonic()
        try:
            await _listen_once(reader, wake)
            log.warning("listener_lost")
            if time.monotonic() - begun < RECONNECTED_AFTER:  # one after the other is lost
                await asyncio.sleep(RECONNECTED_AFTER)
        except (asyncpg.PostgresError, *CONNECTION_LOST) as error:
            log.warning("listener_lost", reason=type(error).__name__)
            await asyncio.sleep(RECONNECTED_AFTER)


async def _listen_once(reader: Reader, wake: Callable[[], None]) -> None:
    """Listen until the connection is lost."""
    connection = await reader.open_connection()
    lost = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _connection: lost.set())
        await connection.add_listener(CHANNEL, lambda *_heard: wake())
        wake()
        await lost.wait()
    finally:
        connection.terminate()
