"""Posts: every character survives, every revision is kept, what was withdrawn is gone, and the counts are right."""

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from sqlmodel import col

from forum.content.lanes import Lane
from forum.content.posts.actions import change_words, reply, withdraw_post
from forum.content.posts.context import context_in_thread, context_of_post
from forum.content.posts.draft import Draft
from forum.content.posts.insertion import add_reply
from forum.content.posts.queries import get_post_in_transaction
from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import NEXT, SHOWN, Post, PostRevision, Visibility, Voice
from forum.content.posts.visibility import set_visibility
from forum.content.threads.actions import open_thread
from forum.content.threads.tables import Thread
from forum.core import clock
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.settings import Settings
from forum.core.text import carried, is_light
from forum.http.services import Services
from forum.members.tables import Role
from forum.members.viewer import Viewer
from tests.support import make
from tests.support.scenes import sql

API = "/api/v1"


async def _reply(client: httpx.AsyncClient, thread: int, body: str = "I see", **more: Any) -> httpx.Response:
    return await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body, **more})


async def _posts(client: httpx.AsyncClient, thread: int, **query: Any) -> list[dict[str, Any]]:
    page = await client.get(f"{API}/threads/{thread}/posts", params=query)
    assert page.status_code == 200, page.text
    items: list[dict[str, Any]] = page.json()["items"]
    return items


# Every character survives that a format can carry.

EVERY_PLANE = carried("".join(map(chr, [*range(0x20, 0xD800, 7), *range(0xE000, 0x110000, 127)])))
BODIES = [
    "They come on Monday 😟",
    "👩‍👩‍👧‍👦 👩🏽‍⚕️ 🏴󠁧󠁢󠁷󠁬󠁳󠁿 🏳️‍🌈 ☎︎ ☎️",
    "متى يأتون؟ \u200fיום שני\u200e and then \u2067מחר\u2069?",
    "Zoe\u0308 is not Zo\u00eb, and ﬁ is not fi, and Ⅳ is not IV",
    "\ufeffbyte order mark, \u00a0no-break\u202fspaces\u3000, \u200bnothing, \u00adsoft, \ufffd, \ufff9, \U0010fffd",
    "\n  Lines,\n\ttabs,\u2028\u2029 and spaces   \n\n",
    "1 < 2 && 'quotes' \"too\" \\ & &amp; <b>not bold</b> %s {0} $1 ; DROP TABLE post; --",
    "𝔖𝔬 𝓶𝓪𝓷𝔂 𝟙𝟚𝟛 🀄 𓀀 𠜎",
    "ก็ हिन्दी தமிழ் 한국어 ಠ_ಠ ‌‍",
    EVERY_PLANE,
]


