"""The question before publication on pages: calm, with the words marked, and nothing that was typed is lost."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.web.support import fields_of, form, parsed, text_of

NUMBER, OTHER = "07700 900123", "07700 900456"
WORDS = f"Ring me on {NUMBER}, any evening."


@pytest.fixture
async def thread(services: Services) -> int:
    """A thread on a board that members read."""
    await make.board(services, "lounge", readers=("member",))
    await make.member(services, "heron")
    return await make.thread(services, "heron", "lounge", body="Who is there at night?")


async def write(client: httpx.AsyncClient, path: str, **typed: Any) -> httpx.Response:
    """Type into a form and send it; the page to which it leads."""
    sent = await form(client, await client.get(path), path, **typed)
    return await client.get(sent.headers["Location"]) if sent.status_code == 303 else sent


def answer_of(page: httpx.Response) -> str:
    """The value of the button that posts the words as they are."""
    buttons = (button for button in parsed(page.text).iter("button") if button.get("name") == "confirm")
    return next(buttons).get("value", "")


def marked(page: httpx.Response) -> list[str]:
    return ["".join(mark.itertext()) for mark in parsed(page.text).iter("mark")]


async def test_a_reply_is_asked_about_changed_or_posted_as_it_is(app: FastAPI, services: Services, thread: int) -> None:
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        asked = await write(magpie, path, body_markdown=WORDS, do="send")
        said = text_of(asked.text)
        assert "Before you send it" in said
        assert "Anybody who reads it can ring it." in said
        assert (marked(asked), fields_of(asked.text, path)["body_markdown"]) == ([NUMBER], WORDS)
        # Other words: only what is new is asked about.
        more = f"{WORDS} Or on {OTHER}."
        sent = await form(magpie, asked, path, body_markdown=more, confirm=answer_of(asked))
        again = await magpie.get(sent.headers["Location"])
        assert marked(again) == [NUMBER, OTHER]
        assert fields_of(again.text, path)["body_markdown"] == more
        confirm = answer_of(again)
        taps = await asyncio.gather(*(form(magpie, again, path, confirm=confirm) for _ in range(3)))
        assert {tap.headers["Location"] for tap in taps} == {f"/threads/{thread}?done=sent#post-2"}
        assert "answer" not in text_of((await magpie.get(path)).text).lower() or marked(await magpie.get(path)) == []
    assert await scenes.sql(services, "SELECT count(*) FROM post") == [(2,)]


async def test_how_it_looks_shows_it_too(app: FastAPI, services: Services, thread: int) -> None:
    path = "/boards/lounge/new"
    async with make.signed_in(app, "magpie") as magpie:
        looked = await write(magpie, path, title="My insta is @wren_84", body_markdown=WORDS, do="look")
        assert marked(looked) == ["@wren_84", NUMBER]
        opened = await form(magpie, looked, path, confirm=answer_of(looked))
        assert "done=opened" in opened.headers["Location"]


async def test_a_new_title_is_asked_about(app: FastAPI, services: Services, thread: int) -> None:
    path = f"/threads/{thread}/title"
    async with make.signed_in(app, "heron") as heron:
        asked = await write(heron, path, title=f"Ring {NUMBER}")
        assert (asked.status_code, marked(asked)) == (422, [NUMBER])
        assert fields_of(asked.text, path)["title"] == f"Ring {NUMBER}"
        done = await form(heron, asked, path, confirm=answer_of(asked))
        assert "done=retitled" in done.headers["Location"]


async def test_an_administrator_chooses_what_people_are_asked_about(
    app: FastAPI, services: Services, thread: int
) -> None:
    path, known = "/admin/boards/lounge/details", "/admin/known-details"
    async with make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada, make.signed_in(app, "magpie") as magpie:
        fields = fields_of((await ada.get(path)).text, path)
        effects = ["tell" if kind == "telephone" else effect for kind, effect in zip(*fields.values(), strict=True)]
        assert "Saved" in text_of((await write(ada, path, effect=effects)).text)
        wrote = await write(magpie, f"/threads/{thread}/reply", body_markdown=WORDS, do="send")
        assert NUMBER in text_of(wrote.text)
        added = await write(ada, known, words="sam@example.org", note="Ours")
        assert "sam@example.org" in text_of(added.text)
        wrote = await write(magpie, f"/threads/{thread}/reply", body_markdown="Write to SAM@example.org", do="send")
        assert "done=sent" in str(wrote.url)
        delete = next(
            one.get("action", "") for one in parsed(added.text).iter("form") if "delete" in one.get("action", "")
        )
        gone = await form(ada, added, delete)
        assert "There is nothing here yet" in text_of((await ada.get(gone.headers["Location"])).text)
        assert "Write something here first" in text_of((await write(ada, known, words="...")).text)
