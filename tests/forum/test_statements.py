"""What we ask of the database: how many statements a request costs, and what becomes of one that fails."""

import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from moderation import vocabulary
from moderation.gate import BoardGate
from tests.support import make

API = "/api/v1"


@pytest.fixture(autouse=True)
async def _vocabulary_known(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """What administrators watch for is read once a second, whoever writes then: here before."""
    monkeypatch.setattr(vocabulary, "FRESH_SECONDS", 3600.0)
    assert isinstance(services.gate, BoardGate)
    await services.gate.vocabulary.get_changes()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Of a forum that makes each answer anew: for what is kept it sends none of these statements."""
    return settings.model_copy(update={"page_cache": 0})


async def _thread_of(services: Services, length: int) -> int:
    """A thread in which heron and magpie talked in turn."""
    thread = await make.thread(services, "heron")
    writers = [(await make.viewer(services, handle)).id for handle in ("heron", "magpie")]
    now = clock.now()
    rows = [
        {
            "thread_id": thread,
            "number": number,
            "author_id": writers[number % 2],
            "voice": "member",
            "visibility": "visible",
            "body_markdown": "I see",
            "body_html": "<p>I see</p>\n",
            "revision": 1,
            "created_at": now,
        }
        for number in range(2, length + 1)
    ]
    async with services.database.work() as session:
        await session.execute(insert(Post), rows)
        row = await session.get_one(Thread, thread)
        row.last_number = row.posts = row.last_post_number = length
        row.participants, row.last_post_at = 2, now
    return thread


@pytest.fixture(params=[(3, "at_once"), (300, "at_once"), (300, "hold_newcomers")])
async def thread(request: pytest.FixtureRequest, services: Services) -> int:
    """A short thread, a long one, and one on a board that holds first posts; these are not heron's first."""
    length, publication = request.param
    await make.board(services, publication=publication)
    await make.member(services, "heron")
    await make.member(services, "magpie")
    return await _thread_of(services, length)


# How many statements a request costs.


def own(sent: Sequence[str]) -> list[str]:
    """Those of one request alone.

    Many share the glossary of a second, the note of a commit before, and the question whether somebody's session ended.
    """
    shared = ("glossary_term", "pg_notify", "'site' AS kind")
    return [statement for statement in sent if not any(name in statement for name in shared)]


async def test_a_thread_page_costs_one_statement(
    thread: int, app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    address = f"{API}/threads/{thread}/posts"
    async with make.signed_in(app, "heron") as heron:
        with make.note_of_statements(services) as first:
            page = await heron.get(address)
        assert len(page.json()["items"]) == min(20, page.json()["items"][-1]["number"])
        assert len(own(first)) == 2, first  # one of them says who heron is
        for reader in (heron, guest):
            for query in ("", "?from=2", "?adviser=true", "?limit=100"):
                with make.note_of_statements(services) as sent:
                    found = (await reader.get(address + query)).json()["items"]
                assert len(own(sent)) == (1 if found else 2), sent  # where nothing is found: whether there is a thread
        tag = page.headers["etag"]
        with make.note_of_statements(services) as sent:
            assert (await heron.get(address, headers={"If-None-Match": tag})).status_code == 304
        assert len(own(sent)) == 1, sent


async def test_a_reply_costs_four_statements_or_at_most_ten(thread: int, app: FastAPI, services: Services) -> None:
    """The throttle, where it is written, what its author said before, and all that is written.

    Its draft goes with that. Nobody else writes there, so it needs no lock of its own. Two more for its quote, which
    must not change meanwhile, and is recorded; and three for its key.

    None for those who are told of it, however many: the worker tells them.
    """
    body = "> @magpie #3 wrote:\n> I see\n\nThank you @magpie, and @heron too. https://example.org"
    words = {"body_markdown": body, "reply_to": 2, "content_warning": "about loss"}
    async with make.signed_in(app, "heron") as heron:
        with make.note_of_statements(services) as sent:
            answer = await heron.post(
                f"{API}/threads/{thread}/posts", json=words, headers={"Idempotency-Key": "with-everything"}
            )
        assert answer.status_code == 201
        html = answer.json()["body_html"]
        assert ('data-post="3"' in html, 'data-handle="magpie"' in html) == (True, True)
        assert len(own(sent)) <= 10, sent
        await heron.get(f"{API}/me")  # who was seen in the last seconds is known: here the last post may be longer ago
        with make.note_of_statements(services) as sent:
            answered = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "It is in court 4."})
        assert answered.status_code == 201
        assert len(own(sent)) == 4, sent
        # Who was just seen is known, and a repeat writes nothing.
        with make.note_of_statements(services) as sent:
            repeated = await heron.post(
                f"{API}/threads/{thread}/posts", json=words, headers={"Idempotency-Key": "with-everything"}
            )
        assert repeated.json() == answer.json()
        assert len(own(sent)) <= 3, sent
        assert not any(statement.startswith(("INSERT", "UPDATE", "WITH")) for statement in sent)


