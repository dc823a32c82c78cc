"""Messages to the charity: from anybody, read and settled by moderators, and gone when nobody needs them."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.departure import delete_belongings
from forum.members.tables import Role, Standing
from tests.support import make
from tests.support.jobs import clean_up
from tests.support.scenes import API, sql
from tests.web.support import form, text_of

LOST = "I cannot sign in any more."
DANGER = "I want to kill myself tonight."


async def test_a_guest_writes_and_a_moderator_reads_and_settles_it(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    page = await guest.get("/contact")
    sent = await form(guest, page, "/contact", text=LOST, email="heron@example.org")
    assert sent.headers["Location"] == "/contact?done=written", text_of(sent.text)
    urgent = await form(guest, page, "/contact", text=DANGER, email="")
    assert urgent.headers["Location"] == "/contact?done=written-urgently"
    assert "116 123" in text_of((await guest.get(urgent.headers["Location"])).text)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        read = await orla.get("/moderation/messages")
        said = text_of(read.text)
        assert said.index(DANGER) < said.index(LOST)
        assert "heron@example.org" in said
        listed = (await orla.get(f"{API}/moderation/messages")).json()["items"]
        assert [(item["is_urgent"], item["author"]) for item in listed] == [(True, None), (False, None)]
        settle = f"/moderation/messages/{listed[0]['id']}/settled"
        assert (await form(orla, read, settle)).headers["Location"] == "/moderation/messages?done=message-settled"
        assert (await orla.put(f"{API}{settle}")).status_code == 204
        assert DANGER not in text_of((await orla.get("/moderation/messages")).text)
        none = f"{API}/moderation/messages/{'0' * 8}-0000-4000-8000-{'0' * 12}/settled"
        assert (await orla.put(none)).json()["code"] == "message_not_found"
    assert len(await sql(services, "SELECT 1 FROM audit_entry WHERE act = 'message.settled'")) == 1
    async with services.database.work() as session:
        await clean_up(session, clock.now() + timedelta(days=29))
    assert len(await sql(services, "SELECT 1 FROM contact_message")) == 2
    async with services.database.work() as session:
        await clean_up(session, clock.now() + timedelta(days=31))
    assert [row.text for row in await sql(services, "SELECT text FROM contact_message")] == [LOST]


async def test_the_same_message_sent_again_is_kept_once(services: Services, guest: httpx.AsyncClient) -> None:
    for _ in range(3):
        sent = await guest.post(f"{API}/contact", json={"text": LOST})
        assert sent.status_code == 201
        assert sent.json() == {"sounds_urgent": False}
    await guest.post(f"{API}/contact", json={"text": LOST, "email": "heron@example.org"})
    assert len(await sql(services, "SELECT 1 FROM contact_message")) == 2


async def test_a_member_in_any_standing_writes_and_what_they_wrote_goes_with_them(
    app: FastAPI, services: Services
) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await make.sanction(services, "heron", Standing.BANNED)
        page = await heron.get("/contact")
        assert (await form(heron, page, "/contact", text=LOST)).status_code == 303
        [item] = (await orla.get(f"{API}/moderation/messages")).json()["items"]
        assert item["author"]["handle"] == "heron"
        assert (await heron.get(f"{API}/moderation/messages")).status_code == 403
        assert (await heron.get("/moderation/messages")).status_code == 403
    [heron_id] = await sql(services, "SELECT id FROM member WHERE handle = 'heron'")
    async with services.database.work() as session:
        await delete_belongings(session, heron_id.id)
    assert not await sql(services, "SELECT 1 FROM contact_message")


@pytest.mark.parametrize(
    ("text", "email", "why"),
    [("", "", "Write something here first"), (LOST, "heron", "not right yet"), ("x" * 5001, "", "too long")],
)
async def test_what_cannot_be_sent_stays_in_the_form(guest: httpx.AsyncClient, text: str, email: str, why: str) -> None:
    refused = await form(guest, await guest.get("/contact"), "/contact", text=text, email=email)
    assert refused.status_code == 422
    assert why in text_of(refused.text)
    assert text in text_of(refused.text)


async def test_one_network_cannot_flood_the_charity(settings: Settings) -> None:
    few = settings.model_copy(update={"contact_limit": "2/1 hour"})
    async with make.application(few) as app, make.client(app) as guest:
        answers = [await guest.post(f"{API}/contact", json={"text": f"{LOST} {n}"}) for n in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        page = await guest.get("/contact")
        kept = await form(guest, page, "/contact", text=LOST)
        assert kept.status_code == 422
        assert LOST in text_of(kept.text)
