"""The pages of search."""

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.web.support import form, parsed, text_of


async def test_search_as_a_browser_does(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie", title="A first conference", body="The **social worker** was late.")
    await run_due_jobs(services, clock.now())
    page = await guest.get("/search")
    found = await form(guest, page, "/searches", query="workers")
    assert found.status_code == 303
    shown = await guest.get(found.headers["location"])
    assert shown.status_code == 200
    assert "<mark>worker</mark>" in shown.text
    assert "workers" not in found.headers["location"]
    parsed(shown.text)
    nothing = await guest.get((await form(guest, shown, "/searches", query="zebra")).headers["location"])
    assert "We found no post with all of these words" in text_of(nothing.text)
    refused = await form(guest, page, "/searches", query=" ", author="nobody")
    assert refused.status_code == 422
    assert thread
