"""Messages to the charity: from anybody, read and settled by moderators, and gone when nobody needs them."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.departure import delete_belongings
from forum.members.tables import Role, Standing
from tests.support import mailbox, make
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


async def test_a_cry_that_comes_too_often_is_answered_with_help_and_read(settings: Settings) -> None:
    few = settings.model_copy(update={"contact_limit": "1/1 hour"})
    async with make.application(few) as app, make.signed_in(app, "wren") as wren, make.client(app) as guest:
        await write(wren, LOST)
        for client in (guest, wren):
            refused = await client.post(f"{API}/contact", json={"text": DANGER})
            assert (refused.status_code, refused.json()["help"]["kind"]) == (429, "suicide")
        page = await form(guest, await guest.get("/contact"), "/contact", text=DANGER)
        assert text_of(page.text).count("Samaritans") >= 1
        async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
            [case] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
            assert (case["kind"], case["dangers"]) == ("member", ["suicide"])


async def told(app: FastAPI, handle: str) -> list[str]:
    """What somebody was told, newest first."""
    async with make.signed_in(app, handle) as client:
        return [item["kind"] for item in (await client.get(f"{API}/me/notifications")).json()["items"]]


async def write(client: httpx.AsyncClient, text: str, **more: str) -> None:
    assert (await client.post(f"{API}/contact", json={"text": text, **more})).status_code == 201


async def settle(client: httpx.AsyncClient, *, urgent: bool) -> None:
    for item in (await client.get(f"{API}/moderation/messages")).json()["items"]:
        if item["is_urgent"] == urgent:
            assert (await client.put(f"{API}/moderation/messages/{item['id']}/settled")).status_code == 204


async def test_exactly_those_who_may_read_it_are_told_and_mailed_of_danger(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    for role in (*Role, None):
        await make.member(services, f"is_{role}".lower(), *([role] if role else []))
    await make.member(services, "suzie", boards=("new-here",))
    await make.member(services, "silenced", Role.MODERATOR)
    await make.sanction(services, "silenced", Standing.SILENCED)
    await write(guest, DANGER)
    handles = [row.handle for row in await sql(services, "SELECT handle FROM member")]
    allowed = []
    for handle in handles:
        async with make.signed_in(app, handle) as client:
            may_read = (await client.get(f"{API}/moderation/messages")).status_code == 200
        assert await told(app, handle) == (["message_urgent"] if may_read else []), handle
        allowed += [f"{handle}@example.org"] if may_read else []
    assert "suzie@example.org" in allowed
    letters = await mailbox.come(services)
    assert [letter.to for letter in letters] == sorted(allowed)
    assert all(DANGER not in letter.words for letter in letters)


async def test_many_messages_are_told_once_until_that_is_read_and_no_more_when_all_are_settled(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        for number in range(3):
            await write(guest, f"{LOST} {number}")
        assert await told(app, "orla") == ["message_waiting"]
        page = await orla.get("/me/notices")
        assert "Somebody wrote to us" in text_of(page.text)
        assert 'href="/moderation/messages"' in page.text
        await form(orla, page, "/me/notices")
        await write(guest, LOST)
        assert await told(app, "orla") == ["message_waiting"] * 2
        await write(guest, DANGER)
        assert await told(app, "orla") == ["message_urgent", "message_waiting", "message_waiting"]
        await settle(orla, urgent=False)
        assert await told(app, "orla") == ["message_urgent"]
        await settle(orla, urgent=True)
        assert await told(app, "orla") == []
    assert await mailbox.come(services) == []
    assert await sql(services, "SELECT 1 FROM mail") == []


async def test_each_message_of_danger_is_mailed(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "orla", Role.MODERATOR)
    for number in range(2):
        await write(guest, f"{DANGER} {number}")
        assert [letter.subject for letter in await mailbox.come(services)] == ["Please look at once"]


async def test_who_works_here_is_not_told_of_their_own_message(app: FastAPI, services: Services) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await write(orla, LOST)
    assert await told(app, "orla") == []
    assert await told(app, "joan") == ["message_waiting"]


async def test_what_was_told_goes_with_a_message_whose_author_leaves(app: FastAPI, services: Services) -> None:
    await make.member(services, "orla", Role.MODERATOR)
    async with make.signed_in(app, "heron") as heron:
        await write(heron, LOST)
    [heron_id] = await sql(services, "SELECT id FROM member WHERE handle = 'heron'")
    async with services.database.work() as session:
        await delete_belongings(session, heron_id.id)
        await clean_up(session, clock.now())
    assert await told(app, "orla") == []


async def test_a_message_that_comes_while_the_last_one_is_settled_is_told(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await write(guest, LOST)
        for number in range(4):
            await asyncio.gather(settle(orla, urgent=False), write(guest, f"{LOST} {number}"))
            waits = bool((await orla.get(f"{API}/moderation/messages")).json()["items"])
            assert await told(app, "orla") == ["message_waiting"] * waits


async def test_with_a_key_a_message_is_kept_once_and_counts_once(settings: Settings) -> None:
    few = settings.model_copy(update={"contact_limit": "2/1 hour"})
    headers = {"Idempotency-Key": "7f3a0197c25b4d8e9a61f0d2b48c6e35"}
    async with make.application(few) as app, make.client(app) as guest, make.client_at(app, "192.0.2.9") as elsewhere:
        for client in (guest, guest, elsewhere, guest):
            sent = await client.post(f"{API}/contact", json={"text": DANGER}, headers=headers)
            assert (sent.status_code, sent.json()) == (201, {"sounds_urgent": True})
        other = await guest.post(f"{API}/contact", json={"text": LOST}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        await write(guest, DANGER)
        assert len(await sql(app.state.services, "SELECT 1 FROM contact_message")) == 2


async def test_of_four_taps_one_message_comes(services: Services, guest: httpx.AsyncClient) -> None:
    page = await guest.get("/contact")
    sent = await asyncio.gather(*(form(guest, page, "/contact", text=LOST) for _ in range(4)))
    assert [answer.status_code for answer in sent] == [303] * 4
    assert len(await sql(services, "SELECT 1 FROM contact_message")) == 1


async def test_a_form_that_is_sent_twice_is_one_message_and_other_words_are_another(
    services: Services, guest: httpx.AsyncClient
) -> None:
    page = await guest.get("/contact")
    for text in (LOST, LOST, "I can sign in again."):
        assert (await form(guest, page, "/contact", text=text)).status_code == 303
    assert [row.text for row in await sql(services, "SELECT text FROM contact_message ORDER BY id")] == [
        LOST,
        "I can sign in again.",
    ]
