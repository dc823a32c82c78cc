"""Invitations: to an address, taken up by the account that has verified it, once, within a week."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlmodel import col

from forum.administration import invitations
from forum.administration.invitations import Invitation
from forum.core import clock
from forum.core.audit import AuditEntry
from forum.http.services import Services
from forum.members.tables import Member, Role
from tests.support import mailbox, make

API = "/api/v1"
ADVISER = {"role": "adviser", "title": "Online adviser", "organisation": "Example Family Charity"}


@pytest.fixture
async def joan(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as client:
        yield client


async def invite(joan: httpx.AsyncClient, **wanted: Any) -> httpx.Response:
    return await joan.post(f"{API}/invitations", json={"email": "suzie@example.org", **wanted})


async def mine(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"{API}/me/invitations")).json()["items"]
    return found


async def mailed(services: Services) -> str:
    """What the link of the one invitation carries that waits to be sent."""
    [letter] = await mailbox.come(services)
    return letter.token


async def accept(client: httpx.AsyncClient, invitation: dict[str, Any], token: str = "x" * 43) -> httpx.Response:
    return await client.put(f"{API}/me/invitations/{invitation['id']}/acceptance", json={"token": token})


async def test_who_is_invited_gets_a_mail_that_gives_nothing_away_and_takes_the_role_up(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    sent = await invite(joan, **ADVISER)
    assert sent.status_code == 201, sent.text
    [letter] = await mailbox.come(services)
    assert letter.to == "suzie@example.org"
    assert "/invitations" in letter.words
    for word in ("joan", "adviser", services.settings.name):
        assert word.lower() not in letter.words.lower()
    async with make.signed_in(app, "suzie") as suzie:
        [invitation] = await mine(suzie)
        assert {key: invitation[key] for key in ADVISER} == ADVISER
        accepted = await accept(suzie, invitation, letter.token)
        assert (accepted.status_code, accepted.json()["roles"]) == (200, ["adviser"])
        assert (await suzie.get(f"{API}/me")).status_code == 401  # whoever's power changes signs in anew
        await make.sign_in_again(app, suzie, "suzie")
        assert (await accept(suzie, invitation, letter.token)).status_code == 404
        assert await mine(suzie) == []
    async with services.database.work() as session:
        entries = select(col(AuditEntry.act), col(AuditEntry.details)).order_by(col(AuditEntry.number))
        written = (await session.execute(entries)).all()[1:]
    assert [act for act, _ in written] == ["invitation.sent", "invitation.accepted", "role.granted"]
    assert not [details for _, details in written if "suzie" in str(details)]


async def test_a_moderator_may_be_invited_for_one_board(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await make.board(services)
    assert (await invite(joan, role="moderator", board="new-here")).json()["board"] == "new-here"
    async with make.signed_in(app, "suzie") as suzie:
        accepted = (await accept(suzie, (await mine(suzie))[0], await mailed(services))).json()
    assert (accepted["roles"], accepted["moderated_boards"]) == ([], ["new-here"])


async def test_who_is_invited_to_administer_waits_for_another_administrator(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await invite(joan, role="administrator")
    async with make.signed_in(app, "suzie") as suzie, make.signed_in(app, "marcus", Role.ADMINISTRATOR) as marcus:
        accepted = (await accept(suzie, (await mine(suzie))[0], await mailed(services))).json()
        assert (accepted["roles"], accepted["proposed_administrator"]) == ([], True)
        assert (await joan.put(f"{API}/accounts/suzie/roles/administrator", json={})).json()["roles"] == []
        agreed = await marcus.put(f"{API}/accounts/suzie/roles/administrator", json={})
        assert agreed.json()["roles"] == ["administrator"]


NO_OFFERS = [
    ({"role": "adviser", "title": "Online adviser"}, "#/title"),
    ({"role": "moderator", "title": "Online adviser", "organisation": "Example"}, "#/title"),
    ({"role": "moderator", "title": "Online adviser"}, "#/title"),
    ({"role": "moderator", "board": "nowhere"}, "#/board"),
    ({"role": "safeguarding_lead", "board": "new-here"}, "#/board"),
    ({"role": "queen"}, "#/role"),
    ({"role": "moderator", "email": "suzie"}, "#/email"),
]


async def test_what_cannot_be_offered_is_refused(services: Services, joan: httpx.AsyncClient) -> None:
    await make.board(services)
    for wanted, pointer in NO_OFFERS:
        refused = await invite(joan, **wanted)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), wanted


async def test_only_who_verified_the_address_sees_and_takes_it(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    invitation = (await invite(joan, role="moderator")).json()
    token = await mailed(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", verified=False) as suzie:
        for client in (heron, suzie, joan):
            assert await mine(client) == []
            assert (await accept(client, invitation, token)).status_code == 404


async def test_who_joined_with_the_address_before_its_owner_takes_nothing_even_if_she_verifies_it_for_them(
    app: FastAPI, services: Services, joan: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    invitation = (await invite(joan, role="moderator")).json()
    await guest.post(f"{API}/members", json=make.joining("mallory", email="suzie@example.org"))
    letters = {letter.subject: letter.token for letter in await mailbox.come(services)}
    hers, theirs = letters["An invitation"], letters["Please confirm your address"]
    verified = await guest.post(f"{API}/email-verifications/confirmation", json={"token": theirs})
    assert verified.status_code == 204  # she waits for an invitation, and follows what comes
    async with make.signed_in(app, "mallory") as mallory:
        assert [item["id"] for item in await mine(mallory)] == [invitation["id"]]
        for token in ("x" * 43, theirs):
            assert (await accept(mallory, invitation, token)).status_code == 404
        assert (await accept(mallory, invitation, hers)).status_code == 200  # it is the link that counts


async def test_a_link_opens_the_invitation_that_it_was_mailed_with(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    invitation = (await invite(joan, role="moderator")).json()
    other = (await invite(joan, role="moderator", email="wren@example.org")).json()
    letters = {letter.to: letter.token for letter in await mailbox.come(services)}
    async with make.signed_in(app, "suzie") as suzie:
        assert (await accept(suzie, invitation, letters["wren@example.org"])).status_code == 404
        assert (await joan.delete(f"{API}/invitations/{other['id']}")).status_code == 204
        assert (await accept(suzie, invitation, letters["suzie@example.org"])).status_code == 200


async def test_the_answer_is_the_same_whether_or_not_the_address_has_an_account(
    services: Services, joan: httpx.AsyncClient
) -> None:
    await make.member(services, "suzie")
    sent = []
    for email in ("suzie@example.org", "nobody@example.org", "suzie@example.org", "nobody2@example.org"):
        with make.note_of_statements(services) as statements:
            assert (await invite(joan, email=email, role="moderator")).status_code == 201
        sent.append(len(statements))
    assert sent[1] == sent[3]


async def test_one_that_is_sent_again_takes_the_place_of_the_first(services: Services, joan: httpx.AsyncClient) -> None:
    first = (await invite(joan, role="moderator")).json()
    second = (await invite(joan, role="safeguarding_lead", email="Suzie@Example.org")).json()
    listed = (await joan.get(f"{API}/invitations")).json()["items"]
    assert [item["id"] for item in listed] == [second["id"]] != [first["id"]]
    assert listed[0]["by"]["handle"] == "joan"
    assert len(await mailbox.come(services)) == 1


async def test_one_that_is_taken_back_is_neither_sent_nor_taken_up(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    invitation = (await invite(joan, role="moderator")).json()
    assert (await joan.delete(f"{API}/invitations/{invitation['id']}")).status_code == 204
    assert (await joan.delete(f"{API}/invitations/{invitation['id']}")).status_code == 404
    assert await mailbox.come(services) == []
    late = (await invite(joan, role="moderator")).json()
    token = await mailed(services)
    assert (await joan.delete(f"{API}/invitations/{late['id']}")).status_code == 204
    async with make.signed_in(app, "suzie") as suzie:
        assert (await accept(suzie, late, token)).status_code == 404


async def test_after_a_week_it_is_over(app: FastAPI, services: Services, joan: httpx.AsyncClient) -> None:
    invitation = (await invite(joan, role="moderator")).json()
    async with services.database.work() as session:
        await session.execute(update(Invitation).values(expires_at=clock.now()))
    async with make.signed_in(app, "suzie") as suzie:
        assert await mine(suzie) == []
        assert (await accept(suzie, invitation, await mailed(services))).status_code == 409
    async with services.database.work() as session:
        await invitations.delete_expired(session, clock.now())
        assert not (await session.execute(select(Invitation))).all()


async def test_one_from_somebody_who_administers_no_longer_is_none(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await make.member(services, "marcus", Role.ADMINISTRATOR)
    invitation = (await invite(joan, role="moderator")).json()
    async with make.signed_in(app, "marcus") as marcus:
        assert (await marcus.delete(f"{API}/accounts/joan/roles/administrator")).status_code == 200
    async with make.signed_in(app, "suzie") as suzie:
        assert await mine(suzie) == []
        assert (await accept(suzie, invitation, await mailed(services))).status_code == 404


async def test_a_short_password_leaves_the_invitation_as_it_is(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await invite(joan, role="moderator")
    async with make.signed_in(app, "suzie") as suzie:
        async with services.database.work() as session:
            await session.execute(update(Member).where(col(Member.handle) == "suzie").values(staff_password=False))
        [invitation] = await mine(suzie)
        refused = await accept(suzie, invitation, await mailed(services))
        assert (refused.status_code, "15 characters" in refused.json()["detail"]) == (403, True)
        assert await mine(suzie) == [invitation]
