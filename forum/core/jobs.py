"""Background work: a job is put down in the transaction that wants it, and a worker does it later, once.

PgQueuer keeps the queue, in a schema of its own. What we add: a job's effects and its end are one
commit, so that a worker that is killed at any moment leaves nothing half done and nothing done twice;
a failure is tried again with growing patience; and nothing that people wrote reaches the queue or its log.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence import qb
from pgqueuer.applications import PgQueuer
from pgqueuer.domain import models
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import Driver
from pgqueuer.queries import Queries
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from forum.core import clock, logs

# Constructed, not validated: that would read PGQUEUER_* and even bare names as CHANNEL from the environment.
SETTINGS = DBSettings.model_construct(
    prefix="",
    db_schema="jobs",
    channel=Channel("forum_jobs"),
    function="changed",
    statistics_table="statistics",
    queue_status_type="status",
    queue_table="queue",
    queue_table_log="log",
    trigger="changed",
    schedules_table="schedule",
    durability=Durability.durable,
    widen_id=True,
)
KEPT_FOR = timedelta(days=30)
BATCH = 5

Payload = Mapping[str, str]
Handler = Callable[[AsyncSession, Payload, datetime], Awaitable[None]]
UnitOfWork = Callable[[], AbstractAsyncContextManager[AsyncSession]]

_IS_ID = re.compile(r"[0-9a-f-]{1,36}")

log = structlog.get_logger()


@dataclass(frozen=True)
class Job:
    """A kind of work; whoever composes the forum says who does it."""

    name: str


@dataclass(frozen=True)
class Pace:
    """How patient a worker is."""

    poll: timedelta = timedelta(seconds=10)  # a job that is put down wakes it at once; this finds those left behind
    dead_after: timedelta = timedelta(seconds=30)  # without a sign of life, another worker takes the job over
    attempts: int = 6
    first_delay: timedelta = timedelta(seconds=10)
    growth: int = 4  # the last attempt comes about an hour after the first

    def delay(self, failures: int) -> timedelta:
        """How long to wait after so many failures."""
        return self.first_delay * float(self.growth ** (failures - 1))


class JobFailed(Exception):
    """A job that was given up. It names the kind of error only: messages hold people's words."""


# Putting down


async def enqueue(session: AsyncSession, job: Job, payload: Payload, *, at: datetime | None = None) -> None:
    """Have a job done once this transaction is committed, not before `at`.

    The payload holds ids only: whatever else the job needs, it reads when it runs, as it is then.
    """
    await _put_down(session, job, payload, at=at)


async def _put_down(
    session: AsyncSession, job: Job, payload: Payload, *, at: datetime | None = None, only_one: bool = False
) -> None:
    if strange := [name for name, value in payload.items() if not _IS_ID.fullmatch(value)]:
        raise ValueError(f"A job carries ids, not words: {', '.join(strange)}")
    queries, delay = await _queries_of(session), None
    if at:
        # By the database's own clock, for that is the one that lets it go.
        delay = (await session.execute(text("SELECT greatest(:at - now(), '0')").bindparams(at=at))).scalar_one()
    await queries.enqueue(
        job.name,
        json.dumps(dict(payload)).encode(),
        execute_after=delay,
        dedupe_key=job.name if only_one else None,
        on_conflict="skip",
    )


# Doing


async def work(
    engine: AsyncEngine,
    unit_of_work: UnitOfWork,
    handlers: Mapping[Job, Handler],
    stop: asyncio.Event,
    *,
    calendar: Mapping[Job, str] | None = None,
    pace: Pace | None = None,
) -> None:
    """Do jobs until `stop` is set, then finish those at hand; `calendar` puts some down by the clock, as cron does.

    `engine` must not begin transactions: one of its connections listens. Raises when the database is
    lost; whoever started the worker starts another.
    """
    pace = pace or Pace()
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        driver = AsyncpgDriver(raw)
        queue = PgQueuer(connection=driver, channel=SETTINGS.channel, queries=_queries(driver))
        queue.shutdown = queue.qm.shutdown = queue.sm.shutdown = stop
        for job, handler in handlers.items():
            queue.entrypoint(job.name, on_failure="hold")(_doing(job, handler, unit_of_work, pace))
        for job, cron in (calendar or {}).items():
            queue.schedule(job.name, cron)(_putting_down(job, unit_of_work))
        try:
            await queue.run(
                dequeue_timeout=pace.poll,
                batch_size=BATCH,
                max_concurrent_tasks=2 * BATCH,
                heartbeat_timeout=pace.dead_after,
                shutdown_on_listener_failure=True,
                log_aggregation_interval=timedelta(0),
            )
        finally:
            await connection.invalidate()  # it listens still, so nobody else may have it


