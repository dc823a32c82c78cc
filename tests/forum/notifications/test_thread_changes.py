"""Who opened a thread is told when somebody else locked, unlocked, moved or retitled it."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from forum.notifications.thread_changes import KINDS
from tests.support import make
from tests.support.jobs import run_due_jobs

API = "/api/v1"
Change = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


async def lock(client: httpx.AsyncClient, thread: str) -> httpx.Response:
    return await client.put(f"{thread}/lock")


async def unlock(client: httpx.AsyncClient, thread: str) -> httpx.Response:
    await lock(client, thread)
    return await client.delete(f"{thread}/lock")


async def move(client: httpx.AsyncClient, thread: str) -> httpx.Response:
    return await client.put(f"{thread}/board", json={"version": 1, "board": "staff-room"})


async def retitle(client: httpx.AsyncClient, thread: str) -> httpx.Response:
    return await client.patch(thread, json={"version": 1, "title": "About a visit"})


async def told(app: FastAPI, services: Services, handle: str) -> list[dict[str, Any]]:
    await run_due_jobs(services, clock.now())
    async with make.signed_in(app, handle) as client:
        items = (await client.get(f"{API}/me/notifications")).json()["items"]
    return [item for item in items if item["kind"] in set(KINDS.values())]


@pytest.fixture
async def thread(services: Services) -> int:
    await make.board(services)
    await make.board(services, "staff-room", readers=("moderator",))
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    await make.member(services, "magpie")
    await make.post(services, "magpie", thread)
    return thread


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lock, ["thread_locked"]),
        (unlock, ["thread_unlocked", "thread_locked"]),
        (move, ["thread_moved"]),
        (retitle, ["thread_retitled"]),
    ],
)
async def test_who_opened_the_thread_is_told_and_nobody_else(
    app: FastAPI, services: Services, thread: int, change: Change, kinds: list[str]
) -> None:
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        assert (await change(orla, f"{API}/threads/{thread}")).is_success
    items = await told(app, services, "heron")
    assert [item["kind"] for item in items] == kinds
    # Also where they may no longer read it: it is their own thread.
    assert [(item["thread_id"], item["number"]) for item in items] == [(thread, 1)] * len(kinds)
    # They are not led to what they would not find.
    async with make.signed_in(app, "heron") as heron:
        led = [await heron.get(f"{API}/posts/{item['post_id']}") for item in items if item["post_id"]]
        assert [answer.status_code for answer in led] == ([] if change is move else [200] * len(kinds))
        page = (await heron.get("/me/notices")).text
    assert [f'href="/posts/{item["post_id"]}"' in page for item in items] == [change is not move] * len(kinds)
    assert await told(app, services, "magpie") == await told(app, services, "orla") == []


@pytest.mark.parametrize("change", [lock, retitle])
async def test_nobody_is_told_of_what_they_did_themselves(app: FastAPI, services: Services, change: Change) -> None:
    await make.board(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        thread = await make.thread(services, "orla")
        assert (await change(orla, f"{API}/threads/{thread}")).is_success
    assert await told(app, services, "orla") == []


async def test_what_was_so_before_is_told_once(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        for _ in range(2):
            await lock(orla, f"{API}/threads/{thread}")
            await orla.put(f"{API}/threads/{thread}/pin")
    assert [item["kind"] for item in await told(app, services, "heron")] == ["thread_locked"]
