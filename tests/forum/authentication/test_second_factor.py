"""The second factor: what opens, what opens once, what is told, and what a role is worth without it."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text, update
from sqlmodel import col

from forum.authentication.second_factor import enrolment, recovery_codes, totp
from forum.authentication.second_factor.recovery_codes import RecoveryCodeText
from forum.authentication.second_factor.tables import RecoveryCode, Totp
from forum.authentication.sessions import MemberSession
from forum.core import audit, clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Role
from tests.support import mailbox, make

API = "/api/v1"
# RFC 6238, appendix B: the last six digits of the codes for SHA-1, whose secret is the ASCII "12345678901234567890".
RFC = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def code_of(secret: str, steps: int = 0) -> str:
    """What the app shows now, or so many steps later."""
    return totp.current_code(secret, clock.now() + timedelta(seconds=30 * steps))


async def set_up(client: httpx.AsyncClient) -> tuple[str, list[str]]:
    """The secret and the recovery codes of somebody who sets up an authenticator app."""
    begun = await client.post(f"{API}/me/second-factor")
    assert begun.status_code == 201, begun.text
    done = await client.put(f"{API}/me/second-factor", json={"code": code_of(begun.json()["secret"], -1)})
    assert done.status_code == 200, done.text
    return begun.json()["secret"], done.json()["recovery_codes"]


@pytest.fixture
async def heron(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "heron") as client:
        yield client


async def sign_in(guest: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await guest.post(f"{API}/sessions", json=make.signing_in("heron", **more))


def refused(response: httpx.Response) -> str:
    """What is said to somebody whose password is right and not enough."""
    assert (response.status_code, response.json()["type"]) == (401, "/problems/second-factor-needed"), response.text
    return str(response.json()["detail"])


# Codes.


@pytest.mark.parametrize(("seconds", "code"), RFC_CODES.items())
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert totp.current_code(RFC, at(seconds)) == code
    assert totp.step_of(RFC, code, at(seconds)) == seconds // 30


@pytest.mark.parametrize(
    ("late", "opens"), [(-60, False), (-59, True), (-30, True), (0, True), (30, True), (31, False), (90, False)]
)
def test_a_phone_may_be_wrong_by_one_step(late: int, opens: bool) -> None:
    now = at(1111111110)  # the first second of its step
    shown = totp.current_code(RFC, now - timedelta(seconds=late))
    assert (totp.step_of(RFC, shown, now) is not None) is opens


@pytest.mark.parametrize("typed", ["287 082", " 287082 ", "287-082"])
def test_how_a_code_is_typed_makes_no_difference(typed: str) -> None:
    assert totp.step_of(RFC, typed, at(59)) == 1


@pytest.mark.parametrize("typed", ["", "28708", "2870820", "٢٨٧٠٨٢", "28708a", "1-k7wq2-9mzrt", "+87082", "287082\x00"])
def test_what_is_no_code_opens_nothing(typed: str) -> None:
    assert totp.step_of(RFC, typed, at(59)) is None


@pytest.mark.parametrize("typed", ["3-k7wq2-9mzrt", "3K7WQ29MZRT", " 3 k7wq2 9mzrt ", "3-K7WQ2-9MZRT"])
def test_how_a_recovery_code_is_typed_makes_no_difference(typed: str) -> None:
    assert recovery_codes.parse_recovery_code(typed) == RecoveryCodeText(3, "k7wq29mzrt")


def test_a_letter_that_looks_like_a_digit_is_that_digit() -> None:
    assert recovery_codes.parse_recovery_code("1-oOiIl-L0110") == RecoveryCodeText(1, "0011110110")


@pytest.mark.parametrize("typed", ["9-k7wq2-9mzrt", "0-k7wq2-9mzrt", "3-k7wq2-9mzr", "3-k7wq2-9mzrtt", "3-k7wu2-9mzrt"])
def test_what_is_no_recovery_code_is_none(typed: str) -> None:
    assert recovery_codes.parse_recovery_code(typed) is None


def test_what_we_draw_ourselves_is_long_and_never_alike() -> None:
    secrets = [totp.new_secret() for _ in range(100)]
    assert {len(base64.b32decode(secret)) for secret in secrets} == {20}  # 160 bits
    paper = [code for _ in range(100) for code in recovery_codes.new_recovery_codes()]
    assert {len(code.secret) for code in paper} == {10}  # 50 bits: each a letter of 32
    assert set("".join(code.secret for code in paper)) == set("0123456789abcdefghjkmnpqrstvwxyz")
    assert len(set(secrets)) == 100
    assert len({code.secret for code in paper}) == len(paper) == 800


def test_the_picture_loads_nothing_and_shows_something() -> None:
    picture = totp.qr_code(totp.uri(RFC, "forum.test"))
    drawn = ElementTree.fromstring(picture)
    assert drawn.tag.endswith("svg")
    assert not re.search(r"href|<script|<style|url\(|@import", picture)
    assert "path" in picture


# Setting up.


async def test_an_app_counts_once_a_code_of_it_was_shown(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    begun = (await heron.post(f"{API}/me/second-factor")).json()
    assert begun["uri"] == f"otpauth://totp/forum.test:Account?secret={begun['secret']}&issuer=forum.test"
    assert (await heron.get(f"{API}/me/second-factor")).json()["since"] is None
    assert (await sign_in(guest)).status_code == 201
    wrong = await heron.put(f"{API}/me/second-factor", json={"code": "000000"})
    assert wrong.json()["errors"][0]["pointer"] == "#/code"
    assert (await sign_in(guest)).status_code == 201
    done = await heron.put(f"{API}/me/second-factor", json={"code": code_of(begun["secret"], -1)})
    assert done.headers["Cache-Control"] == "no-store"
    assert len(set(done.json()["recovery_codes"])) == 8
    state = (await heron.get(f"{API}/me/second-factor")).json()
    assert (state["recovery_codes"], state["required"]) == (8, False)
    assert state["since"] is not None
    refused(await sign_in(guest))


async def test_a_code_without_a_secret_is_told_to_ask_for_one(heron: httpx.AsyncClient) -> None:
    assert (await heron.put(f"{API}/me/second-factor", json={"code": "123456"})).status_code == 409


async def test_a_new_phone_takes_the_old_ones_place_only_when_it_is_confirmed(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    old, paper = await set_up(heron)
    begun = (await heron.post(f"{API}/me/second-factor")).json()
    assert (await sign_in(guest, code=code_of(old))).status_code == 201
    done = await heron.put(f"{API}/me/second-factor", json={"code": code_of(begun["secret"])})
    assert done.status_code == 200
    refused(await sign_in(guest, code=code_of(old, 1)))
    refused(await sign_in(guest, code=paper[0]))
    assert (await sign_in(guest, code=code_of(begun["secret"], 1))).status_code == 201


async def test_to_set_up_ends_every_other_session_and_is_told_by_mail(
    app: FastAPI, heron: httpx.AsyncClient, services: Services
) -> None:
    async with make.signed_in(app, "heron") as other:
        await set_up(heron)
        assert (await other.get(f"{API}/me")).status_code == 401
    assert (await heron.get(f"{API}/me")).status_code == 200
    [letter] = await mailbox.come(services)
    assert letter.to == "heron@example.org"
    assert "how you sign in was changed" in letter.words.lower().replace("\n", " ")


async def test_nothing_that_opens_is_kept_as_it_is(heron: httpx.AsyncClient, services: Services) -> None:
    _, paper = await set_up(heron)
    async with services.database.work() as session:
        kept = (await session.execute(select(col(RecoveryCode.code_hash)))).scalars().all()
    assert len(kept) == 8
    assert all(code.startswith("$argon2id$") for code in kept)
    secrets = [code.split("-", 1)[1].replace("-", "") for code in paper]
    assert not [code for code in secrets if any(code in one for one in kept)]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/me/second-factor", None),
        ("PUT", "/me/second-factor", {"code": "123456"}),
        ("POST", "/me/second-factor/recovery-codes", None),
        ("DELETE", "/me/second-factor", None),
    ],
)
async def test_who_signed_in_long_ago_signs_in_again_first(
    heron: httpx.AsyncClient, services: Services, method: str, path: str, body: Any
) -> None:
    long_ago = clock.now() - timedelta(minutes=15, seconds=1)
    async with services.database.work() as session:
        await session.execute(update(MemberSession).values(created_at=long_ago))
    response = await heron.request(method, API + path, json=body)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/sign-in-again")


# Signing in.


async def test_a_right_password_alone_opens_nothing_and_says_what_is_missing(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await set_up(heron)
    response = await sign_in(guest)
    assert "authenticator app" in refused(response)
    assert "token" not in response.json()


async def test_a_wrong_password_with_a_right_code_says_nothing_of_the_code(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    secret, _ = await set_up(heron)
    response = await sign_in(guest, password="wrong and long enough", code=code_of(secret))
    assert (response.status_code, response.json()["type"]) == (401, "/problems/not-signed-in")
    assert (await sign_in(guest, code=code_of(secret))).status_code == 201  # and it is not used up


async def test_a_code_opens_once(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    secret, _ = await set_up(heron)
    code = code_of(secret)
    assert (await sign_in(guest, code=code)).status_code == 201
    assert "used already" in refused(await sign_in(guest, code=code))
    refused(await sign_in(guest, code=code_of(secret, -1)))  # nor one before it


async def test_a_recovery_code_opens_once_and_is_told_by_mail(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    _, paper = await set_up(heron)
    await mailbox.come(services)
    assert (await sign_in(guest, code=paper[4].upper())).status_code == 201
    assert len(await mailbox.come(services)) == 1
    refused(await sign_in(guest, code=paper[4]))
    assert (await heron.get(f"{API}/me/second-factor")).json()["recovery_codes"] == 7
    assert (await sign_in(guest, code=paper[0])).status_code == 201


async def test_other_recovery_codes_make_the_first_ones_worthless(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    _, paper = await set_up(heron)
    others = (await heron.post(f"{API}/me/second-factor/recovery-codes")).json()["recovery_codes"]
    assert not set(paper) & set(others)
    refused(await sign_in(guest, code=paper[0]))
    assert (await sign_in(guest, code=others[0])).status_code == 201


async def test_there_are_no_recovery_codes_without_an_app(heron: httpx.AsyncClient) -> None:
    assert (await heron.post(f"{API}/me/second-factor/recovery-codes")).status_code == 404
    assert (await heron.delete(f"{API}/me/second-factor")).status_code == 404


async def test_codes_are_guessed_ten_times_and_no_more(
    heron: httpx.AsyncClient, services: Services, settings: Any, guest: httpx.AsyncClient
) -> None:
    secret, _ = await set_up(heron)
    strict = settings.model_copy(update={"second_factor_limit": Settings().second_factor_limit})
    async with make.application(strict) as app, make.client(app) as client:
        for _ in range(10):
            refused(await sign_in(client, code="000000"))
        assert (await sign_in(client, code=code_of(secret))).status_code == 429


async def test_who_knows_the_password_guesses_fifty_codes_a_day_and_a_new_password_lets_its_owner_in(
    heron: httpx.AsyncClient, services: Services, settings: Any
) -> None:
    secret, _ = await set_up(heron)
    await mailbox.come(services)
    strict = settings.model_copy(update={"second_factor_day_limit": "3/1 day"})
    async with make.application(strict) as app, make.client(app) as guest:
        for _ in range(3):
            refused(await sign_in(guest, code="000000"))
        over = await sign_in(guest, code=code_of(secret))
        assert (over.status_code, over.headers["RateLimit-Policy"]) == (429, '"second-factor-day";q=3;w=86400')
        await guest.post(f"{API}/password-resets", json={"login": "heron"})
        [letter] = await mailbox.come(services)
        new = "eleven brass kettles humming"
        await guest.post(f"{API}/password-resets/completion", json={"token": letter.token, "new": new})
        assert (await sign_in(guest, password=new, code=code_of(secret))).status_code == 201


async def test_a_reset_password_still_wants_the_second_factor(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    secret, _ = await set_up(heron)
    await mailbox.come(services)
    await guest.post(f"{API}/password-resets", json={"login": "heron"})
    [letter] = await mailbox.come(services)
    new = "eleven brass kettles humming"
    reset = await guest.post(f"{API}/password-resets/completion", json={"token": letter.token, "new": new})
    assert reset.status_code == 204
    refused(await sign_in(guest, password=new))
    assert (await sign_in(guest, password=new, code=code_of(secret))).status_code == 201


async def test_who_does_without_is_asked_for_the_password_alone(
    app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    secret, paper = await set_up(heron)
    other = (await sign_in(guest, code=code_of(secret))).json()["token"]
    assert (await heron.delete(f"{API}/me/second-factor")).status_code == 204
    async with make.client(app, Authorization=f"Bearer {other}") as client:
        assert (await client.get(f"{API}/me")).status_code == 401
    assert (await sign_in(guest)).status_code == 201
    assert (await sign_in(guest, code=paper[0])).status_code == 201  # asked for nothing, it is not looked at
    async with services.database.work() as session:
        assert not (await session.execute(select(Totp))).all()
        assert not (await session.execute(select(RecoveryCode))).all()


# What a role is worth without it.


@pytest.fixture
async def orla(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A moderator who signed in with the password alone."""
    await make.board(services)
    await make.board(services, "staff-room", readers=("moderator",), openers=("moderator",), repliers=("moderator",))
    await make.member(services, "orla", Role.MODERATOR)
    token = (await guest.post(f"{API}/sessions", json=make.signing_in("orla"))).json()["token"]
    async with make.client(app, Authorization=f"Bearer {token}") as client:
        yield client


