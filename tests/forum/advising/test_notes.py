"""What advisers note on a thread, who reads it, and how a thread comes to need no answer."""

from typing import Any

import httpx
from fastapi import FastAPI

from forum.administration import advisers
from forum.core import clock
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Role
from tests.support import make

API = "/api/v1"


async def test_advisers_of_one_organisation_and_leads_read_a_note_and_nobody_else(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    url = f"{API}/adviser/threads/{thread}/notes"
    await make.member(services, "marcus", Role.ADVISER)
    async with services.database.work() as session:
        await advisers.appoint(session, await get_member(session, "marcus"), "Adviser", "Another Charity", clock.now())
    async with (
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "nia", Role.ADVISER) as nia,
        make.signed_in(app, "marcus") as marcus,
        make.signed_in(app, "priya", Role.SAFEGUARDING_LEAD) as priya,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "heron") as heron,
    ):
        said = {"text": "I rang, as agreed."}
        written = [await suzie.post(url, json=said, headers={"Idempotency-Key": "once"}) for _ in range(2)]
        assert [answer.status_code for answer in written] == [201, 201]
        for reader, texts in ((suzie, ["I rang, as agreed."]), (nia, ["I rang, as agreed."]), (marcus, [])):
            assert [note["text"] for note in (await reader.get(url)).json()["items"]] == texts
        assert len((await priya.get(url)).json()["items"]) == 1
        for other in (orla, joan, heron):
            assert (await other.get(url)).status_code == 403
            assert (await other.post(url, json=said)).status_code == 403
        assert (await suzie.post(url, json={"text": " "})).status_code == 422
        assert (await suzie.post(url, json={"text": "a" * 2001})).status_code == 422


async def test_nobody_reads_notes_on_a_thread_of_their_own(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "nia", Role.ADVISER) as nia,
        make.signed_in(app, "priya", Role.SAFEGUARDING_LEAD) as priya,
    ):
        for opener, handle in ((suzie, "suzie"), (priya, "priya")):
            url = f"{API}/adviser/threads/{await make.thread(services, handle)}/notes"
            assert (await nia.post(url, json={"text": "I worry about them."})).status_code == 201
            assert (await opener.get(url)).json()["code"] == "own_thread"


async def test_a_thread_that_needs_no_answer_comes_back_when_somebody_asks(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    url = f"{API}/adviser/threads/{thread}/no-answer"
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie, make.signed_in(app, "magpie") as magpie:
        wanted: dict[str, Any] = {"version": 1, "reason": "answered_by_member", "note": "Biscuit tin said it all."}
        assert (await magpie.put(url, json=wanted)).status_code == 403
        assert (await suzie.put(url, json=wanted | {"reason": "late"})).status_code == 422
        assert (await suzie.put(url, json=wanted | {"version": 7})).json()["code"] == "thread_changed"
        assert await _waits(suzie) == [thread]
        await make.post(services, "heron", thread, "And can they do that?")
        assert (await suzie.put(url, json=wanted | {"up_to": 1})).status_code == 204
        assert await _waits(suzie) == [thread]  # what came since was not on the screen
        assert (await suzie.put(url, json=wanted)).status_code == 204
        assert await _waits(suzie) == []
        notes = (await suzie.get(f"{API}/adviser/threads/{thread}/notes")).json()["items"]
        assert {note["reason"] for note in notes} == {"answered_by_member"}
        await make.post(services, "heron", thread, "Is that so?")
        assert await _waits(suzie) == [thread]


async def _waits(adviser: httpx.AsyncClient) -> list[int]:
    return [item["id"] for item in (await adviser.get(f"{API}/adviser/threads")).json()["items"]]
