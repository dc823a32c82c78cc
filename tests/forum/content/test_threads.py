"""Threads: opened, listed, locked, pinned, retitled and moved; nobody overwrites what they did not see."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlmodel import col

from forum.content.posts.context import context_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.insertion import add_reply
from forum.content.threads.actions import lock_thread, move_thread
from forum.content.threads.changes import lock_thread_row
from forum.content.threads.tables import Thread, ThreadVisibility
from forum.content.threads.titles import replace_handle_in_titles
from forum.core import audit, clock
from forum.core.errors import Conflict
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make

API = "/api/v1"


async def _listed(reader: httpx.AsyncClient, slug: str = "new-here", **query: Any) -> list[int]:
    """The ids of a board's threads, page by page."""
    found, after = [], None
    while True:
        page = await reader.get(f"{API}/boards/{slug}/threads", params={**query, **({"after": after} if after else {})})
        assert page.status_code == 200, page.text
        found += [item["id"] for item in page.json()["items"]]
        after = page.json()["next"]
        if after is None:
            return found


async def _acts(services: Services) -> list[tuple[str, dict[str, Any]]]:
    """What the audit record says of threads."""
    entries = select(col(audit.AuditEntry.act), col(audit.AuditEntry.details)).order_by(col(audit.AuditEntry.number))
    async with services.database.work() as session:
        rows = (await session.execute(entries.where(col(audit.AuditEntry.subject_kind) == "thread"))).all()
    return [(row.act, row.details) for row in rows]


# Opening.


