"""Background jobs: a transaction enqueues a job, and a worker runs it once, after the commit.

PgQueuer keeps the queue, in a schema of its own. This module adds four things. A job's effects and its end are one
commit: a worker that is killed at any moment leaves nothing half done, and nothing is done twice. What talks to another
server is an errand, in three steps: no transaction is open while it waits, and other jobs go on. A job that fails is
tried again after growing delays. Nothing that people wrote reaches the queue or its log.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

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

# `model_construct`, without validation: that would read PGQUEUER_* and even a plain CHANNEL from the environment.
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
GRACE_SECONDS = 5  # for a cancelled worker to give its jobs back

Payload = Mapping[str, str]
# Runs inside the transaction that ends its job.
Handler = Callable[[AsyncSession, Payload, datetime], Awaitable[None]]
UnitOfWork = Callable[[], AbstractAsyncContextManager[AsyncSession]]

_IS_ID = re.compile(r"[0-9a-f-]{1,36}")

log = structlog.get_logger()


@dataclass(frozen=True)
class Job:
    """A kind of job; `forum/worker.py` says which handler runs it."""

    name: str


@dataclass(frozen=True)
class Pace:
    """How often a worker looks for jobs, and when it tries one again."""

    poll: timedelta = timedelta(seconds=10)  # a new job wakes the worker at once; polling finds those that were missed
    dead_after: timedelta = timedelta(seconds=30)  # without a heartbeat for so long, another worker takes the job
    attempts: int = 6
    first_delay: timedelta = timedelta(seconds=10)
    growth: int = 4  # the last attempt comes about an hour after the first

    def delay(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures."""
        return self.first_delay * float(self.growth ** (failures - 1))


class Errand(Protocol):
    """A job that talks to another server: two short transactions, and none while it waits for an answer.

    A worker that dies on the way leaves what it prepared, and another worker does all three steps again: so it may do
    the middle one once more for each crash, and never leaves it out. Only `at_once` of the same errand are under way,
    in all workers together: a server that hangs takes no more places, and other jobs go on.
    """

    at_once: int

    async def prepare(self, session: AsyncSession, payload: Payload, now: datetime) -> Any:
        """Return what is to be done; it is committed before it is done. None ends the job: there is nothing to do."""

    async def go(self, prepared: Any) -> Any:
        """Do it, outside any transaction, and return how it ended."""

    async def settle(self, session: AsyncSession, prepared: Any, outcome: Any, now: datetime) -> None:
        """Note how it ended, in the transaction that ends the job."""


class JobFailed(Exception):
    """A job failed for the last time. The message names only the kind of error: messages can have people's words."""


# Enqueueing


async def enqueue(session: AsyncSession, job: Job, payload: Payload, *, at: datetime | None = None) -> None:
    """Enqueue a job, to run after this transaction is committed and not before `at`.

    The payload has ids only: everything else the job reads when it runs, so that it never works with old words.
    Raises ValueError for another payload.
    """
    await _enqueue(session, job, payload, at=at)


async def _enqueue(
    session: AsyncSession, job: Job, payload: Payload, *, at: datetime | None = None, only_one: bool = False
) -> None:
    if words := [name for name, value in payload.items() if not _IS_ID.fullmatch(value)]:
        raise ValueError(f"A job carries ids, not words: {', '.join(words)}")
    queries, delay = await _queries_of(session), None
    if at:
        # By the database's clock, which decides when the job may run: this machine's may differ.
        delay = (await session.execute(text("SELECT greatest(:at - now(), '0')").bindparams(at=at))).scalar_one()
    await queries.enqueue(
        job.name,
        json.dumps(dict(payload)).encode(),
        execute_after=delay,
        dedupe_key=job.name if only_one else None,
        on_conflict="skip",
    )


# Running


