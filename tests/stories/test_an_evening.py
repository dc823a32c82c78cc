"""A member's evening: what is new, an answer of one's own, the answer to it, and on from there; few requests for it."""

import re
from typing import Any

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.web.support import form, parsed, text_of

API = "/api/v1"
REQUESTS, PAGES = 6, 3
NEW, NEW_POSTS = "New since you were here", "New posts"


async def a_thread(services: Services) -> int:
    """Heron's of last week, in which Magpie wrote since; Heron has read its first two posts."""
    await make.board(services)
    for handle in ("magpie", "heron"):
        await make.member(services, handle)
    thread = await make.thread(services, "heron", title="The letter came")
    for words in ("What does it say?", "Is it about Monday?", "We are here"):
        await make.post(services, "magpie", thread, words)
    await run_due_jobs(services, clock.now())
    return thread


async def answer(services: Services, thread: int) -> None:
    """Magpie's, half an hour later."""
    await run_due_jobs(services, clock.now())
    await make.post(services, "magpie", thread, "Then you have time. Sleep on it.", reply_to=5)
    await run_due_jobs(services, clock.now())


async def test_an_evening_takes_six_requests(app: FastAPI, services: Services) -> None:
    thread = await a_thread(services)
    async with make.signed_in(app, "heron") as heron:
        await heron.put(f"{API}/threads/{thread}/read", json={"number": 2})
        asked: list[str] = []

        async def ask(method: str, path: str, **sent: Any) -> Any:
            asked.append(f"{method} {path}")
            answered = await heron.request(method, f"{API}{path}", **sent)
            assert answered.is_success, answered.text
            return answered.json()

        home = await ask("GET", "/home")
        [new] = home["unread"]
        assert (new["id"], new["read_number"]) == (thread, 2)
        begin = new["read_number"] + 1
        page = await ask("GET", f"/threads/{thread}/posts?from={begin}")
        mine = await ask("GET", f"/threads/{thread}/mine?from={begin}")
        assert [post["number"] for post in page["items"]] == [3, 4]
        assert (mine["unread_from"], mine["may"]["reply"]["allowed"]) == (3, True)
        sent = await ask("POST", f"/threads/{thread}/posts", json={"body_markdown": "On Monday, yes", "reply_to": 4})
        await answer(services, thread)
        told = (await ask("GET", "/me/notifications"))["items"][0]
        assert (told["kind"], told["thread_id"], told["number"]) == ("reply", thread, sent["number"] + 1)
        page = await ask("GET", f"/threads/{thread}/posts?from={told['number']}")
        assert [post["body_markdown"] for post in page["items"]] == ["Then you have time. Sleep on it."]
        assert len(asked) <= REQUESTS
        # Whoever comes from elsewhere, by a notification, has all of a thread's page in two.
        there = await ask("GET", f"/threads/{thread}/mine?from={told['number']}")
        assert there["thread"] | {"resources": []} == (await heron.get(f"{API}/threads/{thread}")).json()
        # Read: nothing is new, and nothing is told any more.
        assert (await heron.put(f"{API}/threads/{thread}/read", json={"number": 6})).status_code == 204
        after = (await heron.get(f"{API}/home")).json()
        assert (after["unread"], after["unread_notifications"]) == ([], 0)


async def test_an_evening_takes_three_pages(app: FastAPI, services: Services) -> None:
    thread = await a_thread(services)
    async with make.signed_in(app, "heron") as heron:
        await heron.put(f"{API}/threads/{thread}/read", json={"number": 2})
        looked_at: list[str] = []
        first = await look(heron, "/", looked_at)
        page = await look(heron, link(first, "The letter came"), looked_at)
        assert NEW in text_of(page.text)
        sent = await form(heron, page, f"/threads/{thread}/reply", body_markdown="On Monday, yes", act="send")
        await look(heron, sent.headers["Location"], looked_at)
        await answer(services, thread)
        notices = await look(heron, "/me/notices", looked_at)
        there = await look(heron, link(notices, "The letter came"), looked_at)
        assert "Sleep on it" in text_of(there.text)
        assert len(set(looked_at)) <= PAGES, looked_at


async def test_after_all_is_marked_as_read_everything_is_calm(app: FastAPI, services: Services) -> None:
    thread = await a_thread(services)
    async with make.signed_in(app, "heron") as heron:
        places = ("/", "/boards/new-here", f"/threads/{thread}", "/me/threads", "/me/threads?kind=opened")
        assert NEW in text_of((await heron.get("/")).text)
        assert NEW_POSTS in text_of((await heron.get("/boards/new-here")).text)
        assert (await heron.put(f"{API}/me/threads/read")).status_code == 204
        home = (await heron.get(f"{API}/home")).json()
        assert (home["unread"], home["unread_notifications"]) == ([], 0)
        assert not any(board["has_news"] for board in home["boards"])
        assert not any(each["unread"] for each in home["newest"])
        [mark] = (await heron.get(f"{API}/me/marks", params={"thread": thread})).json()["items"]
        assert (mark["unread"], mark["unread_from"]) == (False, None)
        for place in places:
            words = text_of((await heron.get(place)).text)
            assert not [said for said in (NEW, NEW_POSTS, "Go on at", "Something happened") if said in words], place


async def look(client: httpx.AsyncClient, path: str, looked_at: list[str]) -> httpx.Response:
    """A page, after whatever only leads on to it, with its address noted."""
    answered = await client.get(path.partition("#")[0], follow_redirects=True)
    assert answered.status_code == 200, answered.text
    looked_at.append(answered.url.path)
    return answered


def link(page: httpx.Response, words: str) -> str:
    """The address of the first link to a thread with these words."""
    for each in parsed(page.text).iter("a"):
        address = each.get("href", "")
        if words in "".join(each.itertext()) and re.match("/threads/", address):
            return address
    raise AssertionError(f"There is no link to {words}")
