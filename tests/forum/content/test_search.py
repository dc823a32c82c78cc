"""Search: what is found, by whom, in which order; what leaves at once; what may be suggested."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.search import queries, spelling, statements
from forum.content.search.jobs import forget_searches, index_posts, make_language_setter
from forum.content.search.plain import CLOSES, GAP, OPENS, kept_terms, plain_text, snippet_of
from forum.content.search.spelling import best_guess, collect_words, is_one_slip, variants
from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from forum.privacy.export_contents import export_searches
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import sql

API = "/api/v1"
Found = dict[str, Any]


async def results(client: httpx.AsyncClient, query: str, **wanted: object) -> Found:
    """The first page of what a search finds."""
    made = await client.post(f"{API}/searches", json={"query": query, **wanted})
    assert made.status_code == 201, made.text
    found = await client.get(made.headers["location"])
    assert found.status_code == 200, found.text
    body: Found = found.json()
    return body


async def numbers(client: httpx.AsyncClient, query: str, **wanted: object) -> list[int]:
    return [post["number"] for post in (await results(client, query, **wanted))["items"]]


async def titles(client: httpx.AsyncClient, query: str, **wanted: object) -> list[str]:
    return [thread["title"]["text"] for thread in (await results(client, query, **wanted))["threads"]]


def test_what_a_post_says_without_markdown_and_quotes() -> None:
    for body_html, said in (
        ("<p>The <strong>social</strong> worker</p><p>was late.</p>", "The social worker was late."),
        ("<blockquote><p>old</p><blockquote><p>older</p></blockquote><p>old</p></blockquote><p>new</p>", "new"),
        ('<p>She <span class="removed">[removed: rule 10]</span> left</p>', "She … left"),
        ('<p><span class="mention" data-handle="suzie">@<bdi>Suzie</bdi></span> hello</p>', "@Suzie hello"),
        ("<ul><li>one</li><li>two &lt;b&gt; &amp; three</li></ul>", "one two <b> & three"),
        ('<p><a href="https://example.org/secret">here</a></p>', "here"),
        (f"<p>a{OPENS}b{CLOSES}c{GAP}</p>", "abc"),
        ("", ""),
    ):
        assert plain_text(body_html) == said


def test_a_query_keeps_its_first_eight_terms() -> None:
    for typed, kept in (
        ("one two", "one two"),
        ("1 2 3 4 5 6 7 8 9 10", "1 2 3 4 5 6 7 8 "),
        ("or " * 60, "or " * 60),
        ('"((( -', '"((( -'),
        ("a or b OR c", "a or b OR c"),
    ):
        assert kept_terms(typed) == kept


def test_hits_are_told_by_their_places() -> None:
    marked = f"{OPENS}judge{CLOSES} was{GAP}a {OPENS}judge{CLOSES}"
    whole = snippet_of(marked, "judge was here and there, a judge")
    assert whole == ("judge was … a judge", [(0, 5), (14, 19)])
    assert whole.parts == [("judge", True), (" was … a ", False), ("judge", True)]
    cut = snippet_of(marked, "The judge was here and there, a judge, you see")
    assert cut == ("… judge was … a judge …", [(2, 7), (16, 21)])


def test_one_slip_is_one_letter() -> None:
    for typed, meant, is_one in (
        ("assesment", "assessment", True),
        ("assesssment", "assessment", True),
        ("assassment", "assessment", True),
        ("assessmetn", "assessment", True),
        ("assesmnet", "assessment", False),
        ("conference", "conference", False),
        ("tpyo", "typo", True),
        ("tpoy", "typo", False),
    ):
        assert is_one_slip(typed, meant) is is_one, (typed, meant)
        assert not is_one or variants(typed) & variants(meant)
    assert best_guess("cuort", [("court", 3), ("count", 90)]) == "court"
    assert best_guess("cort", [("court", 3), ("sort", 90), ("cord", 2)]) == "court"
    assert best_guess("zebra", []) is None


@pytest.fixture
async def forum(services: Services) -> Services:
    """Two boards, a staff room, and who writes there."""
    await make.board(services)
    await make.board(services, "kinship")
    await make.board(services, "staff-room", readers=(Role.MODERATOR,))
    for handle in ("magpie", "heron"):
        await make.member(services, handle)
    await make.member(services, "ada", Role.ADVISER)
    await make.member(services, "femi", Role.MODERATOR)
    return services


async def test_what_is_found_where_and_in_which_order(forum: Services, guest: httpx.AsyncClient, app: FastAPI) -> None:
    long_ago = clock.now() - timedelta(days=40)
    first = await make.thread(forum, "magpie", title="A first conference", body="The **worker** came", at=long_ago)
    await make.post(forum, "heron", first, "> The worker came\n\nA conference, and a conference about conferences.")
    await make.post(forum, "ada", first, "Bring somebody to the conference.", content_warning="about meetings")
    await make.thread(
        forum, "heron", "kinship", title="Grandparents", body="No conference for us at all, I fear, none."
    )
    await make.thread(forum, "femi", "staff-room", title="Zebra", body="A zebra conference")
    await run_due_jobs(forum, clock.now())
    assert await numbers(guest, "workers") == [1]
    assert await numbers(guest, "conference") == [1, 3, 2]
    assert (await numbers(guest, "conference", sort="relevance"))[0] == 2
    assert await numbers(guest, "conference", board="new-here") == [3, 2]
    assert await numbers(guest, "conference", author="Heron") == [1, 2]
    assert await numbers(guest, "conference", by_advisers=True) == [3]
    assert await numbers(guest, "conference -grandparents", board="kinship") == [1]
    assert await numbers(guest, '"bring somebody"') == [3]
    assert await numbers(guest, "zebra or worker") == [1]
    assert await numbers(guest, "meetings") == [3]
    assert await numbers(guest, "-conference") == [1]
    yesterday = (clock.now() - timedelta(days=1)).date().isoformat()
    assert await numbers(guest, "worker", since=yesterday) == []
    assert await numbers(guest, "worker", until=yesterday) == [1]
    assert await titles(guest, "conference", in_titles=True) == await titles(guest, "conference")
    assert await titles(guest, "zebra") == []
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert await titles(suzie, "zebra") == ["Zebra"]
        assert await numbers(suzie, "zebra") == [1]
        assert (await results(suzie, "conference", board="staff-room"))["search"]["board"] == "staff-room"
        assert (await suzie.put(f"{API}/me/ignored/heron")).status_code == 204
        found = await results(suzie, "conferences", author="heron")
        assert {post["is_ignored"] for post in found["items"]} == {True}
    assert (await results(guest, "the and of"))["hint"] == "too_common"
    [warned] = (await results(guest, "bring"))["items"]
    assert warned["content_warning"] == "about meetings"
    assert warned["snippet"] == {"text": "Bring somebody to the conference.", "spans": [[0, 5]]}


async def test_days_without_a_day_before_or_after_them_bound_nothing(forum: Services, guest: httpx.AsyncClient) -> None:
    await make.thread(forum, "magpie", body="A narwhal.")
    await run_due_jobs(forum, clock.now())
    assert await numbers(guest, "narwhal", since="0001-01-01", until="9999-12-31") == [1]


async def test_what_one_cannot_read_crowds_out_nothing(
    forum: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "ENOUGH_TO_RANK", 1)
    statements.select_best.cache_clear()
    await make.thread(forum, "femi", "staff-room", body="Judge. Judge. Judge.")
    await make.thread(forum, "magpie", body="I wonder what a judge would say to me about all of this.")
    await run_due_jobs(forum, clock.now())
    try:
        assert await numbers(guest, "judge", sort="relevance") == [1]
    finally:
        statements.select_best.cache_clear()


async def test_pages_go_on_until_all_is_seen(forum: Services, guest: httpx.AsyncClient) -> None:
    thread = await make.thread(forum, "magpie", body="judge one")
    for number in range(2, 46):
        await make.post(forum, "heron", thread, f"judge {number}")
    await run_due_jobs(forum, clock.now())
    for sort in ("newest", "relevance"):
        url: str | None = (await guest.post(f"{API}/searches", json={"query": "judge", "sort": sort})).headers[
            "location"
        ]
        seen = list[int]()
        while url:
            page = await guest.get(url)
            seen += [post["number"] for post in page.json()["items"]]
            url = page.links["next"]["url"] if "next" in page.links else None
        assert sorted(seen) == list(range(1, 46))
        assert sort == "relevance" or seen == sorted(seen, reverse=True)


async def test_bad_input_and_searches_of_others(forum: Services, guest: httpx.AsyncClient, app: FastAPI) -> None:
    for wanted, code in (
        ({"query": ""}, "blank"),
        ({"query": "x" * 201}, "too_long"),
        ({"query": "a", "board": "no-board"}, "unknown_board"),
        ({"query": "a", "board": "staff-room"}, "unknown_board"),
        ({"query": "a", "author": "nobody"}, "unknown_author"),
        ({"query": "a", "since": "2026-02-02", "until": "2026-02-01"}, "days_crossed"),
    ):
        refused = await guest.post(f"{API}/searches", json=wanted)
        assert refused.status_code == 422, wanted
        assert refused.json()["errors"][0]["code"] == code
    for odd in (
        '"((( -',
        " ".join(["OR"] * 60),
        "!!!",
        "a:b & | <-> *",
        "'; DROP",
        "\\",
        "😀",
        "-",
        "don't",
        "a" * 200,
    ):
        assert (await results(guest, odd))["items"] == []
    made = await guest.post(f"{API}/searches", json={"query": "judge"})
    assert (await guest.get(f"{made.headers['location']}?after=abc")).status_code == 422
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "heron") as heron:
        assert (await heron.get(made.headers["location"])).status_code == 200
        own = (await magpie.post(f"{API}/searches", json={"query": "judge", "author": "heron"})).headers["location"]
        assert (await magpie.get(own)).status_code == 200
        for other in (heron, guest):
            assert (await other.get(own)).json()["code"] == "search_not_found"
        async with forum.database.work() as session:
            viewer = await make.viewer(forum, "magpie")
            [section] = await export_searches(session, viewer, clock.now())
            assert [item["query"] for item in section.items] == ["judge"]
            await forget_searches(session, {}, clock.now() + timedelta(minutes=61))
        assert await sql(forum, "SELECT * FROM search") == []
        assert (await magpie.get(own)).status_code == 404


async def test_a_search_that_takes_too_long_ends(
    forum: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await guest.post(f"{API}/searches", json={"query": "judge"})
    slow = text("SELECT set_config('statement_timeout', '20', true)")
    monkeypatch.setattr(queries, "_RULES", slow)
    monkeypatch.setattr(queries, "_PARSE", text("SELECT pg_sleep(5), :typed"))
    answer = await guest.get(made.headers["location"])
    assert (answer.status_code, answer.json()["code"]) == (503, "search_too_long")
    assert answer.headers["Retry-After"] == "1"


async def test_what_changes_leaves_at_once_and_comes_back_later(
    forum: Services, guest: httpx.AsyncClient, app: FastAPI
) -> None:
    thread = await make.thread(forum, "magpie", title="About a wombat", body="The wombat is mine.")
    post = await make.post(forum, "magpie", thread, "Another wombat.")
    await run_due_jobs(forum, clock.now())
    assert await numbers(guest, "wombat") == [2, 1]
    async with forum.database.work() as session:
        locked = await lock_post_row(session, post.id)
        await set_visibility(session, locked, Visibility.HELD, clock.now(), held_because="Wait")
    async with make.signed_in(app, "magpie") as magpie:
        assert await numbers(magpie, "wombat") == [1]
        edit = {"revision": 1, "body_markdown": "The quokka is mine."}
        first = (await magpie.get(f"{API}/threads/{thread}/posts")).json()["items"][0]["id"]
        assert (await magpie.patch(f"{API}/posts/{first}", json=edit)).status_code == 200
        assert await numbers(magpie, "wombat") == []
        await magpie.patch(f"{API}/threads/{thread}", json={"version": 1, "title": "About a quokka"})
        assert await titles(magpie, "wombat") == []
    async with forum.database.work() as session:
        await set_visibility(session, await lock_post_row(session, post.id), Visibility.VISIBLE, clock.now())
    assert await numbers(guest, "wombat") == []
    await run_due_jobs(forum, clock.now())
    assert await numbers(guest, "wombat") == [2]
    assert (await numbers(guest, "quokka"), await titles(guest, "quokka")) == ([1], ["About a quokka"])
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        moved = {"version": (await suzie.get(f"{API}/threads/{thread}")).json()["version"], "board": "staff-room"}
        assert (await suzie.put(f"{API}/threads/{thread}/board", json=moved)).status_code == 200
        assert (await numbers(guest, "quokka"), await titles(guest, "quokka")) == ([], [])
        await run_due_jobs(forum, clock.now())
        assert await numbers(suzie, "quokka", board="staff-room") == [1]


async def test_an_existing_forum_is_indexed_from_the_newest_down_and_anew_in_another_language(
    forum: Services, guest: httpx.AsyncClient
) -> None:
    thread = await make.thread(forum, "magpie", title="Wombats", body="Two wombats")
    await make.post(forum, "magpie", thread, "Three wombats")
    for table in ("unindexed_post", "unindexed_thread", "post_search", "thread_search"):
        await sql(forum, f"DELETE FROM {table}")
    await sql(forum, "UPDATE search_progress SET posts_below = 3, threads_below = 2")
    await run_due_jobs(forum, clock.now())
    assert (await numbers(guest, "wombat"), await titles(guest, "wombat")) == ([2, 1], ["Wombats"])
    plain = Settings(database_url=forum.settings.database_url, search_language="simple")
    async with forum.database.work() as session:
        await make_language_setter(plain)(session, {}, clock.now())
    await run_due_jobs(forum, clock.now())
    assert (await numbers(guest, "wombat"), await numbers(guest, "wombats")) == ([], [2, 1])


async def test_a_word_is_suggested_that_several_people_wrote_where_guests_read(
    forum: Services, guest: httpx.AsyncClient
) -> None:
    thread = await make.thread(forum, "magpie", body="The assessment begins.")
    hidden = await make.thread(forum, "femi", "staff-room", body="A zirconium assessment.")
    for author in ("magpie", "heron", "ada", "heron"):
        await make.post(forum, author, thread, "An assessment, and a solitary")
        await make.post(forum, "femi", hidden, "zirconium")
    for _ in range(5):
        await make.post(forum, "heron", thread, "A peculiar thing")
    await run_due_jobs(forum, clock.now())
    async with forum.database.work() as session:
        await collect_words(session, {}, clock.now())
        assert [await spelling.guess_word(session, word) for word in ("assesment", "zirconum", "peculair")] == [
            "assessment",
            None,
            None,
        ]
    assert (await results(guest, "The assesment"))["suggestion"] == "The assessment"
    assert (await results(guest, "assesment", board="kinship"))["suggestion"] is None
    assert (await results(guest, "assessment"))["suggestion"] is None
    await sql(forum, "UPDATE post SET body_html = '<p>gone</p>', body_markdown = 'gone' WHERE number > 3")
    assert (await results(guest, "assesment"))["suggestion"] == "assessment"
    async with forum.database.work() as session:
        await collect_words(session, {}, clock.now())
    assert await sql(forum, "SELECT * FROM search_word WHERE word = 'assessment'") == []
    assert await sql(forum, "SELECT * FROM search_spelling WHERE word = 'assessment'") == []


async def test_threads_like_a_title(forum: Services, app: FastAPI, guest: httpx.AsyncClient) -> None:
    for title in ("What happens at a first conference?", "A conference about my grandson", "Rain", "School run"):
        await make.thread(forum, "magpie", title=title)
    await make.thread(forum, "femi", "staff-room", title="The first conference of theirs")
    await run_due_jobs(forum, clock.now())
    asked = {"title": "My first child protection conference"}
    async with make.signed_in(app, "heron") as heron:
        found = await heron.post(f"{API}/boards/new-here/similar", json=asked)
        assert [item["title"] for item in found.json()["items"]] == [
            "What happens at a first conference?",
            "A conference about my grandson",
        ]
        assert (await heron.post(f"{API}/boards/staff-room/similar", json=asked)).status_code == 404
        assert (await heron.post(f"{API}/boards/new-here/similar", json={"title": "x"})).status_code == 422
    assert (await guest.post(f"{API}/boards/new-here/similar", json=asked)).status_code == 401


async def test_no_word_that_was_taken_out_comes_back(forum: Services) -> None:
    """Writers, who take a word out and put another in, race with indexers; each commit is checked by a reader."""
    thread = await make.thread(forum, "magpie", body="word0")
    posts = [1, *[(await make.post(forum, "magpie", thread, "word0")).id for _ in range(3)]]
    now = dict.fromkeys(posts, 0)
    stale, checks, ended = 0, 0, asyncio.Event()

    async def write(post_id: int) -> None:
        nonlocal stale, checks
        for number in range(1, 26):
            async with forum.database.work() as session:
                post = await lock_post_row(session, post_id)
                post.body_markdown, post.body_html = f"word{number}", f"<p>word{number}</p>"
                await session.flush()
                await asyncio.sleep(0.002 * (number % 3))
            now[post_id] = number
            rows = await sql(forum, "SELECT words::text FROM post_search WHERE post_id = :id", id=post_id)
            stale += any(f"'word{number}'" not in row.words for row in rows)
            checks += 1

    async def index() -> None:
        while not ended.is_set():
            async with forum.database.work() as session:
                await index_posts(session, clock.now())

    indexers = [asyncio.create_task(index()) for _ in range(2)]
    await asyncio.gather(*(write(post_id) for post_id in posts))
    ended.set()
    await asyncio.gather(*indexers)
    await run_due_jobs(forum, clock.now())
    assert (stale, checks) == (0, 100)
    left = await sql(forum, "SELECT post_id, words::text FROM post_search ORDER BY post_id")
    assert [row.words for row in left] == ["'word25':1"] * len(posts)
