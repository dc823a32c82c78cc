"""The queue, filtered and counted; and decided cases, newest first."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS


async def queue(client: httpx.AsyncClient, search: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{API}/moderation/cases?{search}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def counts(client: httpx.AsyncClient, search: str = "") -> dict[str, tuple[int, int]]:
    answer = await client.get(f"{API}/moderation/cases/counts?{search}")
    assert answer.status_code == 200, answer.text
    return {one["category"]: (one["cases"], one["late"]) for one in answer.json()["items"]}


async def test_the_queue_is_filtered_and_counted(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    first = await scenes.a_post(services)
    second = await make.post(services, "stepdad", first.thread_id, "Cheap loans! " * 40)
    there = await scenes.a_post(services, slug="court")
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "here", boards=("new-here",)) as here,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        await scenes.report(magpie, first.id)
        await scenes.report(magpie, second.id, category="spam", rules=[])
        await scenes.report(magpie, there.id, category="spam", rules=[])
        await suzie.put(f"{API}/moderation/cases/{(await scenes.a_case(suzie, second.id))['id']}/claim")
        assert [one["post_id"] for one in await queue(suzie)] == [first.id, second.id, there.id]
        assert [one["post_id"] for one in await queue(suzie, "category=spam")] == [second.id, there.id]
        assert [one["post_id"] for one in await queue(suzie, "board=court&category=spam")] == [there.id]
        assert [one["post_id"] for one in await queue(suzie, "claimed=me")] == [second.id]
        assert [one["post_id"] for one in await queue(suzie, "claimed=nobody")] == [first.id, there.id]
        assert await queue(suzie, "kind=appeal") == await queue(suzie, "board=nowhere") == []
        assert await queue(here, "claimed=me") == []
        assert len(await queue(suzie, "limit=1&category=spam")) == 1
        assert [len(one["excerpt"]) for one in await queue(suzie)] == [len(scenes.RUDE), 200, len(scenes.RUDE)]
        assert (await suzie.get(f"{API}/moderation/cases?claimed=others")).status_code == 422
        assert (await stepdad.get(f"{API}/moderation/cases/counts")).status_code == 403

        assert await counts(suzie) == {"rule": (1, 0), "spam": (2, 0)}
        assert await counts(here) == {"rule": (1, 0), "spam": (1, 0)}
        assert await counts(suzie, "claimed=nobody&board=court") == {"spam": (1, 0)}
        late = "UPDATE moderation_case SET due_at = now() - interval '1 hour' WHERE category = 'rule'"
        await scenes.sql(services, late)
        assert await counts(suzie) == {"rule": (1, 1), "spam": (2, 0)}


async def test_what_its_author_withdrew_is_no_excerpt(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        await scenes.report(magpie, post.id)
        await stepdad.delete(f"{API}/posts/{post.id}")
        assert [one["excerpt"] for one in await queue(suzie)] == [None]


async def test_decided_cases_are_listed_newest_first_page_by_page(app: FastAPI, services: Services) -> None:
    first = await scenes.a_post(services)
    posts = [first, *[await make.post(services, "stepdad", first.thread_id, f"Toad {n}") for n in range(3)]]
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        for post in posts[::-1]:
            await scenes.decided(app, suzie, post.id, DISMISS)
        waiting = await make.post(services, "stepdad", first.thread_id, "Frog")
        await scenes.report(magpie, waiting.id)
        seen, url = [], f"{API}/moderation/cases?state=decided&limit=3"
        while url:
            page = await suzie.get(url)
            seen += [case["post_id"] for case in page.json()["items"]]
            url = page.links["next"]["url"] if "next" in page.links else ""
        assert seen == [post.id for post in posts]
        assert await counts(suzie, "state=decided") == {"rule": (4, 0)}
        assert [case["post_id"] for case in await queue(suzie)] == [waiting.id]


@pytest.mark.parametrize("states", [("open", "decided"), ("decided", "open")])
async def test_a_cursor_of_open_cases_is_none_of_decided_ones(
    app: FastAPI, services: Services, states: tuple[str, str]
) -> None:
    first = await scenes.a_post(services)
    second = await make.post(services, "stepdad", first.thread_id, "Toad")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        for post in (first, second):
            if states[0] == "decided":
                await scenes.decided(app, suzie, post.id, DISMISS)
            else:
                await scenes.report(magpie, post.id)
        url = f"{API}/moderation/cases?limit=1&state="
        after = (await suzie.get(url + states[0])).json()["next"]
        assert (await suzie.get(f"{url}{states[0]}&after={after}")).status_code == 200
        assert (await suzie.get(f"{url}{states[1]}&after={after}")).json()["code"] == "unknown_cursor"
