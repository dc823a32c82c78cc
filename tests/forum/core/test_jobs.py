"""Jobs: what is put down in a transaction is done once that is committed, once, whatever falls."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pgqueuer.domain.settings import db_settings
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from forum import worker
from forum.content.threads.changes import THREAD_CHANGED
from forum.core import clock, jobs
from forum.core.database import Database, Prepared
from forum.core.jobs import Handler, Job, Pace, Payload
from forum.core.rate_limits import FORGET_COUNTS
from forum.features import CLEAN_UP, handlers_of
from forum.http.services import Services
from moderation.sanction_expiry import STANDING_ENDED

NOTE, URGENT = Job("note"), Job("urgent")
WORDS = "what she told me in confidence"
QUICK = Pace(
    poll=timedelta(seconds=0.2), dead_after=timedelta(seconds=1), attempts=3, first_delay=timedelta(seconds=0.1)
)


async def note(session: AsyncSession, payload: Payload, _now: datetime) -> None:
    """A job whose effect can be counted."""
    await session.execute(text("INSERT INTO effect VALUES (:id)"), {"id": payload["id"]})


@pytest.fixture
async def services(services: Services) -> Services:
    async with services.database.work() as session:
        await session.execute(text("CREATE TABLE effect (id text NOT NULL)"))
    return services


@asynccontextmanager
async def at_work(
    database: Database, handlers: Mapping[Job, Handler], pace: Pace = QUICK, calendar: Mapping[Job, str] | None = None
) -> AsyncIterator[asyncio.Event]:
    """A worker, until the block ends; gives what stops it."""
    stop = asyncio.Event()
    running = asyncio.create_task(
        jobs.work(database.autocommit, database.work, handlers, stop, calendar=calendar, pace=pace)
    )
    try:
        yield stop
    except BaseException:
        running.cancel()
        raise
    finally:
        stop.set()
        await asyncio.wait([running])
    running.result()


async def put_down(services: Services, *ids: str, at: datetime | None = None) -> None:
    async with services.database.work() as session:
        for given in ids:
            await jobs.enqueue(session, NOTE, {"id": given}, at=at)


async def rows(services: Services, query: str) -> list[Any]:
    return [tuple(row) for row in await services.database.reader.rows(Prepared(text(query)))]


async def queued(services: Services) -> list[Any]:
    return await rows(services, "SELECT entrypoint, status::text FROM jobs.queue ORDER BY id")


async def effects(services: Services) -> list[str]:
    return sorted(row[0] for row in await rows(services, "SELECT id FROM effect"))


async def come(services: Services, query: str, expected: list[Any]) -> None:
    """Wait until the query gives this."""
    async with asyncio.timeout(30):
        while await rows(services, query) != expected:  # noqa: ASYNC110 (another process makes it so)
            await asyncio.sleep(0.02)


async def until_empty(services: Services) -> None:
    await come(services, "SELECT 1 FROM jobs.queue", [])


EFFECTS = "SELECT id FROM effect ORDER BY id"
STATUS = "SELECT status::text FROM jobs.queue"


# Put down


class Regret(Exception):
    pass


async def test_a_job_goes_when_its_transaction_is_rolled_back(services: Services) -> None:
    async def change_ones_mind() -> None:
        async with services.database.work() as session:
            await session.execute(text("INSERT INTO effect VALUES ('1')"))
            await jobs.enqueue(session, NOTE, {"id": "1"})
            raise Regret

    with pytest.raises(Regret):
        await change_ones_mind()
    assert await queued(services) == []


async def test_a_job_put_down_before_anything_else_goes_too(services: Services) -> None:
    async def change_ones_mind() -> None:
        async with services.database.work() as session:
            await jobs.enqueue(session, NOTE, {"id": "1"})
            raise Regret

    with pytest.raises(Regret):
        await change_ones_mind()
    assert await queued(services) == []


async def test_a_job_is_put_down_in_a_transaction_or_not_at_all(services: Services) -> None:
    async with AsyncSession(services.database.autocommit) as session:
        with pytest.raises(RuntimeError, match="in a transaction"):
            await jobs.enqueue(session, NOTE, {"id": "1"})
    assert await queued(services) == []


@pytest.mark.parametrize("value", ["Heron", "heron@example.org", "my ex is outside", "", "1; 2"])
async def test_a_job_carries_ids_and_no_words(services: Services, value: str) -> None:
    async with services.database.work() as session:
        with pytest.raises(ValueError, match="ids, not words"):
            await jobs.enqueue(session, NOTE, {"id": value})


async def test_a_job_that_cannot_be_put_down_fails_as_any_write_does(services: Services) -> None:
    async with services.database.work() as session:
        await session.execute(text("ALTER TABLE jobs.queue RENAME TO elsewhere"))
    with pytest.raises(DBAPIError):
        await put_down(services, "1")


async def test_the_users_own_settings_of_the_library_change_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGQUEUER_SCHEMA", "PGQUEUER_PREFIX", "PGQUEUER_QUEUE_TABLE", "QUEUE_TABLE", "CHANNEL", "FUNCTION"):
        monkeypatch.setenv(name, "elsewhere")
    db_settings.cache_clear()
    await put_down(services, "1")
    async with at_work(services.database, {NOTE: note}):
        await until_empty(services)
    db_settings.cache_clear()
    assert await effects(services) == ["1"]


# Done


async def test_a_committed_job_is_done_once(services: Services) -> None:
    async with at_work(services.database, {NOTE: note}):
        await put_down(services, "1")
        await until_empty(services)
    assert await effects(services) == ["1"]


async def test_a_job_for_later_waits_until_its_time(services: Services) -> None:
    await put_down(services, "1", at=clock.now() + timedelta(days=1))
    await put_down(services, "2", at=clock.now() - timedelta(days=1))
    async with at_work(services.database, {NOTE: note}):
        await come(services, EFFECTS, [("2",)])
        await put_down(services, "3")
        await come(services, EFFECTS, [("2",), ("3",)])
    assert await queued(services) == [("note", "queued")]


async def test_a_job_for_later_goes_exactly_then(services: Services) -> None:
    then = clock.now() + timedelta(days=3)
    await put_down(services, "1", at=then)
    assert await rows(services, "SELECT execute_after FROM jobs.queue") == [(then,)]


async def test_two_workers_do_each_of_many_jobs_once(services: Services, database_url: str) -> None:
    ids = [str(number) for number in range(200)]
    other = Database(database_url, pool_size=5)
    async with at_work(services.database, {NOTE: note}), at_work(other, {NOTE: note}):
        for first in range(0, 200, 20):
            await put_down(services, *ids[first : first + 20])
        await until_empty(services)
    await other.close()
    assert await effects(services) == sorted(ids)


async def test_what_a_worker_has_at_hand_when_it_is_told_to_stop_is_finished(services: Services) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(session: AsyncSession, payload: Payload, now: datetime) -> None:
        begun.set()
        await go_on.wait()
        await note(session, payload, now)

    await put_down(services, "1")
    async with at_work(services.database, {NOTE: slowly}) as stop:
        await begun.wait()
        stop.set()
        go_on.set()
    assert await effects(services) == ["1"]
    assert await queued(services) == []


async def test_a_slow_job_is_not_taken_over_while_its_transaction_lives(services: Services, database_url: str) -> None:
    """Not even when its worker gives no sign of life."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(session: AsyncSession, payload: Payload, now: datetime) -> None:
        begun.set()
        await note(session, payload, now)
        await go_on.wait()

    await put_down(services, "1")
    other = Database(database_url, pool_size=5)
    async with at_work(services.database, {NOTE: slowly}, replace(QUICK, dead_after=timedelta(days=1))):
        await begun.wait()
        async with services.database.work() as session:
            await session.execute(text("UPDATE jobs.queue SET heartbeat = now() - interval '1 hour'"))
        async with at_work(other, {NOTE: note, URGENT: note}):
            async with services.database.work() as session:
                await jobs.enqueue(session, URGENT, {"id": "2"})
            # Only the other worker does this, and it leaves the first job alone.
            await come(services, EFFECTS, [("2",)])
        go_on.set()
    await other.close()
    assert await effects(services) == ["1", "2"]
    assert await queued(services) == []


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
async def test_a_worker_killed_in_the_middle_of_a_job_leaves_it_to_another_and_it_is_done_once(
    services: Services, database_url: str, moment: str
) -> None:
    await put_down(services, "1")
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.forum.core.test_jobs", database_url, moment
    )
    assert await victim.wait() == -signal.SIGKILL
    assert await effects(services) == ([] if moment == "before the commit" else ["1"])
    async with at_work(services.database, {NOTE: note}):
        await until_empty(services)
        await put_down(services, "2")
        await until_empty(services)
    assert await effects(services) == ["1", "2"]


