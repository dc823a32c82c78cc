"""Addresses: shown to be one's own before the first post, changed only when both sides had their say."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlmodel import col

from forum.authentication import email_addresses
from forum.authentication.sessions import MemberSession
from forum.core import clock
from forum.core.errors import Conflict
from forum.core.settings import Settings
from forum.http.services import Services
from forum.mail.tables import MailedLink
from forum.members.queries import get_member
from forum.members.tables import Member
from tests.support import mailbox, make

API = "/api/v1"
WORDS = {"body_markdown": "Hello all"}
OTHER = "jane@example.org"


@pytest.fixture
async def heron(app: FastAPI, services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody whose address is verified."""
    async with make.signed_in(app, "heron") as client:
        yield client


async def joined(app: FastAPI, handle: str, **wish: Any) -> httpx.Response:
    async with make.client(app) as guest:
        answer = await guest.post(f"{API}/members", json=make.joining(handle, **wish))
    assert answer.status_code == 201, answer.text
    return answer


async def verify(guest: httpx.AsyncClient, token: str) -> int:
    return (await guest.post(f"{API}/email-verifications/confirmation", json={"token": token})).status_code


async def refuse(guest: httpx.AsyncClient, token: str) -> int:
    return (await guest.post(f"{API}/email-verifications/refusal", json={"token": token})).status_code


async def change(client: httpx.AsyncClient, address: str, password: str = make.PASSWORD) -> httpx.Response:
    return await client.put(f"{API}/me/email", json={"email": address, "current": password})


async def address(client: httpx.AsyncClient) -> tuple[str, bool, str | None]:
    """The address, whether it is verified, and which shall take its place."""
    me = (await client.get(f"{API}/me")).json()
    return me["email"], me["email_verified"], me["wanted_email"]


async def sign_in(guest: httpx.AsyncClient, login: str) -> int:
    return (await guest.post(f"{API}/sessions", json=make.signing_in(login))).status_code


# Before the first post


