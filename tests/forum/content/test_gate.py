"""The gate: what it holds is seen by its author and the board's moderators, and counted by nobody."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import product
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Publication
from forum.content.posts.tables import NEXT, Post, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.tables import Thread
from forum.core import clock
from forum.core.errors import Conflict
from forum.core.gate import GateResult, PublishAtOnce
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes

API = "/api/v1"
HELD = "HOLD this"


@pytest.fixture
def gate() -> make.HoldingGate:
    return make.HoldingGate()


@pytest.fixture
async def app(settings: Settings, gate: make.HoldingGate) -> AsyncIterator[FastAPI]:
    """The application with a gate that holds what has "HOLD" in it."""
    async with make.application(settings, gate) as application:
        yield application


async def _reply(client: httpx.AsyncClient, thread: int, body: str = "I see", **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body, **more})
    assert answer.status_code == 201, answer.text
    return make.as_read(answer)


async def _numbers(client: httpx.AsyncClient, thread: int, **query: Any) -> list[int]:
    page = await client.get(f"{API}/threads/{thread}/posts", params=query)
    return [post["number"] for post in page.json()["items"]]


async def _shift(services: Services, post_id: int, to: Visibility, held_because: str | None = None) -> None:
    async with services.database.work() as session:
        await set_visibility(session, await session.get_one(Post, post_id), to, clock.now(), held_because=held_because)


# Who sees what is held.


@pytest.mark.parametrize(
    ("handle", "roles", "boards", "sees"),
    [
        ("heron", (), (), True),  # the author
        ("nell", (), ("new-here",), True),
        ("orla", (Role.MODERATOR,), (), True),
        ("magpie", (), (), False),  # who opened the thread
        ("femi", (), ("kinship",), False),
        ("suzie", (Role.ADVISER,), (), False),
        ("joan", (Role.ADMINISTRATOR,), (), False),
        (None, (), (), False),
    ],
)
async def test_a_held_post_is_seen_by_its_author_and_the_boards_moderators_only(
    handle: str | None,
    roles: tuple[Role, ...],
    boards: tuple[str, ...],
    sees: bool,
    app: FastAPI,
    services: Services,
    guest: httpx.AsyncClient,
) -> None:
    await make.board(services)
    await make.board(services, "kinship")
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        held = await _reply(heron, thread, HELD)
        assert (held["visibility"], held["held_because"]) == ("held", make.HoldingGate.BECAUSE)
        await _reply(heron, thread)

        async def check(reader: httpx.AsyncClient) -> None:
            alone = await reader.get(f"{API}/posts/{held['id']}")
            page = await reader.get(f"{API}/threads/{thread}/posts")
            numbers = [post["number"] for post in page.json()["items"]]
            if sees:
                assert alone.json() == held == page.json()["items"][1]
                assert numbers == [1, 2, 3]
                assert page.headers["cache-control"] == alone.headers["cache-control"] == "private, no-store"
            else:
                nowhere = await reader.get(f"{API}/posts/999999")
                assert (alone.status_code, alone.content) == (404, nowhere.content)
                assert numbers == [1, 3]
                assert HELD not in page.text
                assert page.headers["cache-control"] == "private, no-cache"
                for method, path, body in (
                    ("GET", "/revisions", None),
                    ("PATCH", "", {"revision": 1, "body_markdown": "Mine"}),
                    ("DELETE", "", None),
                ):
                    answer = await reader.request(method, f"{API}/posts/{held['id']}{path}", json=body)
                    assert answer.status_code == (401 if handle is None else 404)

        if handle is None:
            await check(guest)
        elif handle == "heron":
            await check(heron)
        else:
            async with make.signed_in(app, handle, *roles, boards=boards) as reader:
                await check(reader)


async def test_a_page_with_held_posts_is_shorter_and_goes_on(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        for number in range(2, 9):
            await _reply(heron, thread, HELD if number in {3, 5, 6} else "I see")
        pages = []
        after: dict[str, Any] = {}
        while True:
            page = (await guest.get(f"{API}/threads/{thread}/posts", params={"limit": 2, **after})).json()
            pages.append([post["number"] for post in page["items"]])
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert pages == [[1, 2], [4], [], [7, 8]]
        assert await _numbers(heron, thread) == list(range(1, 9))


async def test_a_held_post_counts_for_nothing(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "suzie")

        async def told(reader: httpx.AsyncClient) -> list[Any]:
            card = (await reader.get(f"{API}/threads/{thread}")).json()
            board = (await reader.get(f"{API}/boards/new-here")).json()
            handles = ("magpie", "suzie")
            written = [(await reader.get(f"{API}/members/{handle}")).json()["posts"] for handle in handles]
            waiting = (await suzie.get(f"{API}/adviser/threads")).json()["items"]
            counts = [
                card["posts"],
                card["participants"],
                card["last_post"]["number"],
                card["adviser_replies"]["count"],
            ]
            return [*counts, board["posts"], *written, len(waiting)]

        assert await told(guest) == [1, 1, 1, 0, 1, 0, 1, 0]
        question, answer = await _reply(magpie, thread, HELD, asks=True), await _reply(suzie, thread, HELD)
        for reader in (guest, magpie, suzie):  # the same for everybody, so that no count gives it away
            assert await told(reader) == [1, 1, 1, 0, 1, 0, 1, 0]
        assert await _numbers(guest, thread, adviser="true") == [1]
        await _shift(services, question["id"], Visibility.VISIBLE)
        assert await told(guest) == [2, 2, 2, 0, 2, 1, 1, 1]
        await _shift(services, answer["id"], Visibility.VISIBLE)
        assert await told(guest) == [3, 2, 3, 1, 3, 1, 2, 0]
        assert await _numbers(guest, thread, adviser="true") == [1, 3]


async def test_publishing_a_held_post_twice_is_as_publishing_it_once(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        held = await _reply(heron, thread, HELD)
        for _ in range(2):
            await _shift(services, held["id"], Visibility.VISIBLE)
            published = (await guest.get(f"{API}/posts/{held['id']}")).json()
            assert published == {**held, "visibility": "visible", "held_because": None}
            card = (await guest.get(f"{API}/threads/{thread}")).json()
            assert (card["posts"], card["last_number"], card["last_post"]["number"]) == (2, 2, 2)


async def test_nobody_can_answer_or_quote_a_held_post_not_even_its_author(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        thread = await make.thread(services, "heron")
        await _reply(heron, thread, HELD)
        for client in (heron, orla):
            wanted = {"body_markdown": "I see", "reply_to": 2}
            answer = await client.post(f"{API}/threads/{thread}/posts", json=wanted)
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["pointer"] == "#/reply_to"
            quote = {"body_markdown": "> @heron #2\n> this", "thread_id": thread}
            assert "data-post" not in (await client.post(f"{API}/previews", json=quote)).json()["body_html"]


# A held thread.


async def test_a_held_thread_is_listed_for_its_author_and_the_boards_moderators_only(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "nell", boards=("new-here",)) as nell,
    ):
        for held_by in ({"title": "HOLD me", "body_markdown": "Hello"}, {"title": "A question", "body_markdown": HELD}):
            opened = await heron.post(f"{API}/boards/new-here/threads", json=held_by)
            assert opened.status_code == 201
            thread = opened.json()
            assert (thread["visibility"], thread["first_post"]["visibility"]) == ("held", "held")
            assert (thread["posts"], thread["last_post"], thread["last_number"]) == (0, None, 1)
            await _reply(heron, thread["id"])  # published, but in a thread that nobody sees
            paths = [
                f"/threads/{thread['id']}",
                f"/threads/{thread['id']}/posts",
                f"/posts/{thread['first_post']['id']}",
            ]
            for reader, status in ((heron, 200), (nell, 200), (magpie, 404), (suzie, 404), (guest, 404)):
                assert [(await reader.get(API + path)).status_code for path in paths] == [status] * 3
                listed = await reader.get(f"{API}/boards/new-here/threads")
                assert (thread["id"] in [item["id"] for item in listed.json()["items"]]) == (status == 200)
                kept = "private, no-store" if status == 200 else "private, no-cache"
                assert listed.headers["cache-control"] == kept
            answer = await magpie.post(f"{API}/threads/{thread['id']}/posts", json={"body_markdown": "I see"})
            assert answer.status_code == 404
        board = (await guest.get(f"{API}/boards/new-here")).json()
        assert (board["threads"], board["posts"], board["last_post_at"]) == (0, 0, None)
        assert (await guest.get(f"{API}/members/heron")).json()["posts"] == 0
        assert (await suzie.get(f"{API}/adviser/threads")).json()["items"] == []


@pytest.mark.parametrize(
    ("to", "status"), [(Visibility.VISIBLE, 200), (Visibility.REMOVED, 404), (Visibility.WITHDRAWN, 404)]
)
async def test_a_held_thread_becomes_what_is_made_of_its_opening_post(
    to: Visibility, status: int, app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        words = {"title": "A question", "body_markdown": HELD}
        thread = (await heron.post(f"{API}/boards/new-here/threads", json=words)).json()
        await _shift(services, thread["first_post"]["id"], to)
        assert (await guest.get(f"{API}/threads/{thread['id']}/posts")).status_code == status
        assert (await heron.get(f"{API}/threads/{thread['id']}")).status_code == 200
        board = (await guest.get(f"{API}/boards/new-here")).json()
        assert (board["threads"], board["posts"]) == ((1, 1) if status == 200 else (0, 0))
        answer = await guest.get(f"{API}/threads/{thread['id']}/posts")
        if status == 200:
            assert [post["visibility"] for post in answer.json()["items"]] == ["visible"]


async def test_a_title_that_the_gate_holds_waits_and_the_old_one_stays(
    app: FastAPI, services: Services, guest: httpx.AsyncClient, gate: make.HoldingGate
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        thread = f"{API}/threads/{await make.thread(services, 'heron')}"
        answer = await heron.patch(thread, json={"version": 1, "title": "HOLD me"})
        assert answer.status_code == 200
        seen = {reader: (await reader.get(thread)).json() for reader in (heron, orla, guest)}
        assert seen[heron] == make.as_read(answer) | {"resources": []}
        assert [(card["title"], card["version"], card["title_revision"]) for card in seen.values()] == [
            ("A question", 1, 1)
        ] * 3
        waiting = seen[heron]["waiting"]
        assert (waiting["title"], waiting["held_because"]) == ("HOLD me", make.HoldingGate.BECAUSE)
        assert waiting["written_at"].endswith("Z")
        assert (seen[orla]["waiting"], seen[guest]["waiting"]) == (waiting, None)
        for reader, kept in ((heron, "private, no-store"), (guest, "private, no-cache")):
            page = await reader.get(f"{API}/boards/new-here/threads")
            assert (page.headers["cache-control"], "HOLD" in page.text) == (kept, reader is heron)
        # The same again is the same; another takes its place; the title that is there takes it back.
        [(kind, held_edit)] = [subject for subject, verdict in gate.recorded if verdict.held_because]
        assert kind == "held_edit"
        assert (await heron.patch(thread, json={"version": 1, "title": "HOLD me"})).json() == answer.json()
        assert len([1 for _, verdict in gate.recorded if verdict.held_because]) == 1
        other = await heron.patch(thread, json={"version": 1, "title": "HOLD me too"})
        assert other.json()["waiting"]["title"] == "HOLD me too"
        back = await heron.patch(thread, json={"version": 1, "title": "A question"})
        assert (back.json()["waiting"], back.json()["version"]) == (None, 1)
        states = await scenes.sql(services, "SELECT id, title, state FROM held_edit ORDER BY id")
        assert states == [(held_edit, "HOLD me", "dropped"), (held_edit + 1, "HOLD me too", "dropped")]
        at_once = await heron.patch(thread, json={"version": 1, "title": "What now?"})
        assert (at_once.json()["title"], at_once.json()["version"]) == ("What now?", 2)


# Edits pass the gate too.


async def test_an_approved_post_stays_as_it_is_while_its_edit_waits(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        thread = await make.thread(services, "heron")
        posts, post = f"{API}/threads/{thread}/posts", f"{API}/posts/{(await _reply(heron, thread, 'At first'))['id']}"
        before = (await guest.get(post)).json()
        edited = await heron.patch(post, json={"revision": 1, "body_markdown": HELD, "content_warning": "about loss"})
        assert edited.status_code == 200
        for reader in (guest, magpie):
            alone, page = await reader.get(post), await reader.get(posts)
            assert alone.json() == page.json()["items"][1] == before
            assert page.headers["cache-control"] == alone.headers["cache-control"] == "private, no-cache"
        for reader in (heron, orla):
            alone, page = await reader.get(post), await reader.get(posts)
            assert alone.json() == page.json()["items"][1] == make.as_read(edited)
            assert page.headers["cache-control"] == alone.headers["cache-control"] == "private, no-store"
            waiting = alone.json()["waiting"]
            assert alone.json() == {**before, "waiting": waiting}
            assert (waiting["body_markdown"], waiting["content_warning"]) == (HELD, "about loss")
            html = '<p dir="auto">HOLD this</p>\n'
            assert (waiting["body_html"], waiting["held_because"]) == (html, make.HoldingGate.BECAUSE)
        # Sent again, it still waits once. The words that are there take it back; other words take its place.
        same = {"revision": 1, "body_markdown": HELD, "content_warning": "about loss"}
        assert (await heron.patch(post, json=same)).json() == edited.json()
        back = await heron.patch(post, json={"revision": 1, "body_markdown": "At first"})
        assert make.as_read(back) == before
        harmless = await heron.patch(post, json={"revision": 1, "body_markdown": "Harmless"})
        assert (harmless.json()["revision"], harmless.json()["waiting"]) == (2, None)
        revisions = (await orla.get(f"{post}/revisions")).json()["items"]
        assert [item["body_markdown"] for item in revisions] == ["At first", "Harmless"]
        assert await scenes.sql(services, "SELECT body_markdown, state FROM held_edit") == [(HELD, "dropped")]


async def test_an_edit_that_waits_goes_with_its_post(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        thread = await make.thread(services, "heron")
        post = f"{API}/posts/{(await _reply(heron, thread, 'At first'))['id']}"
        await heron.patch(post, json={"revision": 1, "body_markdown": HELD})
        assert (await heron.delete(post)).status_code == 204
        assert HELD not in (await orla.get(post)).text
        assert await scenes.sql(services, "SELECT state FROM held_edit") == [("dropped",)]


async def test_an_edit_of_a_held_post_can_be_held_anew(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        post = f"{API}/posts/{(await _reply(heron, await make.thread(services, 'heron'), HELD))['id']}"
        again = await heron.patch(post, json={"revision": 1, "body_markdown": "HOLD this too"})
        assert (again.json()["visibility"], again.json()["body_markdown"]) == ("held", "HOLD this too")


async def test_a_held_post_can_be_withdrawn_and_leaves_a_tombstone(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = (await _reply(heron, thread, HELD))["id"]
        assert (await heron.delete(f"{API}/posts/{post}")).status_code == 204
        for reader in (heron, guest):
            answer = await reader.get(f"{API}/posts/{post}")
            assert (answer.json()["visibility"], HELD in answer.text) == ("withdrawn", False)
        assert (await guest.get(f"{API}/threads/{thread}")).json()["posts"] == 1


async def test_a_repeat_of_a_held_reply_is_the_held_reply(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        answers = [
            await heron.post(
                f"{API}/threads/{thread}/posts", json={"body_markdown": HELD}, headers={"Idempotency-Key": "once"}
            )
            for _ in range(2)
        ]
        assert answers[0].status_code == answers[1].status_code == 201
        assert answers[0].json() == answers[1].json()
        assert answers[1].json()["held_because"] == make.HoldingGate.BECAUSE


# What the gate is asked, and what it keeps.


async def test_every_word_that_others_would_read_passes_the_gate(
    app: FastAPI, services: Services, gate: make.HoldingGate
) -> None:
    await make.board(services, publication=Publication.HOLD_NEWCOMERS)
    async with make.signed_in(app, "heron") as heron:
        words = {"title": "A title", "body_markdown": "A body", "content_warning": "A warning"}
        thread = (await heron.post(f"{API}/boards/new-here/threads", json=words)).json()
        reply = await _reply(heron, thread["id"], "A reply", content_warning="Another")
        await heron.patch(f"{API}/posts/{reply['id']}", json={"revision": 1, "body_markdown": "An edit"})
        await heron.patch(f"{API}/threads/{thread['id']}", json={"version": 1, "title": "Retitled"})
        await heron.patch(f"{API}/me", json={"name": "Grey Heron"})
    assert [(asked.texts, asked.publication) for asked in gate.judged] == [
        (("A title", "A body", "A warning"), "hold_newcomers"),
        (("A reply", "Another"), "hold_newcomers"),
        (("An edit", ""), "hold_newcomers"),
        (("Retitled",), "hold_newcomers"),
        (("Grey Heron",), None),
    ]
    assert {asked.author and asked.author.is_staff for asked in gate.judged} == {False, None}
    assert [asked.author and asked.author.published for asked in gate.judged] == [0, 1, 2, 2, None]
    first = ("post", thread["first_post"]["id"])
    second = ("post", reply["id"])
    assert [subject for subject, _ in gate.recorded[:4]] == [first, second, second, ("thread", thread["id"])]


async def test_a_name_that_the_gate_would_hold_is_refused(app: FastAPI, guest: httpx.AsyncClient) -> None:
    joining = {"handle": "heron", "name": "HOLD", "email": "heron@example.org", "password": make.PASSWORD}
    answer = await guest.post(f"{API}/members", json=joining)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/name")
    assert (await guest.get(f"{API}/members/heron")).status_code == 404
    async with make.signed_in(app, "magpie") as magpie:
        answer = await magpie.patch(f"{API}/me", json={"name": "HOLD"})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/name")


class _ForgetfulGate(PublishAtOnce):
    """A gate that cannot keep what it found."""

    async def record(
        self, _session: AsyncSession, _subject: tuple[str, object], _verdict: GateResult, _now: datetime
    ) -> None:
        raise RuntimeError("no paper left")


async def test_what_the_gate_cannot_record_is_not_written(settings: Settings) -> None:
    async with make.application(settings, _ForgetfulGate()) as app:
        services: Services = app.state.services
        await make.board(services)
        async with make.signed_in(app, "heron") as heron:
            thread = await make.thread(services, "heron")
            answers = [
                await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello"}),
                await heron.post(f"{API}/boards/new-here/threads", json={"title": "Lost", "body_markdown": "Hello"}),
                await heron.patch(f"{API}/threads/{thread}", json={"version": 1, "title": "Lost"}),
            ]
            assert [answer.status_code for answer in answers] == [500] * 3
            assert all("no paper" not in answer.text for answer in answers)
            listed = (await heron.get(f"{API}/boards/new-here/threads")).json()["items"]
            assert [(item["title"], item["posts"], item["last_number"]) for item in listed] == [("A question", 1, 1)]


# The one table of what may follow what.


async def test_only_the_steps_of_the_table_can_be_taken(services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    for before, after in product(Visibility, Visibility):
        post = await make.post(services, "heron", await make.thread(services, "heron"))
        async with services.database.work() as session:
            state = {"visibility": before, "held_because": "Reported" if before == Visibility.HELD else None}
            await session.execute(update(Post).where(col(Post.id) == post.id).values(**state))
        reason = "Reported" if after == Visibility.HELD else None
        if after == before or after in NEXT[before]:
            await _shift(services, post.id, after, reason)
        else:
            with pytest.raises(Conflict):
                await _shift(services, post.id, after, reason)
        async with services.database.work() as session:
            row = await session.get_one(Post, post.id)
            thread = await session.get_one(Thread, post.thread_id)
        stands = after if after in NEXT[before] else before
        because = "Reported" if stands == Visibility.HELD else None
        assert (row.visibility, row.held_because) == (stands, because), (before, after)
        if stands != before:
            assert thread.posts == (2 if stands == Visibility.VISIBLE else 1), (before, after)


def test_what_its_author_withdrew_never_comes_back() -> None:
    assert NEXT[Visibility.WITHDRAWN] == frozenset()
    assert set(NEXT) == set(Visibility)


async def test_nothing_is_held_without_a_reason(services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    post = await make.post(services, "heron", await make.thread(services, "heron"))
    with pytest.raises(IntegrityError):
        await _shift(services, post.id, Visibility.HELD)
    async with services.database.work() as session:
        held = select(func.count()).where(col(Post.visibility) == Visibility.HELD)
        assert (await session.execute(held)).scalar_one() == 0
