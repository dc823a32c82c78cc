"""Quotes: recorded when written, checked when written or edited, and found in every thread when their words go."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content.markup import GONE
from forum.content.posts import quotes
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import REDACT, REMOVE, a_case, appeal, decide, decided, hear, house_rules, report, sql

API = "/api/v1"
MARK = "[removed: rule 10]"
SAID = "The social worker is a lying toad and I hope her car breaks down."
QUOTE = f"> @stepdad #2 wrote:\n> {SAID}\n\nNo."


@pytest.fixture
async def thread(services: Services) -> int:
    """A thread in which stepdad wrote post 2."""
    await house_rules(services)
    await make.board(services)
    for handle in ("heron", "magpie", "stepdad"):
        await make.member(services, handle)
    thread = await make.thread(services, "heron")
    await make.post(services, "stepdad", thread, SAID)
    return thread


@pytest.fixture
async def suzie(app: FastAPI, thread: int) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "suzie", Role.MODERATOR) as client:
        yield client


async def said_id(services: Services, thread: int) -> int:
    [[found]] = await sql(services, "SELECT id FROM post WHERE thread_id = :thread AND number = 2", thread=thread)
    return int(found)


async def read(client: httpx.AsyncClient, post_id: int) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{API}/posts/{post_id}")).json()
    return found


async def edit(client: httpx.AsyncClient, post_id: int, body: str) -> dict[str, Any]:
    change = {"revision": (await read(client, post_id))["revision"], "body_markdown": body}
    answer = await client.patch(f"{API}/posts/{post_id}", json=change)
    assert answer.status_code == 200, answer.text
    edited: dict[str, Any] = answer.json()
    return edited


def is_named(post: dict[str, Any]) -> bool:
    return 'data-author="stepdad"' in post["body_html"]


async def recorded(services: Services, post_id: int) -> list[tuple[int, int, int]]:
    found = "SELECT revision, quoted_post_id, quoted_revision FROM post_quote WHERE post_id = :id ORDER BY 1, 2"
    return [tuple(row) for row in await sql(services, found, id=post_id)]


async def test_which_revision_of_which_post_is_quoted_is_recorded(
    app: FastAPI, services: Services, thread: int
) -> None:
    source = await said_id(services, thread)
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "magpie") as magpie:
        quote = await make.post(services, "magpie", thread, QUOTE)
        assert await recorded(services, quote.id) == [(1, source, 1)]
        await edit(stepdad, source, "I am sorry.")
        assert is_named(await edit(magpie, quote.id, QUOTE + " Really."))  # it was said when it was quoted
        assert not is_named(await edit(magpie, quote.id, "> @stepdad #2 wrote:\n> I am glad."))
        assert is_named(await edit(magpie, quote.id, "> @stepdad #2 wrote:\n> I am sorry."))
    assert await recorded(services, quote.id) == [(1, source, 1), (2, source, 1), (4, source, 2)]


async def test_words_of_an_earlier_revision_are_no_quote_for_whoever_comes_later(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "magpie") as magpie:
        await edit(stepdad, await said_id(services, thread), "I am sorry.")
        late = (await magpie.post(f"{API}/threads/{thread}/posts", json={"body_markdown": QUOTE})).json()
    assert not is_named(late)


QUOTES = [
    (QUOTE, False),
    (f"> {SAID}\n\nNo.", False),
    ("> a lying\ntoad and I hope\n\nNo.", False),  # a lazy continuation line
    ("> is a ly\u200bing to\u00adad and\n\nNo.", False),
    ("1. > > a LYING toad and", False),
    (QUOTE, True),
    ("> @stepdad #2 wrote:\n> is a lying toad\n\nNo.", True),
    (f"> {SAID}\n\nNo.", True),
    ("> worker is a ly\u200bing\ntoad and I\n\nNo.", True),
]


@pytest.mark.parametrize("measure", [REDACT, REMOVE], ids=["redact", "remove"])
async def test_what_goes_leaves_the_quotes_in_every_thread_and_comes_back(
    measure: dict[str, Any], app: FastAPI, services: Services, thread: int
) -> None:
    source, far = await said_id(services, thread), await make.thread(services, "magpie", title="Another")
    places = [far if is_far else thread for _, is_far in QUOTES]
    written = [
        await make.post(services, "magpie", place, quote) for place, (quote, _) in zip(places, QUOTES, strict=True)
    ]
    others = [await make.post(services, "magpie", place, "> is a lying frog\n\nNo.") for place in (thread, far)]
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        made = await decided(app, suzie, source, measure, reporter="heron")
        for post, (quote, is_far) in zip(written, QUOTES, strict=True):
            left = await read(magpie, post.id)
            seen = left["body_markdown"].replace("\u200b", "").replace("\u00ad", "").casefold()
            assert MARK in left["body_markdown"], quote
            assert "lying" not in seen, quote
            assert "toad" not in seen, quote
            assert is_named(left) == (measure is REDACT and quote == QUOTE and not is_far), quote
            revisions = (await magpie.get(f"{API}/posts/{post.id}/revisions")).json()["items"]
            assert [revision["sealed"] for revision in revisions] == [True, False], quote
        for other in others:
            assert (await read(magpie, other.id))["body_markdown"] == "> is a lying frog\n\nNo."

        async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "orla", Role.MODERATOR) as orla:
            assert (await appeal(stepdad, made["statement_id"])).status_code == 201
            case = await a_case(orla, source, "appeal")
            assert (await hear(orla, case["id"], "overturn")).status_code == 201
        for post, (quote, _) in zip(written, QUOTES, strict=True):
            back = await read(magpie, post.id)
            assert (back["body_markdown"], back["body_html"]) == (quote, post.body_html)


async def test_a_short_quote_of_a_removed_post_names_nobody(
    app: FastAPI, services: Services, thread: int, suzie: httpx.AsyncClient
) -> None:
    short = await make.post(services, "magpie", thread, "> @stepdad #2 wrote:\n> is\n\nNo.")
    assert is_named(await read(suzie, short.id))
    await decided(app, suzie, await said_id(services, thread), REMOVE, reporter="heron")
    left = await read(suzie, short.id)
    assert (left["body_markdown"], is_named(left)) == ("> @stepdad #2 wrote:\n> is\n\nNo.", False)


@pytest.mark.parametrize("is_far", [False, True])
async def test_a_withdrawal_takes_the_words_out_of_quotes_for_good(
    is_far: bool, app: FastAPI, services: Services, thread: int
) -> None:
    place = await make.thread(services, "magpie", title="Another") if is_far else thread
    written = await make.post(services, "magpie", place, QUOTE)
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "magpie") as magpie:
        await edit(magpie, written.id, "Nothing.")
        await edit(magpie, written.id, QUOTE)
        source = await said_id(services, thread)
        for _ in range(2):
            assert (await stepdad.delete(f"{API}/posts/{source}")).status_code == 204
        left = await read(magpie, written.id)
        assert "toad" not in left["body_html"]
        assert not is_named(left)
        assert left["body_markdown"].endswith(f"{GONE}.\n\nNo.")
        assert len(left["body_markdown"]) == len(QUOTE)
        assert "toad" not in (await magpie.get(f"{API}/posts/{written.id}/revisions")).text


async def test_the_quotes_of_older_posts_are_recorded_by_a_job(
    app: FastAPI, services: Services, thread: int, suzie: httpx.AsyncClient
) -> None:
    """As the release before wrote them: with names that nobody checked, and without a record."""
    far = await make.thread(services, "magpie", title="Another", body=QUOTE)
    true = await make.post(services, "magpie", thread, QUOTE)
    false = await make.post(services, "magpie", thread, "> @stepdad #2 wrote:\n> I lie.")
    plain = await make.post(services, "magpie", thread, "1 > 0")
    await sql(services, "DELETE FROM post_quote")
    await sql(services, "DELETE FROM quoted_words")
    await sql(services, "UPDATE post SET quotes_recorded = false")
    forged = true.body_html.replace("The social worker", "I lie. The social worker")
    await sql(services, "UPDATE post SET body_html = :html WHERE id = :id", html=forged, id=false.id)
    async with make.signed_in(app, "stepdad") as stepdad:
        await edit(stepdad, await said_id(services, thread), SAID + " So.")
        async with services.database.work() as session:
            await quotes.record_older_quotes(session, {}, clock.now())
        assert quotes.RECORD_QUOTES.name not in await run_due_jobs(services, clock.now())
    assert await sql(services, "SELECT 1 FROM post WHERE NOT quotes_recorded") == []
    assert [is_named(await read(suzie, post.id)) for post in (true, false, plain)] == [True, False, False]
    async with make.signed_in(app, "heron") as heron:
        assert (await report(heron, await said_id(services, thread), revision=2)).status_code == 201
    assert (await decide(suzie, await a_case(suzie, await said_id(services, thread)), REDACT)).status_code == 201
    [[html]] = await sql(services, "SELECT body_html FROM post WHERE thread_id = :far", far=far)
    assert MARK in html
