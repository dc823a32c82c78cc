"""A measure that runs until some time, and the worker that tells when it is over, as a charity runs it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum import worker
from forum.core import clock
from forum.core.database import Prepared
from forum.core.jobs import Payload
from forum.http.services import Services
from forum.members.tables import Role
from moderation import rules
from moderation.sanction_expiry import tell_that_sanction_ended
from tests.stories.test_survival import WAYS_TO_STOP
from tests.support import make
from tests.support.running import FAMILY, Forum, launch, started, until

API = "/api/v1"


async def post_of(services: Services, handle: str) -> int:
    """A rude post, in a house with rules and moderators."""
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
    await make.board(services)
    for name, role in (("suzie", Role.MODERATOR), ("orla", Role.MODERATOR)):
        await make.member(services, name, role)
    await make.member(services, "heron")
    await make.member(services, handle)
    return (await make.post(services, handle, await make.thread(services, "heron"), "You lying toad")).id


async def decided(app: FastAPI, post: int, *measures: dict[str, Any]) -> str:
    """Heron reports the post, Suzie takes these measures; gives the statement's id."""
    async with make.signed_in(app, "heron") as heron:
        complaint = {"category": "rule", "rules": [10], "note": "Name-calling", "revision": 1}
        assert (await heron.post(f"{API}/posts/{post}/reports", json=complaint)).status_code == 201
    async with make.signed_in(app, "suzie") as suzie:
        case = (await suzie.get(f"{API}/moderation/cases")).json()["items"][0]
        verdict = {"version": case["version"], "revision": 1, "rules": [10], "reason": "Name-calling"}
        answer = await suzie.post(
            f"{API}/moderation/cases/{case['id']}/decisions", json={**verdict, "measures": list(measures)}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["statement_id"])


async def overturned(app: FastAPI, author: str, statement: str) -> None:
    async with make.signed_in(app, author) as appellant:
        answer = await appellant.post(f"{API}/statements/{statement}/appeal", json={"text": "I was provoked"})
        assert answer.status_code == 201, answer.text
    async with make.signed_in(app, "orla") as orla:
        case = (await orla.get(f"{API}/moderation/cases")).json()["items"][0]
        verdict = {"version": case["version"], "revision": 1, "reason": "You were."}
        answer = await orla.post(
            f"{API}/moderation/cases/{case['id']}/decisions", json={**verdict, "measures": [{"kind": "overturn"}]}
        )
        assert answer.status_code == 201, answer.text


async def put_down(services: Services) -> list[tuple[str, datetime, Payload]]:
    """What waits for a worker, but to tell people of cases and posts: which job, until when, about what."""
    query = (
        "SELECT entrypoint, execute_after, convert_from(payload, 'UTF8')::jsonb FROM jobs.queue "
        "WHERE entrypoint <> 'alert_case' ORDER BY id"
    )
    return [tuple(row) for row in await services.database.reader.rows(Prepared(text(query)))]


async def done(services: Services, at: datetime, *some: tuple[str, datetime, Payload]) -> None:
    """Do what was put down, or some of it, as if it were `at`."""
    for _, _, payload in some or await put_down(services):
        async with services.database.work() as session:
            await tell_that_sanction_ended(session, payload, at)


async def told(app: FastAPI, handle: str) -> list[str]:
    """The statements about whose end the member was told."""
    async with make.signed_in(app, handle) as member:
        items = (await member.get(f"{API}/me/notifications")).json()["items"]
    return [item["subject_id"] for item in items if item["kind"] == "standing_ended"]


async def ends_told(services: Services) -> int:
    """How many ends anybody was told of."""
    told = Prepared(text("SELECT 1 FROM notification WHERE kind = 'standing_ended'"))
    return len(await services.database.reader.rows(told))


async def forgive(services: Services) -> None:
    """Let everybody sign in and read what they were told."""
    async with services.database.work() as session:
        await session.execute(text("DELETE FROM sanction"))


def until_in(days: int) -> tuple[datetime, str]:
    then = clock.now() + timedelta(days=days)
    return then, then.isoformat()


# When it is told


@pytest.mark.parametrize("kind", ["review", "silence", "suspend"])
async def test_who_is_in_good_standing_again_is_told_once(app: FastAPI, services: Services, kind: str) -> None:
    post, (then, until) = await post_of(services, "stepdad"), until_in(7)
    statement = await decided(app, post, {"kind": kind, "until": until})
    [(job, at, payload)] = await put_down(services)
    assert (job, at, list(payload)) == ("standing_ended", then, ["measure"])
    await done(services, then)
    await done(services, then)
    await forgive(services)
    assert await told(app, "stepdad") == [statement]


