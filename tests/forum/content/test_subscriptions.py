"""What members follow: a row counts before its board's, writing follows, and a hidden place is not there."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content import subscriptions
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make
from tests.support.scenes import sql

API = "/api/v1"


async def follow(client: httpx.AsyncClient, place: str, mode: str = "each") -> int:
    return (await client.put(f"{API}{place}/subscription", json={"mode": mode})).status_code


async def forget(client: httpx.AsyncClient, place: str) -> int:
    return (await client.delete(f"{API}{place}/subscription")).status_code


async def mine(client: httpx.AsyncClient, thread: int) -> tuple[str | None, bool]:
    found = (await client.get(f"{API}/threads/{thread}/mine")).json()
    return found["subscription"], found["told"]


async def listed(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"{API}/me/subscriptions", params=query)).json()["items"]
    return items


@pytest.fixture
async def thread(services: Services) -> int:
    await make.board(services)
    await make.member(services, "magpie")
    return await make.thread(services, "magpie")


async def test_a_thread_counts_before_its_board(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        assert await mine(heron, thread) == (None, False)
        assert await follow(heron, "/boards/new-here") == 204
        assert await mine(heron, thread) == (None, True)
        assert await follow(heron, f"/threads/{thread}", "off") == 204
        assert await mine(heron, thread) == ("off", False)
        assert await follow(heron, f"/threads/{thread}", "digest") == 204
        assert await mine(heron, thread) == ("digest", True)
        assert await forget(heron, "/boards/new-here") == await forget(heron, "/boards/new-here") == 204
        assert (await heron.get(f"{API}/boards/new-here/subscription")).json() == {"mode": None}
        assert await mine(heron, thread) == ("digest", True)
        assert await forget(heron, f"/threads/{thread}") == 204
        assert await mine(heron, thread) == (None, False)


async def test_who_writes_follows_unless_they_said_something_else(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "heron") as heron:
        assert await mine(magpie, thread) == ("each", True)
        await make.post(services, "heron", thread)
        assert await mine(heron, thread) == ("each", True)
        [item] = await listed(heron)
        assert (item["chosen_by"], item["thread"], item["board"]["slug"]) == (
            "reply",
            {"id": thread, "title": "A question"},
            "new-here",
        )
        assert await follow(heron, f"/threads/{thread}", "off") == 204
        await make.post(services, "heron", thread, "And now?")
        assert await mine(heron, thread) == ("off", False)
        [item] = await listed(heron)
        assert (item["mode"], item["chosen_by"]) == ("off", "self")


async def test_one_can_follow_so_many_and_no_more_and_writes_all_the_same(
    app: FastAPI, services: Services, thread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST", 1)
    another = await make.thread(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        await make.post(services, "heron", another)
        assert await follow(heron, f"/threads/{thread}") == 204
        assert await follow(heron, "/boards/new-here") == 422
        refused = await heron.put(f"{API}/boards/new-here/subscription", json={"mode": "off"})
        assert refused.json()["errors"][0]["code"] == "too_many_subscriptions"
        assert await follow(heron, f"/threads/{thread}", "off") == 204  # what is there can be changed
        assert await follow(heron, f"/threads/{another}", "off") == 204
        assert await forget(heron, f"/threads/{thread}") == await forget(heron, f"/threads/{another}") == 204
        assert await follow(heron, "/boards/new-here") == 204


async def test_the_list_goes_on_and_followed_threads_are_threads(app: FastAPI, services: Services, thread: int) -> None:
    another = await make.thread(services, "magpie", title="Another question")
    async with make.signed_in(app, "heron") as heron:
        for place in ("/boards/new-here", f"/threads/{thread}", f"/threads/{another}"):
            assert await follow(heron, place) == 204
        assert await follow(heron, f"/threads/{another}", "off") == 204
        first = (await heron.get(f"{API}/me/subscriptions?limit=2")).json()
        assert [item["thread"]["id"] for item in first["items"]] == [another, thread]
        [last] = await listed(heron, after=first["next"])
        assert (last["thread"], last["board"]) == (None, {"slug": "new-here", "name": "New-Here"})
        followed = (await heron.get(f"{API}/me/threads?kind=followed")).json()["items"]
        assert [item["id"] for item in followed] == [thread]


async def test_what_is_hidden_is_not_listed_and_can_be_forgotten(app: FastAPI, services: Services, thread: int) -> None:
    await make.board(services, "staff-room", readers=("moderator",))
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        assert await follow(heron, f"/threads/{thread}") == await follow(heron, "/boards/new-here") == 204
        moved = {"version": 1, "board": "staff-room"}
        assert (await orla.put(f"{API}/threads/{thread}/board", json=moved)).status_code == 200
        assert [item["thread"] for item in await listed(heron)] == [None]
        assert (await heron.get(f"{API}/me/threads?kind=followed")).json()["items"] == []
        for place in (f"/threads/{thread}", "/threads/999999", "/boards/staff-room", "/boards/nowhere"):
            assert await follow(heron, place) == 404
        for place in (f"/threads/{thread}", "/threads/999999", "/boards/staff-room", "/boards/nowhere"):
            assert await forget(heron, place) == 204
    assert await sql(
        services, "SELECT thread_id FROM subscription WHERE member_id <> (SELECT author_id FROM thread)"
    ) == [(None,)]


@pytest.mark.parametrize(
    ("standing", "status"), [(Standing.SILENCED, 204), (Standing.SUSPENDED, 204), (Standing.BANNED, 403)]
)
async def test_who_is_banned_can_only_forget(
    app: FastAPI, services: Services, thread: int, standing: Standing, status: int
) -> None:
    async with make.signed_in(app, "heron") as heron:
        assert await follow(heron, "/boards/new-here") == 204
        await make.sanction(services, "heron", standing)
        await make.sign_in_again(app, heron, "heron")
        assert await follow(heron, f"/threads/{thread}") == status
        assert await forget(heron, "/boards/new-here") == 204


async def test_a_guest_follows_nothing(guest: httpx.AsyncClient, thread: int) -> None:
    assert await mine(guest, thread) == (None, False)
    assert await follow(guest, f"/threads/{thread}") == await forget(guest, "/boards/new-here") == 401


@pytest.mark.parametrize("body", [{}, {"mode": None}, {"mode": "all"}, {"mode": "each", "more": 1}])
async def test_other_modes_are_refused(app: FastAPI, thread: int, body: dict[str, Any]) -> None:
    async with make.signed_in(app, "heron") as heron:
        assert (await heron.put(f"{API}/threads/{thread}/subscription", json=body)).status_code == 422
