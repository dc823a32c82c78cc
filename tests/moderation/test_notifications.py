"""Notifications: each tells one member one thing, in no words of anybody's."""

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from forum.notifications import inbox
from tests.support import make, scenes
from tests.support.scenes import API, WARN

MINE = f"{API}/me/notifications"


@pytest.fixture
async def told(app: FastAPI, services: Services) -> list[int]:
    """Four posts of Stepdad's, for each of which he was warned."""
    first = await scenes.a_post(services)
    others = [await make.post(services, "stepdad", first.thread_id, f"Toad {number}") for number in range(3)]
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        for post in (first, *others):
            await scenes.decided(app, suzie, post.id, WARN)
    return [first.id, *(post.id for post in others)]


async def test_they_come_newest_first_page_by_page_with_the_place_of_the_post(app: FastAPI, told: list[int]) -> None:
    async with make.signed_in(app, "stepdad") as stepdad:
        pages, url = [], f"{MINE}?limit=3"
        while url:
            page = await stepdad.get(url)
            pages.append(page.json())
            url = page.links["next"]["url"] if "next" in page.links else ""
    items = [item for page in pages for item in page["items"]]
    assert [len(page["items"]) for page in pages] == [3, 1]
    assert [page["unread"] for page in pages] == [4, 4]
    assert [item["post_id"] for item in items] == told[::-1]
    assert [item["number"] for item in items] == [5, 4, 3, 2]
    assert {item["kind"] for item in items} == {"statement_issued"}


async def test_reading_up_to_one_leaves_the_newer_unread_and_is_the_same_twice(app: FastAPI, told: list[int]) -> None:
    async with make.signed_in(app, "stepdad") as stepdad:
        items = (await stepdad.get(MINE)).json()["items"]
        for _ in range(2):
            assert (await stepdad.put(f"{MINE}/read", json={"up_to": items[1]["id"]})).status_code == 204
            now = (await stepdad.get(MINE)).json()
            assert now["unread"] == 1
            assert [item["read_at"] is None for item in now["items"]] == [True, False, False, False]


async def test_one_member_marks_nothing_of_anothers(app: FastAPI, told: list[int]) -> None:
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "magpie") as magpie:
        newest = (await stepdad.get(MINE)).json()["items"][0]["id"]
        hers = (await magpie.get(MINE)).json()["unread"]
        assert hers > 0
        assert (await magpie.put(f"{MINE}/read", json={"up_to": newest})).status_code == 204
        assert (await stepdad.get(MINE)).json()["unread"] == 4


async def test_they_never_repeat_words(app: FastAPI, told: list[int]) -> None:
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "magpie") as magpie:
        for text in ((await stepdad.get(MINE)).text, (await magpie.get(MINE)).text):
            assert not [word for word in ("oad", "what she did", "Name-calling", "Suzie", "uestion") if word in text]


async def test_who_reported_hears_the_end_but_not_where_it_was_once_they_may_no_longer_read_it(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    await make.board(services, "staff-room", readers=("moderator",))
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        await scenes.decided(app, suzie, post.id, WARN)
        assert {item["post_id"] for item in (await magpie.get(MINE)).json()["items"]} == {post.id}
        moved = await suzie.put(f"{API}/threads/{post.thread_id}/board", json={"version": 1, "board": "staff-room"})
        assert moved.status_code == 200
        after = (await magpie.get(MINE)).json()
        assert [item["kind"] for item in after["items"]] == ["report_settled", "report_received"]
        assert {(item["post_id"], item["thread_id"], item["number"]) for item in after["items"]} == {(None,) * 3}
        assert after["unread"] == 2


async def test_what_is_only_about_a_post_disappears_with_it(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        magpies = (await make.viewer(services, "magpie")).member_id
        async with services.database.work() as session:
            await inbox.notify(session, magpies, inbox.NotificationKind.POST_EDITED, clock.now(), post_id=post.id)
        assert (await magpie.get(MINE)).json()["unread"] == 1
        await make.board(services, "staff-room", readers=("moderator",))
        await suzie.put(f"{API}/threads/{post.thread_id}/board", json={"version": 1, "board": "staff-room"})
        assert (await magpie.get(MINE)).json() == {"unread": 0, "items": [], "next": None}


async def test_a_guest_has_none(guest: httpx.AsyncClient) -> None:
    assert (await guest.get(MINE)).status_code == 401
