"""Bookmarks: saved for oneself, found again where one still sees them, and nobody else's business."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from forum.content import bookmarks
from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import Visibility
from forum.content.posts.visibility import set_visibility
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role, Standing
from forum.privacy.export_contents import export_bookmarks, export_reactions
from tests.support import make
from tests.support.scenes import sql

API = "/api/v1"


@pytest.fixture
async def thread(services: Services) -> int:
    """A thread of Magpie's with three posts."""
    await make.board(services)
    await make.member(services, "magpie")
    made = await make.thread(services, "magpie", title="An evening")
    for number in (2, 3):
        await make.post(services, "magpie", made, f"Line {number}")
    return made


async def ids(client: httpx.AsyncClient, thread: int) -> list[int]:
    return [post["id"] for post in (await client.get(f"{API}/threads/{thread}/posts")).json()["items"]]


async def saved(client: httpx.AsyncClient, query: str = "") -> list[int]:
    return [item["number"] for item in (await client.get(f"{API}/me/bookmarks{query}")).json()["items"]]


async def save(client: httpx.AsyncClient, post_id: int, method: str = "PUT") -> int:
    return (await client.request(method, f"{API}/posts/{post_id}/bookmark")).status_code


async def test_what_one_saved_comes_back_the_last_first(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "wren") as wren:
        posts = await ids(heron, thread)
        for post in (posts[2], posts[0], posts[1], posts[1]):
            assert await save(heron, post) == 204
        assert await saved(heron) == [2, 1, 3]
        assert await saved(wren) == []
        page = (await heron.get(f"{API}/me/bookmarks?limit=2")).json()
        assert [item["number"] for item in page["items"]] == [2, 1]
        assert await saved(heron, f"?limit=2&after={page['next']}") == [3]
        first = page["items"][0]
        assert (first["thread_id"], first["thread_title"], first["author"]["handle"]) == (
            thread,
            "An evening",
            "magpie",
        )
        assert (await heron.get(f"{API}/threads/{thread}/mine")).json()["bookmarks"] == [1, 2, 3]
        assert (await heron.get(f"{API}/threads/{thread}/mine?from=2&limit=1")).json()["bookmarks"] == [2]
        assert (await wren.get(f"{API}/threads/{thread}/mine")).json()["bookmarks"] == []
        assert [await save(heron, posts[0], "DELETE") for _ in range(2)] == [204, 204]
        assert await saved(heron) == [2, 3]


async def test_one_can_save_so_many_and_no_more(app: FastAPI, thread: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookmarks, "MOST", 1)
    async with make.signed_in(app, "heron") as heron:
        first, second, third = await ids(heron, thread)
        both = await asyncio.gather(save(heron, second), save(heron, third))  # of two at once, one is too many
        assert sorted(both) == [204, 422]
        [kept] = await saved(heron)
        assert await save(heron, {2: second, 3: third}[kept]) == 204  # again is no more
        refused = await heron.put(f"{API}/posts/{first}/bookmark")
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "too_many_bookmarks")


async def test_the_page_of_posts_does_not_tell_who_saved_what(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        before = (await magpie.get(f"{API}/threads/{thread}/posts")).content
        await asyncio.gather(*(save(heron, post) for post in await ids(heron, thread)))
        assert (await magpie.get(f"{API}/threads/{thread}/posts")).content == before
        assert (await heron.get(f"{API}/threads/{thread}/posts")).content == before
        assert await sql(services, "SELECT 1 FROM notification") == []


@pytest.mark.parametrize("gone", [Visibility.HELD, Visibility.REMOVED, Visibility.WITHDRAWN])
async def test_a_post_that_one_no_longer_sees_leaves_the_list_and_may_come_back(
    app: FastAPI, services: Services, thread: int, gone: Visibility
) -> None:
    async with make.signed_in(app, "heron") as heron:
        post = (await ids(heron, thread))[1]
        await save(heron, post)
        for visibility in (gone, Visibility.VISIBLE):
            if gone == Visibility.WITHDRAWN and visibility == Visibility.VISIBLE:
                continue
            async with services.database.work() as session:
                because = "Look first" if visibility == Visibility.HELD else None
                row = await lock_post_row(session, post)
                await set_visibility(session, row, visibility, clock.now(), held_because=because)
            is_there = visibility == Visibility.VISIBLE
            assert await saved(heron) == ([2] if is_there else [])
            assert (await heron.get(f"{API}/threads/{thread}/mine")).json()["bookmarks"] == ([2] if is_there else [])
            assert await save(heron, post) == (204 if is_there else 404)
        assert await save(heron, post, "DELETE") == 204
        assert await sql(services, "SELECT 1 FROM bookmark") == []


async def test_a_thread_that_moves_out_of_sight_takes_its_saved_posts_along(
    app: FastAPI, services: Services, thread: int
) -> None:
    await make.board(services, "staff", readers=("moderator",))
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        post = (await ids(heron, thread))[0]
        await save(heron, post)
        moved = await orla.put(f"{API}/threads/{thread}/board", json={"version": 1, "board": "staff"})
        assert moved.status_code == 200
        assert await saved(heron) == []
        assert await save(heron, post) == 404
        assert await save(heron, post, "DELETE") == 204


async def test_who_may_not_write_keeps_what_they_saved(
    app: FastAPI, services: Services, thread: int, guest: httpx.AsyncClient
) -> None:
    assert await save(guest, 1) == 401
    assert (await guest.get(f"{API}/me/bookmarks")).status_code == 401
    for standing, may_save in ((Standing.SILENCED, 204), (Standing.SUSPENDED, 403), (Standing.BANNED, 403)):
        async with make.signed_in(app, f"a-{standing}") as heron:
            first, second, _ = await ids(heron, thread)
            await save(heron, first)
            await make.sanction(services, f"a-{standing}", standing)
            services.session_cache.invalidate((await make.viewer(services, f"a-{standing}")).member_id)
            assert await save(heron, second) == may_save, standing
            assert 1 in await saved(heron)
            assert await save(heron, first, "DELETE") == 204


async def test_ones_own_copy_has_what_one_saved_and_how_one_reacted(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "heron") as heron:
        post = (await ids(heron, thread))[1]
        await save(heron, post)
        await heron.put(f"{API}/posts/{post}/reactions/same_here")
    viewer = await make.viewer(services, "heron")
    async with services.database.work() as session:
        [bookmarks] = await export_bookmarks(session, viewer, clock.now())
        [reactions] = await export_reactions(session, viewer, clock.now())
    assert [(item["thread_id"], item["number"]) for item in bookmarks.items] == [(thread, 2)]
    assert [(item["number"], item["kind"]) for item in reactions.items] == [(2, "same_here")]
