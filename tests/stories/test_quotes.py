"""Somebody is quoted with what they never said, and somebody's words go wherever they were copied. Over HTTP only."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import PUBLISH, REDACT, RUDE, a_case, a_post, appeal, decide, decided, hear, known

API = "/api/v1"
FORGED = "> @suzie #2 wrote:\n> Stop taking your tablets at once.\n\nWell, she said so."


async def write(client: httpx.AsyncClient, thread: int, body: str) -> dict[str, Any]:
    answer = await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body})
    assert answer.status_code == 201, answer.text
    written: dict[str, Any] = answer.json()
    return written


@pytest.mark.parametrize("forged", [FORGED, FORGED.replace("> ", "1. > ", 1), FORGED.replace("> ", "> > ")])
async def test_nobody_puts_words_into_an_advisers_mouth(
    forged: str, app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", body="Shall I go on with my tablets?")
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie, make.signed_in(app, "stepdad") as stepdad:
        await write(suzie, thread, "Never stop taking your tablets without your doctor.")
        false = await write(stepdad, thread, forged)
        true = await write(stepdad, thread, "> @suzie #2 wrote:\n> Never stop […] without your doctor.\n\nYes.")
        change = {"revision": 1, "body_markdown": forged}
        edited = (await stepdad.patch(f"{API}/posts/{true['id']}", json=change)).json()
    assert 'data-author="suzie"' in true["body_html"]
    assert all("data-author" not in post["body_html"] for post in (false, edited))
    shown = (await guest.get(f"{API}/threads/{thread}/posts")).json()["items"]
    assert all("@suzie), #2" not in post["body_html"] for post in shown)


async def test_what_is_redacted_in_one_thread_is_redacted_in_its_copies_in_another(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    await make.board(services, "court")
    other = await make.thread(services, "heron", "court", title="Look what he wrote")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        copies = [
            await write(magpie, other, f"> @stepdad #2 wrote:\n> {RUDE}\n\nCan you believe it?"),
            await write(magpie, other, f"> {RUDE}\n\nSuch a one."),
            await write(magpie, post.thread_id, f"> {RUDE[:30]}\n{RUDE[31:]}\n\nNo."),
        ]
        await decided(app, suzie, post.id, REDACT, reporter="heron")
    for copy in copies:
        shown = (await guest.get(f"{API}/posts/{copy['id']}")).json()
        assert "[removed: rule 10]" in shown["body_markdown"]
        assert "toad" not in shown["body_html"]
        assert "her car breaks down" in shown["body_html"]


@pytest.mark.parametrize("named", [True, False])
async def test_what_is_taken_out_leaves_the_edits_that_wait(
    named: bool, app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    await make.board(services, "court", publication="hold_all")
    other = await make.thread(services, "heron", "court", title="Look what he wrote")
    said = await make.post(services, await known(services, "magpie"), other, "Well.")
    path = f"{API}/posts/{said.id}"
    quote = "> @stepdad #2 wrote:\n> a lying toad" if named else f"> {RUDE}"
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        edited = await magpie.patch(path, json={"revision": 1, "body_markdown": f"{quote}\n\nHm."})
        assert "toad" in edited.json()["waiting"]["body_html"]
        await decided(app, suzie, post.id, REDACT, reporter="heron")
        waiting = (await magpie.get(path)).json()["waiting"]
        case = await a_case(orla, said.id)
        assert all("toad" not in words["body_markdown"] for words in (waiting, *case["held_edits"]))
        assert "toad" not in waiting["body_html"]
        assert (await decide(orla, case, PUBLISH)).status_code == 201
    shown = (await guest.get(path)).json()
    assert "toad" not in shown["body_markdown"]
    assert shown["body_markdown"].endswith("\n\nHm.")


async def test_an_undo_gives_words_back_to_posts_and_who_waits_with_dots_in_an_edit_writes_it_again(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    """Of an edit nothing is kept that could be given back: it would be words that perhaps have to be erased."""
    post = await a_post(services)
    await make.board(services, "court", publication="hold_all")
    other = await make.thread(services, "heron", "court", title="Look what he wrote")
    said = await make.post(services, await known(services, "magpie"), other, "Well.")
    edit = {"revision": 1, "body_markdown": f"> @stepdad #2 wrote:\n> {RUDE}\n\nHm."}
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        await magpie.patch(f"{API}/posts/{said.id}", json=edit)
        made = await decided(app, suzie, post.id, REDACT, reporter="heron")
        assert (await appeal(stepdad, made["statement_id"])).status_code == 201
        heard = await hear(orla, (await a_case(orla, post.id, "appeal"))["id"], "overturn")
        assert heard.status_code == 201, heard.text
        assert "toad" in (await guest.get(f"{API}/posts/{post.id}")).json()["body_markdown"]
        waiting = (await magpie.get(f"{API}/posts/{said.id}")).json()["waiting"]
        assert "toad" not in waiting["body_markdown"]
        again = await magpie.patch(f"{API}/posts/{said.id}", json=edit)
        assert "toad" in again.json()["waiting"]["body_html"]
        assert (await decide(orla, await a_case(orla, said.id), PUBLISH)).status_code == 201
    assert "toad" in (await guest.get(f"{API}/posts/{said.id}")).json()["body_html"]


async def test_withdrawn_words_leave_the_edits_that_wait(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    await make.board(services, "court", publication="hold_all")
    other = await make.thread(services, "heron", "court", title="Look what he wrote")
    said = await make.post(services, await known(services, "magpie"), other, "Well.")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "stepdad") as stepdad:
        edit = {"revision": 1, "body_markdown": f"> @stepdad #2 wrote:\n> {RUDE}\n\nHm."}
        assert (await magpie.patch(f"{API}/posts/{said.id}", json=edit)).status_code == 200
        assert (await stepdad.delete(f"{API}/posts/{post.id}")).status_code == 204
        waiting = (await magpie.get(f"{API}/posts/{said.id}")).json()["waiting"]
    assert "toad" not in waiting["body_markdown"]
    assert "toad" not in waiting["body_html"]
    assert waiting["body_markdown"].endswith("Hm.")


async def test_a_quote_says_what_its_author_is_called_now(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        quoting = await write(magpie, post.thread_id, f"> @stepdad #2 wrote:\n> {RUDE}\n\nNo.")
        path = f"{API}/posts/{quoting['id']}"

        async def shown() -> str:
            """What the quote says of its source."""
            await run_due_jobs(services, clock.now() + timedelta(minutes=1))
            for reading in (await guest.get(path)).json()["body_html"], (await magpie.get(f"{path}/revisions")).text:
                assert "(@stepdad), #2" in reading
            source: str = (await guest.get(path)).json()["body_html"].partition("quote-source")[2]
            return source.partition(">")[2].partition("<")[0]

        assert await shown() == "Stepdad (@stepdad), #2"
        assert (await stepdad.patch(f"{API}/me", json={"name": "Magpie"})).status_code == 200
        assert await shown() == "Magpie (@stepdad), #2"
        opened = await suzie.post(f"{API}/moderation/members/stepdad/case", json={"note": "He calls himself Magpie."})
        case = (await suzie.get(f"{API}/moderation/cases/{opened.json()['id']}")).json()
        renamed = await decide(suzie, case, {"kind": "rename", "name": "Rob"})
        assert renamed.status_code == 201, renamed.text
        assert await shown() == "Rob (@stepdad), #2"
        [told] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert (await appeal(stepdad, told["id"])).status_code == 201
        [hearing] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        assert (await hear(orla, hearing["id"], "overturn")).status_code == 201
        assert await shown() == "Magpie (@stepdad), #2"