async def test_a_reply_that_waits_costs_no_more_than_opening_its_case(app: FastAPI, services: Services) -> None:
    await make.board(services, publication="hold_all")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "heron") as heron:
        with make.note_of_statements(services) as sent:
            answer = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "May I?"})
    assert answer.json()["visibility"] == "held"
    about_it = ("moderation_case", "notification", "mail_due", "letter_choice")
    opened = [statement for statement in sent if any(table in statement for table in about_it)]
    assert len(own(sent)) - len(opened) <= 8, sent
    assert len(opened) <= 7, opened


async def test_an_advisers_reply_costs_no_more(thread: int, app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        with make.note_of_statements(services) as sent:
            answer = await suzie.post(
                f"{API}/threads/{thread}/posts",
                json={"body_markdown": "@heron, we can help.", "reply_to": 1},
                headers={"Idempotency-Key": "advice"},
            )
        assert answer.json()["adviser"]["organisation"] == "Example Family Charity"
        assert len(own(sent)) <= 9, sent


@pytest.mark.parametrize("path", ["/boards/new-here/threads?limit=100", "/boards", "/members/heron"])
async def test_a_list_costs_the_same_however_much_is_on_it(
    path: str, app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    costs = []
    for number in range(0, 40, 20):
        with make.note_of_statements(services) as sent:
            assert (await guest.get(API + path)).status_code == 200
        costs.append(len(own(sent)))
        for more in range(number, number + 20):
            await make.thread(services, "heron", title=f"Thread {more}")
            await make.board(services, f"board-{more}")
    assert costs[1] <= costs[0] <= 2


# Another process migrates while we run.


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection of another process."""
    engine = create_async_engine(database_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


# Harmless to what is stored, but every prepared statement that gives the column is refused once.
TYPES = ("varchar(30000)", "varchar")


async def test_a_read_after_another_process_migrated_is_answered(
    services: Services, guest: httpx.AsyncClient, elsewhere: AsyncConnection
) -> None:
    """PostgreSQL refuses every prepared statement once: "cached plan must not change result type"."""
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    paths = [f"/threads/{thread}/posts", f"/threads/{thread}", "/boards/new-here/threads", "/boards", "/members/heron"]
    answers = [(await guest.get(API + path)).content for path in paths]
    for type_ in TYPES:
        for column in ("thread.title", "post.body_html", "board.name", "member.name"):
            await _alter(elsewhere, column, type_)
        for path, answer in zip(paths, answers, strict=True):
            again = await guest.get(API + path)
            assert (again.status_code, again.content) == (200, answer)


async def test_what_is_read_in_a_transaction_is_answered_too(
    app: FastAPI, services: Services, elsewhere: AsyncConnection
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron", Role.MODERATOR) as heron:
        post = await make.post(services, "heron", await make.thread(services, "heron"))
        paths = ["/me", f"/posts/{post.id}/revisions", "/me/notifications", "/moderation/cases"]
        for type_ in ("varchar", *TYPES):
            for column in ("member.name", "post.body_html", "thread.title", "board.name", "notification.kind"):
                await _alter(elsewhere, column, type_)
            assert [(await heron.get(API + path)).status_code for path in paths] == [200] * len(paths)


async def test_a_write_after_another_process_migrated_asks_to_be_sent_again(
    app: FastAPI, services: Services, elsewhere: AsyncConnection
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        address, words = f"{API}/threads/{thread}/posts", {"body_markdown": "I see"}
        assert (await heron.post(address, json=words)).status_code == 201
        for number, type_ in enumerate(TYPES, start=3):
            await _alter(elsewhere, "thread.title", type_)
            refused = await heron.post(address, json=words, headers={"Idempotency-Key": f"reply-{number}"})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["type"] == "/problems/service-unavailable"
            again = await heron.post(address, json=words, headers={"Idempotency-Key": f"reply-{number}"})
            assert (again.status_code, again.json()["number"]) == (201, number)


async def test_a_read_after_the_database_dropped_our_connections_is_answered(
    services: Services, guest: httpx.AsyncClient, elsewhere: AsyncConnection
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    assert (await guest.get(f"{API}/threads/{thread}/posts")).status_code == 200
    await _drop_connections(elsewhere)
    answer = await guest.get(f"{API}/threads/{thread}/posts")
    assert (answer.status_code, len(answer.json()["items"])) == (200, 1)


@pytest.mark.parametrize(
    "lost",
    [
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("got result for unknown protocol state 0"),
        ConnectionResetError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_connection_that_is_lost_in_the_middle_is_no_mistake_of_ours(
    lost: Exception, services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.board(services)
    fetch, tries = asyncpg.Connection.fetch, itertools.count()
    always = False

    async def interrupted(connection: asyncpg.Connection, *asked: Any) -> Any:
        if always or next(tries) == 0:
            raise lost
        return await fetch(connection, *asked)

    monkeypatch.setattr(asyncpg.Connection, "fetch", interrupted)
    assert (await guest.get(f"{API}/boards")).status_code == 200
    always = True
    answer = await guest.get(f"{API}/boards")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_write_after_the_database_dropped_our_connections_asks_to_be_sent_again(
    app: FastAPI, services: Services, elsewhere: AsyncConnection
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        address = f"{API}/threads/{thread}/posts"
        assert (await heron.post(address, json={"body_markdown": "I see"})).status_code == 201
        await _drop_connections(elsewhere)
        statuses = []
        for _ in range(3):
            answer = await heron.post(address, json={"body_markdown": "I see"})
            statuses.append(answer.status_code)
            assert answer.status_code == 201 or answer.headers["retry-after"] == "1"
        assert set(statuses) <= {201, 503}
        assert statuses[-1] == 201
        posts = (await heron.get(address)).json()["items"]
        assert len(posts) == 2 + statuses.count(201)


@pytest.mark.parametrize("address", ["postgresql://nobody@127.0.0.1:1/none", "postgresql://nobody@/none?host={folder}"])
async def test_while_the_database_cannot_be_reached_we_are_busy_and_not_broken(address: str, tmp_path: Path) -> None:
    nowhere = Settings(database_url=address.format(folder=tmp_path), data=tmp_path, **make.UNTHROTTLED)
    async with make.application(nowhere) as app, make.client(app) as guest:
        answers = [
            await guest.get(f"{API}/boards"),
            await guest.get(f"{API}/me", headers={"Authorization": "Bearer anything"}),
            await guest.post(f"{API}/sessions", json=make.signing_in("heron")),
            await guest.get("/readyz"),
        ]
        assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "1")] * 4
        assert (await guest.get("/healthz")).status_code == 200


async def _alter(elsewhere: AsyncConnection, column: str, type_: str) -> None:
    table, _, name = column.partition(".")
    await elsewhere.execute(text(f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {type_}"))


async def _drop_connections(elsewhere: AsyncConnection) -> None:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await elsewhere.execute(text(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}"))


# What was answered is on disk.

REFUSE_AT_COMMIT = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$
"""
AT_COMMIT = """
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON {table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.mark.parametrize(("sqlstate", "status"), [("23514", 500), ("40001", 503), ("53100", 503), ("58030", 500)])
async def test_a_commit_that_failed_is_never_answered_as_done(
    sqlstate: str, status: int, app: FastAPI, services: Services, elsewhere: AsyncConnection
) -> None:
    """Everything went well until COMMIT: had the answer left before it, a lost post would be called written."""
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        await elsewhere.execute(text(REFUSE_AT_COMMIT.format(sqlstate=sqlstate)))
        for table in ("post", "member_session", "member"):
            await elsewhere.execute(text(AT_COMMIT.format(table=table)))
        words = {"body_markdown": "I see"}
        answers = [
            await heron.post(f"{API}/threads/{thread}/posts", json=words, headers={"Idempotency-Key": "lost"}),
            await heron.post(f"{API}/boards/new-here/threads", json={"title": "A question", **words}),
            await heron.post(f"{API}/sessions", json=make.signing_in("heron")),
            await heron.post(f"{API}/members", json=make.joining("magpie")),
        ]
        assert [answer.status_code for answer in answers] == [status] * 4
        assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
        assert ("retry-after" in answers[0].headers) == (status == 503)
        for table in ("post", "member_session", "member"):
            await elsewhere.execute(text(f"DROP TRIGGER at_commit ON {table}"))
        assert len((await heron.get(f"{API}/threads/{thread}/posts")).json()["items"]) == 1
        assert len((await heron.get(f"{API}/boards/new-here/threads")).json()["items"]) == 1
        assert (await heron.get(f"{API}/members/magpie")).status_code == 404
        # The key was not kept with the post that was not.
        again = await heron.post(f"{API}/threads/{thread}/posts", json=words, headers={"Idempotency-Key": "lost"})
        assert (again.status_code, again.json()["number"]) == (201, 2)