async def test_a_job_whose_worker_ends_under_it_is_kept(services: Services) -> None:
    begun = asyncio.Event()

    async def forever(_session: AsyncSession, _payload: Payload, _now: datetime) -> None:
        begun.set()
        await asyncio.Event().wait()

    await put_down(services, "1")
    running = asyncio.create_task(
        jobs.work(services.database.autocommit, services.database.work, {NOTE: forever}, asyncio.Event(), pace=QUICK)
    )
    await begun.wait()
    running.cancel()
    await asyncio.wait([running])
    assert await queued(services) == [("note", "queued")]
    async with at_work(services.database, {NOTE: note}):
        await until_empty(services)
    assert await effects(services) == ["1"]


# Failed


async def test_a_job_that_fails_is_tried_again(services: Services) -> None:
    tries = []

    async def at_last(session: AsyncSession, payload: Payload, now: datetime) -> None:
        await note(session, payload, now)
        tries.append(now)
        if len(tries) < QUICK.attempts:
            raise OSError(WORDS)

    await put_down(services, "1")
    async with at_work(services.database, {NOTE: at_last}):
        await until_empty(services)
    assert len(tries) == QUICK.attempts
    assert await effects(services) == ["1"]


async def test_a_job_that_fails_always_is_given_up_and_kept_and_no_word_of_it_is_logged(
    services: Services, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    tries = []

    async def never(session: AsyncSession, _payload: Payload, now: datetime) -> None:
        tries.append(now)
        await session.execute(text("SELECT CAST(:words AS integer)").bindparams(words=WORDS))

    await put_down(services, "1")
    with caplog.at_level(logging.DEBUG):
        async with at_work(services.database, {NOTE: never}):
            await come(services, STATUS, [("failed",)])
    assert len(tries) == QUICK.attempts
    printed = capfd.readouterr()
    assert "note" in caplog.text + printed.out
    noted = await rows(services, "SELECT traceback::text FROM jobs.log WHERE traceback IS NOT NULL")
    assert len(noted) == QUICK.attempts
    assert "confidence" not in caplog.text + printed.out + printed.err + str(noted)


def test_the_pauses_between_attempts_grow_to_an_hour() -> None:
    pauses = [Pace().delay(failures).total_seconds() for failures in range(1, Pace().attempts)]
    assert pauses == [10, 40, 160, 640, 2560]


# Kept


async def test_what_has_run_out_is_deleted_by_the_clock(services: Services) -> None:
    async with services.database.work() as session:
        await session.execute(
            text("INSERT INTO throttle_count (key, ends_at, tries) VALUES ('k', now() - interval '1 s', 1)")
        )
        for age in ("31 days", "29 days"):
            await session.execute(
                text(
                    "INSERT INTO jobs.log (created, job_id, status, priority, entrypoint) "
                    f"VALUES (now() - interval '{age}', 0, 'successful', 0, '{age}')"
                )
            )
    handlers = handlers_of(worker.FEATURES, services.settings)
    async with at_work(services.database, handlers, calendar={CLEAN_UP: "* * * * * *", FORGET_COUNTS: "* * * * * *"}):
        await come(services, "SELECT 1 FROM throttle_count", [])
    assert await rows(services, "SELECT entrypoint FROM jobs.log WHERE job_id = 0") == [("29 days",)]


def test_every_job_has_somebody_who_does_it(services: Services) -> None:
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] in {"forum", "moderation"}]
    known = {value for module in modules for value in [*vars(module).values()] if isinstance(value, Job)}
    known |= {*THREAD_CHANGED.values()}
    assert known == set(handlers_of(worker.FEATURES, services.settings))
    assert STANDING_ENDED in known


