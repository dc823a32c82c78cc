"""A lost password: a link that is mailed and soon dead, and nothing that tells who has an account."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlmodel import col

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.mail.tables import Mail, MailedLink
from forum.members.tables import Role
from tests.architecture.test_openapi import told
from tests.support import mailbox, make

API = "/api/v1"
NEW = "nine copper lanterns glowing"
OTHER = "jane@example.org"


@pytest.fixture
async def heron(app: FastAPI, services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is signed in elsewhere still."""
    async with make.signed_in(app, "heron") as client:
        yield client


async def ask(guest: httpx.AsyncClient, login: str = "heron") -> httpx.Response:
    return await guest.post(f"{API}/password-resets", json={"login": login})


async def token(services: Services, guest: httpx.AsyncClient, login: str = "heron") -> str:
    """The token of a link that was asked for and came."""
    assert (await ask(guest, login)).status_code == 204
    [letter] = await mailbox.come(services)
    assert (letter.to, letter.subject) == (f"{login}@example.org", "The link that you asked for")
    return letter.token


async def reset(guest: httpx.AsyncClient, token: str, new: str = NEW) -> httpx.Response:
    return await guest.post(f"{API}/password-resets/completion", json={"token": token, "new": new})


async def sign_in(guest: httpx.AsyncClient, password: str) -> int:
    return (await guest.post(f"{API}/sessions", json=make.signing_in("heron", password))).status_code


