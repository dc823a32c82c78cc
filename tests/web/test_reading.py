"""Reading without an account: boards, a board, a thread; and a reply by somebody who signed in on the page."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core.database import Reader
from forum.http.services import Services
from tests.forum.members.test_personas import give_alias
from tests.support import make
from tests.web.support import form, text_of

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


async def test_a_guest_finds_the_way_from_the_boards_to_a_reply(services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", "new-here")
    first = await guest.get("/")
    assert first.status_code == 200
    assert 'href="/boards/new-here"' in first.text
    board = await guest.get("/boards/new-here")
    assert f'href="/threads/{thread}"' in board.text
    read = await guest.get(f"/threads/{thread}")
    assert read.headers["ETag"].startswith("W/")
    again = await guest.get(f"/threads/{thread}", headers={"If-None-Match": read.headers["ETag"]})
    assert again.status_code == 304
    assert "heron" in text_of(read.text).lower()


async def test_a_page_of_a_thread_is_read_in_one_statement(
    services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    for number in range(2, 23):
        await make.post(services, "heron", thread, f"Post {number}")
    statements, run = [], Reader._fetch

    async def counted(reader: Reader, sql: str, arguments: Sequence[Any]) -> Sequence[Any]:
        # Beside it: a note of the commit before, the version of what is read, the glossary, and who helps elsewhere.
        if not any(other in sql for other in ("pg_notify", "page_version", "glossary_term", "resource_on_thread")):
            statements.append(sql)
        return await run(reader, sql, arguments)

    monkeypatch.setattr(Reader, "_fetch", counted)
    for path, title in ((f"/threads/{thread}", "Post 20"), (f"/threads/{thread}?start=21", "Post 22")):
        read = text_of((await guest.get(path)).text)
        assert title in read
        assert "New-Here" in read
    assert len(statements) == 2
    beyond = text_of((await guest.get(f"/threads/{thread}?start=41")).text)
    assert "A question" in beyond
    assert "Post 22" not in beyond
    for nothing in (f"/threads/{thread + 1}", f"/threads/{thread + 1}?start=41"):
        assert (await guest.get(nothing)).status_code == 404


async def test_what_was_written_under_an_alias_is_its_authors_own(app: FastAPI, services: Services) -> None:
    await make.board(services)
    for handle in ("heron", "magpie"):
        await make.member(services, handle)
    thread = await make.thread(services, "heron")
    await give_alias(services, "heron", thread, "A walker")
    for handle, is_own in (("heron", True), ("magpie", False)):
        async with make.signed_in(app, handle) as client:
            page = await client.get(f"/threads/{thread}")
            [post] = (await client.get(f"/api/v1/threads/{thread}/posts")).json()["items"]
        assert (f'href="/posts/{post["id"]}/edit"' in page.text) == is_own
        assert (f'href="/posts/{post["id"]}/report"' in page.text) != is_own


async def test_a_member_signs_in_and_replies(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", "new-here")
    asked = await guest.get(f"/threads/{thread}/reply")
    assert asked.status_code == 303
    page = await guest.get(asked.headers["Location"])
    signed = await form(guest, page, "/sign-in", login="heron", password=make.PASSWORD)
    assert signed.status_code == 303, text_of(signed.text)
    assert signed.headers["Location"] == f"/threads/{thread}/reply?done=signed-in"
    writing = await guest.get(f"/threads/{thread}/reply")
    sent = await form(guest, writing, f"/threads/{thread}/reply", body_markdown="Here\r\nI am.")
    assert sent.status_code == 303, text_of(sent.text)
    assert sent.headers["Location"] == f"/threads/{thread}?done=sent#post-2"
    assert "Here\nI am." in text_of((await guest.get(f"/threads/{thread}")).text)


async def test_what_was_written_after_the_session_ended_is_not_lost(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", "new-here")
    words = "It took me an hour to write <this>."
    refused = await guest.post(f"/threads/{thread}/reply", data={"body_markdown": words}, headers=SAME_SITE)
    assert refused.status_code == 401
    assert words in text_of(refused.text)
    kept = await form(guest, refused, "/sign-in", login="heron", password=make.PASSWORD)
    assert words in text_of(kept.text)
    sent = await form(guest, kept, f"/threads/{thread}/reply")
    assert sent.status_code == 303, text_of(sent.text)
    assert words in text_of((await guest.get(f"/threads/{thread}")).text)


async def test_what_was_made_for_one_reader_is_not_shown_to_another_or_once_it_has_changed(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron", "new-here")
        path = f"/threads/{thread}"
        first, own, again = [await client.get(path) for client in (guest, heron, guest)]
        assert first.text == again.text != own.text
        assert f'action="{path}/reply"' in own.text
        assert f'action="{path}/reply"' not in again.text
        plain = await guest.get(path, headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        assert plain.text == first.text
        assert (await guest.get(path, headers={"Cookie": "__Host-forum-look=size=large"})).text != first.text
        await make.post(services, "heron", thread, "It went well.")
        changed = await guest.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200
        assert "It went well." in text_of(changed.text)


async def test_a_form_of_another_site_is_refused_also_without_a_session(guest: httpx.AsyncClient) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {}):
        sent = await guest.post("/sign-in", data={"login": "heron", "password": make.PASSWORD}, headers=headers)
        assert sent.status_code == 403


async def test_what_is_not_here_says_so_in_the_house_s_layout(guest: httpx.AsyncClient) -> None:
    for path in ("/threads/4711", "/threads/none", "/nothing", "/boards/Not-A-Slug"):
        missing = await guest.get(path)
        assert missing.status_code == 404
        assert "not here, or not for you" in text_of(missing.text)
    assert (await guest.get("/api/v1/nothing")).headers["Content-Type"] == "application/problem+json"