async def test_whoever_opens_a_thread_is_told_where_it_is(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        words = {"title": "  What now? ", "body_markdown": "They come on Monday", "content_warning": "about loss"}
        opened = await heron.post(f"{API}/boards/new-here/threads", json=words)
    assert opened.status_code == 201
    thread = make.as_read(opened)
    first_post = thread.pop("first_post")
    assert opened.headers["location"] == f"{API}/threads/{thread['id']}"
    assert (await guest.get(opened.headers["location"])).json() == thread | {"resources": []}
    assert (await guest.get(f"{API}/threads/{thread['id']}/posts")).json()["items"] == [first_post]
    author = {"handle": "heron", "name": "Heron", "title": None}
    assert (thread["title"], thread["author"], thread["version"], thread["state"]) == ("What now?", author, 1, "open")
    assert (thread["posts"], thread["participants"], thread["last_number"]) == (1, 1, 1)
    assert thread["last_post"]["author"] == author
    assert thread["last_post"]["number"] == first_post["number"] == 1
    assert first_post["content_warning"] == "about loss"


TITLES = [
    ("abc", 201),
    ("ab", 422),
    ("   ab   ", 422),
    ("", 422),
    ("     ", 422),
    ("x" * 120, 201),
    ("x" * 121, 422),
    ("😀" * 120, 201),
    ("😀" * 121, 422),
    ("two\nlines", 422),
    ("two\u2028lines", 422),
    ("לוח 🌿 naïve", 201),
]


async def test_a_title_is_one_line_of_3_to_120_characters(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        for title, status in TITLES:
            words = {"title": title, "body_markdown": "Hello"}
            answer = await heron.post(f"{API}/boards/new-here/threads", json=words)
            assert answer.status_code == status, (title, answer.text)
            if status == 422:
                assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/title"], title
            else:
                assert (await heron.get(answer.headers["location"])).json()["title"] == title


# Lists.


async def test_pinned_threads_come_first_then_the_ones_last_written_in(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    one, two, three, four = [await make.thread(services, "heron", title=f"Thread {n}") for n in range(1, 5)]
    assert await _listed(guest) == [four, three, two, one]
    await make.post(services, "heron", two)
    assert await _listed(guest) == [two, four, three, one]
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await orla.put(f"{API}/threads/{one}/pin")
        assert await _listed(guest) == [one, two, four, three]
        await orla.put(f"{API}/threads/{three}/pin")
        assert await _listed(guest) == [three, one, two, four]
        for limit in (1, 2, 3):
            assert await _listed(guest, limit=limit) == [three, one, two, four]
        await orla.delete(f"{API}/threads/{one}/pin")
        assert await _listed(guest) == [three, two, four, one]


async def test_threads_of_one_moment_are_all_listed_once(services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "heron")
    moment = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    opened = [await make.thread(services, "heron", at=moment) for _ in range(5)]
    for limit in (1, 2, 5, 100):
        assert await _listed(guest, limit=limit) == opened[::-1]


async def test_a_thread_says_who_wrote_last_and_where(services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "heron")
    await make.member(services, "magpie")
    thread = await make.thread(services, "heron")
    await make.post(services, "magpie", thread)
    last = await make.post(services, "magpie", thread)
    card = (await guest.get(f"{API}/threads/{thread}")).json()
    assert (card["posts"], card["participants"], card["last_number"]) == (3, 2, 3)
    assert card["last_post"]["author"]["handle"] == "magpie"
    assert card["last_post"]["created_at"] == last.created_at.isoformat().replace("+00:00", "Z")
    there = await guest.get(card["last_post"]["href"])
    assert [post["id"] for post in there.json()["items"]] == [last.id]


# Who may do what to a thread.

STATE_CHANGES = [("PUT", "lock"), ("DELETE", "lock"), ("PUT", "pin"), ("DELETE", "pin"), ("PUT", "board")]


@pytest.mark.parametrize(
    ("handle", "roles", "boards", "status"),
    [
        ("heron", (), (), 403),  # the author
        ("magpie", (), (), 403),
        ("suzie", (Role.ADVISER,), (), 403),
        ("joan", (Role.ADMINISTRATOR,), (), 403),
        ("femi", (), ("kinship",), 403),
        ("nell", (), ("new-here",), 200),
        ("orla", (Role.MODERATOR,), (), 200),
    ],
)
async def test_moderators_of_the_board_lock_pin_and_move_and_nobody_else(
    handle: str, roles: tuple[Role, ...], boards: tuple[str, ...], status: int, app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.board(services, "kinship")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, handle, *roles, boards=boards) as client:
        for method, what in STATE_CHANGES:
            body = {"version": 5, "board": "new-here"} if what == "board" else None
            answer = await client.request(method, f"{API}/threads/{thread}/{what}", json=body)
            assert answer.status_code == status, (method, what, answer.text)


@pytest.mark.parametrize(
    ("handle", "roles", "boards", "status"),
    [
        ("heron", (), (), 200),  # the author
        ("magpie", (), (), 403),
        ("suzie", (Role.ADVISER,), (), 403),
        ("femi", (), ("kinship",), 403),
        ("nell", (), ("new-here",), 200),
        ("orla", (Role.MODERATOR,), (), 200),
    ],
)
async def test_a_title_is_changed_by_whoever_opened_the_thread_and_by_moderators(
    handle: str, roles: tuple[Role, ...], boards: tuple[str, ...], status: int, app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.board(services, "kinship")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, handle, *roles, boards=boards) as client:
        answer = await client.patch(f"{API}/threads/{thread}", json={"version": 1, "title": "What now?"})
        assert answer.status_code == status
        now = (await client.get(f"{API}/threads/{thread}")).json()
    assert (now["title"], now["version"]) == (("What now?", 2) if status == 200 else ("A question", 1))
    # What moderators do is audited; what members do to their own is theirs.
    assert [act for act, _ in await _acts(services)] == (
        ["thread.retitled"] if status == 200 and handle != "heron" else []
    )


# Locked: comments are closed.


async def test_a_locked_thread_takes_words_from_moderators_only(app: FastAPI, services: Services) -> None:
    await make.board(services)
    words = {"body_markdown": "One more thing"}
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", boards=("new-here",)) as orla:
        thread = await make.thread(services, "heron")
        post = (await heron.get(f"{API}/threads/{thread}/posts")).json()["items"][0]["id"]
        locked = await orla.put(f"{API}/threads/{thread}/lock")
        assert locked.json()["state"] == "locked"
        refused = [
            await heron.post(f"{API}/threads/{thread}/posts", json=words),
            await heron.patch(f"{API}/posts/{post}", json={"revision": 1, **words}),
            await heron.patch(f"{API}/threads/{thread}", json={"version": 2, "title": "Another title"}),
        ]
        assert [answer.status_code for answer in refused] == [403] * 3
        assert refused[0].json()["detail"] == "This thread is locked. You can read it, but not write in it."
        assert (await orla.post(f"{API}/threads/{thread}/posts", json=words)).status_code == 201
        assert (
            await heron.delete(f"{API}/posts/{post}")
        ).status_code == 204  # one's own words can always be taken back
        assert (await orla.delete(f"{API}/threads/{thread}/lock")).json()["state"] == "open"
        assert (await heron.post(f"{API}/threads/{thread}/posts", json=words)).status_code == 201


async def test_the_reason_of_a_lock_is_told_to_everybody_who_reads_the_thread(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = f"{API}/threads/{await make.thread(services, 'heron')}"

    async def told() -> tuple[str, str | None]:
        read = (await guest.get(thread)).json()
        listed = (await guest.get(f"{API}/boards/new-here/threads")).json()["items"][0]
        assert (read["state"], read["lock_reason"]) == (listed["state"], listed["lock_reason"])
        return read["state"], read["lock_reason"]

    async with make.signed_in(app, "orla", boards=("new-here",)) as orla:
        for reason, status in (("x" * 501, 422), ("\u200b", 422), ("two\nlines", 422), (7, 422)):
            answer = await orla.put(f"{thread}/lock", json={"reason": reason})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, "#/reason"), reason
        assert (await orla.put(f"{thread}/lock", json={"because": "x"})).status_code == 422
        assert await told() == ("open", None)
        locked = await orla.put(f"{thread}/lock", json={"reason": "We read \u202ewhat was reported."})
        assert (locked.json()["lock_reason"], locked.json()["version"]) == ("We read what was reported.", 2)
        assert await told() == ("locked", "We read what was reported.")
        for again in ({}, {"json": {"reason": "We read what was reported."}}):  # idempotent
            assert (await orla.put(f"{thread}/lock", **again)).json()["version"] == 2
        assert (await orla.put(f"{thread}/lock", json={"reason": "Open on Monday."})).json()["version"] == 3
        assert await told() == ("locked", "Open on Monday.")
        await orla.put(f"{thread}/lock", json={"reason": "@wren asked for a pause."})
        async with services.database.work() as session:
            await replace_handle_in_titles(session, "wren")  # Wren has left
        assert await told() == ("locked", "@···· asked for a pause.")
        await orla.delete(f"{thread}/lock")
        assert await told() == ("open", None)
        await orla.put(f"{thread}/lock")
        assert await told() == ("locked", None)


@pytest.mark.parametrize(
    ("what", "member", "done", "undone", "acts"),
    [
        ("lock", "state", "locked", "open", ["thread.locked", "thread.open"]),
        ("pin", "pinned", True, False, ["thread.pinned", "thread.unpinned"]),
    ],
)
async def test_done_twice_is_as_done_once(
    what: str, member: str, done: object, undone: object, acts: list[str], app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        told = []
        for method in ("DELETE", "PUT", "PUT", "DELETE", "DELETE"):
            answer = (await orla.request(method, f"{API}/threads/{thread}/{what}")).json()
            told.append((answer[member], answer["version"]))
    assert told == [(undone, 1), (done, 2), (done, 2), (undone, 3), (undone, 3)]
    assert await _acts(services) == [(act, {}) for act in acts]


@pytest.mark.parametrize("step", ["locked", "moved"])
async def test_a_reply_that_was_on_its_way_when_the_thread_was_closed_or_moved_is_refused(
    step: str, services: Services
) -> None:
    await make.board(services)
    kinship = await make.board(services, "kinship")
    await make.member(services, "heron")
    await make.member(services, "orla", Role.MODERATOR)
    heron, orla = await make.viewer(services, "heron"), await make.viewer(services, "orla")
    thread, draft = await make.thread(services, "heron"), Draft("Wait")
    async with make.work(services) as replying:
        context = await context_in_thread(replying, heron, thread, draft)
        async with make.work(services) as work:
            if step == "locked":
                await lock_thread(work, orla, thread)
            else:
                await move_thread(work, orla, thread, 1, kinship.slug)
        with pytest.raises(Conflict):
            await add_reply(replying, heron, context, draft)


# Moving.


async def test_a_thread_is_moved_with_all_that_was_said(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.board(services, "kinship")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    await make.post(services, "heron", thread)
    before = (await guest.get(f"{API}/threads/{thread}/posts")).json()
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        moved = await orla.put(f"{API}/threads/{thread}/board", json={"version": 1, "board": "kinship"})
        assert moved.status_code == 200
        assert (moved.json()["board"], moved.json()["version"]) == ({"slug": "kinship", "name": "Kinship"}, 2)
        again = await orla.put(f"{API}/threads/{thread}/board", json={"version": 2, "board": "kinship"})
        assert again.json()["version"] == 2
    assert (await guest.get(f"{API}/threads/{thread}/posts")).json() == before
    assert (await _listed(guest), await _listed(guest, "kinship")) == ([], [thread])
    counts = {board["slug"]: board["posts"] for board in (await guest.get(f"{API}/boards")).json()["items"]}
    assert counts == {"new-here": 0, "kinship": 2}
    assert [act for act, _ in await _acts(services)] == ["thread.moved"]


@pytest.mark.parametrize(
    ("moderated", "status"),
    [(("new-here",), 403), (("kinship",), 403), (("new-here", "kinship"), 200)],
)
async def test_who_moves_a_thread_moderates_both_boards(
    moderated: tuple[str, ...], status: int, app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.board(services, "kinship")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "femi", boards=moderated) as femi:
        answer = await femi.put(f"{API}/threads/{thread}/board", json={"version": 1, "board": "kinship"})
        now = (await femi.get(f"{API}/threads/{thread}")).json()
    assert answer.status_code == status
    assert now["board"]["slug"] == ("kinship" if status == 200 else "new-here")


# Lost updates.


@pytest.mark.parametrize(
    ("method", "path", "change"),
    [("PATCH", "", {"title": "Another title"}), ("PUT", "/board", {"board": "kinship"})],
)
async def test_a_change_to_what_was_not_on_the_screen_is_refused_with_who_changed_it_and_when(
    method: str, path: str, change: dict[str, Any], app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.board(services, "kinship")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "femi", Role.MODERATOR) as femi, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        before = clock.now()
        await femi.put(f"{API}/threads/{thread}/lock")
        stale = await orla.request(method, f"{API}/threads/{thread}{path}", json={"version": 1, **change})
        assert stale.status_code == 409
        problem = stale.json()
        assert (problem["type"], problem["current"], problem["changed_by"]["name"]) == ("/problems/stale", 2, "Femi")
        assert before <= datetime.fromisoformat(problem["changed_at"]) <= clock.now()
        from_the_future = await orla.request(method, f"{API}/threads/{thread}{path}", json={"version": 3, **change})
        assert from_the_future.status_code == 409
        unsaid = await orla.request(method, f"{API}/threads/{thread}{path}", json=change)
        assert unsaid.status_code == 422
        assert [fault["pointer"] for fault in unsaid.json()["errors"]] == ["#/version"]
        assert (await orla.get(f"{API}/threads/{thread}")).json()["version"] == 2
        right = await orla.request(method, f"{API}/threads/{thread}{path}", json={"version": 2, **change})
        assert (right.status_code, right.json()["version"]) == (200, 3)


async def test_of_two_who_retitle_at_once_one_is_told_of_the_other(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "femi", Role.MODERATOR) as femi, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        answers = await asyncio.gather(
            *(
                client.patch(f"{API}/threads/{thread}", json={"version": 1, "title": title})
                for client, title in ((femi, "By Femi"), (orla, "By Orla"))
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert lost.json()["changed_by"]["name"] == won.json()["title"].removeprefix("By ")
        assert (await orla.get(f"{API}/threads/{thread}")).json()["title"] == won.json()["title"]


async def test_a_thread_removed_from_sight_is_listed_for_moderators_only(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", boards=("new-here",)) as orla:
        seen, hidden = await make.thread(services, "heron"), await make.thread(services, "heron")
        async with services.database.work() as session:
            (await lock_thread_row(session, hidden)).visibility = ThreadVisibility.REMOVED
        async with make.signed_in(app, "magpie") as magpie:
            for reader in (guest, magpie):
                assert await _listed(reader) == [seen]
                assert (await reader.get(f"{API}/threads/{hidden}/posts")).status_code == 404
        assert (await _listed(heron), await _listed(orla)) == ([seen], [hidden, seen])
        for reader in (heron, orla):
            assert (await reader.get(f"{API}/threads/{hidden}")).headers["cache-control"] == "private, no-store"
        assert (await guest.get(f"{API}/boards/new-here")).json()["posts"] == 1
        assert (await guest.get(f"{API}/members/heron")).json()["posts"] == 1


async def test_a_thread_goes_with_the_last_post_that_readers_see_and_comes_back_with_one(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    moment = clock.now() - timedelta(days=1)
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        thread = await make.thread(services, "heron", at=moment)
        reply = await magpie.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "I see"})
        opening = (await heron.get(f"{API}/threads/{thread}/posts")).json()["items"][0]["id"]
        assert (await heron.delete(f"{API}/posts/{opening}")).status_code == 204
        assert await _listed(guest) == [thread]  # the reply is still read
        assert (await magpie.delete(reply.headers["location"])).status_code == 204

        for reader in (guest, magpie, heron):
            listed = await reader.get(f"{API}/boards/new-here/threads")
            assert (listed.json()["items"], listed.headers["cache-control"]) == ([], "private, no-cache")
        for reader in (guest, magpie):
            for path in (f"/threads/{thread}", f"/threads/{thread}/posts", f"/posts/{opening}"):
                assert (await reader.get(API + path)).status_code == 404
        board = (await guest.get(f"{API}/boards/new-here")).json()
        assert (board["threads"], board["posts"], board["last_post_at"]) == (0, 0, None)

        # Its author cannot bring the title back; a moderator can.
        for method, path, body in (
            ("POST", "/posts", {"body_markdown": "Again"}),
            ("PATCH", "", {"version": 1, "title": "Another title"}),
        ):
            refused = await heron.request(method, f"{API}/threads/{thread}{path}", json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "thread_gone")
        card = (await orla.get(f"{API}/threads/{thread}")).json()
        assert (card["visibility"], card["posts"], card["last_number"], card["last_post"]) == ("removed", 0, 2, None)
        async with services.database.work() as session:
            assert (await session.get_one(Thread, thread)).last_post_at == moment
        assert await _listed(orla) == [thread]
        answered = await orla.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Both left us."})
        assert answered.status_code == 201
        assert await _listed(guest) == [thread]
        assert (await guest.get(f"{API}/threads/{thread}")).json()["visibility"] == "visible"


async def test_a_list_goes_on_past_threads_that_an_old_board_dated_oddly(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    threads = [
        await make.thread(services, "heron", at=datetime(year, 1, 1, tzinfo=UTC)) for year in (1970, 1971, 2009, 2242)
    ]
    assert await _listed(guest, limit=1) == threads[::-1]
