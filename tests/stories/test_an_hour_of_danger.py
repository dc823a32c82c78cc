"""Somebody writes in an hour of danger: what they read, who is called, and what others do with their words."""

from datetime import timedelta
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API
from tests.web.support import form, text_of

CRY = "I've taken the tablets. I don't want to be here any more."


async def _unread(client: httpx.AsyncClient, services: Services) -> list[str]:
    await run_due_jobs(services, clock.now())
    items = (await client.get(f"{API}/me/notifications")).json()["items"]
    return [one["kind"] for one in items if one["read_at"] is None]


async def test_alone_at_three_on_a_board_that_holds_first_posts(app: FastAPI, services: Services) -> None:
    await make.board(services, publication="hold_newcomers")
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        page = await wren.get("/boards/new-here/new")
        sent = await form(wren, page, "/boards/new-here/new", title="I cannot sleep", body_markdown=CRY, do="send")
        assert sent.status_code == 303
        shown = await wren.get(sent.headers["Location"])
        said = text_of(shown.text)
        assert said.index("ring 999 now") < said.index("I've taken the tablets")
        assert "Nobody is promised to be reading here" in said
        assert "A moderator reads it first" in said
        assert shown.headers["Cache-Control"] == "no-store"
        path = sent.headers["Location"].partition("?")[0]
        assert (await suzie.get(path)).status_code == 404  # for its author alone
        assert await _unread(suzie, services) == ["case_urgent"]


async def test_a_cry_that_three_helpers_quote_calls_once(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        words = {"title": "I cannot sleep", "body_markdown": CRY}
        thread = (await wren.post(f"{API}/boards/new-here/threads", json=words)).json()["id"]
        assert await _unread(suzie, services) == ["case_urgent"]
        for helper in ("magpie", "robin", "heron"):
            async with make.signed_in(app, helper) as client:
                reply = {"body_markdown": f"> @wren #1\n> {CRY}\n\nStay with us. Ring 999, I am here."}
                answer = await client.post(f"{API}/threads/{thread}/posts", json=reply)
                assert (answer.status_code, answer.json()["help"]) == (201, None)
        assert await _unread(suzie, services) == ["case_urgent"]
        assert len((await suzie.get(f"{API}/moderation/cases")).json()["items"]) == 1


async def test_a_cry_in_a_closed_thread_is_kept_helped_and_read(app: FastAPI, services: Services) -> None:
    await make.board(services)
    thread = await make.thread(services, await scenes.known(services, "heron"))
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        page = await wren.get(f"/threads/{thread}/reply")
        await suzie.put(f"{API}/threads/{thread}/lock")
        sent = await form(wren, page, f"/threads/{thread}/reply", body_markdown=CRY, do="send")
        said = text_of((await wren.get(sent.headers["Location"])).text)
        assert "ring 999 now" in said
        assert CRY in said
        assert await _unread(suzie, services) == ["case_urgent"]
        [case] = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        assert CRY in text_of((await suzie.get(f"/moderation/cases/{case['id']}")).text)


async def test_the_second_moderator_is_called_after_ten_minutes(app: FastAPI, services: Services) -> None:
    await make.board(services)
    nights = {"weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}
    always = {**nights, "starts": "00:00", "ends": "00:00"}
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        version = (await joan.get(f"{API}/moderation/on-call")).json()["version"]
        rota = {"version": version, "items": [{"handle": "suzie", **always}, {"handle": "orla", **always}]}
        assert (await joan.put(f"{API}/moderation/on-call", json=rota)).status_code == 204
        words = {"title": "I cannot sleep", "body_markdown": CRY}
        opened = (await wren.post(f"{API}/boards/new-here/threads", json=words)).json()
        assert opened["help"]["watched"]["now"] is True
        assert await _unread(suzie, services) == ["case_urgent"]
        assert await _unread(orla, services) == ["case_waiting"]
        await run_due_jobs(services, clock.now() + timedelta(minutes=11), but=("send_mail", "watch_cases"))
        assert "case_urgent" in await _unread(orla, services)
        [case] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        path = f"/moderation/cases/{case['id']}"
        assert (await form(orla, await orla.get(path), f"{path}/claim")).status_code == 303
        said = text_of((await orla.get(path)).text)
        assert "Suzie was called: they are on call, by mail too. No answer yet." in said
        assert "Orla was called: they are on call, by mail too. Took it" in said


async def test_a_cry_is_answered_also_where_its_page_has_gone(app: FastAPI, services: Services) -> None:
    await make.board(services)
    thread = await make.thread(services, await scenes.known(services, "wren"))
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        page = await wren.get(f"/threads/{thread}/title")
        stale = await form(wren, page, f"/threads/{thread}/title", title=CRY, version="9")
        assert stale.status_code == 422
        assert "ring 999 now" in text_of(stale.text)
        headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
        gone = await wren.post("/threads/999/reply", content=urlencode({"body_markdown": CRY}), headers=headers)
        assert gone.status_code == 404
        assert "ring 999 now" in text_of(gone.text)
        [case] = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        assert case["dangers"] == ["attempt", "suicide"]


async def test_a_cry_that_no_action_reads_is_answered_with_help_too(app: FastAPI, services: Services) -> None:
    await make.board(services)
    thread = await make.thread(services, await scenes.known(services, "heron"))
    path, long = f"{API}/threads/{thread}/posts", f"{CRY} {'Word ' * 4_000}"
    async with make.client(app) as guest:
        ended = await guest.post(path, json={"body_markdown": CRY})
        assert (ended.status_code, ended.json()["help"]["kind"]) == (401, "attempt")
        assert "help" not in (await guest.post(path, json={"body_markdown": "Hello."})).json()
        assert "help" not in (await guest.post(path, content=b"{")).json()
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        refused = await wren.post(path, json={"body_markdown": long})
        assert (refused.status_code, refused.json()["help"]["level"]) == (422, "acute")
        assert refused.json()["errors"][0]["pointer"] == "#/body_markdown"
        assert await _unread(suzie, services) == ["case_urgent"]
