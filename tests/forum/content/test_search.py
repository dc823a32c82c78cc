"""Search: what is found, by whom, and what leaves at once."""

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from tests.support import make
from tests.support.jobs import run_due_jobs

API = "/api/v1"


async def results(client: httpx.AsyncClient, query: str, **wanted: object) -> dict[str, object]:
    made = await client.post(f"{API}/searches", json={"query": query, **wanted})
    assert made.status_code == 201, made.text
    found = await client.get(made.headers["location"])
    assert found.status_code == 200, found.text
    body: dict[str, object] = found.json()
    return body


async def test_words_are_found(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie", title="A first conference", body="The **social worker** was late.")
    await make.post(services, "magpie", thread, "> The social worker was late\n\nShe apologised for the conference.")
    await run_due_jobs(services, clock.now())
    found = await results(guest, "workers")
    assert [(one["number"], one["snippet"]) for one in found["items"]] == [
        (1, {"text": "The social worker was late.", "spans": [[11, 17]]})
    ]
    assert (await results(guest, "conferences"))["threads"][0]["title"]["spans"] == [[8, 18]]
    assert [one["number"] for one in (await results(guest, "conference", sort="relevance"))["items"]] == [2]
