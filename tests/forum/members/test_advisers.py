"""Advisers: their replies stand out as they were written, and no family waits unseen for one."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlmodel import col

from forum.administration import advisers
from forum.content.posts.queries import PostView
from forum.core import audit, clock
from forum.core.errors import Forbidden, NotFound
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Member, Role
from tests.support import make

API = "/api/v1"
BADGE = {"name": "Suzie", "title": "Online adviser", "organisation": "Example Family Charity"}


async def _waiting(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """Every thread that waits for an adviser, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        answer = await client.get(f"{API}/adviser/threads", params={**query, **({"after": after} if after else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        after = answer.json()["next"]
        if after is None:
            return found


async def _reply(client: httpx.AsyncClient, thread: int, body: str = "I see") -> dict[str, Any]:
    answer = await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body})
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def _appoint(services: Services, handle: str, title: str, organisation: str) -> Member:
    async with services.database.work() as session:
        member = await get_member(session, handle)
        await advisers.appoint(session, member, title, organisation, clock.now())
        return member


# A reply that stands out.


async def test_an_advisers_reply_carries_whom_they_spoke_for_in_every_read(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "heron")
        theirs, ours = await _reply(suzie, thread), await _reply(heron, thread)
        assert (theirs["adviser"], ours["adviser"]) == (BADGE, None)
        assert (await guest.get(f"{API}/posts/{theirs['id']}")).json()["adviser"] == BADGE
        page = (await guest.get(f"{API}/threads/{thread}/posts")).json()["items"]
        assert [post["adviser"] for post in page] == [None, BADGE, None]
        edited = await suzie.patch(f"{API}/posts/{theirs['id']}", json={"revision": 1, "body_markdown": "Better"})
        assert edited.json()["adviser"] == BADGE
        opened = await suzie.post(f"{API}/boards/new-here/threads", json={"title": "Hours", "body_markdown": "9 to 3"})
        assert opened.json()["first_post"]["adviser"] == BADGE


async def test_a_post_keeps_the_title_its_author_had_when_it_was_written(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        await _reply(suzie, thread)
        member = await _appoint(services, "suzie", "Senior adviser", "Another Charity")
        await _reply(suzie, thread)
        async with services.database.work() as session:
            await advisers.dismiss(session, await get_member(session, "suzie"), clock.now())
        services.session_cache.invalidate(member.id)
        await make.sign_in_again(app, suzie, "suzie")
        await _reply(suzie, thread)
    page = (await guest.get(f"{API}/threads/{thread}/posts")).json()["items"]
    later = {"name": "Suzie", "title": "Senior adviser", "organisation": "Another Charity"}
    assert [post["adviser"] for post in page] == [None, BADGE, later, None]
    assert (await guest.get(f"{API}/members/suzie")).json()["adviser"] is None
    assert (await guest.get(f"{API}/advisers")).json()["items"] == []


async def test_a_thread_counts_adviser_replies_and_links_to_the_first_and_the_latest(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "heron")

        async def told() -> tuple[int, int | None, int | None]:
            card = (await guest.get(f"{API}/threads/{thread}")).json()
            (listed,) = (await guest.get(f"{API}/boards/new-here/threads")).json()["items"]
            assert listed | {"resources": []} == card
            replies = card["adviser_replies"]
            for link in (replies["first"], replies["latest"]):
                if link:
                    page = (await guest.get(link["href"])).json()["items"]
                    assert (page[0]["number"], page[0]["author"]["handle"]) == (link["number"], "suzie")
            return replies["count"], *(link and link["number"] for link in (replies["first"], replies["latest"]))

        assert await told() == (0, None, None)
        first = await _reply(suzie, thread)
        assert await told() == (1, 2, 2)
        await _reply(heron, thread)
        last = await _reply(suzie, thread)
        assert await told() == (2, 2, 4)
        await suzie.delete(f"{API}/posts/{first['id']}")
        assert await told() == (1, 4, 4)
        await suzie.delete(f"{API}/posts/{last['id']}")
        assert await told() == (0, None, None)


async def test_the_post_that_opens_a_thread_is_no_reply_to_it(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "suzie")
        card = (await suzie.get(f"{API}/threads/{thread}")).json()
        assert card["adviser_replies"] == {"count": 0, "first": None, "latest": None}
        assert await _waiting(suzie) == []


async def test_one_can_read_only_what_advisers_wrote(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "heron")
        for client in (suzie, heron, heron, suzie, suzie, heron):  # numbers 2 to 7
            await _reply(client, thread)
    address = f"{API}/threads/{thread}/posts"

    async def numbers(**query: Any) -> tuple[list[int], str | None]:
        page = (await guest.get(address, params={"adviser": "true", **query})).json()
        return [post["number"] for post in page["items"]], page["next"]

    assert await numbers() == ([2, 5, 6], None)
    assert await numbers(**{"from": 3}) == ([5, 6], None)
    assert await numbers(**{"from": 7}) == ([], None)
    assert await numbers(**{"from": 2**31 - 1}) == ([], None)
    found, after = await numbers(limit=2)
    assert found == [2, 5]
    assert await numbers(limit=2, after=after) == ([6], None)


async def test_the_advisers_are_listed_by_name_with_their_organisation(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "suzie", Role.ADVISER)
    await make.member(services, "marcus", Role.ADVISER)
    await make.member(services, "heron")
    listed = (await guest.get(f"{API}/advisers")).json()
    assert [(item["handle"], item["organisation"]) for item in listed["items"]] == [
        ("marcus", "Example Family Charity"),
        ("suzie", "Example Family Charity"),
    ]
    assert listed["next"] is None
    card = (await guest.get(f"{API}/members/suzie")).json()
    assert card["adviser"] == {"title": "Online adviser", "organisation": "Example Family Charity"}
    assert (await guest.get(f"{API}/members/heron")).json()["adviser"] is None


# Appointing.


async def test_appointing_changing_and_dismissing_an_adviser_is_on_record(services: Services) -> None:
    suzie = await make.member(services, "suzie", Role.ADVISER)
    await _appoint(services, "suzie", "Senior adviser", "Another Charity")
    async with services.database.work() as session:
        await advisers.dismiss(session, await get_member(session, "suzie"), clock.now())
    async with services.database.work() as session:
        found = select(audit.AuditEntry).order_by(col(audit.AuditEntry.number))
        entries = (await session.execute(found)).scalars().all()
    assert [(entry.act, entry.subject_id) for entry in entries] == [
        ("role.granted", str(suzie.id)),
        ("adviser.changed", str(suzie.id)),
        ("role.revoked", str(suzie.id)),
    ]


async def test_who_is_no_adviser_cannot_be_dismissed_as_one(services: Services) -> None:
    await make.member(services, "heron")
    with pytest.raises(NotFound):
        async with services.database.work() as session:
            await advisers.dismiss(session, await get_member(session, "heron"), clock.now())


async def test_an_adviser_needs_the_long_password_of_staff(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    async with services.database.work() as session:
        (await get_member(session, "heron")).staff_password = False
    with pytest.raises(Forbidden):
        await _appoint(services, "heron", "Online adviser", "Example Family Charity")
    assert (await guest.get(f"{API}/advisers")).json()["items"] == []


# Waiting for an adviser.


async def test_threads_wait_longest_first_and_each_is_listed_once(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    start = clock.now() - timedelta(days=9)
    opened = [await make.thread(services, "heron", at=start + timedelta(days=day)) for day in (3, 1, 2, 0, 2)]
    longest_first = [opened[3], opened[1], opened[2], opened[4], opened[0]]
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        for limit in (1, 2, 3, 100):
            assert [item["id"] for item in await _waiting(suzie, limit=limit)] == longest_first


async def test_a_thread_waits_since_the_first_question_that_no_adviser_answered(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    await make.member(services, "orla", Role.MODERATOR)
    start = clock.now() - timedelta(hours=9)
    thread = await make.thread(services, "heron", at=start)
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:

        async def since() -> tuple[datetime, int] | None:
            items = await _waiting(suzie)
            return (datetime.fromisoformat(items[0]["waiting_since"]), items[0]["waiting_number"]) if items else None

        async def write(who: str, hours: int, body: str) -> PostView:
            return await make.post(services, who, thread, body, at=start + timedelta(hours=hours))

        assert await since() == (start, 1)
        await write("heron", 1, "And what then?")
        assert await since() == (start, 1)
        answer = await write("suzie", 2, "So:")
        assert await since() is None
        await write("orla", 3, "Do you see?")  # staff wait for nobody
        await write("heron", 4, "Thank you so much x")
        assert await since() is None
        question = await write("heron", 5, "But can they do that?")
        await write("heron", 6, "Anybody?")
        assert await since() == (start + timedelta(hours=5), 6)
        async with make.signed_in(app, "heron") as heron:
            await heron.delete(f"{API}/posts/{question.id}")
        assert await since() == (start + timedelta(hours=6), 7)
        await suzie.delete(f"{API}/posts/{answer.id}")
        assert await since() == (start, 1)


async def test_of_two_posts_at_once_the_earlier_one_says_since_when(app: FastAPI, services: Services) -> None:
    """Who waits for the thread's row is numbered later, though they wrote before."""
    await make.board(services)
    await make.member(services, "heron")
    start = clock.now() - timedelta(hours=9)
    thread = await make.thread(services, "heron", at=start)
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        await make.post(services, "suzie", thread, at=start + timedelta(hours=1))
        await make.post(services, "heron", thread, "And?", at=start + timedelta(hours=2, seconds=1))
        await make.post(services, "heron", thread, "And?", at=start + timedelta(hours=2))
        (item,) = await _waiting(suzie)
    assert datetime.fromisoformat(item["waiting_since"]) == start + timedelta(hours=2)


async def test_locked_hidden_and_unadvised_threads_wait_for_nobody(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.board(services, "kitchen-table", advised=False)
    await make.member(services, "heron")
    open_, locked = await make.thread(services, "heron"), await make.thread(services, "heron")
    await make.thread(services, "heron", "kitchen-table")
    async with (
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        await orla.put(f"{API}/threads/{locked}/lock")
        assert [item["id"] for item in await _waiting(suzie)] == [open_]
        await orla.delete(f"{API}/threads/{locked}/lock")
        assert [item["id"] for item in await _waiting(suzie)] == [open_, locked]
        moved = {"version": 1, "board": "kitchen-table"}
        await orla.put(f"{API}/threads/{open_}/board", json=moved)
        assert [item["id"] for item in await _waiting(suzie)] == [locked]


@pytest.mark.parametrize(
    ("roles", "boards", "status"),
    [
        ((), (), 403),
        ((), ("new-here",), 403),
        ((Role.SAFEGUARDING_LEAD,), (), 403),
        ((Role.ADVISER,), (), 200),
        ((Role.MODERATOR,), (), 200),
        ((Role.ADMINISTRATOR,), (), 200),
    ],
)
async def test_who_sees_the_waiting_threads(
    roles: tuple[Role, ...], boards: tuple[str, ...], status: int, app: FastAPI, services: Services
) -> None:
    await make.board(services)
    async with make.signed_in(app, "nell", *roles, boards=boards) as nell:
        assert (await nell.get(f"{API}/adviser/threads")).status_code == status


async def test_a_guest_must_sign_in_to_see_the_waiting_threads(guest: httpx.AsyncClient) -> None:
    assert (await guest.get(f"{API}/adviser/threads")).status_code == 401


async def test_a_question_and_an_answer_at_once_leave_the_thread_in_one_of_their_two_orders(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        for _ in range(5):
            thread = await make.thread(services, "heron")
            question, answer = await asyncio.gather(_reply(heron, thread, "And?"), _reply(suzie, thread, "So:"))
            waits = thread in {item["id"] for item in await _waiting(suzie)}
            assert waits == (question["number"] > answer["number"])


async def test_a_waiting_thread_says_for_how_many_working_days(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    asked = clock.now() - timedelta(days=14)
    await make.thread(services, "heron", at=asked)
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        (item,) = await _waiting(suzie)
    assert item["waiting_working_days"] == 10