async def work(
    engine: AsyncEngine,
    unit_of_work: UnitOfWork,
    handlers: Mapping[Job, Handler | Errand],
    stop: asyncio.Event,
    *,
    calendar: Mapping[Job, str] | None = None,
    pace: Pace | None = None,
) -> None:
    """Run jobs until `stop` is set, and finish those that have begun. `calendar` enqueues jobs by cron expressions.

    Cancelled, it does not wait for them: they are rolled back, and wait for another worker.
    `engine` must be in autocommit mode: a connection that listens for new jobs must not be in a transaction. Raises
    when the connection is lost; the caller must then start another worker.
    """
    pace, running_jobs = pace or Pace(), _RunningJobs()
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        driver = AsyncpgDriver(raw)
        queue = PgQueuer(connection=driver, channel=SETTINGS.channel, queries=_queries(driver))
        queue.shutdown = queue.qm.shutdown = queue.sm.shutdown = stop
        for job, handler in handlers.items():
            at_once = 0 if callable(handler) else handler.at_once  # 0 is as many as there are places
            queue.entrypoint(job.name, on_failure="hold", concurrency_limit=at_once)(
                _runner(job, _Way(handler, unit_of_work, running_jobs), pace)
            )
        for job, cron in (calendar or {}).items():
            queue.schedule(job.name, cron)(_scheduler(job, unit_of_work))
        running = asyncio.create_task(
            queue.run(
                dequeue_timeout=pace.poll,
                batch_size=BATCH,
                max_concurrent_tasks=2 * BATCH,
                heartbeat_timeout=pace.dead_after,
                shutdown_on_listener_failure=True,
                log_aggregation_interval=timedelta(0),
            )
        )
        try:
            await asyncio.shield(running)
        finally:
            if not running.done():
                stop.set()
                running_jobs.cancel()
                await _end(running)
            await connection.invalidate()  # it still listens, so it must not go back to the pool


class _RunningJobs:
    """The jobs that a worker runs now, to be cancelled with it.

    PgQueuer waits for running jobs without an end when it is cancelled, and a job may wait for what never comes.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        for task in self._tasks:
            task.cancel()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Let this task be cancelled by `cancel` while the block runs, and not begin it after that."""
        task = asyncio.current_task()
        if self._cancelled or task is None:
            raise asyncio.CancelledError
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)


async def _end(running: asyncio.Task[None]) -> None:
    """Wait until PgQueuer has given its jobs back and ended; where it cannot, cancel it too.

    Not cancelled at once: PgQueuer passes that on to its jobs, also to one that is just being given back.
    """
    await asyncio.wait([running], timeout=GRACE_SECONDS)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@dataclass(frozen=True)
class _Way:
    """How the jobs of one kind are done, and with what."""

    handler: Handler | Errand
    unit_of_work: UnitOfWork
    running_jobs: _RunningJobs

    async def follow(self, picked: models.Job) -> bool:
        """Do a job and end it. Return False, with the rest undone, where another worker has it by now."""
        payload: Payload = json.loads(picked.payload or b"{}")
        if callable(self.handler):
            return await self._in_one_transaction(self.handler, picked, payload)
        return await self._in_steps(self.handler, picked, payload)

    async def _in_one_transaction(self, handler: Handler, picked: models.Job, payload: Payload) -> bool:
        async with self.unit_of_work() as session:
            if is_ours := await _is_ours(session, picked):
                with self.running_jobs.one_more():
                    await handler(session, payload, clock.now())
                await _end_job(session, picked)
        return is_ours

    async def _in_steps(self, errand: Errand, picked: models.Job, payload: Payload) -> bool:
        async with self.unit_of_work() as session:
            if not await _is_ours(session, picked):
                return False
            with self.running_jobs.one_more():
                prepared = await errand.prepare(session, payload, clock.now())
            if prepared is None:
                await _end_job(session, picked)
                return True
        with self.running_jobs.one_more():
            outcome = await errand.go(prepared)
        async with self.unit_of_work() as session:
            if is_ours := await _is_ours(session, picked):
                with self.running_jobs.one_more():
                    await errand.settle(session, prepared, outcome, clock.now())
                await _end_job(session, picked)
        return is_ours


