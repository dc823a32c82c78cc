"""The gate: who is published at once, who waits, and how a waiting post comes out."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.api.dependencies import House
from forum.members import Role
from tests import make
from tests.moderation import scenes
from tests.moderation.scenes import API, PUBLISH, REMOVE


async def opens(client: httpx.AsyncClient, body: str = "Hello", slug: str = "new-here") -> dict[str, Any]:
    """A thread that this member opens."""
    answer = await client.post(f"{API}/boards/{slug}/threads", json={"title": "A question", "body_markdown": body})
    assert answer.status_code == 201, answer.text
    thread: dict[str, Any] = answer.json()
    return thread


@pytest.fixture(autouse=True)
async def house_rules(house: House) -> None:
    """Decisions cite rule 10."""
    await scenes.house_rules(house)


@pytest.mark.parametrize(
    ("publication", "published_before", "roles", "visibility"),
    [
        ("at_once", 0, (), "visible"),
        ("hold_newcomers", 0, (), "held"),
        ("hold_newcomers", 2, (), "held"),
        ("hold_newcomers", 3, (), "visible"),
        ("hold_newcomers", 0, (Role.ADVISER,), "visible"),
        ("hold_all", 3, (), "held"),
        ("hold_all", 0, (Role.ADVISER,), "visible"),
        ("hold_all", 0, (Role.MODERATOR,), "visible"),
        ("hold_all", 0, (Role.ADMINISTRATOR,), "visible"),
    ],
)
async def test_who_waits(
    app: FastAPI, house: House, publication: str, published_before: int, roles: tuple[Role, ...], visibility: str
) -> None:
    await make.board(house, "lounge")
    await make.board(house, publication=publication)
    async with make.signed_in(app, "wren", *roles) as wren:
        for _ in range(published_before):
            await make.thread(house, "wren", "lounge")
        assert (await opens(wren))["first_post"]["visibility"] == visibility


async def test_a_moderator_of_one_board_never_waits(app: FastAPI, house: House) -> None:
    await make.board(house, publication="hold_all")
    async with make.signed_in(app, "here", boards=("new-here",)) as here:
        assert (await opens(here))["first_post"]["visibility"] == "visible"


async def test_a_held_thread_is_seen_by_its_author_and_moderators_only_until_it_is_published(
    app: FastAPI, house: House, guest: httpx.AsyncClient
) -> None:
    await make.board(house, "court")
    await make.board(house, publication="hold_all")
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "other", boards=("court",)) as other,
    ):
        thread = await opens(stepdad)
        post = thread["first_post"]
        assert post["held_because"]
        urls = (f"{API}/threads/{thread['id']}", f"{API}/posts/{post['id']}")
        for client, status in ((stepdad, 200), (suzie, 200), (magpie, 404), (other, 404), (guest, 404)):
            assert [(await client.get(url)).status_code for url in urls] == [status] * 2
        listing = f"{API}/boards/new-here/threads"
        assert (await guest.get(listing)).json()["items"] == []
        assert await kinds(stepdad) == ["post_held"]

        case = await scenes.a_case(suzie, post["id"])
        assert case["category"] == "held"
        assert (await scenes.decide(suzie, case, PUBLISH, rules=[])).status_code == 201
        for client in (stepdad, suzie, magpie, other, guest):
            assert [(await client.get(url)).status_code for url in urls] == [200] * 2
        [listed] = (await guest.get(listing)).json()["items"]
        assert (listed["id"], listed["posts"]) == (thread["id"], 1)
        assert await kinds(stepdad) == ["post_published", "post_held"]


async def test_a_double_click_publishes_once_and_the_post_keeps_its_number(
    app: FastAPI, house: House, guest: httpx.AsyncClient
) -> None:
    await make.board(house, publication="hold_all")
    await make.member(house, "heron")
    thread = await make.thread(house, "heron")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        held = (await stepdad.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Wait"})).json()
        await make.post(house, "heron", thread, "Anybody?")
        assert [one["number"] for one in await scenes.first_page(guest, thread)] == [1, 3]
        assert [one["number"] for one in await scenes.first_page(stepdad, thread)] == [1, 2, 3]
        case = await scenes.a_case(suzie, held["id"])
        clicks = await asyncio.gather(*(scenes.decide(suzie, case, PUBLISH) for _ in range(2)))
        assert sorted(one.status_code for one in clicks) == [201, 409]
        page = await scenes.first_page(guest, thread)
        assert [(one["number"], one["id"] == held["id"]) for one in page] == [(1, False), (2, True), (3, False)]
        assert (await kinds(stepdad)).count("post_published") == 1
        assert (await guest.get(f"{API}/threads/{thread}")).json()["posts"] == 3


async def test_a_held_post_that_is_removed_is_told_to_its_author_and_seen_by_nobody(
    app: FastAPI, house: House, guest: httpx.AsyncClient
) -> None:
    await make.board(house, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        thread = await opens(stepdad, "Toad")
        case = await scenes.a_case(suzie, thread["first_post"]["id"])
        assert (await scenes.decide(suzie, case, REMOVE)).status_code == 201
        assert await kinds(stepdad) == ["post_removed", "post_held"]
        assert (await guest.get(f"{API}/threads/{thread['id']}")).status_code == 404
        assert (await guest.get(f"{API}/boards/new-here/threads")).json()["items"] == []


async def test_an_edit_waits_like_a_new_post_and_opens_the_case_again(
    app: FastAPI, house: House, guest: httpx.AsyncClient
) -> None:
    await make.board(house, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        thread = await opens(stepdad)
        post = thread["first_post"]["id"]
        first = await scenes.a_case(suzie, post)
        await scenes.decide(suzie, first, PUBLISH)
        edited = await stepdad.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Toad"})
        assert edited.json()["visibility"] == "held"
        assert (await guest.get(f"{API}/posts/{post}")).status_code == 404
        again = await scenes.a_case(suzie, post)
        assert (again["id"], again["post_revision"]) == (first["id"], 2)
        assert (await scenes.decide(suzie, again, PUBLISH)).status_code == 201
        assert (await guest.get(f"{API}/posts/{post}")).json()["body_markdown"] == "Toad"


async def test_an_edit_while_it_waits_makes_an_approval_of_the_older_words_stale(app: FastAPI, house: House) -> None:
    await make.board(house, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        post = (await opens(stepdad))["first_post"]["id"]
        case = await scenes.a_case(suzie, post)
        await stepdad.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Toad"})
        assert (await scenes.decide(suzie, case, PUBLISH)).status_code == 409
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post), PUBLISH)).status_code == 201


async def test_only_a_held_post_can_be_published(app: FastAPI, house: House) -> None:
    post = await scenes.a_post(house)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.report(magpie, post.id)
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post.id), PUBLISH)).status_code == 409


async def kinds(client: httpx.AsyncClient) -> list[str]:
    """The kinds of this member's notifications, newest first."""
    return [item["kind"] for item in (await client.get(f"{API}/me/notifications")).json()["items"]]