async def test_who_joins_verifies_their_address_and_then_writes(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await joined(app, "heron")
    async with make.signed_in(app, "heron") as heron:
        refused = await heron.post(f"{API}/boards/new-here/threads", json={"title": "A question", **WORDS})
        assert (refused.status_code, refused.json()["title"]) == (403, "Not allowed")
        assert refused.json()["code"] == "unverified_address"
        [letter] = await mailbox.come(services)
        assert letter.to == "heron@example.org"
        assert await verify(guest, letter.token) == 204
        assert await address(heron) == ("heron@example.org", True, None)
        opened = await heron.post(f"{API}/boards/new-here/threads", json={"title": "A question", **WORDS})
        assert opened.status_code == 201


async def test_who_wrote_before_addresses_were_verified_goes_on(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie")
    async with make.signed_in(app, "heron", verified=False) as heron:
        assert (await heron.post(f"{API}/threads/{thread}/posts", json=WORDS)).status_code == 403
        await make.post(services, "heron", thread)
        assert (await heron.post(f"{API}/threads/{thread}/posts", json=WORDS)).status_code == 201


async def test_a_forum_may_do_without(settings: Settings) -> None:
    without = settings.model_copy(update={"verified_addresses": False})
    async with make.application(without) as app:
        await make.board(app.state.services)
        async with make.signed_in(app, "heron", verified=False) as heron:
            wish = {"title": "A question", **WORDS}
            assert (await heron.post(f"{API}/boards/new-here/threads", json=wish)).status_code == 201


# Links


async def test_a_link_is_answered_again_as_the_first_time(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await joined(app, "heron")
    [letter] = await mailbox.come(services)
    answers = await asyncio.gather(*(verify(guest, letter.token) for _ in range(4)))
    assert answers == [204] * 4


async def test_a_link_works_for_24_hours(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await joined(app, "heron")
    [letter] = await mailbox.come(services)
    async with services.database.work() as session:
        expires_at = (await session.execute(select(col(MailedLink.expires_at)))).scalar_one()
        assert timedelta(hours=23.9) < expires_at - clock.now() <= timedelta(hours=24)
        await session.execute(update(MailedLink).values(expires_at=clock.now()))
    refused = await guest.post(f"{API}/email-verifications/confirmation", json={"token": letter.token})
    assert refused.json()["detail"] == "This link no longer works. Ask for a new one."


async def test_a_link_opens_only_what_it_is_for(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    await change(heron, OTHER)
    asked, told = await mailbox.come(services)
    assert (asked.to, told.to) == ("heron@example.org", OTHER)
    assert [await verify(guest, asked.token), await refuse(guest, told.token)] == [404, 404]
    assert await address(heron) == ("heron@example.org", True, OTHER)


async def test_another_link_is_mailed_while_there_is_something_to_verify(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    async with make.signed_in(app, "heron", verified=False) as heron:
        tokens = set()
        for _ in range(2):
            assert (await heron.post(f"{API}/email-verifications")).status_code == 204
            tokens |= {letter.token for letter in await mailbox.come(services)}
        assert len(tokens) == 2
        assert await verify(guest, tokens.pop()) == 204
        assert await verify(guest, tokens.pop()) == 404  # the one is used, the other is needed no longer
        assert (await heron.post(f"{API}/email-verifications")).status_code == 204
        assert await mailbox.come(services) == []


async def test_links_are_asked_for_five_times_an_hour(settings: Settings) -> None:
    slow = settings.model_copy(update={"verification_limit": Settings().verification_limit})
    async with make.application(slow) as app, make.signed_in(app, "heron") as heron:
        answers = [(await heron.post(f"{API}/email-verifications")).status_code for _ in range(6)]
    assert answers == [204] * 5 + [429]


# An address that somebody has


async def test_joining_with_an_address_that_somebody_has_tells_only_them(
    app: FastAPI, services: Services, heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    known = await joined(app, "magpie", email="Heron@example.org")
    unknown = await joined(app, "bittern", email="nobody@example.org")
    told, asked = await mailbox.come(services)
    assert (told.to, told.subject) == ("Heron@example.org", "About your account")
    assert "You have an account with it already" in told.words
    assert "#" not in told.words
    assert (asked.to, asked.subject) == ("nobody@example.org", "Please confirm your address")
    different = {"id", "handle", "name", "email", "joined_at"}
    assert [{**known.json(), **dict.fromkeys(different)}] == [{**unknown.json(), **dict.fromkeys(different)}]
    async with make.signed_in(app, "magpie") as magpie:
        assert (await magpie.post(f"{API}/email-verifications")).status_code == 204
    assert [letter.subject for letter in await mailbox.come(services)] == ["About your account"]


async def test_of_two_who_claim_an_address_the_first_to_verify_it_has_it(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    for handle in ("heron", "magpie"):
        await joined(app, handle, email="shared@example.org")
    one, other = await mailbox.come(services)
    assert [await verify(guest, one.token), await verify(guest, other.token)] == [204, 404]


# Another address


async def test_another_address_counts_once_it_is_verified(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    assert (await change(heron, OTHER)).status_code == 204
    assert await address(heron) == ("heron@example.org", True, OTHER)
    assert await sign_in(guest, OTHER) == 401
    _, asked = await mailbox.come(services)
    assert await verify(guest, asked.token) == 204
    assert await address(heron) == (OTHER, True, None)
    assert [await sign_in(guest, OTHER), await sign_in(guest, "heron@example.org")] == [201, 401]


async def test_another_address_needs_the_present_password(heron: httpx.AsyncClient, services: Services) -> None:
    refused = await change(heron, OTHER, "not my password")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["#/current"]
    assert await mailbox.come(services) == []
    assert await address(heron) == ("heron@example.org", True, None)


async def test_who_signed_in_long_ago_asks_for_no_other_address(heron: httpx.AsyncClient, services: Services) -> None:
    async with services.database.work() as session:
        await session.execute(update(MemberSession).values(created_at=clock.now() - timedelta(minutes=16)))
    refused = await change(heron, OTHER)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/sign-in-again")
    assert await address(heron) == ("heron@example.org", True, None)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_present_address_refuses_before_and_after_the_other_is_verified(
    app: FastAPI, heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient, when: str
) -> None:
    """Whoever asked knew the password: it opens nothing any more, nor does what it opened."""
    await change(heron, OTHER)
    told, asked = await mailbox.come(services)
    if when == "after":
        assert await verify(guest, asked.token) == 204
    assert await refuse(guest, told.token) == 204
    assert await verify(guest, asked.token) == 404
    assert (await heron.get(f"{API}/me")).status_code == 401
    assert await sign_in(guest, "heron") == 401
    async with make.signed_in(app, "heron") as again:
        assert await address(again) == ("heron@example.org", True, None)


@pytest.mark.parametrize("first", ["the thief", "the owner"])
async def test_who_took_an_account_away_cannot_keep_it_by_refusing_in_their_turn(
    app: FastAPI, heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient, first: str
) -> None:
    await change(heron, OTHER)
    owners, asked = await mailbox.come(services)
    assert await verify(guest, asked.token) == 204
    await change(heron, "third@example.org")
    thiefs, _ = await mailbox.come(services)
    assert thiefs.to == OTHER
    if first == "the thief":
        assert await refuse(guest, thiefs.token) == 204
    assert await refuse(guest, owners.token) == 204
    assert await refuse(guest, thiefs.token) == 404
    async with make.signed_in(app, "heron") as again:
        assert await address(again) == ("heron@example.org", True, None)


async def test_a_refusal_stops_what_is_not_sent_yet(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    await change(heron, OTHER)
    owners, asked = await mailbox.come(services)
    assert await verify(guest, asked.token) == 204
    await change(heron, "third@example.org")
    assert await refuse(guest, owners.token) == 204
    assert await mailbox.come(services) == []


async def test_a_refusal_and_a_confirmation_at_once_end_in_the_refusal(
    app: FastAPI, heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    await change(heron, OTHER)
    told, asked = await mailbox.come(services)
    refused, verified = await asyncio.gather(refuse(guest, told.token), verify(guest, asked.token))
    assert (refused, verified in {204, 404}) == (204, True)
    async with make.signed_in(app, "heron") as again:
        assert await address(again) == ("heron@example.org", True, None)


async def test_an_address_that_nobody_verified_has_no_say(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    """It may be a stranger's, by one wrong letter."""
    async with make.signed_in(app, "heron", verified=False) as heron:
        await heron.post(f"{API}/email-verifications")
        [stranger] = await mailbox.come(services)
        await change(heron, OTHER)
        [asked] = await mailbox.come(services)
        assert asked.to == OTHER
        assert await verify(guest, stranger.token) == 404
        assert await verify(guest, asked.token) == 204
        assert await address(heron) == (OTHER, True, None)


async def test_who_asks_for_the_address_they_have_changes_their_mind(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    await change(heron, OTHER)
    _, asked = await mailbox.come(services)
    assert (await change(heron, "HERON@example.org")).status_code == 204
    assert await address(heron) == ("heron@example.org", True, None)
    assert await verify(guest, asked.token) == 404
    assert await mailbox.come(services) == []


async def test_an_address_that_somebody_else_verified_is_not_taken_and_the_answer_does_not_tell(
    app: FastAPI, heron: httpx.AsyncClient, services: Services
) -> None:
    await make.member(services, "magpie")
    assert (await change(heron, "magpie@example.org")).status_code == 204
    told, warned = await mailbox.come(services)
    assert (told.to, warned.to) == ("heron@example.org", "magpie@example.org")
    assert "#" not in warned.words


async def test_no_two_members_have_verified_the_same_address(services: Services) -> None:
    await make.member(services, "heron")
    made = await make.member(services, "magpie", verified=False)
    async with services.database.work() as session:
        await session.execute(update(Member).where(col(Member.id) == made.id).values(email="Heron@example.org"))

    async def vouch() -> None:
        async with services.database.work() as session:
            await email_addresses.mark_verified(session, await get_member(session, "magpie"), clock.now())

    with pytest.raises(Conflict, match="Another member has verified this e-mail address"):
        await vouch()