async def test_nothing_is_put_down_for_a_measure_without_an_end(app: FastAPI, services: Services) -> None:
    await decided(app, await post_of(services, "stepdad"), {"kind": "warn"}, {"kind": "ban"})
    assert await put_down(services) == []


async def test_who_won_an_appeal_is_not_told_that_the_measure_has_ended(app: FastAPI, services: Services) -> None:
    post, (then, until) = await post_of(services, "stepdad"), until_in(7)
    statement = await decided(app, post, {"kind": "silence", "until": until})
    await overturned(app, "stepdad", statement)
    await done(services, then)
    assert await told(app, "stepdad") == []


async def test_who_is_still_silenced_for_something_else_is_told_at_its_end(app: FastAPI, services: Services) -> None:
    post, (first, until), (second, longer) = await post_of(services, "stepdad"), until_in(7), until_in(14)
    statement = await decided(app, post, {"kind": "suspend", "until": until}, {"kind": "silence", "until": longer})
    [suspended, silenced] = await put_down(services)
    await done(services, first, suspended)
    assert await ends_told(services) == 0
    await done(services, second, silenced)
    assert await ends_told(services) == 1
    await forgive(services)
    assert await told(app, "stepdad") == [statement]


async def test_two_measures_that_are_both_over_are_told_as_one(app: FastAPI, services: Services) -> None:
    """As after days without a worker."""
    one, (then, until) = await post_of(services, "stepdad"), until_in(7)
    other = (await make.post(services, "stepdad", await make.thread(services, "heron"), "You toad")).id
    first = await decided(app, one, {"kind": "silence", "until": until})
    second = await decided(app, other, {"kind": "suspend", "until": until})
    await done(services, then)
    await forgive(services)
    assert await told(app, "stepdad") == [second]
    assert first != second


# Who tells


def worker_of(forum: Forum) -> psutil.Process | None:
    """The process that does the forum's jobs."""
    for process in forum.family():
        with suppress(psutil.Error):
            if process.name() == worker.NAME.decode():
                return process
    return None


async def overdue(app: FastAPI, services: Services) -> str:
    """A measure whose end should be told now; gives its statement."""
    statement = await decided(app, await post_of(services, "stepdad"), {"kind": "silence", "until": until_in(7)[1]})
    async with services.database.work() as session:
        await session.execute(text("UPDATE jobs.queue SET execute_after = now()"))
    return statement


async def is_told(app: FastAPI, statement: str) -> None:
    async with asyncio.timeout(30):
        while await told(app, "stepdad") != [statement]:  # noqa: ASYNC110 (another process makes it so)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_serving_forum_does_jobs_and_killed_it_leaves_no_worker_behind(
    app: FastAPI, services: Services, database_url: str, tmp_path: Path, workers: int
) -> None:
    statement = await overdue(app, services)
    async with started(tmp_path, "serve", "--workers", workers, FORUM_DATABASE_URL=database_url) as forum:
        await is_told(app, statement)
        assert worker_of(forum)
        await forum.ready()  # the worker is ready sooner, and whoever still loads the program notices nothing meanwhile
        forum.process.kill()
        await forum.gone()
    assert await put_down(services) == []


@pytest.mark.parametrize("stop", WAYS_TO_STOP)
async def test_a_worker_that_fell_is_replaced_and_ends_with_the_forum(
    app: FastAPI, services: Services, database_url: str, tmp_path: Path, stop: Callable[[Forum], None]
) -> None:
    async with started(tmp_path, "serve", FORUM_DATABASE_URL=database_url) as forum:
        await forum.ready()
        assert await until(lambda: worker_of(forum))
        fallen = worker_of(forum)
        assert fallen
        fallen.kill()
        assert await until(lambda: worker_of(forum) not in (None, fallen))
        await is_told(app, await overdue(app, services))
        stop(forum)
        assert await forum.ended() == 0
        await forum.gone()
        assert "Traceback" not in forum.said()


async def test_a_forum_that_shall_have_no_worker_has_none_and_one_elsewhere_does_its_jobs(
    app: FastAPI, services: Services, database_url: str, tmp_path: Path
) -> None:
    statement = await overdue(app, services)
    async with started(tmp_path, "serve", "--no-worker", FORUM_DATABASE_URL=database_url) as forum:
        await forum.ready()
        assert worker_of(forum) is None
        assert await told(app, "stepdad") == []
        other = launch(tmp_path / "worker.log", "worker", FORUM_DATABASE_URL=database_url, **{FAMILY: forum.name})
        await is_told(app, statement)
        other.terminate()
        assert await until(lambda: other.poll() is not None, 30)
        assert other.returncode == 0
        assert (tmp_path / "worker.log").read_text() == ""