async def test_the_queue_has_a_schema_of_its_own(services: Services) -> None:
    found = await rows(services, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('jobs', 'public')")
    assert {table for schema, table in found if schema == "jobs"} == {"queue", "log", "statistics", "schedule"}
    assert not [table for schema, table in found if schema == "public" and "pgqueuer" in table]


# Killed


def _fall() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _work_and_fall(url: str, moment: str) -> None:
    """A worker that is killed with a job done, and its transaction not yet, or just, committed."""
    database = Database(url, pool_size=5)

    async def fatal(session: AsyncSession, payload: Payload, now: datetime) -> None:
        await note(session, payload, now)
        if moment == "before the commit":
            _fall()

    @asynccontextmanager
    async def unit_of_work() -> AsyncIterator[AsyncSession]:
        async with database.work() as session:
            yield session
        _fall()

    await jobs.work(database.autocommit, unit_of_work, {NOTE: fatal}, asyncio.Event(), pace=QUICK)


if __name__ == "__main__":
    asyncio.run(_work_and_fall(*sys.argv[1:]))


# Errands


class Visit:
    """An errand whose steps can be counted, and which waits on its way until it is let go."""

    at_once = 2

    def __init__(self) -> None:
        self.under_way: list[str] = []
        self.go_on = asyncio.Event()

    async def prepare(self, session: AsyncSession, payload: Payload, _now: datetime) -> str | None:
        if payload["id"] == "0":
            return None
        await note(session, {"id": f"prepared {payload['id']}"}, _now)
        return payload["id"]

    async def go(self, prepared: str) -> str:
        self.under_way.append(prepared)
        await self.go_on.wait()
        return f"settled {prepared}"

    async def settle(self, session: AsyncSession, _prepared: str, outcome: str, now: datetime) -> None:
        await note(session, {"id": outcome}, now)


async def enqueue_visits(services: Services, *ids: str) -> None:
    async with services.database.work() as session:
        for given in ids:
            await jobs.enqueue(session, URGENT, {"id": given})


async def test_while_errands_wait_for_another_server_no_transaction_is_open_and_other_jobs_go_on(
    services: Services,
) -> None:
    visit = Visit()
    async with at_work(services.database, {URGENT: visit, NOTE: note}):
        await enqueue_visits(services, *map(str, range(1, 8)))
        await come(services, "SELECT count(*) FROM effect", [(2,)])
        async with asyncio.timeout(30):
            while len(visit.under_way) < 2:  # noqa: ASYNC110 (the worker makes it so)
                await asyncio.sleep(0.02)
        await put_down(services, *(f"a{number}" for number in range(20)))
        await come(services, "SELECT count(*) FROM effect WHERE id LIKE 'a%'", [(20,)])
        open_ones = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'"
        assert await rows(services, open_ones) == []
        assert len(visit.under_way) == 2
        visit.go_on.set()
        await until_empty(services)
    assert await effects(services) == sorted(
        [f"a{number}" for number in range(20)]
        + [f"{step} {number}" for step in ("prepared", "settled") for number in range(1, 8)]
    )


async def test_an_errand_that_has_nothing_to_do_ends_at_once(services: Services) -> None:
    visit = Visit()
    async with at_work(services.database, {URGENT: visit}):
        await enqueue_visits(services, "0")
        await until_empty(services)
    assert (visit.under_way, await effects(services)) == ([], [])


async def test_an_errand_whose_worker_ends_on_the_way_is_done_again_and_settled_once(services: Services) -> None:
    visit = Visit()
    await enqueue_visits(services, "1")
    first = asyncio.create_task(
        jobs.work(services.database.autocommit, services.database.work, {URGENT: visit}, asyncio.Event(), pace=QUICK)
    )
    async with asyncio.timeout(30):
        while not visit.under_way:  # noqa: ASYNC110 (the worker makes it so)
            await asyncio.sleep(0.02)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert await effects(services) == ["prepared 1"]
    visit.go_on.set()
    async with at_work(services.database, {URGENT: visit}):
        await until_empty(services)
    assert visit.under_way == ["1", "1"]
    assert await effects(services) == ["prepared 1", "prepared 1", "settled 1"]


async def test_an_errand_that_another_worker_took_over_is_not_settled_by_the_first(services: Services) -> None:
    """As when a machine sleeps: the first one still runs, but gave no sign of life."""
    slow, quick = Visit(), Visit()
    quick.go_on.set()
    await enqueue_visits(services, "1")
    async with at_work(services.database, {URGENT: slow}, pace=replace(QUICK, dead_after=timedelta(hours=1))):
        await come(services, STATUS, [("picked",)])
        async with asyncio.timeout(30):
            while not slow.under_way:  # noqa: ASYNC110 (the worker makes it so)
                await asyncio.sleep(0.02)
        async with services.database.work() as session:
            await session.execute(text("UPDATE jobs.queue SET heartbeat = now() - interval '2 hours'"))
        async with at_work(services.database, {URGENT: quick}):
            await until_empty(services)
        slow.go_on.set()
    assert await effects(services) == ["prepared 1", "prepared 1", "settled 1"]
