"""A lost mailbox is replaced by two administrators, in three days, unless its owner still reads it."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import mailbox, make
from tests.support.jobs import clean_up, run_due_jobs, run_hourly_jobs
from tests.support.scenes import sql

API = "/api/v1"
HERONS = f"{API}/accounts/heron/lost-mailbox"
NEW = {"email": "new-heron@example.org"}
LATER = timedelta(hours=72, minutes=1)


async def address(services: Services) -> str:
    [(email,)] = await sql(services, "SELECT email FROM member WHERE handle = 'heron'")
    return str(email)


async def acts(services: Services) -> list[str]:
    return [
        act
        for (act,) in await sql(services, "SELECT act FROM audit_entry WHERE act LIKE 'lost_mailbox%' ORDER BY number")
    ]


async def agreed(joan: httpx.AsyncClient, ada: httpx.AsyncClient) -> None:
    proposed = await joan.put(HERONS, json=NEW)
    assert proposed.status_code == 200, proposed.text
    assert proposed.json() == {**NEW, "agreed": False, "due_at": None}
    again = await joan.put(HERONS, json=NEW)
    assert again.json() == proposed.json()
    done = await ada.put(HERONS, json={"email": "New-Heron@example.org"})
    assert done.json()["agreed"] is True


async def test_two_administrators_replace_a_lost_mailbox_after_three_days(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada,
    ):
        old = await address(services)
        assert (await heron.get(f"{API}/me/lost-mailbox")).status_code == 404
        await joan.put(HERONS, json=NEW)
        assert (await heron.get(f"{API}/me/lost-mailbox")).status_code == 404  # one alone can be wrong
        await agreed(joan, ada)
        assert (await heron.get(f"{API}/me/lost-mailbox")).json()["email"] == NEW["email"]
        told = (await heron.get(f"{API}/me/notifications")).json()["items"]
        assert [notification["kind"] for notification in told] == ["lost_mailbox"]
        [letter] = await mailbox.come(services)
        assert letter.to == old
        await run_hourly_jobs(services, clock.now() + timedelta(hours=71))
        assert await address(services) == old
        await run_hourly_jobs(services, clock.now() + LATER)
        assert await address(services) == NEW["email"]
        assert (await heron.get(f"{API}/me")).json()["email_verified"] is False
        assert [letter.to for letter in await mailbox.come(services)][-1] == NEW["email"]
    assert await acts(services) == ["lost_mailbox.proposed", "lost_mailbox.agreed", "lost_mailbox.replaced"]


@pytest.mark.parametrize("how", ["by the mail", "in the app", "an administrator"])
async def test_it_can_be_stopped(app: FastAPI, services: Services, guest: httpx.AsyncClient, how: str) -> None:
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada,
    ):
        old = await address(services)
        await agreed(joan, ada)
        [letter] = await mailbox.come(services)
        match how:
            case "by the mail":
                stopped = await guest.post(f"{API}/lost-mailboxes/refusal", json={"token": letter.token})
            case "in the app":
                stopped = await heron.delete(f"{API}/me/lost-mailbox")
            case _:
                stopped = await joan.delete(HERONS)
        assert stopped.status_code == 204
        await run_hourly_jobs(services, clock.now() + LATER)
        assert await address(services) == old
        used = await guest.post(f"{API}/lost-mailboxes/refusal", json={"token": letter.token})
        assert (used.status_code, used.json()["code"]) == (404, "link_expired")


async def test_what_two_say_differently_is_agreed_by_nobody(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "heron"),
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada,
    ):
        await joan.put(HERONS, json=NEW)
        other = await ada.put(HERONS, json={"email": "other@example.org"})
        assert other.json()["agreed"] is False
        assert (await joan.put(HERONS, json=NEW)).json()["agreed"] is False
        own = await joan.put(f"{API}/accounts/joan/lost-mailbox", json=NEW)
        assert (own.status_code, own.json()["code"]) == (403, "own_account")
        await joan.put(f"{API}/accounts/ada/lost-mailbox", json=NEW)
        assert (await ada.put(f"{API}/accounts/ada/lost-mailbox", json=NEW)).status_code == 403
    with pytest.raises(IntegrityError):
        await sql(services, "UPDATE lost_mailbox SET agreed_by = member_id, agreed_at = now(), due_at = now() + '1 h'")


async def test_a_proposal_lapses_after_a_week(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "heron"),
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada,
    ):
        await joan.put(HERONS, json=NEW)
        await sql(services, "UPDATE lost_mailbox SET proposed_at = now() - interval '8 days' RETURNING 1")
        assert (await ada.put(HERONS, json=NEW)).json()["agreed"] is False
        async with services.database.work() as session:
            await clean_up(session, clock.now() + timedelta(days=8))
        assert await sql(services, "SELECT count(*) FROM lost_mailbox") == [(0,)]


async def test_a_link_to_a_new_password_in_the_lost_mailbox_opens_nothing(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    async with (
        make.signed_in(app, "heron"),
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada,
    ):
        await agreed(joan, ada)
        await mailbox.come(services)
        await guest.post(f"{API}/password-resets", json={"login": "heron"})
        *_, reset = await mailbox.come(services)
        await run_due_jobs(services, clock.now())
        await run_hourly_jobs(services, clock.now() + LATER)
        new = {"token": reset.token, "new": "five loud herons dancing"}
        assert (await guest.post(f"{API}/password-resets/completion", json=new)).status_code == 404


@pytest.mark.parametrize("role", [Role.MODERATOR, None])
async def test_only_administrators_may(app: FastAPI, services: Services, role: Role | None) -> None:
    await make.member(services, "heron")
    async with make.signed_in(app, "suzie", *([role] if role else [])) as suzie:
        assert (await suzie.put(HERONS, json=NEW)).status_code == 403
        assert (await suzie.delete(HERONS)).status_code == 403
