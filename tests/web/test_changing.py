"""Changing what is there: a post, with both texts where somebody else changed it too; a title; a thread."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from forum.content.posts import actions
from forum.content.posts.draft import Draft
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import REDACT, RUDE, a_post, decided
from tests.web.support import fields_of, form, text_of
from tests.web.test_writing import bodies, drafts, page_of, write

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def thread(services: Services) -> int:
    """A thread of Heron's."""
    await make.board(services)
    await make.member(services, "heron")
    return await make.thread(services, "heron", body="Hello all.")


async def change(services: Services, body: str) -> None:
    """Heron changes post 1 on another device."""
    viewer = await make.viewer(services, "heron")
    async with make.work(services) as work:
        await actions.edit_post(work, viewer, 1, 1, Draft(body))


async def test_a_post_is_changed_and_says_before_what_it_said(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        assert 'href="/posts/1/edit"' in (await heron.get(f"/threads/{thread}")).text
        assert 'href="/posts/1/edit"' not in (await magpie.get(f"/threads/{thread}")).text
        page = await heron.get("/posts/1/edit")
        assert fields_of(page.text, "/posts/1/edit")["body_markdown"] == "Hello all."
        taps = await asyncio.gather(
            *(form(heron, page, "/posts/1/edit", body_markdown="Good evening.", do="send") for _ in range(4))
        )
        assert {(tap.status_code, tap.headers["Location"]) for tap in taps} == {
            (303, f"/threads/{thread}?done=changed#post-1")
        }
        read = await heron.get(f"/threads/{thread}")
        assert 'href="/posts/1/versions"' in read.text
        versions = text_of((await heron.get("/posts/1/versions")).text)
        assert versions.index("Good evening.") < versions.index("Hello all.")
        assert (await magpie.get("/posts/1/edit")).status_code == 403
        assert (await magpie.get("/posts/1/versions")).status_code == 403
    assert await drafts(services) == []


async def test_nothing_is_overwritten_and_nothing_is_lost(app: FastAPI, services: Services, thread: int) -> None:
    path = "/posts/1/edit"
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get(path)
        await change(services, "Hello all, from my laptop.")
        refused = await form(heron, page, path, body_markdown="Hello all, from my phone.", do="send")
        assert await bodies(services) == ["Hello all, from my laptop."]
        compared = await page_of(heron, refused)
        said = text_of(compared.text)
        assert "perhaps by you on another device" in said
        assert "taken out: laptop" in said
        assert "added: phone" in said
        fields = fields_of(compared.text, path)
        assert (fields["body_markdown"], fields["revision"]) == ("Hello all, from my phone.", "2")
        sent = await form(heron, compared, path, body_markdown="Hello all, from both.", do="send")
        assert "done=changed" in sent.headers["Location"]
    assert await bodies(services) == ["Hello all, from both."]


async def test_a_change_by_a_moderator_is_named(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    path = f"/posts/{post.id}/edit"
    async with make.signed_in(app, "stepdad") as author, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        page = await author.get(path)
        await decided(app, orla, post.id, REDACT)
        refused = await form(author, page, path, body_markdown=RUDE + " Really.", do="send")
        compared = await page_of(author, refused)
        assert "Orla changed this post meanwhile" in text_of(compared.text)
        assert fields_of(compared.text, path)["body_markdown"] == RUDE + " Really."


async def test_a_change_that_waits_is_shown_to_its_author(settings: Settings, services: Services, thread: int) -> None:
    gate = make.HoldingGate("HOLD")
    async with make.application(settings, gate) as app, make.signed_in(app, "heron") as heron:
        sent = await write(heron, "/posts/1/edit", body_markdown="HOLD this", do="send")
        assert "done=waits" in sent.headers["Location"]
        assert "Your change waits for a moderator" in text_of((await page_of(heron, sent)).text)
        page = await heron.get("/posts/1/edit")
        assert fields_of(page.text, "/posts/1/edit")["body_markdown"] == "HOLD this"
        assert "waits for a moderator" in text_of(page.text)
    assert await bodies(services) == ["Hello all."]


async def test_a_post_is_taken_back_after_a_question(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        post = await make.post(services, "heron", thread, "I should not have said that.")
        path = f"/posts/{post.id}/withdraw"
        page = await heron.get(path)
        assert "You cannot undo this" in text_of(page.text)
        assert (await magpie.get(path)).status_code == 403
        gone = await page_of(heron, await form(heron, page, path))
        assert "You have taken your post back" in text_of(gone.text)
        assert "I should not have said that" not in text_of((await magpie.get(f"/threads/{thread}")).text)
        # Twice is once.
        assert (await heron.post(path, data={"back": "https://evil.example"}, headers=SAME_SITE)).status_code == 303


async def test_a_title_is_changed_or_waits(settings: Settings, services: Services, thread: int) -> None:
    path = f"/threads/{thread}/title"
    async with (
        make.application(settings, make.HoldingGate("HOLD")) as app,
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
    ):
        assert f'href="{path}"' in (await heron.get(f"/threads/{thread}")).text
        assert f'href="{path}"' not in (await magpie.get(f"/threads/{thread}")).text
        first = await heron.get(path)
        short = await form(heron, first, path, title="Hm")
        assert (short.status_code, fields_of(short.text, path)["title"]) == (422, "Hm")
        assert "This is too short" in text_of(short.text)
        assert "Earlier titles" not in text_of((await heron.get(f"/threads/{thread}")).text)
        changed = await page_of(heron, await form(heron, first, path, title="What happens there?"))
        assert "What happens there?" in changed.text
        assert f'href="{path}s"' in changed.text
        titles = text_of((await heron.get(f"{path}s")).text)
        assert titles.index("What happens there?") < titles.index("A question")
        assert (await magpie.get(f"{path}s")).status_code == 403
        waits = await page_of(heron, await write(heron, path, title="HOLD this"))
        assert "“HOLD this” waits for a moderator" in text_of(waits.text)
        assert "HOLD" not in (await magpie.get(f"/threads/{thread}")).text
        assert (await magpie.get(path)).status_code == 403


async def test_a_moderator_closes_keeps_and_moves_a_thread(app: FastAPI, services: Services, thread: int) -> None:
    await make.board(services, "court")
    care = f"/threads/{thread}/care"
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        assert f'href="{care}"' in (await suzie.get(f"/threads/{thread}")).text
        assert (await magpie.get(care)).status_code == 403
        assert (await magpie.post(f"/threads/{thread}/lock", headers=SAME_SITE)).status_code == 403

        async def done(what: str, **typed: str) -> httpx.Response:
            return await page_of(suzie, await form(suzie, await suzie.get(care), f"/threads/{thread}/{what}", **typed))

        await done("lock", reason="We read it first.")
        closed = await magpie.get(f"/threads/{thread}")
        assert "We read it first." in text_of(closed.text)
        assert ">Answer<" not in closed.text
        await done("unlock")
        assert "Write a reply" in text_of((await magpie.get(f"/threads/{thread}")).text)
        assert "stays at the top" in text_of((await done("pin")).text)
        await done("unpin")
        stale = await suzie.get(care)
        assert 'href="/boards/court"' in (await done("move", board="court")).text
        again = await form(suzie, stale, f"/threads/{thread}/move", board="court")
        assert again.status_code == 422
        assert "Somebody changed this" in text_of(again.text)
