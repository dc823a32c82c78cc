"""Boards: a board that you may not see does not exist for you, and the board says who writes on it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlmodel import col

from forum.administration import roles
from forum.content import boards
from forum.content.read_marks import ThreadsOf
from forum.content.threads.tables import Thread
from forum.core import audit, clock
from forum.core.errors import Conflict, Invalid, NotFound
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.standing import standing_of
from forum.members.tables import Role, Standing
from tests.support import make
from tests.support.jobs import run_due_jobs

API = "/api/v1"
STAFF_ROOM: dict[str, Any] = {"readers": ("moderator",), "openers": ("moderator",), "repliers": ("moderator",)}

# Every way to ask for a board, a thread or a post by its name or number.
WAYS_IN: list[tuple[str, str, Any]] = [
    ("GET", "/boards/{slug}", None),
    ("GET", "/boards/{slug}/now", None),
    ("GET", "/boards/{slug}/threads", None),
    ("POST", "/boards/{slug}/threads", {"title": "May I?", "body_markdown": "Hello"}),
    ("POST", "/boards/{slug}/similar", {"title": "May I?"}),
    ("GET", "/boards/{slug}/resources", None),
    ("PUT", "/boards/{slug}/resources/{id}", None),
    ("DELETE", "/boards/{slug}/resources/{id}", None),
    ("PUT", "/threads/{thread}/resources/{resource_id}", None),
    ("DELETE", "/threads/{thread}/resources/{resource_id}", None),
    ("GET", "/threads/{thread}", None),
    ("PATCH", "/threads/{thread}", {"version": 1, "title": "Another title"}),
    ("PUT", "/threads/{thread}/lock", None),
    ("DELETE", "/threads/{thread}/lock", None),
    ("PUT", "/threads/{thread}/pin", None),
    ("DELETE", "/threads/{thread}/pin", None),
    ("PUT", "/threads/{thread}/board", {"version": 1, "board": "new-here"}),
    ("GET", "/threads/{thread}/mine", None),
    ("PUT", "/threads/{thread}/read", {"number": 1}),
    ("GET", "/boards/{slug}/subscription", None),
    ("PUT", "/boards/{slug}/subscription", {"mode": "each"}),
    ("PUT", "/threads/{thread}/subscription", {"mode": "each"}),
    ("PUT", "/threads/{thread}/answered", None),
    ("GET", "/threads/{thread}/revisions", None),
    ("GET", "/threads/{thread}/revisions/{number}", None),
    ("GET", "/threads/{thread}/posts", None),
    ("POST", "/threads/{thread}/posts", {"body_markdown": "Hello", "reply_to": 1}),
    ("GET", "/posts/{post}", None),
    ("PATCH", "/posts/{post}", {"revision": 1, "body_markdown": "Hello"}),
    ("DELETE", "/posts/{post}", None),
    ("GET", "/posts/{post}/help", None),
    ("GET", "/posts/{post}/revisions", None),
    ("GET", "/posts/{post}/revisions/{number}", None),
    ("PUT", "/posts/{post}/endorsement", None),
    ("PUT", "/posts/{post}/bookmark", None),
    ("DELETE", "/posts/{post}/bookmark", None),
    ("GET", "/posts/{post}/reactions", None),
    ("GET", "/posts/{post}/help", None),
    ("PUT", "/posts/{post}/reactions/{kind}", None),
    ("DELETE", "/posts/{post}/reactions/{kind}", None),
    ("POST", "/posts/{post}/reports", {"category": "rule", "rules": [10], "revision": 1}),
]
# What is one's own goes, whatever one sees by now: the answer is the same where there is nothing.
OWN = {"/posts/{post}/bookmark", "/posts/{post}/reactions/{kind}"}
# What one said of a place, too: there is nothing to forget in one that one may not see.
FORGETTING = {
    ("DELETE", "/threads/{id}/help"),
    ("DELETE", "/threads/{id}/subscription"),
    ("DELETE", "/boards/{slug}/subscription"),
    ("DELETE", "/posts/{id}/endorsement"),
}
# Of administrators alone, who see every board: anybody else is refused before the board is looked for.
OF_ADMINISTRATORS = {("GET", "/boards/{slug}/archive")}
RESOURCE = dict.fromkeys(("id", "resource_id"), "01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d")
NOWHERE = {"slug": "no-such-board", "thread": 999_999, "post": 999_999, "number": 1, "kind": "thank", **RESOURCE}


async def _staff_room(services: Services) -> dict[str, Any]:
    """An open board and a staff room, in which the moderator orla wrote a thread of two posts."""
    await make.board(services)
    await make.board(services, "staff-room", **STAFF_ROOM)
    await make.member(services, "orla", Role.MODERATOR)
    thread = await make.thread(services, "orla", "staff-room", "Who covers Sunday?", "Who covers Sunday?")
    post = await make.post(services, "orla", thread, "I can")
    return {"slug": "staff-room", "thread": thread, "post": post.id, "number": 1, "kind": "thank", **RESOURCE}


async def _ask(client: httpx.AsyncClient, way: tuple[str, str, Any], names: dict[str, Any]) -> httpx.Response:
    method, path, body = way
    return await client.request(method, API + path.format(**names), json=body)


def _told(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.content, sorted(answer.headers.items())


def test_the_table_knows_every_way_in(app: FastAPI) -> None:
    """A new route by slug or number must be added above, or this fails."""
    known = {(method, path.replace("{thread}", "{id}").replace("{post}", "{id}")) for method, path, _ in WAYS_IN}
    found = {
        (method, path.removeprefix(API))
        for path, item in app.openapi()["paths"].items()
        for method in map(str.upper, item)
        if path.removeprefix(API).startswith(("/boards/{", "/threads/{", "/posts/{"))
    }
    assert found == known | FORGETTING | OF_ADMINISTRATORS


async def test_a_board_that_you_may_not_see_does_not_exist_for_you(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    real = await _staff_room(services)
    words = ("/revisions", "/revisions/{number}", "/reactions", "/subscription", "/help")
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        for way in WAYS_IN:
            for curious in (heron, suzie):
                answer = await _ask(curious, way, real)
                expected = 204 if way[0] == "DELETE" and way[1] in OWN else 404
                assert answer.status_code == expected, (way, answer.text)
                assert _told(answer) == _told(await _ask(curious, way, NOWHERE)), way
            answer = await _ask(guest, way, real)
            assert _told(answer) == _told(await _ask(guest, way, NOWHERE)), way
            needs_a_member = way[0] != "GET" or way[1].endswith(words)
            assert answer.status_code == (401 if needs_a_member else 404), way


# What is one's own, in any standing.
OWN_LISTS = [
    *("/me/notifications", "/me/subscriptions", "/me/bookmarks", "/me/drafts", "/me/marks?thread={thread}"),
    *(f"/me/threads?kind={kind}" for kind in ThreadsOf),
]


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.BANNED])
async def test_who_is_shut_out_finds_no_place_of_members_in_what_is_their_own(
    app: FastAPI, services: Services, standing: Standing
) -> None:
    await make.board(services, readers=["member"], openers=["member"], repliers=["member"])
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie", title="Who is at home?")
    async with make.signed_in(app, "heron") as heron:
        assert (await heron.put(f"{API}/threads/{thread}/subscription", json={"mode": "each"})).status_code == 204
        await make.post(services, "heron", thread, "I am")
        post = await make.post(services, "magpie", thread, "So am I")
        await run_due_jobs(services, clock.now())
        assert (await heron.put(f"{API}/posts/{post.id}/bookmark")).status_code == 204
        draft = {"version": 0, "body_markdown": "And I"}
        assert (await heron.put(f"{API}/me/drafts/threads/{thread}", json=draft)).status_code == 200
        paths = [API + path.format(thread=thread) for path in OWN_LISTS]
        before = {path: (await heron.get(path)).text for path in paths}
        shown = [path for path in paths if "Who is at home?" in before[path] or "marks" in path]
        assert [path for path in paths if path not in shown] == [f"{API}/me/threads?kind=opened"]
        await make.sanction(services, "heron", standing)
        services.session_cache.invalidate((await make.viewer(services, "heron")).id)
        for path in paths:
            answer = await heron.get(path)
            assert answer.status_code == 200
            assert "Who is at home?" not in answer.text, path
        assert (await heron.get(f"{API}/me/marks?thread={thread}")).json()["items"] == []
        followed = await heron.put(f"{API}/threads/{thread}/subscription", json={"mode": "digest"})
        assert followed.status_code in {403, 404}
        assert (await heron.put(f"{API}/threads/{thread}/read", json={"number": 2})).status_code == 404


async def test_a_staff_room_is_open_to_those_whom_it_names(app: FastAPI, services: Services) -> None:
    """The other side of the table above: the 404s are about who asks, not about broken routes."""
    real = await _staff_room(services)
    async with make.signed_in(app, "orla") as orla:
        for path in ("/boards/{slug}", "/boards/{slug}/threads", "/threads/{thread}/posts", "/posts/{post}/revisions"):
            assert (await _ask(orla, ("GET", path, None), real)).status_code == 200


async def test_a_hidden_board_is_in_no_list_and_no_count(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await _staff_room(services)
    async with make.signed_in(app, "orla") as orla, make.signed_in(app, "heron") as heron:
        for reader, slugs, posts in (
            (orla, ["new-here", "staff-room"], 2),
            (heron, ["new-here"], 0),
            (guest, ["new-here"], 0),
        ):
            listed = (await reader.get(f"{API}/boards")).json()["items"]
            assert [board["slug"] for board in listed] == slugs
            assert sum(board["posts"] for board in listed) == posts
            assert (await reader.get(f"{API}/members/orla")).json()["posts"] == posts
            cards = (await reader.get(f"{API}/members", params={"handle": ["orla"]})).json()["items"]
            assert [card["posts"] for card in cards] == [posts]


async def test_a_preview_in_a_hidden_thread_is_refused_like_one_nowhere(app: FastAPI, services: Services) -> None:
    hidden = await _staff_room(services)
    async with make.signed_in(app, "heron") as heron:
        wanted = {"body_markdown": "> @orla #2\n> I can"}
        answer = await heron.post(f"{API}/previews", json={**wanted, "thread_id": hidden["thread"]})
        nowhere = await heron.post(f"{API}/previews", json={**wanted, "thread_id": 999_999})
        assert answer.status_code == 404
        assert _told(answer) == _told(nowhere)
    async with make.signed_in(app, "orla") as orla:
        seen = await orla.post(f"{API}/previews", json={**wanted, "thread_id": hidden["thread"]})
        assert 'data-post="2"' in seen.json()["body_html"]


async def test_quoting_a_hidden_post_proves_nothing_about_it(app: FastAPI, services: Services) -> None:
    """The same words are rendered whether or not orla wrote a second post in a room that heron cannot see."""
    await _staff_room(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        for thread_id in (None, thread):
            wanted = {"body_markdown": "> @orla #2\n> I can", "thread_id": thread_id}
            html = (await heron.post(f"{API}/previews", json=wanted)).json()["body_html"]
            assert "data-post" not in html
            assert "data-author" not in html


async def test_a_hidden_thread_waits_for_no_adviser_who_cannot_see_it(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.board(services, "leads", readers=("safeguarding_lead",), openers=("member",))
    await make.member(services, "priya", Role.SAFEGUARDING_LEAD)
    await make.member(services, "heron")
    seen = await make.thread(services, "heron")
    hidden = await make.thread(services, "priya", "leads")
    async with services.database.work() as session:  # as if a member had asked there
        thread = await session.get_one(Thread, hidden)
        thread.asked_since, thread.asked_number = clock.now(), 1
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        waiting = (await suzie.get(f"{API}/adviser/threads")).json()["items"]
    assert [thread["id"] for thread in waiting] == [seen]


async def test_a_thread_cannot_be_moved_to_a_board_that_does_not_exist_for_the_mover(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.board(services, "leads", readers=("safeguarding_lead",))
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        answers = [
            await orla.put(f"{API}/threads/{thread}/board", json={"version": 1, "board": slug})
            for slug in ("leads", "no-such-board")
        ]
    assert answers[0].status_code == 404
    assert _told(answers[0]) == _told(answers[1])


async def test_a_thread_moved_out_of_sight_is_gone_for_its_author_too(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.board(services, "staff-room", **STAFF_ROOM)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        key = {"Idempotency-Key": "opening"}
        words = {"title": "What now?", "body_markdown": "They come on Monday"}
        opened = (await heron.post(f"{API}/boards/new-here/threads", json=words, headers=key)).json()
        thread, post = opened["id"], opened["first_post"]["id"]
        moved = await orla.put(f"{API}/threads/{thread}/board", json={"version": 1, "board": "staff-room"})
        assert moved.json()["board"]["slug"] == "staff-room"
        for reader in (heron, guest):
            for path in (f"/threads/{thread}", f"/threads/{thread}/posts", f"/posts/{post}"):
                assert (await reader.get(API + path)).status_code == 404
            assert (await reader.get(f"{API}/members/heron")).json()["posts"] == 0
            assert (await reader.get(f"{API}/boards/new-here/threads")).json()["items"] == []
            assert (await reader.get(f"{API}/boards/new-here")).json()["posts"] == 0
        assert (await heron.get(f"{API}/posts/{post}/revisions")).status_code == 404
        repeated = await heron.post(f"{API}/boards/new-here/threads", json=words, headers=key)
        assert repeated.status_code == 404
        assert (await orla.get(f"{API}/threads/{thread}/posts")).json()["items"][0][
            "body_markdown"
        ] == "They come on Monday"
        # Their own words stay theirs: they can still withdraw what they can no longer read.
        assert (await heron.delete(f"{API}/posts/{post}")).status_code == 204


async def test_who_lost_the_role_lost_the_room(app: FastAPI, services: Services) -> None:
    hidden = await _staff_room(services)
    async with services.database.work() as session:
        orla = await get_member(session, "orla")
        await roles.revoke(session, orla, Role.MODERATOR, clock.now())
    async with make.signed_in(app, "orla") as client:
        for path in ("/boards/staff-room", f"/threads/{hidden['thread']}/posts", f"/posts/{hidden['post']}"):
            assert (await client.get(API + path)).status_code == 404
        assert (await client.get(f"{API}/members/orla")).json()["posts"] == 0


# Who reads, opens, replies.

MEMBERS_ONLY = {"readers": ("member",)}
ASKED_OF_ADVISERS = {"openers": ("adviser",), "repliers": ("member",)}
READ_ONLY = {"openers": (), "repliers": ()}


WHO_MAY = [
    ({}, None, False, 200, 201, 201),
    (MEMBERS_ONLY, None, False, 200, 201, 201),
    (STAFF_ROOM, None, False, 404, 404, 404),
    (STAFF_ROOM, Role.ADVISER, False, 404, 404, 404),
    (STAFF_ROOM, Role.ADMINISTRATOR, False, 404, 404, 404),
    (STAFF_ROOM, Role.MODERATOR, False, 200, 201, 201),
    (STAFF_ROOM, Role.MODERATOR, True, 200, 201, 201),
    (ASKED_OF_ADVISERS, None, False, 200, 403, 201),
    (ASKED_OF_ADVISERS, Role.ADVISER, False, 200, 201, 201),
    (READ_ONLY, None, False, 200, 403, 403),
    (READ_ONLY, Role.ADVISER, False, 200, 403, 403),
    (READ_ONLY, Role.MODERATOR, False, 200, 201, 201),
    (READ_ONLY, Role.MODERATOR, True, 200, 201, 201),
]


async def test_the_board_says_who_reads_opens_and_replies(app: FastAPI, services: Services) -> None:
    await make.member(services, "opener", Role.MODERATOR)
    for number, (plan, role, of_this_board, *may) in enumerate(WHO_MAY):
        board = f"board-{number}"
        await make.board(services, board, **plan)
        thread = await make.thread(services, "opener", board)
        granted = () if of_this_board or role is None else (role,)
        boards = (board,) if of_this_board else ()
        async with make.signed_in(app, f"heron-{number}", *granted, boards=boards) as heron:
            read = await heron.get(f"{API}/threads/{thread}")
            words = {"title": "May I?", "body_markdown": "Hello"}
            opened = await heron.post(f"{API}/boards/{board}/threads", json=words)
            replied = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello"})
        assert [read.status_code, opened.status_code, replied.status_code] == may, WHO_MAY[number]


async def test_who_moderates_another_board_is_a_reader_here(app: FastAPI, services: Services) -> None:
    await make.board(services, **READ_ONLY)
    await make.board(services, "kinship")
    await make.member(services, "opener", Role.MODERATOR)
    thread = await make.thread(services, "opener")
    async with make.signed_in(app, "femi", boards=("kinship",)) as femi:
        assert (await femi.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello"})).status_code == 403
        for path in ("lock", "pin"):
            assert (await femi.put(f"{API}/threads/{thread}/{path}")).status_code == 403


async def test_a_guest_reads_what_is_for_everyone_and_no_more(services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.board(services, "kitchen-table", **MEMBERS_ONLY)
    await make.member(services, "heron")
    public, private = await make.thread(services, "heron"), await make.thread(services, "heron", "kitchen-table")
    assert (await guest.get(f"{API}/threads/{public}/posts")).status_code == 200
    assert (await guest.get(f"{API}/threads/{private}/posts")).status_code == 404
    assert (await guest.get(f"{API}/members/heron")).json()["posts"] == 1


async def test_who_is_silenced_can_read_and_withdraw_but_not_write(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        await make.sanction(services, "heron", Standing.SILENCED)
        page = await heron.get(f"{API}/threads/{thread}/posts")
        post = page.json()["items"][0]["id"]
        refused = [
            await heron.post(f"{API}/boards/new-here/threads", json={"title": "May I?", "body_markdown": "Hello"}),
            await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello"}),
            await heron.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Hello"}),
            await heron.patch(f"{API}/threads/{thread}", json={"version": 1, "title": "Another title"}),
        ]
        assert [answer.status_code for answer in refused] == [403] * 4
        assert "silenced" in refused[0].json()["detail"]
        assert (await heron.delete(f"{API}/posts/{post}")).status_code == 204


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.BANNED])
async def test_who_is_suspended_or_banned_reads_as_a_guest_and_sees_their_own_account(
    standing: Standing, app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.board(services, "kitchen-table", readers=("member",))
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    await make.sanction(services, "heron", standing)
    async with make.signed_in(app, "heron") as heron:
        assert (await heron.get(f"{API}/threads/{thread}/posts")).status_code == 200
        assert (await heron.get(f"{API}/boards/kitchen-table")).status_code == 404
        refused = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello"})
        assert refused.status_code == 403
        assert str(standing) in refused.json()["detail"]
        assert (await heron.get(f"{API}/me")).json()["standing"] == standing
        assert (await heron.delete(f"{API}/sessions/current")).status_code == 204


async def test_a_standing_that_ran_out_counts_no_more(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        await make.sanction(services, "heron", Standing.SILENCED, until=clock.now())
        words = {"title": "May I?", "body_markdown": "Hello"}
        assert (await heron.post(f"{API}/boards/new-here/threads", json=words)).status_code == 201


async def test_of_two_standings_the_graver_counts_and_then_the_other(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    soon, later = clock.now() + timedelta(seconds=1), clock.now() + timedelta(days=1)
    await make.sanction(services, "heron", Standing.SUSPENDED, until=soon)
    await make.sanction(services, "heron", Standing.SILENCED, until=later)
    async with services.database.work() as session:
        heron = await get_member(session, "heron")
        standings = [await standing_of(session, heron.id, at) for at in (clock.now(), soon, later)]
    assert standings == [Standing.SUSPENDED, Standing.SILENCED, Standing.ACTIVE]


async def test_search_engines_are_sent_away_unless_the_board_says_otherwise(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.board(services, "open-house", indexable=True)
    await make.member(services, "heron")
    for slug, told in (("new-here", "noindex"), ("open-house", None)):
        thread = await make.thread(services, "heron", slug)
        for path in (f"/boards/{slug}", f"/boards/{slug}/threads", f"/threads/{thread}", f"/threads/{thread}/posts"):
            assert (await guest.get(API + path)).headers.get("x-robots-tag") == told


async def test_boards_stand_in_the_order_and_under_the_headings_they_were_given(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services, "last", position=3, section="Talk")
    await make.board(services, "first", position=1, section="Welcome", help_markdown="**Ring 999**")
    await make.board(services, "second", position=2, section="Talk", advised=False)
    items = (await guest.get(f"{API}/boards")).json()["items"]
    assert [(item["slug"], item["group"]) for item in items] == [
        ("first", "Welcome"),
        ("second", "Talk"),
        ("last", "Talk"),
    ]
    assert "<strong>Ring 999</strong>" in items[0]["help_html"]
    assert items[1]["advised"] is False
    assert items[0] == (await guest.get(f"{API}/boards/first")).json()


async def test_a_board_counts_what_can_be_read_and_when_it_was_last_written_on(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    empty = (await guest.get(f"{API}/boards/new-here")).json()
    assert (empty["threads"], empty["posts"], empty["last_post_at"]) == (0, 0, None)
    await make.member(services, "heron")
    await make.thread(services, "heron")
    reply = await make.post(services, "heron", await make.thread(services, "heron"))
    board = (await guest.get(f"{API}/boards/new-here")).json()
    assert (board["threads"], board["posts"]) == (2, 3)
    assert board["last_post_at"] == reply.created_at.isoformat().replace("+00:00", "Z")


# Making and changing boards.


async def test_a_board_that_makes_no_sense_is_not_made(services: Services) -> None:
    for plan, pointer in (
        ({"slug": "New Here"}, "#/slug"),
        ({"slug": "new--here"}, "#/slug"),
        ({"slug": "new-here\n"}, "#/slug"),
        ({"slug": "n" * 51}, "#/slug"),
        ({"slug": ""}, "#/slug"),
        ({"name": "  "}, "#/name"),
        ({"readers": ()}, "#/readers"),
        ({"readers": ("friends",)}, "#/readers"),
        ({"openers": ("everyone",)}, "#/openers"),
        ({"repliers": ("everyone",)}, "#/repliers"),
    ):
        with pytest.raises(Invalid) as refused:
            await make.board(services, **{"slug": "new-here", **plan})
        assert refused.value.pointer == pointer, plan


async def test_two_boards_cannot_have_one_slug(services: Services) -> None:
    await make.board(services)
    with pytest.raises(Conflict):
        await make.board(services)


async def test_a_changed_board_says_at_once_who_reads_it(services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    async with services.database.work() as session:
        changes = {"readers": ("member",), "help_markdown": "**Ring 999**"}
        board = await boards.lock_board_row(session, "new-here")
        await boards.change_board(session, board, changes, clock.now())
        assert "<strong>" in board.help_html
    assert (await guest.get(f"{API}/boards/new-here")).status_code == 404
    async with services.database.work() as session:
        acts = (await session.execute(select(col(audit.AuditEntry.act), col(audit.AuditEntry.details)))).all()
    assert [(entry.act, entry.details) for entry in acts] == [
        ("board.made", {}),
        ("board.changed", {"changed": ["help_markdown", "readers"]}),
    ]


async def test_a_board_cannot_be_changed_into_nonsense(services: Services) -> None:
    await make.board(services)
    async with services.database.work() as session:
        board = await boards.lock_board_row(session, "new-here")
        with pytest.raises(Invalid):
            await boards.change_board(session, board, {"readers": ()}, clock.now())
    with pytest.raises(NotFound):
        async with services.database.work() as session:
            await boards.lock_board_row(session, "no-such-board")
