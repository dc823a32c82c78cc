"""Where somebody stopped reading: marks move forward, held posts do not stay unread, nothing is marked by reading."""

import random
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.content import read_marks
from forum.content.boards import Publication
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import PUBLISH, a_case, decide, sql

API = "/api/v1"


async def mine(client: httpx.AsyncClient, thread: int, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"{API}/threads/{thread}/mine", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def mark(client: httpx.AsyncClient, thread: int, number: Any, **more: Any) -> int:
    return (await client.put(f"{API}/threads/{thread}/read", json={"number": number, **more})).status_code


async def unread(client: httpx.AsyncClient) -> list[int]:
    return [thread["id"] for thread in (await client.get(f"{API}/threads?unread=true")).json()["items"]]


async def test_a_thread_is_unread_until_it_is_read_and_again_when_somebody_answers(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "magpie", "new-here")
        assert await unread(heron) == [thread]
        assert (await mine(heron, thread))["unread_from"] == 1
        await heron.get(f"{API}/threads/{thread}/posts")  # reading alone marks nothing
        assert await unread(heron) == [thread]
        assert await mark(heron, thread, 1) == 204
        assert await unread(heron) == []
        assert await mine(heron, thread) | {"may": None, "thread": None} == {
            "may": None,
            "thread": None,
            "help": None,
            "read_number": 1,
            "unread_from": None,
            "draft": None,
            "own": [],
            "ignored": [],
            "subscription": None,
            "told": False,
            "reactions": {},
            "bookmarks": [],
            "reaction_kinds": ["thank", "hug", "helpful", "same_here"],
        }
        await make.post(services, "magpie", thread, "And another thing")
        assert await unread(heron) == [thread]
        assert (await mine(heron, thread))["unread_from"] == 2


async def test_what_one_writes_oneself_is_not_unread(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "magpie", "new-here")
        await mark(heron, thread, 1)
        await make.post(services, "heron", thread, "I am here, too")
        assert await unread(heron) == []
        own = await mine(heron, thread)
        assert (own["unread_from"], own["own"]) == (None, [2])
        assert [item["id"] for item in (await heron.get(f"{API}/me/threads?kind=written")).json()["items"]] == [thread]
        assert (await heron.get(f"{API}/me/threads?kind=opened")).json()["items"] == []


async def test_of_two_devices_the_higher_number_wins_unless_one_says_back(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "magpie", "new-here")
        for number in (2, 3, 4):
            await make.post(services, "magpie", thread, f"Line {number}")
        await mark(heron, thread, 4)
        await mark(heron, thread, 2)
        assert (await mine(heron, thread))["read_number"] == 4
        assert await mark(heron, thread, 2, back=True) == 204
        assert (await mine(heron, thread))["unread_from"] == 3
        assert await unread(heron) == [thread]


async def test_an_old_thread_goes_on_where_one_stopped(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie", "new-here")
    for number in (2, 3):
        await make.post(services, "magpie", thread, f"Line {number}")
    async with make.signed_in(app, "heron") as heron:
        assert await unread(heron) == []  # it was there when Heron joined
        await mark(heron, thread, 2)
        assert (await mine(heron, thread))["unread_from"] == 3
        assert (await heron.put(f"{API}/me/threads/read")).status_code == 204
        assert await unread(heron) == []
        assert (await mine(heron, thread))["unread_from"] is None


async def test_a_post_that_waited_is_unread_once_it_appears_and_not_before(app: FastAPI, services: Services) -> None:
    await make.board(services, publication=Publication.HOLD_ALL)
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        opening = {"title": "May I ask", "body_markdown": "Something"}
        thread = (await orla.post(f"{API}/boards/new-here/threads", json=opening)).json()["id"]
        held = (await magpie.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "It waits"})).json()
        assert held["visibility"] == "held"
        await orla.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "It does not wait"})
        assert (await mine(heron, thread))["unread_from"] == 1
        await mark(heron, thread, 3)
        assert await unread(heron) == []
        opened = await orla.post(f"{API}/moderation/posts/{held['id']}/case", json={"note": "It waits", "revision": 1})
        assert opened.is_success, opened.text
        answer = await decide(orla, await a_case(orla, held["id"]), PUBLISH, rules=[])
        assert answer.status_code == 201, answer.text
        assert await unread(heron) == [thread]
        assert (await mine(heron, thread))["unread_from"] == 2
        assert (await heron.get(f"{API}/me/threads")).json()["items"][0]["unread"] is True
        await mark(heron, thread, 3)
        assert await unread(heron) == []