async def test_a_reset_gives_a_new_password_and_ends_every_session(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    link = await token(services, guest)
    assert (await heron.get(f"{API}/me")).status_code == 200
    assert (await reset(guest, link)).status_code == 204
    assert (await heron.get(f"{API}/me")).status_code == 401
    assert [await sign_in(guest, make.PASSWORD), await sign_in(guest, NEW)] == [401, 201]
    assert (await reset(guest, link)).status_code == 404


@pytest.mark.parametrize("login", ["heron", " Heron ", "heron@example.org", "HERON@Example.org"])
async def test_it_is_asked_for_by_handle_or_address(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient, login: str
) -> None:
    await ask(guest, login)
    assert [letter.to for letter in await mailbox.come(services)] == ["heron@example.org"]


async def test_200_tries_each_for_known_and_unknown_are_answered_and_kept_alike(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    answers = {
        login: [await ask(guest, login) for _ in range(200)]
        for login in ("heron@example.org", "nobody@example.org", "heron", "nobody")
    }
    seen = {
        login: {(answer.status_code, answer.content, tuple(sorted(answer.headers))) for answer in given}
        for login, given in answers.items()
    }
    assert all(shapes == seen["nobody"] for shapes in seen.values())
    assert [status for status, *_ in seen["nobody"]] == [204]
    async with services.database.work() as session:
        kept = select(col(Mail.email), func.count()).group_by(col(Mail.email)).order_by(col(Mail.email))
        assert [tuple(row) for row in await session.execute(kept)] == [("heron@example.org", 400), (None, 400)]


async def test_with_a_known_and_an_unknown_login_the_same_statements_are_sent(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    sent = {}
    for login in ("heron@example.org", "nobody@example.org"):
        await ask(guest, login)  # the first also opens connections
        with make.note_of_statements(services) as statements:
            await ask(guest, login)
        sent[login] = list(statements)
    assert sent["heron@example.org"] == sent["nobody@example.org"] != []


async def test_nobody_gets_a_mail_for_a_login_that_is_unknown(services: Services, guest: httpx.AsyncClient) -> None:
    await ask(guest, "nobody@example.org")
    assert await mailbox.come(services) == []


@pytest.mark.parametrize("login", ["heron", "nobody"])
async def test_it_is_asked_for_five_times_a_day_whoever_asks(settings: Settings, login: str) -> None:
    slow = settings.model_copy(update={"reset_limit": Settings().reset_limit})
    async with make.application(slow) as app:
        await make.member(app.state.services, "heron")
        statuses = []
        for number in range(6):
            async with make.client_at(app, f"192.0.2.{number}") as guest:
                statuses.append((await ask(guest, login.upper() if number % 2 else login)).status_code)
    assert statuses == [204] * 5 + [429]


async def test_ten_resets_an_hour_from_one_household_whoever_is_asked_for(settings: Settings) -> None:
    slow = settings.model_copy(update={"reset_network_limit": Settings().reset_network_limit})
    async with make.application(slow) as app, make.client_at(app, "2001:db8::1") as one:
        statuses = [(await ask(one, f"nobody{number}")).status_code for number in range(11)]
        async with make.client_at(app, "2001:db8:0:1::1") as other:
            assert (await ask(other)).status_code == 204
    assert statuses == [204] * 10 + [429]


async def test_a_link_is_tried_ten_times_in_five_minutes(settings: Settings) -> None:
    slow = settings.model_copy(update={"sign_in_limit": Settings().sign_in_limit})
    async with make.application(slow) as app, make.client(app) as guest:
        await make.member(app.state.services, "heron")
        link = await token(app.state.services, guest)
        statuses = [(await reset(guest, link, "too short")).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


async def test_a_link_works_for_six_hours(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    link = await token(services, guest)
    async with services.database.work() as session:
        expires_at = (await session.execute(select(col(MailedLink.expires_at)))).scalar_one()
        assert timedelta(hours=5.9) < expires_at - clock.now() <= timedelta(hours=6)
        await session.execute(update(MailedLink).values(expires_at=clock.now()))
    assert (await reset(guest, link)).status_code == 404


@pytest.mark.parametrize(
    ("how", "mails"),
    [
        ("signs in", []),
        ("changes the password", ["About your account"]),  # which says so
        ("uses another", ["About your account"]),
    ],
)
async def test_a_link_is_dead_and_a_mail_not_sent_once_its_owner(
    how: str, mails: list[str], heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    link, other = await token(services, guest), await token(services, guest)
    await ask(guest)
    if how == "signs in":
        assert await sign_in(guest, make.PASSWORD) == 201
    elif how == "changes the password":
        change = {"current": make.PASSWORD, "new": "a wholly different password"}
        assert (await heron.put(f"{API}/me/password", json=change)).status_code == 204
    else:
        assert (await reset(guest, other, "a wholly different password")).status_code == 204
    assert (await reset(guest, link)).status_code == 404
    assert [letter.subject for letter in await mailbox.come(services)] == mails


async def test_a_password_that_cannot_be_leaves_the_link_alive(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    link = await token(services, guest)
    for weak in ("short", "heron heron heron", "passwordpassword"):
        assert told(await reset(guest, link, weak)) == ["#/new"]
    assert (await reset(guest, link)).status_code == 204


async def test_staff_need_15_characters_here_too(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron", Role.MODERATOR)
    link = await token(services, guest)
    assert told(await reset(guest, link, "kettle-moss-9")) == ["#/new"]
    assert (await reset(guest, link)).status_code == 204


async def test_another_address_that_was_asked_for_with_the_old_password_is_not_taken(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    await heron.put(f"{API}/me/email", json={"email": OTHER, "current": make.PASSWORD})
    asked = next(letter for letter in await mailbox.come(services) if letter.to == OTHER)
    assert (await reset(guest, await token(services, guest))).status_code == 204
    assert (await guest.post(f"{API}/email-verifications/confirmation", json={"token": asked.token})).status_code == 404


async def test_a_link_in_a_mailbox_that_was_left_is_dead(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    link = await token(services, guest)
    await heron.put(f"{API}/me/email", json={"email": OTHER, "current": make.PASSWORD})
    asked = next(letter for letter in await mailbox.come(services) if letter.to == OTHER)
    assert (await guest.post(f"{API}/email-verifications/confirmation", json={"token": asked.token})).status_code == 204
    assert (await reset(guest, link)).status_code == 404


async def test_only_a_digest_of_a_link_is_kept(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    link = await token(services, guest)
    async with services.database.work() as session:
        kept = (await session.execute(select(MailedLink))).scalar_one()
    assert link not in repr(kept)
    assert len(kept.token_digest) == 32
    assert (await reset(guest, kept.token_digest.hex())).status_code == 404
