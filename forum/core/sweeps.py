"""Sweeps: what a worker looks for every second, and does many at a time, each time in one transaction.

For what almost every request leaves to be done. A job for each would be dearer than the request: its row wakes a worker
by NOTIFY, and PostgreSQL (up to 18) lets transactions with a NOTIFY commit one after the other, each with its own write
to the disk. What is to be done is rows of a table here, which a sweep deletes in the transaction that does it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core import clock, logs
from forum.core.database import is_passing
from forum.core.jobs import UnitOfWork

PAUSE_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Sweep:
    """One kind of work. `do` returns whether there may be more; what made it fail, `set_aside` makes jobs of."""

    name: str
    do: Callable[[AsyncSession, datetime], Awaitable[bool]]
    set_aside: Callable[[AsyncSession, datetime], Awaitable[None]]


@asynccontextmanager
async def sweeping(unit_of_work: UnitOfWork, sweeps: Sequence[Sweep], stop: asyncio.Event) -> AsyncIterator[None]:
    """Sweep while the block runs, and until `stop` is set. What is under way at the end is rolled back."""
    # Not all at the same moment: one connection serves those that find nothing.
    pauses = [PAUSE_SECONDS * place / len(sweeps) for place in range(len(sweeps))]
    tasks = [
        asyncio.create_task(_repeat(unit_of_work, sweep, stop, pause), name=sweep.name)
        for sweep, pause in zip(sweeps, pauses, strict=True)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(unit_of_work: UnitOfWork, sweep: Sweep, stop: asyncio.Event, pause: float) -> None:
    await asyncio.sleep(pause)
    while not stop.is_set():
        if not await sweep_once(unit_of_work, sweep, clock.now()):
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE_SECONDS)


async def sweep_once(unit_of_work: UnitOfWork, sweep: Sweep, now: datetime) -> bool:
    """Do what is there, and return whether there may be more."""
    try:
        async with unit_of_work() as session:
            return await _is_alone(session, sweep) and await sweep.do(session, now)
    except Exception as error:  # noqa: BLE001 (whatever it is, the next sweep comes)
        log.error("sweep_failed", sweep=sweep.name, error=type(error).__name__, at=logs.frames(error))
        if isinstance(error, PoolTimeoutError) or (isinstance(error, DBAPIError) and is_passing(error)):
            return False
    try:
        async with unit_of_work() as session:
            if await _is_alone(session, sweep):
                await sweep.set_aside(session, now)
    except Exception as error:  # noqa: BLE001 (a task that ended would be missed by nobody)
        log.error("sweep_failed", sweep=sweep.name, error=type(error).__name__, at=logs.frames(error))
    return False


async def _is_alone(session: AsyncSession, sweep: Sweep) -> bool:
    """Return whether no other worker sweeps until this transaction ends: two would wait for each other's rows."""
    lock = func.pg_try_advisory_xact_lock(func.hashtext(sweep.name))
    return bool((await session.execute(select(lock))).scalar_one())