def _doing(job: Job, handler: Handler, unit_of_work: UnitOfWork, pace: Pace) -> Callable[[models.Job], Awaitable[None]]:
    async def do(picked: models.Job) -> None:
        failures, delay, reason = picked.attempts + 1, timedelta(), "its worker ends"
        try:
            async with unit_of_work() as session:
                if await _is_ours(session, picked):
                    await handler(session, json.loads(picked.payload or b"{}"), clock.now())
                    # Its end is committed with its effects: never one without the other.
                    await (await _queries_of(session)).log_jobs([(picked, "successful", None)])
                    return
                reason = "another worker has it"
        except asyncio.CancelledError:
            # PgQueuer cancels what runs when it fails itself, and would delete the job as no longer wanted.
            pass
        except Exception as error:  # noqa: BLE001 (whatever it is, the job is tried again)
            delay, reason = pace.delay(failures), type(error).__name__
            log.error("job_failed", job=job.name, id=picked.id, failures=failures, error=reason, at=logs.frames(error))
            if failures >= pace.attempts:
                delay = timedelta(-1)
        # Outside of `except`, or the error itself, with its message, would follow into the queue's log.
        if delay < timedelta():
            raise JobFailed(f"{job.name} failed {failures} times, at last with {reason}.")
        raise RetryRequested(delay, reason)

    return do


def _putting_down(job: Job, unit_of_work: UnitOfWork) -> Callable[[models.Schedule], Awaitable[None]]:
    async def put_down(_schedule: models.Schedule) -> None:
        async with unit_of_work() as session:
            await _put_down(session, job, {}, only_one=True)

    return put_down


async def _is_ours(session: AsyncSession, picked: models.Job) -> bool:
    """Whether the job is still ours to do; if so, no other worker takes it while this transaction lives.

    The lock lets signs of life through, which change no key, but not PgQueuer's `FOR UPDATE SKIP LOCKED`.
    """
    mine = text(
        f"SELECT 1 FROM {SETTINGS.qualified.queue_table} "  # noqa: S608
        "WHERE id = :id AND queue_manager_id = :worker AND status = 'picked' FOR KEY SHARE"
    )
    found = await session.execute(mine, {"id": picked.id, "worker": picked.queue_manager_id})
    return found.first() is not None


# Keeping


async def install(connection: AsyncConnection) -> None:
    """Make PgQueuer's tables, or bring them to the shape that its installed version needs.

    Whoever migrates calls it, outside of any transaction and one process at a time.
    """
    raw: Any = (await connection.get_raw_connection()).driver_connection
    queries = _queries(AsyncpgDriver(raw))
    if await queries.schema_is_installed():
        await queries.upgrade()
    else:
        await queries.install()


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete what the queue noted long ago."""
    for table in (SETTINGS.qualified.queue_table_log, SETTINGS.qualified.statistics_table):
        old = text(f"DELETE FROM {table} WHERE created <= :then")  # noqa: S608
        await session.execute(old, {"then": now - KEPT_FOR})


class _OurTransaction(AsyncpgDriver):
    """PgQueuer's way to the database through SQLAlchemy's connection, so that what fails there is one of
    SQLAlchemy's errors, with no parameters in it, and may be a passing one (`database.is_passing`).
    """

    def __init__(self, connection: AsyncConnection, raw: Any) -> None:
        super().__init__(raw)
        self._ours = connection

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        return [dict(row) for row in (await self._ours.exec_driver_sql(query, args)).mappings()]

    async def execute(self, query: str, *args: object) -> str:
        return str((await self._ours.exec_driver_sql(query, args)).rowcount)


async def _queries_of(session: AsyncSession) -> Queries:
    """PgQueuer's queries in this session's transaction; raises RuntimeError where there is none."""
    connection = await session.connection()
    raw: Any = (await connection.get_raw_connection()).driver_connection
    if not raw.is_in_transaction():
        await connection.execute(text("SELECT 1"))  # SQLAlchemy sends BEGIN with the first statement, not before
    if not raw.is_in_transaction():
        raise RuntimeError("A job is put down in a transaction, so that it goes when that is rolled back.")
    return _queries(_OurTransaction(connection, raw))


def _queries(driver: Driver) -> Queries:
    return Queries(
        driver,
        qb.QueryBuilderEnvironment(SETTINGS),
        qb.QueryQueueBuilder(SETTINGS),
        qb.QuerySchedulerBuilder(SETTINGS),
    )