async def test_a_thread_that_moves_out_of_sight_leaves_what_is_unread(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.board(services, "staff", readers=("moderator",))
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        thread = await make.thread(services, "magpie", "new-here")
        assert await unread(heron) == [thread]
        moved = await orla.put(f"{API}/threads/{thread}/board", json={"version": 1, "board": "staff"})
        assert moved.status_code == 200, moved.text
        assert await unread(heron) == []
        assert (await heron.get(f"{API}/threads/{thread}/mine")).status_code == 404
        assert await mark(heron, thread, 1) == 404


async def test_a_number_that_the_thread_has_not_reached_is_refused(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie", "new-here")
    async with make.signed_in(app, "heron") as heron:
        for number in (-1, 2, 2**31, "1", True, None):
            assert await mark(heron, thread, number) == 422, number
        for number in (0, 1):
            assert await mark(heron, thread, number) == 204, number


async def test_marks_go_after_half_a_year_and_what_is_older_stays_read(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "magpie", "new-here")
        await mark(heron, thread, 1)
        async with services.database.work() as session:
            await session.execute(text("UPDATE read_mark SET read_at = now() - interval '181 days'"))
            await session.execute(text("UPDATE member SET caught_up_at = now() - interval '200 days'"))
            await session.execute(text("UPDATE thread SET last_post_at = now() - interval '190 days'"))
            await read_marks.delete_old_marks(session, clock.now())
        assert await sql(services, "SELECT 1 FROM read_mark") == []
        assert await unread(heron) == []
        [when] = await sql(services, "SELECT caught_up_at FROM member WHERE handle = 'heron'")
        assert clock.now() - when.caught_up_at < read_marks.KEPT + timedelta(minutes=1)


async def test_what_one_may_do_is_told_with_the_reason(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie", "new-here")
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        assert (await mine(heron, thread))["may"]["reply"] == {"allowed": True, "because": None, "detail": None}
        assert (await mine(heron, thread))["may"]["lock"]["because"] == "not_a_moderator"
        assert (await mine(guest, thread))["may"]["reply"]["because"] == "not_signed_in"
        await orla.put(f"{API}/threads/{thread}/lock")
        assert (await mine(heron, thread))["may"]["reply"]["because"] == "thread_locked"
        assert all(permission["allowed"] for permission in (await mine(orla, thread))["may"].values())
        refused = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "But"})
        assert refused.json()["code"] == "thread_locked"


async def test_home_has_what_one_looks_for_first(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.board(services, "quiet")
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "magpie", "new-here")
        home = (await heron.get(f"{API}/home")).json()
        assert {board["slug"]: board["has_news"] for board in home["boards"]} == {"new-here": True, "quiet": False}
        assert [item["id"] for item in home["unread"]] == [thread]
        assert (home["unread_notifications"], home["waiting_for_advisers"]) == (0, None)
        await mark(heron, thread, 1)
        again = (await heron.get(f"{API}/home")).json()
        assert (again["unread"], [item["unread"] for item in again["newest"]]) == ([], [False])
        assert (await suzie.get(f"{API}/home")).json()["waiting_for_advisers"] == 1
    for_guests = await guest.get(f"{API}/home")
    assert (for_guests.json()["unread"], len(for_guests.json()["newest"])) == ([], 1)
    assert for_guests.headers["Cache-Control"] == "private, no-cache"


async def test_newest_threads_of_all_boards_come_page_by_page(app: FastAPI, services: Services) -> None:
    for slug in ("new-here", "court"):
        await make.board(services, slug)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        threads = [await make.thread(services, "magpie", slug) for slug in ("new-here", "court", "new-here")]
        first = (await heron.get(f"{API}/threads?limit=2")).json()
        second = (await heron.get(f"{API}/threads?limit=2&after={first['next']}")).json()
        assert [item["id"] for item in (*first["items"], *second["items"])] == threads[::-1]
        of_court = (await heron.get(f"{API}/threads?board=court&unread=true")).json()["items"]
        assert [item["id"] for item in of_court] == [threads[1]]


async def test_the_list_of_a_board_is_the_same_for_all_and_the_marks_lie_beside_it(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.board(services, "staff-room", readers=("moderator",), openers=("moderator",), repliers=("moderator",))
    await make.member(services, "magpie")
    await make.member(services, "orla", Role.MODERATOR)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "wren") as wren:
        read, fresh = [await make.thread(services, "magpie") for _ in range(2)]
        hidden = await make.thread(services, "orla", "staff-room")
        for number in range(2, 5):
            await make.post(services, "magpie", read, f"Line {number}")
        await mark(heron, read, 2)
        query = {"thread": [fresh, hidden, read, 999_999]}
        marks = (await heron.get(f"{API}/me/marks", params=query)).json()
        assert marks == {
            "items": [
                {"thread_id": read, "read_number": 2, "unread": True, "unread_from": 3},
                {"thread_id": fresh, "read_number": 0, "unread": True, "unread_from": 1},
            ],
            "next": None,
        }
        await mark(heron, read, 4)
        [first, _] = (await heron.get(f"{API}/me/marks", params=query)).json()["items"]
        assert first == {"thread_id": read, "read_number": 4, "unread": False, "unread_from": None}
        listed = [(await each.get(f"{API}/boards/new-here/threads")).content for each in (heron, wren, guest)]
        assert len(set(listed)) == 1
        assert (await heron.get(f"{API}/me/marks")).status_code == 422
        assert (await heron.get(f"{API}/me/marks", params={"thread": [1] * 101})).status_code == 422
    assert (await guest.get(f"{API}/me/marks", params={"thread": [1]})).status_code == 401


async def test_nothing_is_unread_in_a_thread_of_ones_own_that_waits(app: FastAPI, services: Services) -> None:
    await make.board(services, publication=Publication.HOLD_ALL)
    async with make.signed_in(app, "heron") as heron:
        words = {"title": "May I ask", "body_markdown": "Something"}
        waits = (await heron.post(f"{API}/boards/new-here/threads", json=words)).json()
        assert waits["visibility"] == "held"
        marks = await heron.get(f"{API}/me/marks", params={"thread": waits["id"]})
        nothing = {"thread_id": waits["id"], "read_number": 0, "unread": False, "unread_from": None}
        assert (marks.status_code, marks.json()["items"]) == (200, [nothing])
        assert (await mine(heron, waits["id"]))["unread_from"] is None


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_listed_as_unread_is_what_each_thread_says_of_itself(
    app: FastAPI, services: Services, seed: int
) -> None:
    chance, now = random.Random(seed), clock.now()
    for slug in ("new-here", "court"):
        await make.board(services, slug)
    await make.member(services, "magpie", joined=timedelta(days=400))
    async with make.signed_in(app, "heron") as heron:
        threads = []
        for _ in range(12):
            author, slug, ago = chance.choice(("heron", "magpie")), chance.choice(("new-here", "court")), timedelta
            opened = now - ago(days=chance.randint(2, 9))
            threads.append(await make.thread(services, author, slug, at=opened))
            for hours in sorted(chance.sample(range(1, 40), chance.randint(0, 3))):
                at = opened + ago(hours=hours)
                await make.post(services, chance.choice(("heron", "magpie")), threads[-1], at=at)
        for thread in chance.sample(threads, 6):
            numbers = {"thread": thread, "number": chance.randint(0, 2), "ago": timedelta(days=chance.randint(1, 8))}
            await sql(services, MARK, **numbers)
        await sql(services, "UPDATE thread SET pinned = id % 5 = 0")
        await sql(services, APPEAR, ago=timedelta(days=chance.randint(1, 4)), part=chance.randint(2, 9))
        await sql(services, LAST)
        for days in (30, 6, 3, 0):
            await sql(services, "UPDATE member SET caught_up_at = now() - CAST(:ago AS interval)", ago=timedelta(days))
            everything = (await heron.get(f"{API}/threads?limit=100")).json()["items"]
            expected = [item for item in everything if item["unread"]]
            assert [item["id"] for item in await page_by_page(heron, "/me/threads?kind=unread&limit=2")] == [
                item["id"] for item in expected
            ]
            of_court = [item["id"] for item in expected if item["board"]["slug"] == "court"]
            assert [item["id"] for item in await page_by_page(heron, "/threads?unread=true&board=court")] == of_court
            boards = (await heron.get(f"{API}/home")).json()["boards"]
            assert {board["slug"] for board in boards if board["has_news"]} == {
                item["board"]["slug"] for item in expected
            }
            marks = (await heron.get(f"{API}/me/marks", params={"thread": threads})).json()["items"]
            assert {item["thread_id"] for item in marks if item["unread"]} == {item["id"] for item in expected}
            assert all(item["unread_from"] for item in marks if item["unread"])


# Each at a time of its own, as people read; some posts appeared later than they were written.
MARK = """
INSERT INTO read_mark (member_id, thread_id, read_number, read_at)
SELECT id, :thread, :number, now() - CAST(:ago AS interval) FROM member WHERE handle = 'heron'
"""
APPEAR = """
UPDATE post SET published_at = greatest(created_at, now() - CAST(:ago AS interval)) WHERE id % :part = 0
"""
LAST = """
UPDATE thread SET last_post_at = coalesce(published_at, created_at)
FROM post WHERE thread_id = thread.id AND number = last_post_number
"""


async def page_by_page(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """Every item of a list."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = (await client.get(f"{API}{path}{after}")).json()
        found += page["items"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


async def test_my_part_of_a_thread_has_the_reply_that_i_began(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "wren") as wren:
        thread = await make.thread(services, "magpie")
        begun = {"version": 0, "body_markdown": "I am thinking"}
        kept = (await heron.put(f"{API}/me/drafts/threads/{thread}", json=begun)).json()
        assert (await mine(heron, thread))["draft"] == kept
        assert (await mine(wren, thread))["draft"] is None
