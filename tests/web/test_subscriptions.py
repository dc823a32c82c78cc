"""The switch on threads and boards, what happened in words, and the page of what one is told of."""

import re

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.web.support import form
from tests.web.support import text_of as lines_of

API = "/api/v1"


def text_of(html: str) -> str:
    """What a page says, as one line."""
    return " ".join(lines_of(html).split())


async def page_of(client: httpx.AsyncClient, path: str) -> httpx.Response:
    page = await client.get(path)
    assert page.status_code == 200, page.text
    return page


async def test_one_tap_follows_a_thread_and_another_does_not(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie")
    path = f"/threads/{thread}"
    async with make.signed_in(app, "heron") as heron, make.client(app) as guest:
        assert "Notifications o" not in text_of((await page_of(guest, path)).text)
        page = await page_of(heron, path)
        assert "You are told only when somebody answers or names you here." in text_of(page.text)
        switched = await form(heron, page, f"{path}/subscription")
        assert switched.headers["Location"] == f"{path}?done=told"
        page = await page_of(heron, path)
        assert "You are told of each new post here. Notifications off" in text_of(page.text)
        switched = await form(heron, page, f"{path}/subscription")
        assert switched.headers["Location"] == f"{path}?done=not-told"
        page = await page_of(heron, path)
        assert "not even when somebody answers you. Notifications on Only when somebody answers me" in text_of(
            page.text
        )
        switched = await form(heron, page, f"{path}/subscription/forget")
        assert switched.headers["Location"] == f"{path}?done=told-as-usual"
        page = await page_of(heron, path)
        assert "You are told only when somebody answers or names you here. Notifications on" in text_of(page.text)
        # From the second page of a thread, and from the advisers' replies, one goes on there.
        for place in (f"{path}?start=21", f"{path}?advisers=yes", "/boards/new-here?state=any"):
            for before in ("", "&done=told"):
                page = await page_of(heron, place + before)
                switched = await form(heron, page, f"{place.partition('?')[0]}/subscription")
                assert re.fullmatch(re.escape(place) + r"&done=(not-)?told", switched.headers["Location"])


async def test_the_page_of_what_one_is_told_of_has_every_switch(app: FastAPI, services: Services) -> None:
    await make.board(services, name="New here")
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie", title="An evening")
    async with make.signed_in(app, "heron") as heron:
        listed = "/me/subscriptions"
        assert "no thread and no board yet" in text_of((await page_of(heron, listed)).text)
        await form(heron, await page_of(heron, "/boards/new-here"), "/boards/new-here/subscription")
        await make.post(services, "heron", thread)
        page = await page_of(heron, listed)
        assert "An evening New here You are told of each new post here. You wrote in this thread." in text_of(page.text)
        for place in (f"/threads/{thread}", "/boards/new-here"):
            switched = await form(heron, page, f"{place}/subscription")
            assert switched.headers["Location"] == f"{listed}?done=not-told"
        said = text_of((await page_of(heron, listed)).text)
        assert "The whole board You are told of new posts here only in threads that you follow." in said
        assert "An evening New here You are told of nothing here." in said
        assert "An evening" not in text_of((await page_of(heron, "/me/threads?kind=followed")).text)
        page = await page_of(heron, listed)
        for place in (f"/threads/{thread}", "/boards/new-here"):
            assert (await form(heron, page, f"{place}/subscription/forget")).status_code == 303
        assert "no thread and no board yet" in text_of((await page_of(heron, listed)).text)


async def test_what_happened_says_how_many_posts_are_new_and_goes_on_at_the_first(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    await make.member(services, "suzie", Role.ADVISER)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron", title="100 % sure?")
        await run_due_jobs(services, clock.now())
        for _ in range(20):
            await make.post(services, "heron", thread)
        for body in ("I see", "Yes", "No", "@heron, are you?"):
            await make.post(services, "magpie", thread, body)
        await make.post(services, "suzie", thread)
        await run_due_jobs(services, clock.now())
        page = await page_of(heron, "/me/notices")
        said = text_of(page.text)
        assert "An adviser answered you in “100 % sure?”." in said
        assert "Somebody named you in “100 % sure?”." in said
        assert "There are 3 new posts in “100 % sure?”." in said
        assert f'href="/threads/{thread}?start=21#post-22"' in page.text
        await form(heron, await page_of(heron, f"/threads/{thread}?start=21"), f"/threads/{thread}/read")
        assert "New" not in text_of((await page_of(heron, "/me/notices")).text).split("100 %")[0]