def withheld(response: httpx.Response) -> None:
    assert (response.status_code, response.json()["type"]) == (403, "/problems/role-withheld"), response.text
    assert "second factor" in response.json()["detail"]


async def test_without_a_second_factor_a_role_opens_nothing(
    app: FastAPI, orla: httpx.AsyncClient, services: Services
) -> None:
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    me = (await orla.get(f"{API}/me")).json()
    assert (me["roles"], me["roles_withheld"]) == (["moderator"], True)
    withheld(await orla.get(f"{API}/moderation/cases"))
    withheld(await orla.get(f"{API}/moderation/log"))
    withheld(await orla.put(f"{API}/threads/{thread}/lock"))
    withheld(await orla.get(f"{API}/adviser/threads"))
    assert (await orla.get(f"{API}/boards/staff-room")).status_code == 404
    withheld(await orla.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "I am Orla, trust me"}))
    withheld(await orla.post(f"{API}/boards/new-here/threads", json={"title": "Trust me", "body_markdown": "Orla"}))
    withheld(await orla.patch(f"{API}/me", json={"name": "Somebody"}))


async def test_once_it_is_set_up_the_role_counts_in_this_session(orla: httpx.AsyncClient) -> None:
    assert (await orla.get(f"{API}/me/second-factor")).json()["required"] is True
    await set_up(orla)
    assert (await orla.get(f"{API}/moderation/cases")).status_code == 200
    assert (await orla.get(f"{API}/boards/staff-room")).status_code == 200
    assert (await orla.get(f"{API}/me")).json()["roles_withheld"] is False


