"""Who is thanked is told so once, not fifty times; and never by somebody whom they ignore."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, sql


@pytest.fixture
async def magpie(app: FastAPI, services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Magpie, who wrote the posts 1 and 2."""
    await make.board(services)
    async with make.signed_in(app, "magpie") as client:
        await make.post(services, "magpie", await make.thread(services, "magpie"))
        yield client


async def told(services: Services, client: httpx.AsyncClient) -> list[tuple[str, int]]:
    await run_due_jobs(services, clock.now() + timedelta(seconds=1))
    items = (await client.get(f"{API}/me/notifications")).json()["items"]
    return [(item["kind"], item["number"]) for item in items]


async def react(app: FastAPI, who: str, post: int, kind: str = "thank", method: str = "PUT") -> None:
    async with make.signed_in(app, who) as client:
        assert (await client.request(method, f"{API}/posts/{post}/reactions/{kind}")).status_code == 204


async def test_several_reactions_are_told_once(app: FastAPI, services: Services, magpie: httpx.AsyncClient) -> None:
    for who in ("heron", "wren"):
        for post in (1, 2):
            for kind in ("thank", "same_here"):
                await react(app, who, post, kind)
    assert await told(services, magpie) == [("reacted", 1)]
    assert await sql(services, "SELECT 1 FROM mail_due") == []


async def test_who_has_read_it_is_told_again_after_an_hour(
    app: FastAPI, services: Services, magpie: httpx.AsyncClient
) -> None:
    await react(app, "heron", 1)
    assert len(await told(services, magpie)) == 1
    [first] = (await magpie.get(f"{API}/me/notifications")).json()["items"]
    assert (await magpie.put(f"{API}/me/notifications/read", json={"up_to": first["id"]})).is_success
    await react(app, "wren", 2)
    assert len(await told(services, magpie)) == 1
    async with services.database.work() as session:
        await session.execute(text("UPDATE notification SET at = at - interval '61 minutes'"))
    await react(app, "starling", 2)
    assert await told(services, magpie) == [("reacted", 2), ("reacted", 1)]


async def test_what_was_taken_back_and_who_is_ignored_is_not_told(
    app: FastAPI, services: Services, magpie: httpx.AsyncClient
) -> None:
    await react(app, "heron", 1)
    await react(app, "heron", 1, method="DELETE")
    await make.member(services, "wren")
    assert (await magpie.put(f"{API}/me/ignored/wren")).is_success
    await react(app, "wren", 1)
    assert await told(services, magpie) == []
    await react(app, "heron", 1)
    assert await told(services, magpie) == [("reacted", 1)]


async def test_of_a_thread_that_moved_out_of_sight_nothing_is_told(
    app: FastAPI, services: Services, magpie: httpx.AsyncClient
) -> None:
    await make.board(services, "staff-room", readers=["moderator"], openers=["moderator"], repliers=["moderator"])
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        moved = await orla.put(f"{API}/threads/1/board", json={"version": 1, "board": "staff-room"})
        assert moved.status_code == 200, moved.text
        assert (await orla.put(f"{API}/posts/1/reactions/thank")).status_code == 204
        assert "reacted" not in [kind for kind, _ in await told(services, magpie)]
