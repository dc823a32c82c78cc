"""Accounts, for administrators: what they see, what takes two of them, and what is written down."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlmodel import col

from forum.administration import accounts, roles
from forum.administration.accounts import AdministratorProposal
from forum.authentication.sessions import MemberSession
from forum.core import clock
from forum.core.audit import AuditEntry
from forum.core.settings import Settings
from forum.http.services import Services
from forum.mail import outbox
from forum.mail.tables import MailKind
from forum.members.queries import get_member
from forum.members.tables import Role, Standing
from tests.support import mailbox, make

API = "/api/v1"
BADGE = {"title": "Online adviser", "organisation": "Example Family Charity"}


@pytest.fixture
async def joan(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as client:
        yield client


async def handles(client: httpx.AsyncClient, state: str | None = None) -> list[str]:
    page = await client.get(f"{API}/accounts", params={"state": state} if state else {})
    assert page.status_code == 200, page.text
    return [account["handle"] for account in page.json()["items"]]


async def acts(services: Services) -> list[str]:
    async with services.database.work() as session:
        return list((await session.execute(select(col(AuditEntry.act)).order_by(col(AuditEntry.number)))).scalars())


async def give(client: httpx.AsyncClient, handle: str, role: str, **badge: str) -> httpx.Response:
    return await client.put(f"{API}/accounts/{handle}/roles/{role}", json=badge)


# The list.


async def test_accounts_are_found_by_their_state(app: FastAPI, services: Services, joan: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "heron")
    await make.member(services, "swift", verified=False)
    await make.member(services, "suzie", Role.ADVISER)
    await make.member(services, "wren", boards=("new-here",))
    shut = (("rook", Standing.SILENCED), ("crow", Standing.SUSPENDED), ("jay", Standing.BANNED))
    for handle, standing in (("dunnock", Standing.REVIEWED), *shut):
        await make.member(services, handle)
        await make.sanction(services, handle, standing)
    assert {state: sorted(await handles(joan, state)) for state in accounts.AccountFilter} == {
        "active": ["heron", "joan", "suzie", "swift", "wren"],
        "reviewed": ["dunnock"],
        "silenced": ["rook"],
        "suspended": ["crow"],
        "banned": ["jay"],
        "unverified": ["swift"],
        "staff": ["joan", "suzie", "wren"],
        "withheld": ["joan", "suzie", "wren"],  # nobody of them has an authenticator app
        "proposed": [],
    }
    assert await handles(joan) == ["jay", "crow", "rook", "dunnock", "wren", "suzie", "swift", "heron", "joan"]


async def test_an_account_is_told_without_its_address(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "wren", boards=("new-here",))
    account = (await joan.get(f"{API}/accounts/Wren")).json()
    assert account.pop("joined_at")
    assert account == {
        "handle": "wren",
        "name": "Wren",
        "standing": "active",
        "email_verified": True,
        "second_factor": False,
        "roles": [],
        "moderated_boards": ["new-here"],
        "proposed_administrator": False,
    }
    assert (await joan.get(f"{API}/accounts/nobody")).status_code == 404


async def test_pages_of_accounts_have_each_once(services: Services, joan: httpx.AsyncClient) -> None:
    for number in range(5):
        await make.member(services, f"heron{number}")
    found, after = [], None
    while True:
        page = (await joan.get(f"{API}/accounts", params={"limit": 2, **({"after": after} if after else {})})).json()
        found += [account["handle"] for account in page["items"]]
        if (after := page["next"]) is None:
            break
    assert found == ["heron4", "heron3", "heron2", "heron1", "heron0", "joan"]


async def test_that_an_administrator_looked_is_written_down(services: Services, joan: httpx.AsyncClient) -> None:
    await joan.get(f"{API}/accounts?state=banned")
    await joan.get(f"{API}/refused-sign-ins")
    assert (await acts(services))[-2:] == ["accounts.listed", "refused_sign_ins.listed"]


# Roles.


@pytest.mark.parametrize(
    ("role", "badge"), [("adviser", BADGE), ("moderator", {}), ("safeguarding_lead", {})], ids=lambda one: str(one)[:9]
)
async def test_an_administrator_gives_a_role_and_takes_it_back(
    app: FastAPI, services: Services, joan: httpx.AsyncClient, role: str, badge: dict[str, str]
) -> None:
    async with make.signed_in(app, "heron") as heron:
        given = await give(joan, "heron", role, **badge)
        assert (given.status_code, given.json()["roles"]) == (200, [role])
        assert (await heron.get(f"{API}/me")).status_code == 401  # whoever's power changes signs in anew
    taken = await joan.delete(f"{API}/accounts/heron/roles/{role}")
    assert (taken.status_code, taken.json()["roles"]) == (200, [])
    assert (await joan.delete(f"{API}/accounts/heron/roles/{role}")).status_code == 404
    assert (await acts(services))[-2:] == ["role.granted", "role.revoked"]


async def test_the_last_administrator_in_good_standing_stays_one(services: Services, joan: httpx.AsyncClient) -> None:
    await make.member(services, "marcus", Role.ADMINISTRATOR)
    await make.sanction(services, "marcus", Standing.SILENCED)
    refused = await joan.delete(f"{API}/accounts/joan/roles/administrator")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert "administrator" in (await joan.get(f"{API}/me")).json()["roles"]


async def test_of_two_administrators_who_go_at_once_one_stays(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    async with make.signed_in(app, "marcus", Role.ADMINISTRATOR) as marcus:
        gone = await asyncio.gather(
            joan.delete(f"{API}/accounts/joan/roles/administrator"),
            marcus.delete(f"{API}/accounts/marcus/roles/administrator"),
        )
    assert sorted(answer.status_code for answer in gone) == [200, 409]


async def test_an_adviser_without_an_organisation_is_none(services: Services, joan: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    refused = await give(joan, "heron", "adviser", title="Online adviser")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/title")


async def test_a_short_password_is_no_password_for_staff(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    async with make.client(app) as guest:
        await guest.post(f"{API}/members", json=make.joining("heron", password="tern & kelp!"))
    assert (await give(joan, "heron", "moderator")).status_code == 403


async def test_it_takes_two_administrators_to_make_another(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    async with make.signed_in(app, "marcus", Role.ADMINISTRATOR) as marcus:
        for _ in range(2):  # the same one twice is not two
            proposed = (await give(joan, "heron", "administrator")).json()
            assert (proposed["roles"], proposed["proposed_administrator"]) == ([], True)
        assert await handles(marcus, "proposed") == ["heron"]
        agreed = (await give(marcus, "heron", "administrator")).json()
        assert (agreed["roles"], agreed["proposed_administrator"]) == (["administrator"], False)
        assert (await give(joan, "heron", "administrator")).status_code in {200, 409}
    assert [act for act in await acts(services) if act.startswith("administrator")][:2] == [
        "administrator.proposed"
    ] * 2


async def test_who_agree_at_once_are_one_who_proposes_and_one_who_agrees(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    async with make.signed_in(app, "marcus", Role.ADMINISTRATOR) as marcus:
        answers = await asyncio.gather(*(give(one, "heron", "administrator") for one in (joan, marcus)))
    assert sorted(len(answer.json()["roles"]) for answer in answers) == [0, 1]


@pytest.mark.parametrize("how", ["a week passed", "its proposer is none any more", "it was taken back"])
async def test_a_proposal_that_no_longer_stands_is_a_first_wish_again(
    app: FastAPI, services: Services, joan: httpx.AsyncClient, how: str
) -> None:
    await make.member(services, "heron")
    async with make.signed_in(app, "marcus", Role.ADMINISTRATOR) as marcus:
        await give(joan, "heron", "administrator")
        if how == "it was taken back":
            assert (await marcus.delete(f"{API}/accounts/heron/roles/administrator")).status_code == 200
        async with services.database.work() as session:
            if how == "a week passed":
                then = clock.now() - accounts.PROPOSED_FOR
                await session.execute(update(AdministratorProposal).values(proposed_at=then))
            elif how == "its proposer is none any more":
                await roles.revoke(session, await get_member(session, "joan"), Role.ADMINISTRATOR, clock.now())
        assert (await give(marcus, "heron", "administrator")).json()["roles"] == []


async def test_a_forum_may_do_with_one(settings: Settings, services: Services) -> None:
    await make.member(services, "heron")
    alone = settings.model_copy(update={"two_administrators": False})
    async with make.application(alone) as app, make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        assert (await give(joan, "heron", "administrator")).json()["roles"] == ["administrator"]


async def test_tidying_forgets_what_nobody_agreed_to(services: Services, joan: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    await give(joan, "heron", "administrator")
    for later, left in ((timedelta(), 1), (accounts.PROPOSED_FOR, 0)):
        async with services.database.work() as session:
            await accounts.delete_expired(session, clock.now() + later)
            assert len((await session.execute(select(AdministratorProposal))).all()) == left


async def test_who_signed_in_long_ago_gives_and_takes_nothing(services: Services, joan: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    async with services.database.work() as session:
        await session.execute(update(MemberSession).values(created_at=clock.now() - timedelta(minutes=16)))
    invitation = {"email": "suzie@example.org", "role": "moderator"}
    some = "01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"
    asked: list[tuple[str, str, Any]] = [
        ("PUT", "/accounts/heron/roles/moderator", {}),
        ("DELETE", "/accounts/heron/roles/moderator", None),
        ("DELETE", "/accounts/heron/sessions", None),
        ("POST", "/invitations", invitation),
        ("DELETE", f"/invitations/{some}", None),
        ("PUT", f"/me/invitations/{some}/acceptance", {"token": "x" * 43}),
        ("PUT", "/members/heron/legal-hold", {"reason": "court"}),
        ("DELETE", "/members/heron/legal-hold", None),
        ("PUT", "/moderation/boards/new-here/team/heron", None),
        ("DELETE", "/moderation/boards/new-here/team/heron", None),
    ]
    for method, path, body in asked:
        response = await joan.request(method, API + path, json=body)
        assert (response.status_code, response.json()["type"]) == (403, "/problems/sign-in-again"), path


# Refused sign-ins.


async def refused(client: httpx.AsyncClient) -> list[tuple[str | None, str, int]]:
    page = await client.get(f"{API}/refused-sign-ins")
    assert page.status_code == 200, page.text
    return sorted(((item["handle"], item["reason"], item["times"]) for item in page.json()["items"]), key=str)


async def test_sign_ins_that_were_refused_are_counted_and_what_was_typed_is_not_kept(
    settings: Settings, services: Services, joan: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    strict = settings.model_copy(update={"sign_in_limit": "2/5 minutes"})
    async with make.application(strict) as app, make.client(app) as guest:
        for login in ("heron", "heron", "heron", "heron@example.org"):
            await guest.post(f"{API}/sessions", json=make.signing_in(login, "wrong and long enough"))
    async with make.application(settings) as app, make.client(app) as guest:
        await guest.post(f"{API}/sessions", json=make.signing_in("my password by mistake", "heron"))
        await guest.post(f"{API}/sessions", json=make.signing_in("heron"))
    assert await refused(joan) == [
        ("heron", "password", 2),
        ("heron", "throttled", 2),
        (None, "password", 1),
    ]


async def test_refused_sign_ins_come_page_by_page(app: FastAPI, services: Services, joan: httpx.AsyncClient) -> None:
    async with make.client(app) as guest:
        for handle in ("heron", "bittern", "wren"):
            await make.member(services, handle)
            await guest.post(f"{API}/sessions", json=make.signing_in(handle, "wrong and long enough"))
    found, after = [], None
    for _ in range(3):
        query = {"limit": 1, **({"after": after} if after else {})}
        page = (await joan.get(f"{API}/refused-sign-ins", params=query)).json()
        found += [item["handle"] for item in page["items"]]
        after = page["next"]
    assert sorted(found) == ["bittern", "heron", "wren"]
    assert after is None


# Mails that do not leave.


async def test_mails_that_are_not_sent_are_seen_and_not_where_to(services: Services, joan: httpx.AsyncClient) -> None:
    for number in range(3):
        heron = await make.member(services, f"heron{number}")
        about: dict[str, Any] = {"member_id": heron.id, "email": "jane@example.net"}
        async with services.database.work() as session:
            await outbox.enqueue(session, MailKind.SIGN_IN_CHANGED, clock.now(), **about)
    found, after = [], None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        page = await joan.get(f"{API}/unsent-mails", params=query)
        assert "example.net" not in page.text
        found += page.json()["items"]
        if (after := page.json()["next"]) is None:
            break
    assert [(mail["handle"], mail["kind"], mail["failures"], mail["given_up_at"]) for mail in found] == [
        (f"heron{number}", "sign_in_changed", 0, None) for number in range(3)
    ]
    assert (await joan.delete(f"{API}/unsent-mails/{found[0]['id']}")).status_code == 204
    assert (await joan.put(f"{API}/unsent-mails/{found[0]['id']}/attempt")).status_code == 404
    assert (
        await joan.put(f"{API}/unsent-mails/{found[1]['id']}/attempt")
    ).status_code == 204  # it waits: nothing to do
    sent = await mailbox.come(services)
    assert len(sent) == 2
    assert (await joan.get(f"{API}/unsent-mails")).json()["items"] == []