async def test_what_was_written_is_what_is_read_to_the_last_character(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        for body in BODIES:
            thread = await make.thread(services, "heron")
            written = await _reply(heron, thread, body)
            assert written.status_code == 201, written.text
            assert written.json()["body_markdown"].encode() == body.encode()
            location = written.headers["location"]
            assert (await heron.get(location)).json() == make.as_read(written)
            edited = await heron.patch(location, json={"revision": 1, "body_markdown": body + "!"})
            assert edited.json()["body_markdown"].encode() == (body + "!").encode()
            revisions = (await heron.get(f"{location}/revisions")).json()["items"]
            assert [revision["body_markdown"] for revision in revisions] == [body, body + "!"]
            # Escaped as \uXXXX it is the same text.
            escaped = json.dumps({"body_markdown": body}, ensure_ascii=True)
            headers = {"Content-Type": "application/json"}
            again = await heron.post(f"{API}/threads/{thread}/posts", content=escaped, headers=headers)
            assert again.json()["body_markdown"].encode() == body.encode()


async def test_what_no_format_can_carry_is_left_out_and_a_line_end_is_a_line_end(
    app: FastAPI, services: Services
) -> None:
    """What is pasted from Word has U+000B where a line ends; what a terminal prints has escapes."""
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        written = await _reply(heron, thread, "They\r\ncame\x0bat\x1b[31m ten\x7f\uffff\U0010ffff.\r")
        assert written.json()["body_markdown"] == "They\ncame\nat[31m ten.\n"
        same = await heron.patch(written.headers["location"], json={"revision": 1, "body_markdown": "They\rcame"})
        assert same.json()["body_markdown"] == "They\ncame"
        again = await heron.patch(written.headers["location"], json={"revision": 2, "body_markdown": "They\r\ncame\b"})
        assert (again.status_code, again.json()["revision"]) == (200, 2)
        words = {"title": "\x01Monday\x9f, at\ufffe ten", "body_markdown": "\x02\x03"}
        refused = await heron.post(f"{API}/boards/new-here/threads", json=words)
        assert [fault["code"] for fault in refused.json()["errors"]] == ["blank"]
        opened = await heron.post(f"{API}/boards/new-here/threads", json=words | {"body_markdown": "Hello"})
        assert opened.json()["title"] == "Monday, at ten"


BLANK = [
    "\u200b",
    "\u3164 \u2800",
    "\u00ad",
    "\U000e0041\U000e0042",
    "\u0301",
    "&#8203;",
    "> ",
    "#",
    "```\n```",
    "- \n- &nbsp;",
]


async def test_a_post_has_something_that_can_be_seen(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = (await _posts(heron, thread))[0]["id"]
        words = {"title": "A question", "body_markdown": "Hello all"}
        for blank in BLANK:
            ways: list[tuple[str, str, dict[str, Any], list[str]]] = [
                ("POST", f"/threads/{thread}/posts", {"body_markdown": blank}, ["#/body_markdown"]),
                ("PATCH", f"/posts/{post}", {"revision": 1, "body_markdown": blank}, ["#/body_markdown"]),
                ("POST", "/boards/new-here/threads", words | {"body_markdown": blank}, ["#/body_markdown"]),
            ]
            is_markdown = any(mark in blank for mark in "&>#`-")
            if not is_markdown:
                ways += [
                    ("POST", "/boards/new-here/threads", words | {"title": blank * 3}, ["#/title"]),
                    ("PATCH", f"/threads/{thread}", {"version": 1, "title": blank * 3}, ["#/title"]),
                    ("POST", "/boards/new-here/threads", words | {"content_warning": blank}, ["#/content_warning"]),
                ]
            for method, path, sent, pointers in ways:
                answer = await heron.request(method, API + path, json=sent)
                assert answer.status_code == 422, (path, sent, answer.text)
                assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers, (path, sent)
        opened = await heron.post(
            f"{API}/boards/new-here/threads", json=words | {"title": " A \u202eques\u2066tion \u200f"}
        )
        assert opened.json()["title"] == "A question"


async def test_a_body_that_costs_much_is_rendered_and_screened_like_any_other(app: FastAPI, services: Services) -> None:
    await make.board(services)
    quote = "> @suzie and [more](https://help.example)\n\n"
    heavy = quote * 400
    async with make.signed_in(app, "heron") as heron:
        await make.member(services, "suzie")
        thread = await make.thread(services, "heron")
        sent = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": heavy})
        light = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": quote})
    assert not is_light(heavy)
    assert is_light(quote)
    assert sent.json()["body_html"].startswith(light.json()["body_html"].strip())
    assert sent.json()["body_html"].count("data-handle") == heavy.count("@suzie")


LENGTHS = [
    ("x", 201),
    ("x" * 20_000, 201),
    ("x" * 20_001, 422),
    ("😀" * 20_000, 201),
    ("😀" * 20_001, 422),
    ("", 422),
    (" \n\t\u00a0\u2003 ", 422),
    ("before\x00after", 422),
    ("half a surrogate pair: \ud83d", 422),
]


async def test_a_post_has_1_to_20_000_characters(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        for number, (body, status) in enumerate(LENGTHS):
            thread = await make.thread(services, "heron")
            post = (await _posts(heron, thread))[0]["id"]
            # As every \uXXXX escape: the longest that these characters can be on the wire.
            ways: list[tuple[str, str, dict[str, Any]]] = [
                ("POST", f"/threads/{thread}/posts", {}),
                ("POST", "/boards/new-here/threads", {"title": "A question"}),
                ("PATCH", f"/posts/{post}", {"revision": 1}),
                ("POST", "/previews", {}),
            ]
            for method, path, more in ways:
                content = json.dumps({"body_markdown": body, **more}, ensure_ascii=True)
                answer = await heron.request(
                    method, API + path, content=content, headers={"Content-Type": "application/json"}
                )
                made = 201 if path not in {f"/posts/{post}", "/previews"} else 200
                assert answer.status_code == (made if status == 201 else 422), (number, path, answer.text[:500])
                if status == 422:
                    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/body_markdown"], number


async def test_a_content_warning_is_one_line_of_1_to_100_characters(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        for warning in ("x", "x" * 100, "😀" * 100):
            answer = await _reply(heron, thread, content_warning=warning)
            assert (answer.status_code, answer.json()["content_warning"]) == (201, warning)
        for warning in ("x" * 101, "", "   ", "a\nb"):
            answer = await _reply(heron, thread, content_warning=warning)
            assert answer.status_code == 422, warning
            assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/content_warning"], warning


async def test_an_edit_says_anew_whether_there_is_a_content_warning(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = (await _reply(heron, thread, content_warning="about loss")).headers["location"]
        kept = await heron.patch(post, json={"revision": 1, "body_markdown": "I see", "content_warning": "about grief"})
        assert kept.json()["content_warning"] == "about grief"
        gone = await heron.patch(post, json={"revision": 2, "body_markdown": "I see"})
        assert gone.json()["content_warning"] is None
        revisions = (await heron.get(f"{post}/revisions")).json()["items"]
        assert [revision["content_warning"] for revision in revisions] == ["about loss", "about grief", None]


# Numbers and pages.


async def test_numbers_are_dense_however_many_write_at_once(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        thread = await make.thread(services, "heron")
        answers = await asyncio.gather(
            *(_reply((heron, magpie)[n % 2], thread, f"Reply {n}", reply_to=1) for n in range(30))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert sorted(answer.json()["number"] for answer in answers) == list(range(2, 32))
        read = await _posts(heron, thread, limit=100)
    assert [post["number"] for post in read] == list(range(1, 32))
    said = {answer.json()["number"]: answer.json()["body_markdown"] for answer in answers}
    assert [post["body_markdown"] for post in read[1:]] == [said[number] for number in range(2, 32)]


async def test_a_refused_reply_uses_no_number(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        assert (await _reply(heron, thread, reply_to=2)).status_code == 422
        assert (await _reply(heron, thread)).json()["number"] == 2


RANGES: list[tuple[dict[str, int], Sequence[int], bool]] = [
    ({}, range(1, 8), False),
    ({"limit": 3}, range(1, 4), True),
    ({"limit": 7}, range(1, 8), False),
    ({"limit": 6}, range(1, 7), True),
    ({"from": 5}, range(5, 8), False),
    ({"from": 5, "limit": 2}, range(5, 7), True),
    ({"from": 7, "limit": 1}, range(7, 8), False),
    ({"from": 8}, range(0), False),
    ({"from": 2**31 - 1, "limit": 100}, range(0), False),
]


async def test_a_page_is_a_range_of_numbers(services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    for _ in range(6):
        await make.post(services, "heron", thread)
    for query, numbers, goes_on in RANGES:
        answer = await guest.get(f"{API}/threads/{thread}/posts", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert [post["number"] for post in page["items"]] == list(numbers), query
        assert bool(page["next"]) == goes_on, query
        if goes_on:
            rest = await guest.get(f"{API}/threads/{thread}/posts", params={"after": page["next"]})
            assert [post["number"] for post in rest.json()["items"]] == list(range(numbers[-1] + 1, 8)), query


# What a reply refers to.


@pytest.mark.parametrize(
    ("reply_to", "status"), [(1, 201), (None, 201), (2, 201), (3, 422), (4, 422), (0, 422), (-1, 422), (2**31, 422)]
)
async def test_a_reply_answers_a_post_of_its_thread_also_one_withdrawn_meanwhile(
    reply_to: int | None, status: int, app: FastAPI, services: Services
) -> None:
    """Post 2 is withdrawn, 3 exists in another thread only."""
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        other, thread = await make.thread(services, "heron"), await make.thread(services, "heron")
        for _ in range(2):
            await _reply(heron, other)
        withdrawn = (await _reply(heron, thread)).headers["location"]
        assert (await heron.delete(withdrawn)).status_code == 204
        answer = await _reply(heron, thread, reply_to=reply_to)
        assert answer.status_code == status
        if status == 201:
            assert answer.json()["reply_to"] == reply_to
        else:
            assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/reply_to"]


@pytest.mark.parametrize(
    ("quote", "is_marked"),
    [
        ("> @magpie #2\n> I made tea", True),
        ("> @Magpie #2 wrote:\n> I made tea", True),
        ("> @heron #1:\n> Hello all", True),
        ("> @heron #2\n> I made tea", False),  # somebody else's
        ("> @magpie #1\n> Hello all", False),
        ("> @magpie #3\n> Taken back", False),  # withdrawn
        ("> @magpie #4\n> Not yet written", False),
        ("> @nobody-here #2\n> I made tea", False),
    ],
)
async def test_a_quote_names_a_post_only_when_it_is_that_authors_and_can_be_read(
    quote: str, is_marked: bool, app: FastAPI, services: Services
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        thread = await make.thread(services, "heron")
        await _reply(magpie, thread, "I made tea")
        await magpie.delete((await _reply(magpie, thread, "Taken back")).headers["location"])
        preview = await heron.post(f"{API}/previews", json={"body_markdown": quote, "thread_id": thread})
        written = (await _reply(heron, thread, quote)).json()
        edited = await heron.patch(f"{API}/posts/{written['id']}", json={"revision": 1, "body_markdown": quote})
    for html in (written["body_html"], preview.json()["body_html"], edited.json()["body_html"]):
        assert ("data-post" in html, "data-author" in html) == (is_marked, is_marked)


async def test_a_quote_in_a_new_thread_or_from_another_thread_stays_text(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        await make.post(services, "heron", await make.thread(services, "heron"), "I made tea")
        quote = "> @heron #2\n> I made tea"
        words = {"title": "A question", "body_markdown": quote}
        opened = (await heron.post(f"{API}/boards/new-here/threads", json=words)).json()
        answers = [opened["first_post"], (await _reply(heron, opened["id"], quote)).json()]
    assert all("data-post" not in post["body_html"] for post in answers)


async def test_a_mention_names_a_member_who_exists(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "zoë")
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        html = (await _reply(heron, thread, "Thank you @ZOË, and @nobody-here")).json()["body_html"]
    assert '<span class="mention" data-handle="zoë">@ZOË</span>' in html
    assert html.count("data-handle") == 1


async def test_nothing_of_a_preview_is_stored(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        wanted = {"body_markdown": "*Thinking* @heron", "thread_id": thread}
        html = (await heron.post(f"{API}/previews", json=wanted)).json()["body_html"]
        assert "<em>Thinking</em>" in html
        assert 'data-handle="heron"' in html
        assert [post["number"] for post in await _posts(heron, thread)] == [1]


@pytest.mark.parametrize(
    ("days_here", "roles", "links", "status"),
    [(2, (), 2, 201), (2, (), 3, 422), (4, (), 3, 201), (2, (Role.ADVISER,), 3, 201)],
)
async def test_a_newcomers_post_carries_at_most_two_links(
    days_here: int, roles: tuple[Role, ...], links: int, status: int, app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    body = " ".join(f"https://example.org/{n}" for n in range(links))
    async with make.signed_in(app, "nell", *roles, joined=timedelta(days=days_here)) as nell:
        mine = (await _reply(nell, thread)).headers["location"]
        answers = [
            await _reply(nell, thread, body),
            await nell.post(f"{API}/boards/new-here/threads", json={"title": "Look", "body_markdown": body}),
            await nell.patch(mine, json={"revision": 1, "body_markdown": body}),
        ]
    assert [answer.status_code for answer in answers] == ([201, 201, 200] if status == 201 else [422] * 3)
    if status == 422:
        assert all(answer.json()["errors"][0]["pointer"] == "#/body_markdown" for answer in answers)


# Edits.


async def test_an_edit_keeps_every_revision(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", boards=("new-here",)) as orla:
        thread = await make.thread(services, "heron")
        first = (await _reply(heron, thread, "One", reply_to=1)).json()
        assert (first["revision"], first["edited_at"]) == (1, None)
        path = f"{API}/posts/{first['id']}"
        second = (await heron.patch(path, json={"revision": 1, "body_markdown": "*Two*"})).json()
        third = make.as_read(await heron.patch(path, json={"revision": 2, "body_markdown": "Three"}))
        assert (second["revision"], third["revision"]) == (2, 3)
        assert (third["number"], third["reply_to"], third["created_at"]) == (2, 1, first["created_at"])
        assert first["created_at"] < second["edited_at"] < third["edited_at"]
        assert (await guest.get(path)).json() == third
        for reader in (heron, orla):
            answer = await reader.get(f"{path}/revisions")
            assert answer.headers["cache-control"] == "private, no-store"
            assert [
                (item["number"], item["body_markdown"], item["body_html"].strip(), item["written_at"])
                for item in answer.json()["items"]
            ] == [
                (1, "One", '<p dir="auto">One</p>', first["created_at"]),
                (2, "*Two*", '<p dir="auto"><em>Two</em></p>', second["edited_at"]),
                (3, "Three", '<p dir="auto">Three</p>', third["edited_at"]),
            ]


@pytest.mark.parametrize(
    ("handle", "roles", "boards", "edits", "withdraws", "reads"),
    [
        ("heron", (), (), 200, 204, 200),  # the author
        ("magpie", (), (), 403, 403, 403),
        ("suzie", (Role.ADVISER,), (), 403, 403, 403),
        ("joan", (Role.ADMINISTRATOR,), (), 403, 403, 403),
        ("femi", (), ("kinship",), 403, 403, 403),
        ("nell", (), ("new-here",), 403, 403, 200),
        ("orla", (Role.MODERATOR,), (), 403, 403, 200),
    ],
)
async def test_a_post_is_its_authors_and_its_revisions_are_for_the_moderators_too(
    handle: str,
    roles: tuple[Role, ...],
    boards: tuple[str, ...],
    edits: int,
    withdraws: int,
    reads: int,
    app: FastAPI,
    services: Services,
    guest: httpx.AsyncClient,
) -> None:
    await make.board(services)
    await make.board(services, "kinship")
    await make.member(services, "heron")
    post = f"{API}/posts/{(await _posts(guest, await make.thread(services, 'heron')))[0]['id']}"
    edit = {"revision": 1, "body_markdown": "Another"}
    async with make.signed_in(app, handle, *roles, boards=boards) as client:
        assert (await client.patch(post, json=edit)).status_code == edits
        assert (await client.get(f"{post}/revisions")).status_code == reads
        assert (await client.delete(post)).status_code == withdraws
    assert [
        (await guest.patch(post, json=edit)).status_code,
        (await guest.get(f"{post}/revisions")).status_code,
        (await guest.delete(post)).status_code,
    ] == [401] * 3


async def test_an_edit_of_what_was_not_on_the_screen_is_refused(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = (await _reply(heron, thread, "One")).headers["location"]
        await heron.patch(post, json={"revision": 1, "body_markdown": "Two"})
        for revision in (1, 3):
            stale = await heron.patch(post, json={"revision": revision, "body_markdown": "Three"})
            assert stale.status_code == 409
            problem = stale.json()
            assert (problem["type"], problem["current"]) == ("/problems/stale", 2)
            assert problem["changed_by"] == {"handle": "heron", "name": "Heron", "title": None}  # one knows oneself
            edited_at = (await heron.get(post)).json()["edited_at"]
            assert datetime.fromisoformat(problem["changed_at"]) == datetime.fromisoformat(edited_at)
        unsaid = await heron.patch(post, json={"body_markdown": "Three"})
        assert (unsaid.status_code, unsaid.json()["errors"][0]["pointer"]) == (422, "#/revision")
        assert (await heron.get(post)).json()["body_markdown"] == "Two"


async def test_an_edit_to_the_words_that_are_there_changes_nothing_however_often_it_is_sent(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        post = (await _reply(heron, await make.thread(services, "heron"), "At first")).headers["location"]
        words = {"revision": 1, "body_markdown": "At last", "content_warning": "about loss"}
        done = await heron.patch(post, json=words)
        for revision in (1, 2, 7):  # the first answer was lost in a tunnel
            again = await heron.patch(post, json={**words, "revision": revision})
            assert (again.status_code, again.json()) == (200, done.json())
        assert (await heron.patch(post, json={**words, "content_warning": None})).status_code == 409
        revisions = (await heron.get(f"{post}/revisions")).json()["items"]
        assert [item["number"] for item in revisions] == [1, 2]


async def test_of_two_edits_at_once_one_is_refused_and_nothing_is_lost(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = (await _reply(heron, thread, "At first")).headers["location"]
        answers = await asyncio.gather(
            *(heron.patch(post, json={"revision": 1, "body_markdown": body}) for body in ("One", "Two", "Three"))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
        won = next(answer.json() for answer in answers if answer.status_code == 200)
        revisions = (await heron.get(f"{post}/revisions")).json()["items"]
        assert [item["body_markdown"] for item in revisions] == ["At first", won["body_markdown"]]


async def test_nobody_waits_to_answer_a_post_that_is_being_edited(services: Services) -> None:
    """Were the two to wait for each other's rows, one would be sent away with a deadlock."""
    await make.board(services)
    await make.member(services, "heron")
    heron = await make.viewer(services, "heron")
    post = await make.post(services, "heron", await make.thread(services, "heron"))
    answer = Draft("Indeed", reply_to=post.number)
    async with services.database.work() as editing:
        held = await lock_post_row(editing, post.id)
        async with make.work(services) as work:
            await work.session.execute(text("SET LOCAL lock_timeout = '5s'"))
            written = (await reply(work, heron, post.thread_id, answer)).post
        await set_visibility(editing, held, Visibility.HELD, clock.now(), held_because="Reported")
    assert written.reply_to == 2
    await _check_counts(services, post.thread_id)


# Withdrawn: final, and without a word left.


async def test_a_withdrawn_post_is_a_tombstone_without_a_word_of_it_anywhere(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        thread = await make.thread(services, "heron", body="SECRET-one")
        first = (await _posts(heron, thread))[0]["id"]
        key = {"Idempotency-Key": "a-reply"}
        words = {"body_markdown": "SECRET-two", "content_warning": "SECRET-warning", "reply_to": 1}
        reply = (await heron.post(f"{API}/threads/{thread}/posts", json=words, headers=key)).json()["id"]
        await heron.patch(f"{API}/posts/{reply}", json={"revision": 1, "body_markdown": "SECRET-three"})
        await _reply(magpie, thread)  # so that the thread is still read
        for post in (first, reply):
            assert (await heron.delete(f"{API}/posts/{post}")).status_code == 204
            assert (await heron.delete(f"{API}/posts/{post}")).status_code == 204

        tombstone = {
            "id": reply,
            "thread_id": thread,
            "number": 2,
            "visibility": "withdrawn",
            "notice": {"kind": "withdrawn", "by": None, "rules": [], "text": "Withdrawn by its author"},
        }
        everywhere = [
            "/boards",
            "/boards/new-here",
            "/boards/new-here/threads",
            f"/threads/{thread}",
            f"/threads/{thread}/posts",
            f"/threads/{thread}/posts?from=2",
            f"/threads/{thread}/posts?adviser=true",
            f"/posts/{first}",
            f"/posts/{reply}",
            "/members/heron",
            "/adviser/threads",
        ]
        for reader in (guest, heron, magpie, suzie, orla):
            for path in everywhere:
                assert "SECRET" not in (await reader.get(API + path)).text, path
            assert (await reader.get(f"{API}/posts/{reply}")).json() == tombstone
            assert (await _posts(reader, thread))[1] == tombstone
        # Moderators read it on the screen of its case, and nowhere else.
        for reader in (heron, magpie, suzie, orla):
            answer = await reader.get(f"{API}/posts/{reply}/revisions")
            assert (answer.status_code, "SECRET" in answer.text) == (403, False)
        repeated = await heron.post(f"{API}/threads/{thread}/posts", json=words, headers=key)
        assert (repeated.status_code, make.as_read(repeated)) == (201, tombstone)


async def test_the_words_of_a_tombstone_do_not_even_leave_the_database(services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    heron = await make.viewer(services, "heron")
    post = await make.post(services, "heron", await make.thread(services, "heron"), "SECRET", content_warning="SECRET")
    for visibility in (Visibility.REMOVED, Visibility.WITHDRAWN):
        async with services.database.work() as session:
            state = update(Post).where(col(Post.id) == post.id).values(visibility=visibility)
            await session.execute(state)
            row = await get_post_in_transaction(session, heron, post.id)
        assert (row.body_markdown, row.body_html, row.content_warning) == (None, None, None)
        assert "SECRET" not in repr(row)


async def test_what_is_withdrawn_stays_withdrawn(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = (await _reply(heron, thread)).headers["location"]
        assert (await heron.delete(post)).status_code == 204
        edited = await heron.patch(post, json={"revision": 1, "body_markdown": "I am back"})
        assert (edited.status_code, edited.json()["detail"]) == (403, "This post was withdrawn.")
        assert (await heron.get(post)).json()["visibility"] == "withdrawn"


async def test_an_edit_that_was_on_its_way_when_the_post_was_withdrawn_is_refused(services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    heron = await make.viewer(services, "heron")
    post = await make.post(services, "heron", await make.thread(services, "heron"))
    async with make.work(services) as editing:
        context = await context_of_post(editing, heron, post.id, Draft("Again"))
        async with make.work(services) as work:
            await withdraw_post(work, heron, post.id)
        with pytest.raises(Conflict):
            await change_words(editing, heron, context, 1, Draft("Again"))


async def test_a_removed_post_is_not_the_authors_to_withdraw_or_edit(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        post = await make.post(services, "heron", await make.thread(services, "heron"), "SECRET")
        async with services.database.work() as session:
            await set_visibility(session, await session.get_one(Post, post.id), Visibility.REMOVED, clock.now())
        path = f"{API}/posts/{post.id}"
        assert (await heron.delete(path)).status_code == 409
        assert (await heron.patch(path, json={"revision": 1, "body_markdown": "Again"})).status_code == 403
        assert (await heron.get(f"{path}/revisions")).status_code == 403
        for reader in (guest, heron, orla):
            assert (await reader.get(path)).json() == {
                "id": post.id,
                "thread_id": post.thread_id,
                "number": 2,
                "visibility": "removed",
                "notice": {"kind": "removed", "by": None, "rules": [], "text": "Removed"},
            }
        assert "SECRET" in (await orla.get(f"{path}/revisions")).text


# The counts that a thread keeps are those that one would count.


def _counted(rows: Sequence[Post], opened_at: datetime) -> dict[str, Any]:
    """What a thread's row should say, counted from its posts by hand."""
    shown = sorted((row for row in rows if row.visibility == Visibility.VISIBLE), key=lambda row: row.number)
    advised = [row.number for row in shown if row.voice == Voice.ADVISER]
    replies = [number for number in advised if number > 1]
    unanswered = [row for row in shown if row.number > max(advised, default=0)]
    asked, news = ([row for row in unanswered if row.lane == lane] for lane in Lane)
    return {
        "last_number": len(rows),
        "posts": len(shown),
        "participants": len({row.author_id for row in shown}),
        "last_post_number": shown[-1].number if shown else None,
        "last_post_at": shown[-1].created_at if shown else opened_at,
        "last_post_by": shown[-1].author_id if shown else None,
        "adviser_replies": len(replies),
        "first_adviser_number": min(replies, default=None),
        "latest_adviser_number": max(replies, default=None),
        "asked_since": min((row.created_at for row in asked), default=None),
        "asked_number": min((row.number for row in asked), default=None),
        "news_since": max((row.created_at for row in news), default=None),
        "news_number": max((row.number for row in news), default=None),
    }


async def _check_counts(services: Services, thread_id: int) -> None:
    async with services.database.work() as session:
        thread = await session.get_one(Thread, thread_id)
        rows = (await session.execute(select(Post).where(col(Post.thread_id) == thread_id))).scalars().all()
    assert sorted(row.number for row in rows) == list(range(1, len(rows) + 1))
    expected = _counted(rows, thread.opened_at)
    assert {name: getattr(thread, name) for name in expected} == expected


async def _step(services: Services, dice: random.Random, people: Sequence[Viewer], thread: int, now: datetime) -> None:
    """One thing that may happen in a thread: a reply, an edit, a withdrawal, a decision."""
    async with make.work(services, now, make.HoldingGate()) as work:
        session = work.session
        rows = (await session.execute(select(Post).where(col(Post.thread_id) == thread))).scalars().all()
        post, person = dice.choice(rows), dice.choice(people)
        author = next(viewer for viewer in people if viewer.id == post.author_id)
        draft = Draft(dice.choice(["I see", "And now?", "It is so " * 20, "HOLD this"]))
        match dice.choice(["reply", "reply", "edit", "withdraw", "shift", "shift"]):
            case "reply":
                with suppress(NotFound, Conflict):  # with its posts, a thread can go out of sight
                    context = await context_in_thread(work, person, thread, draft)
                    await add_reply(work, person, context, draft)
            case "edit" if post.visibility in SHOWN:
                with suppress(NotFound):
                    there = await context_of_post(work, author, post.id, draft)
                    await change_words(work, author, there, post.revision, draft)
            case "withdraw" if post.visibility in SHOWN:
                with suppress(NotFound):
                    await withdraw_post(work, author, post.id)
            case "shift" if NEXT[Visibility(post.visibility)]:
                to = dice.choice(sorted(NEXT[Visibility(post.visibility)]))
                await set_visibility(
                    session, post, to, clock.now(), held_because="Reported" if to == Visibility.HELD else None
                )


async def test_a_reply_counts_on_from_what_others_wrote_since_it_read_the_thread(services: Services) -> None:
    await make.board(services)
    for handle in ("heron", "egret"):
        await make.member(services, handle)
    thread, heron = await make.thread(services, "heron"), await make.viewer(services, "heron")
    egret, numbers = await make.viewer(services, "egret"), list[int]()
    async with make.work(services) as waiting:
        then = await context_in_thread(waiting, heron, thread, Draft("I see, too"))
        async with make.work(services) as late:
            now = await context_in_thread(late, heron, thread, Draft("I see"))
            async with make.work(services) as first:
                unread = await context_in_thread(first, egret, thread, Draft("Hello"))
                assert [context.has_spoken for context in (then, now, unread)] == [True, True, False]
                numbers.append((await add_reply(first, egret, unread, Draft("Hello"))).number)
            # The thread was changed since, and of these two, one has it locked while the other asks for it.
            numbers.append((await add_reply(late, heron, now, Draft("I see"))).number)
            second = asyncio.create_task(add_reply(waiting, heron, then, Draft("I see, too")))
            await asyncio.sleep(0.05)
            assert not second.done()
        numbers.append((await second).number)
    assert numbers == [2, 3, 4]
    assert await sql(services, "SELECT posts, participants, last_number FROM thread") == [(4, 2, 4)]


@pytest.mark.parametrize("seed", range(6))
async def test_a_threads_counts_are_right_whatever_happens_to_its_posts(seed: int, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    await make.member(services, "magpie")
    await make.member(services, "suzie", Role.ADVISER)
    await make.member(services, "orla", Role.MODERATOR)
    people = [await make.viewer(services, handle) for handle in ("heron", "magpie", "suzie", "orla")]
    dice, now = random.Random(seed), clock.now() - timedelta(days=1)
    thread = await make.thread(services, people[seed % 4].handle or "", at=now)
    for step in range(1, 61):
        # Whoever waits for the thread's row writes later than they began: times need not follow numbers.
        await _step(services, dice, people, thread, now + timedelta(seconds=step + dice.choice([-2.5, 0, 0])))
        await _check_counts(services, thread)


async def test_a_busy_thread_neither_locks_itself_up_nor_miscounts(settings: Settings) -> None:
    """Replies, quotes, edits, withdrawals and held posts, all at once, over the wire."""
    async with make.application(settings, make.HoldingGate()) as app:
        services: Services = app.state.services
        await make.board(services)
        async with (
            make.signed_in(app, "heron") as heron,
            make.signed_in(app, "magpie") as magpie,
            make.signed_in(app, "suzie", Role.ADVISER) as suzie,
            make.signed_in(app, "orla", Role.MODERATOR) as orla,
        ):
            dice, clients = random.Random(4), (heron, magpie, suzie, orla)
            thread = await make.thread(services, "heron")
            mine: list[tuple[httpx.AsyncClient, str]] = []
            for client in clients * 3:
                mine.append((client, (await _reply(client, thread)).headers["location"]))

            async def act() -> int:
                author, post = dice.choice(mine)
                match dice.choice(["reply", "reply", "edit", "withdraw", "lock", "read"]):
                    case "reply":
                        body = dice.choice(["> @heron #1\n> Hello all\n\nYes, @magpie", "HOLD this"])
                        answer = await _reply(author, thread, body, reply_to=dice.choice([None, 1, 2, 3]))
                    case "edit":
                        body = dice.choice(["Better said", "HOLD this"])
                        answer = await author.patch(post, json={"revision": dice.choice([1, 2]), "body_markdown": body})
                    case "withdraw":
                        answer = await author.delete(post)
                    case "lock":
                        method = dice.choice(["PUT", "DELETE"])
                        answer = await orla.request(method, f"{API}/threads/{thread}/pin")
                    case _:
                        answer = await author.get(f"{API}/threads/{thread}/posts?limit=100")
                return answer.status_code

            for _ in range(4):
                answered = await asyncio.gather(*(act() for _ in range(30)))
                assert set(answered) <= {200, 201, 204, 403, 409, 422}
                await _check_counts(services, thread)
        async with services.database.work() as session:
            kept = select(Post.revision, func.count(col(PostRevision.number)), func.max(PostRevision.number))
            joined = kept.outerjoin(PostRevision, col(PostRevision.post_id) == col(Post.id))
            rows = (await session.execute(joined.group_by(col(Post.id), col(Post.revision)))).all()
        assert all(earlier == revision - 1 for revision, earlier, _ in rows)
        assert any(revision > 1 for revision, _, _ in rows)


async def test_the_first_post_of_a_thread_answers_nothing(services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    heron, draft = await make.viewer(services, "heron"), Draft("Hello", reply_to=1)
    async with make.work(services) as work:
        with pytest.raises(Invalid):
            await open_thread(work, heron, "new-here", "A question", draft)