def _runner(job: Job, way: _Way, pace: Pace) -> Callable[[models.Job], Awaitable[None]]:
    async def run(picked: models.Job) -> None:
        failures, delay, reason = picked.attempts + 1, timedelta(), "its worker ends"
        try:
            if await way.follow(picked):
                return
            reason = "another worker has it"
        except asyncio.CancelledError:
            # PgQueuer cancels running jobs when it fails, and would delete them as cancelled: ask for a retry instead.
            pass
        except Exception as error:  # noqa: BLE001 (whatever it is, the job is tried again)
            delay, reason = pace.delay(failures), type(error).__name__
            log.error("job_failed", job=job.name, id=picked.id, failures=failures, error=reason, at=logs.frames(error))
            if failures >= pace.attempts:
                delay = timedelta(-1)
        # Not inside `except`: Python would chain the error, and PgQueuer would write its message into the log table.
        if delay < timedelta():
            raise JobFailed(f"{job.name} failed {failures} times, at last with {reason}.")
        raise RetryRequested(delay, reason)

    return run


def _scheduler(job: Job, unit_of_work: UnitOfWork) -> Callable[[models.Schedule], Awaitable[None]]:
    async def enqueue_scheduled(_schedule: models.Schedule) -> None:
        async with unit_of_work() as session:
            await _enqueue(session, job, {}, only_one=True)

    return enqueue_scheduled


async def _end_job(session: AsyncSession, picked: models.Job) -> None:
    """End a job in the same transaction as its effects: a killed worker leaves both or neither."""
    await (await _queries_of(session)).log_jobs([(picked, "successful", None)])


async def _is_ours(session: AsyncSession, picked: models.Job) -> bool:
    """Return whether this worker still has the job; if so, no other can take it until the transaction ends.

    FOR KEY SHARE lets heartbeats update the row, since they change no key, and makes the `FOR UPDATE SKIP LOCKED` of
    other workers skip it.
    """
    mine = text(
        f"SELECT 1 FROM {SETTINGS.qualified.queue_table} "  # noqa: S608
        "WHERE id = :id AND queue_manager_id = :worker AND status = 'picked' FOR KEY SHARE"
    )
    found = await session.execute(mine, {"id": picked.id, "worker": picked.queue_manager_id})
    return found.first() is not None


# Tables


async def install(connection: AsyncConnection) -> None:
    """Create PgQueuer's tables, or upgrade them to its installed version.

    Call it while migrating: outside a transaction, and in one process at a time.
    """
    raw: Any = (await connection.get_raw_connection()).driver_connection
    queries = _queries(AsyncpgDriver(raw))
    if await queries.schema_is_installed():
        await queries.upgrade()
    else:
        await queries.install()


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the queue's log and statistics that are older than 30 days."""
    for table in (SETTINGS.qualified.queue_table_log, SETTINGS.qualified.statistics_table):
        old = text(f"DELETE FROM {table} WHERE created <= :then")  # noqa: S608
        await session.execute(old, {"then": now - KEPT_FOR})


class _SessionDriver(AsyncpgDriver):
    """A driver for PgQueuer over SQLAlchemy's connection.

    Its failures are so SQLAlchemy's errors: without parameters, and `database.is_passing` knows the passing ones.
    """

    def __init__(self, connection: AsyncConnection, raw: Any) -> None:
        super().__init__(raw)
        self._connection_of_session = connection

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        return [dict(row) for row in (await self._connection_of_session.exec_driver_sql(query, args)).mappings()]

    async def execute(self, query: str, *args: object) -> str:
        return str((await self._connection_of_session.exec_driver_sql(query, args)).rowcount)


async def _queries_of(session: AsyncSession) -> Queries:
    """Return PgQueuer's queries in this session's transaction. Raises RuntimeError where there is none."""
    connection = await session.connection()
    raw: Any = (await connection.get_raw_connection()).driver_connection
    if not raw.is_in_transaction():
        await connection.execute(text("SELECT 1"))  # SQLAlchemy sends BEGIN only with the first statement
    if not raw.is_in_transaction():
        raise RuntimeError("Enqueue a job in a transaction, so that a rollback removes the job too.")
    return _queries(_SessionDriver(connection, raw))


def _queries(driver: Driver) -> Queries:
    return Queries(
        driver,
        qb.QueryBuilderEnvironment(SETTINGS),
        qb.QueryQueueBuilder(SETTINGS),
        qb.QuerySchedulerBuilder(SETTINGS),
    )