async def test_who_does_away_with_it_has_no_role_from_then_on(orla: httpx.AsyncClient) -> None:
    await set_up(orla)
    assert (await orla.delete(f"{API}/me/second-factor")).status_code == 204
    withheld(await orla.get(f"{API}/moderation/cases"))


async def test_a_members_rights_need_no_second_factor(
    app: FastAPI, heron: httpx.AsyncClient, services: Services
) -> None:
    await make.board(services)
    assert (await heron.get(f"{API}/me")).json()["roles_withheld"] is False
    opened = await heron.post(f"{API}/boards/new-here/threads", json={"title": "A question", "body_markdown": "Hello"})
    assert opened.status_code == 201


# Losing it.


async def test_an_administrator_takes_a_lost_one_away_and_it_is_told_and_recorded(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    await set_up(heron)
    await mailbox.come(services)
    async with services.database.work() as session:
        member = await get_member(session, "heron")
        await enrolment.reset_second_factor(session, member, clock.now())
    services.session_cache.invalidate(member.id)
    assert (await heron.get(f"{API}/me")).status_code == 401
    assert (await sign_in(guest)).status_code == 201
    assert len(await mailbox.come(services)) == 1
    async with services.database.work() as session:
        [entry] = (await session.execute(select(audit.AuditEntry))).scalars()
        assert (entry.act, entry.subject_id, entry.details) == ("second_factor.reset", str(member.id), {})


async def test_nothing_is_told_to_an_address_that_nobody_verified(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "swift", verified=False) as client:
        await set_up(client)
    assert await mailbox.come(services) == []


async def test_it_goes_with_its_member(heron: httpx.AsyncClient, services: Services) -> None:
    await set_up(heron)
    async with services.database.work() as session:
        await session.execute(text("DELETE FROM member"))
        assert not (await session.execute(select(Totp))).all()
        assert not (await session.execute(select(RecoveryCode))).all()
