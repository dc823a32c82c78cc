"""Passkeys: instead of a password, beside one, and everything that a device, a browser or a thief can get wrong."""

import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import cbor2
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import func, select, text, update
from sqlmodel import col

from forum.authentication import sessions
from forum.authentication.second_factor import enrolment, passkeys, webauthn, webauthn_parsing
from forum.authentication.second_factor.relying_party import Party
from forum.authentication.second_factor.tables import Passkey, PasskeyChallenge, Purpose, RecoveryCode
from forum.authentication.sessions import MemberSession
from forum.core import clock
from forum.core.database import columns
from forum.core.settings import Settings
from forum.http.current_member import COOKIE
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Role, Standing
from tests.forum.authentication.test_second_factor import code_of, set_up
from tests.support import mailbox, make
from tests.support.authenticator import (
    BACKED_UP,
    CAN_BE_BACKED_UP,
    EDDSA,
    ES256,
    EXTENDED,
    PRESENT,
    RS256,
    VERIFIED,
    Device,
    new_key,
    public_half,
    read,
    written,
)
from tests.support.jobs import clean_up

API = "/api/v1"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": make.BASE})


@pytest.fixture
async def heron(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "heron") as client:
        yield client


async def begin(client: httpx.AsyncClient) -> dict[str, Any]:
    """What a browser is asked to make a passkey with."""
    begun = await client.post(f"{API}/me/passkey-challenges")
    assert begun.status_code == 201, begun.text
    options: dict[str, Any] = begun.json()
    return options


async def add(client: httpx.AsyncClient, credential: dict[str, Any], name: str = "My phone") -> httpx.Response:
    return await client.post(f"{API}/me/passkeys", json={"name": name, "credential": credential})


async def made(client: httpx.AsyncClient, device: Device, **how: Any) -> dict[str, Any]:
    """A new passkey of this device, as the answer shows it."""
    done = await add(client, device.create(await begin(client), **how))
    assert done.status_code == 201, done.text
    shown: dict[str, Any] = done.json()
    return shown


async def ask(guest: httpx.AsyncClient, purpose: str = "sign_in") -> dict[str, Any]:
    """What a browser is asked to show a passkey with."""
    asked = await guest.post(f"{API}/passkey-challenges", json={"purpose": purpose})
    assert asked.status_code == 201, asked.text
    options: dict[str, Any] = asked.json()
    return options


async def show(guest: httpx.AsyncClient, credential: Any, **more: Any) -> httpx.Response:
    return await guest.post(f"{API}/sessions/passkey", json={"credential": credential, **more})


async def beside(guest: httpx.AsyncClient, credential: Any, login: str = "heron", **more: Any) -> httpx.Response:
    return await guest.post(f"{API}/sessions", json=make.signing_in(login, passkey=credential, **more))


def needed(response: httpx.Response) -> list[str]:
    """Which second factors somebody has who did not show one."""
    assert (response.status_code, response.json()["type"]) == (401, "/problems/second-factor-needed"), response.text
    factors: list[str] = response.json()["factors"]
    return factors


def unknown(response: httpx.Response, how: str = "") -> None:
    """Refused, in the same words whatever is wrong."""
    assert (response.status_code, response.json()["type"]) == (401, "/problems/not-signed-in"), (how, response.text)
    assert response.json()["detail"] == passkeys.WRONG


def not_asked_for(response: httpx.Response, how: str = "") -> None:
    assert response.status_code == 422, (how, response.text)
    assert response.json()["errors"][0]["pointer"] == "#/credential"
    assert "begin again" in response.json()["detail"]


# Making one.


async def test_a_browser_is_asked_in_the_words_of_the_standard(heron: httpx.AsyncClient) -> None:
    options = await begin(heron)
    assert len(read(options.pop("challenge"))) == 32
    assert len(read(options["user"].pop("id"))) == 64
    assert options == {
        "rp": {"id": "forum.test", "name": "forum.test"},
        "user": {"name": "Account", "displayName": "Account"},
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (EDDSA, ES256, RS256)],
        "timeout": 300_000,
        "excludeCredentials": [],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "preferred",
        },
        "attestation": "none",
    }


async def test_a_device_is_told_nothing_that_gives_somebody_away(heron: httpx.AsyncClient, services: Services) -> None:
    told = json.dumps(await begin(heron)).lower()
    viewer = await make.viewer(services, "heron")
    for word in ("heron", str(viewer.id), viewer.member_id.hex, "peer support"):
        assert word not in told


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
async def test_a_passkey_opens_a_session_alone(
    algorithm: int, app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device = Device(algorithm)
    mine = await made(heron, device)
    assert (mine["name"], mine["used_at"], len(mine["recovery_codes"])) == ("My phone", None, 8)
    opened = await show(guest, device.get(await ask(guest)))
    assert opened.status_code == 201, opened.text
    assert opened.headers["Cache-Control"] == "no-store"
    assert opened.json()["member"]["handle"] == "heron"
    async with make.client(app, Authorization=f"Bearer {opened.json()['token']}") as client:
        [listed] = (await client.get(f"{API}/me/passkeys")).json()["items"]
        assert (listed["id"], listed["name"], listed["backed_up"]) == (mine["id"], "My phone", False)
        assert listed["used_at"] is not None
        assert (await client.get(f"{API}/me/second-factor")).json() == {
            "since": mine["created_at"],
            "authenticator_app": False,
            "passkeys": 1,
            "recovery_codes": 8,
            "required": False,
        }


async def test_to_make_one_ends_every_other_session_and_is_told_by_mail(
    app: FastAPI, heron: httpx.AsyncClient, services: Services
) -> None:
    async with make.signed_in(app, "heron") as other:
        await made(heron, Device())
        assert (await other.get(f"{API}/me")).status_code == 401
    assert (await heron.get(f"{API}/me")).status_code == 200
    [letter] = await mailbox.come(services)
    assert "how you sign in was changed" in letter.words.lower().replace("\n", " ")


async def test_recovery_codes_come_with_the_first_and_stay_with_the_next(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    first = await made(heron, Device())
    second = await made(heron, Device())
    assert second["recovery_codes"] is None
    assert (
        await guest.post(f"{API}/sessions", json=make.signing_in("heron", code=first["recovery_codes"][0]))
    ).is_success


async def test_an_app_that_was_there_first_has_given_them_already(heron: httpx.AsyncClient) -> None:
    await set_up(heron)
    assert (await made(heron, Device()))["recovery_codes"] is None
    assert (await heron.get(f"{API}/me/second-factor")).json()["recovery_codes"] == 8


async def test_a_device_is_not_asked_twice_and_knows_the_account_again(heron: httpx.AsyncClient) -> None:
    device = Device()
    first = await begin(heron)
    await add(heron, device.create(first))
    second = await begin(heron)
    assert second["excludeCredentials"] == [{"id": written(device.passkeys[0].id), "type": "public-key"}]
    assert second["user"]["id"] == written(device.passkeys[0].user_handle)


async def test_two_members_are_known_by_nothing_that_is_alike(app: FastAPI, heron: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "magpie") as magpie:
        assert (await begin(heron))["user"]["id"] != (await begin(magpie))["user"]["id"]


async def test_a_passkey_is_known_once(app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    device = Device()
    await made(heron, device)
    async with make.signed_in(app, "magpie") as magpie:
        copy = Device()
        credential = copy.create(await begin(magpie), credential_id=device.passkeys[0].id)
        credential["id"] = credential["rawId"] = written(device.passkeys[0].id)
        assert (await add(magpie, credential)).status_code == 409
    assert (await show(guest, device.get(await ask(guest)))).json()["member"]["handle"] == "heron"


async def test_a_member_has_twenty_at_most(heron: httpx.AsyncClient, services: Services) -> None:
    await made(heron, Device())
    async with services.database.work() as session:
        [one] = (await session.execute(select(*columns(Passkey)))).mappings().all()
        for _ in range(passkeys.AT_MOST - 1):
            session.add(Passkey(**{**one, "id": uuid4(), "credential_id": secrets.token_bytes(16)}))
    refused = await heron.post(f"{API}/me/passkey-challenges")
    assert (refused.status_code, "Remove one" in refused.json()["detail"]) == (409, True)


async def test_a_passkey_that_is_backed_up_says_so(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    device = Device()
    flags = PRESENT | VERIFIED | CAN_BE_BACKED_UP
    assert (await made(heron, device, flags=flags))["backed_up"] is False
    await show(guest, device.get(await ask(guest), flags=flags | BACKED_UP))
    assert (await heron.get(f"{API}/me/passkeys")).json()["items"][0]["backed_up"] is True


async def test_a_device_may_sign_what_it_made_with_the_key_itself(heron: httpx.AsyncClient) -> None:
    """Self attestation, which a browser may leave in where none was asked for (§5.4.7)."""
    wrong = {"alg": ES256, "sig": b"not this"}
    not_asked_for(await add(heron, Device().create(await begin(heron), fmt="packed", statement=wrong)))
    assert (await add(heron, Device().create(await begin(heron), fmt="packed", attests=True))).status_code == 201


async def test_a_device_may_say_more_than_it_was_asked(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    device, flags = Device(), PRESENT | VERIFIED | EXTENDED
    await made(heron, device, flags=flags, after=cbor2.dumps({"credProtect": 2}))
    credential = device.get(await ask(guest), flags=flags, after=cbor2.dumps({"hmac-secret": bytes(32)}))
    assert (await show(guest, credential)).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/me/passkey-challenges", None),
        ("POST", "/me/passkeys", True),
        ("DELETE", f"/me/passkeys/{uuid4()}", None),
        ("DELETE", "/me/second-factor/authenticator-app", None),
    ],
    ids=["begin", "add", "remove", "remove the app"],
)
async def test_who_signed_in_long_ago_signs_in_again_first(
    heron: httpx.AsyncClient, services: Services, method: str, path: str, body: Any
) -> None:
    sent = {"name": "Mine", "credential": Device().create(await begin(heron))} if body else None
    async with services.database.work() as session:
        await session.execute(update(MemberSession).values(created_at=clock.now() - timedelta(minutes=15, seconds=1)))
    services.session_cache.invalidate((await make.viewer(services, "heron")).id)
    response = await heron.request(method, API + path, json=sent)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/sign-in-again")


def _on(curve: ec.EllipticCurve, number: int) -> bytes:
    at, size = ec.generate_private_key(curve).public_key().public_numbers(), (curve.key_size + 7) // 8
    return cbor2.dumps({1: 2, 3: ES256, -1: number, -2: at.x.to_bytes(size, "big"), -3: at.y.to_bytes(size, "big")})


def _odd(**changes: Any) -> bytes:
    plain = public_half(new_key(ES256))
    names = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3}
    return cbor2.dumps({**plain, **{names[name]: value for name, value in changes.items()}})


def _rsa(bits: int) -> bytes:
    return cbor2.dumps(public_half(rsa.generate_private_key(65537, bits)))


def laughs(levels: int) -> bytes:
    """CBOR of a few bytes that says "the same twice" so many times: written again, it has 2 ** levels parts."""
    inner = b"\x80"
    for level in range(levels):
        inner = b"\x82\xd8\x1c" + inner + b"\xd8\x1d" + cbor2.dumps(levels - 1 - level)
    return inner


KEYS: dict[str, Callable[[], bytes]] = {
    "another kind": lambda: _odd(kty=3),
    "no kind": lambda: _odd(kty=None),
    "the algorithm of another kind": lambda: _odd(alg=EDDSA),
    "an algorithm that nobody asked for": lambda: _odd(alg=-36),
    "no algorithm": lambda: _odd(alg=0),
    "an algorithm in words": lambda: _odd(alg="ES256"),
    "no point of the curve": lambda: _odd(x=b"\x01" * 32),
    "nothing for a point": lambda: _odd(x=b"", y=b""),
    "a number for a point": lambda: _odd(x=7),
    "words for a point": lambda: _odd(x="ab" * 16),
    "another curve": lambda: _on(ec.SECP521R1(), 3),
    "another curve under this one's name": lambda: _on(ec.SECP384R1(), 1),
    "a curve that is none": lambda: _odd(crv=99),
    "Ed25519 without its length": lambda: cbor2.dumps({1: 1, 3: EDDSA, -1: 6, -2: b"short"}),
    "another curve of Ed25519's kind": lambda: cbor2.dumps({1: 1, 3: EDDSA, -1: 4, -2: bytes(32)}),
    "a short modulus": lambda: _rsa(1024),
    "an endless modulus": lambda: cbor2.dumps({1: 3, 3: RS256, -1: b"\xff" * 2048, -2: b"\x01\x00\x01"}),
    "an endless exponent": lambda: cbor2.dumps({1: 3, 3: RS256, -1: b"\xff" * 512, -2: b"\xff" * 512}),
    "a list": lambda: cbor2.dumps([1, 2, 3]),
    "a number": lambda: cbor2.dumps(7),
    "nothing": lambda: b"",
    "a bare point": lambda: b"\x04" + bytes(64),
    "not CBOR": lambda: b"\xff\xfe\xfd",
    "the same name twice": lambda: b"\xa2\x01\x02\x01\x02",
    "a length that it has not": lambda: b"\xbb" + b"\xff" * 8,
    "a length that is not told": lambda: b"\xbf\x01\x02\xff",
    "many levels": lambda: b"\x81" * 5_000 + b"\x00",
    "the same twice, and again": lambda: laughs(60),
    "a number of many digits": lambda: b"\xc5\x82\x1b" + b"\x7f" * 8 + b"\x01",
}


async def test_a_key_that_nobody_could_use_is_not_taken(heron: httpx.AsyncClient) -> None:
    for what, key in KEYS.items():
        not_asked_for(await add(heron, Device().create(await begin(heron), public_key=key())), what)


WRONG_MAKING: dict[str, dict[str, Any]] = {
    "for another site": {"rp_id": "forum.example"},
    "on another site's page": {"origin": "https://forum.example"},
    "on a page without TLS": {"origin": "http://forum.test"},
    "on another port": {"origin": "https://forum.test:8443"},
    "below our own address, which nobody named": {"origin": "https://evil.forum.test"},
    "in an app that nobody named": {"origin": "android:apk-key-hash:" + "A" * 43},
    "inside of another site's page": {"cross_origin": True},
    "for another challenge": {"challenge": written(bytes(32))},
    "for no challenge": {"challenge": 7},
    "in the other ceremony": {"type": "webauthn.get"},
    "with nobody present": {"flags": VERIFIED},
    "backed up though it cannot be": {"flags": PRESENT | BACKED_UP},
    "with a certificate": {"fmt": "packed", "statement": {"alg": ES256, "sig": b"x", "x5c": [b"x"]}},
    "with a kind of attestation that nobody asked for": {"fmt": "tpm", "statement": {"ver": "2.0"}},
    "with words where there are none": {"statement": {"sig": b"x"}},
    "with a kind that is none": {"fmt": 7},
    "with a statement that is none": {"statement": 7},
    "with an id that is too long": {"credential_id": bytes(1024)},
    "with another id": {"credential_id": b"another"},
    "with no id": {"credential_id": b""},
    "with more than there is": {"after": b"\x00"},
    "in CBOR that is none": {"attestation": b"\xff"},
    "in CBOR that never ends": {"attestation": b"\x81" * 5_000},
    "in CBOR that laughs": {"attestation": laughs(60)},
    "in a list": {"attestation": cbor2.dumps([1])},
    "with data that is text": {"attestation": cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": "x" * 37})},
    "with data that is short": {"attestation": cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": b"x"})},
    "without data": {"attestation": cbor2.dumps({"fmt": "none", "attStmt": {}})},
    "in no JSON": {"client_data": b"{"},
    "in JSON that is a list": {"client_data": b"[]"},
    "in JSON without an end": {"client_data": b"[" * 5_000},
    "in no UTF-8": {"client_data": b"\xff\xfe"},
    "with a number without end": {"client_data": b'{"type": ' + b"9" * 5_000 + b"}"},
}


async def test_a_passkey_that_was_made_in_another_way_is_not_taken(heron: httpx.AsyncClient) -> None:
    for how, made_so in WRONG_MAKING.items():
        not_asked_for(await add(heron, Device().create(await begin(heron), **made_so)), how)
        assert (await heron.get(f"{API}/me/passkeys")).json()["items"] == [], how


async def test_a_challenge_is_answered_once_by_its_member_and_in_time(
    app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    options = await begin(heron)
    credential = Device().create(options)
    async with make.signed_in(app, "magpie") as magpie:
        not_asked_for(await add(magpie, credential))
    not_asked_for(await add(heron, credential))  # another member's try has used it up
    options = await begin(heron)
    assert (await add(heron, Device().create(options))).status_code == 201
    not_asked_for(await add(heron, Device().create(options)))
    first, _second = await begin(heron), await begin(heron)
    not_asked_for(await add(heron, Device().create(first)))  # the last one counts
    late = await begin(heron)
    await run_out(services)
    not_asked_for(await add(heron, Device().create(late)))
    asked = await ask(guest)
    not_asked_for(await add(heron, Device().create({**(await begin(heron)), "challenge": asked["challenge"]})))


async def run_out(services: Services) -> None:
    """Let five minutes go by for every challenge."""
    async with services.database.work() as session:
        await session.execute(update(PasskeyChallenge).values(expires_at=clock.now()))


# Signing in with nothing else.


async def test_who_asks_is_told_nothing_of_who_is_there(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    before = await ask(guest)
    await made(heron, Device())
    options = await ask(guest)
    assert before.pop("challenge") != options.pop("challenge")
    assert before == options
    assert options == {
        "rpId": "forum.test",
        "timeout": 300_000,
        "allowCredentials": [],
        "userVerification": "required",
    }


WRONG_SHOWING: dict[str, dict[str, Any]] = {
    "without a fingerprint, a face or a PIN": {"flags": PRESENT},
    "with nobody present": {"flags": VERIFIED},
    "for another site": {"rp_id": "forum.example"},
    "on another site's page": {"origin": "https://forum.example"},
    "inside of another site's page": {"cross_origin": True},
    "for another challenge": {"challenge": written(bytes(32))},
    "in the other ceremony": {"type": "webauthn.create"},
    "signed with another key": {"key": new_key(ES256)},
    "signed with another kind of key": {"key": new_key(RS256)},
    "for another account": {"user_handle": b"somebody else"},
    "for no account": {"user_handle": b""},
    "with more than there is": {"after": b"\x00"},
    "with extensions that laugh": {"flags": PRESENT | VERIFIED | EXTENDED, "after": laughs(60)},
    "in no JSON": {"client_data": b"{"},
    "in JSON without an end": {"client_data": b"[" * 5_000},
}


async def test_a_passkey_that_is_shown_in_another_way_opens_nothing(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device = Device()
    await made(heron, device)
    for how, shown_so in WRONG_SHOWING.items():
        wrong = device.get(await ask(guest), **shown_so)
        if not wrong["response"]["userHandle"]:
            del wrong["response"]["userHandle"]
        unknown(await show(guest, wrong), how)
        guest.cookies.clear()
        assert (await show(guest, device.get(await ask(guest)))).status_code == 201, how


async def test_an_unknown_passkey_is_refused_as_a_wrong_one_is(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    known, stranger = Device(), Device()
    await made(heron, known)
    stranger.create({**(await begin(heron)), "excludeCredentials": []})
    answers, statements = [], []
    for credential in (
        known.get(await ask(guest), key=new_key(ES256)),
        stranger.get(await ask(guest)),
    ):
        with make.note_of_statements(services) as sent:
            answers.append(await show(guest, credential))
        statements.append(sent)
    unknown(answers[0])
    assert answers[0].content == answers[1].content
    assert statements[0] == statements[1]


async def test_a_challenge_opens_once_in_time_and_for_what_it_was_asked_for(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    device = Device()
    await made(heron, device)
    credential = device.get(await ask(guest))
    assert (await show(guest, credential)).status_code == 201
    unknown(await show(guest, credential))
    options = await ask(guest)
    unknown(await show(guest, device.get(options, origin="https://forum.example")))
    unknown(await show(guest, device.get(options)))  # a wrong answer has used it up
    options = await ask(guest)
    await run_out(services)
    unknown(await show(guest, device.get(options)))
    unknown(await show(guest, device.get(await ask(guest, "second_factor"), flags=PRESENT | VERIFIED)))
    registering = await begin(heron)
    asked = {**(await ask(guest)), "challenge": registering["challenge"]}
    unknown(await show(guest, device.get(asked)))


async def test_challenges_that_ran_out_are_tidied_away(guest: httpx.AsyncClient, services: Services) -> None:
    await ask(guest)
    await run_out(services)
    await ask(guest)
    async with services.database.work() as session:
        await clean_up(session, clock.now())
        assert await session.scalar(select(func.count()).select_from(PasskeyChallenge)) == 1


async def test_a_challenge_is_not_kept_as_it_is(guest: httpx.AsyncClient, services: Services) -> None:
    challenge = read((await ask(guest))["challenge"])
    async with services.database.work() as session:
        [kept] = (await session.execute(select(col(PasskeyChallenge.digest)))).scalars()
    assert kept != challenge


async def test_a_count_that_goes_back_is_refused_and_says_why(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device = Device(counts=True)
    await made(heron, device)
    for _ in range(2):
        assert (await show(guest, device.get(await ask(guest)))).status_code == 201
    for count in (2, 1, 0):
        refused = await show(guest, device.get(await ask(guest), count=count))
        assert (refused.status_code, refused.json()["detail"]) == (401, passkeys.COPIED)
    # Who has not the key learns nothing of its count.
    unknown(await show(guest, device.get(await ask(guest), count=1, key=new_key(ES256))))
    second = await beside(guest, device.get(await ask(guest, "second_factor"), count=1))
    assert needed(second) == ["passkey", "recovery_code"]
    assert second.json()["detail"] == passkeys.COPIED
    assert (await show(guest, device.get(await ask(guest), count=9))).status_code == 201


async def test_two_answers_of_one_count_open_once(
    heron: httpx.AsyncClient, services: Services, guest: httpx.AsyncClient
) -> None:
    device = Device(counts=True)
    await made(heron, device)
    read_first = []
    for _ in range(2):
        credential = device.get(await ask(guest), count=1)
        kept = await passkeys.find_passkey(services.database.reader, credential)
        transactions = services.transactions(clock.now())
        read_first.append(await passkeys.verify_signature(transactions, kept, credential, Purpose.SIGN_IN))
    async with services.database.work() as session:
        assert [await passkeys.record_use(session, signed, clock.now()) for signed in read_first if signed] == [
            True,
            False,
        ]


async def test_the_session_is_as_any_other(app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    device = Device()
    await made(heron, device)
    body = {"transport": "cookie"}
    forged = await show(guest, device.get(await ask(guest)), **body)
    assert forged.status_code == 403
    guest.headers["Origin"] = make.BASE
    opened = await show(guest, device.get(await ask(guest)), **body)
    assert opened.json()["token"] is None
    assert COOKIE in opened.headers["Set-Cookie"]
    again = await show(guest, device.get(await ask(guest)), device=opened.json()["device"])
    assert again.json()["device"] == opened.json()["device"]
    # The session that was shown with it has gone.
    assert len((await heron.get(f"{API}/me/sessions")).json()["items"]) == 2


async def test_a_link_to_a_new_password_dies_with_it(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    device = Device()
    await made(heron, device)
    await mailbox.come(services)
    await guest.post(f"{API}/password-resets", json={"login": "heron"})
    [letter] = await mailbox.come(services)
    assert (await show(guest, device.get(await ask(guest)))).status_code == 201
    sent = {"token": letter.token, "new": "eleven brass kettles humming"}
    reset = await guest.post(f"{API}/password-resets/completion", json=sent)
    assert (reset.status_code, "link" in reset.json()["detail"]) == (404, True)


async def test_who_is_banned_signs_in_to_read_why(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    device = Device()
    await made(heron, device)
    await make.sanction(services, "heron", Standing.BANNED)
    token = (await show(guest, device.get(await ask(guest)))).json()["token"]
    reading = {"Authorization": f"Bearer {token}"}
    assert (await guest.get(f"{API}/me/statements", headers=reading)).status_code == 200
    assert (await guest.patch(f"{API}/me", json={"name": "Other"}, headers=reading)).status_code == 403


async def test_tries_are_counted_by_network_and_a_known_device_by_itself(
    heron: httpx.AsyncClient, settings: Settings
) -> None:
    device = Device()
    await made(heron, device)
    strict = settings.model_copy(update={"sign_in_limit": "3/5 minutes"})
    async with make.application(strict) as app, make.client_at(app, "192.0.2.1") as one:
        known = (await show(one, device.get(await ask(one)))).json()["device"]
        for _ in range(3):  # only failures count
            unknown(await show(one, device.get(await ask(one), flags=PRESENT)))
        assert (await show(one, device.get(await ask(one)))).status_code == 429
        assert (await show(one, device.get(await ask(one)), device=known)).status_code == 201
        async with make.client_at(app, "192.0.2.2") as other:
            assert (await show(other, device.get(await ask(other)))).status_code == 201


async def test_nobody_fills_the_house_with_challenges(settings: Settings, app: FastAPI) -> None:
    strict = settings.model_copy(update={"passkey_limit": "2/5 minutes"})
    asked = {"purpose": "sign_in"}
    async with make.application(strict) as services, make.client_at(services, "192.0.2.1") as one:
        async with make.client_at(services, "192.0.2.2") as other:
            assert [(await one.post(f"{API}/passkey-challenges", json=asked)).status_code for _ in range(3)] == [
                201,
                201,
                429,
            ]
            assert (await other.post(f"{API}/passkey-challenges", json=asked)).status_code == 201
        async with make.signed_in(services, "heron") as heron:
            statuses = [(await heron.post(f"{API}/me/passkey-challenges")).status_code for _ in range(3)]
            assert statuses == [201, 201, 429]


# Beside a password.


async def test_a_passkey_is_a_second_factor(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    device = Device()
    await made(heron, device)
    alone = await guest.post(f"{API}/sessions", json=make.signing_in("heron"))
    assert needed(alone) == ["passkey", "recovery_code"]
    assert "a passkey" in alone.json()["detail"]
    assert "app" not in alone.json()["detail"]
    options = await ask(guest, "second_factor")
    assert (options["allowCredentials"], options["userVerification"]) == ([], "discouraged")
    opened = await beside(guest, device.get(options, flags=PRESENT))
    assert opened.status_code == 201, opened.text


async def test_a_key_without_a_pin_is_a_second_factor_and_no_first(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device = Device()
    await made(heron, device, flags=PRESENT)
    assert (await beside(guest, device.get(await ask(guest, "second_factor")))).status_code == 201
    unknown(await show(guest, device.get(await ask(guest), flags=PRESENT)))


async def test_a_device_need_not_say_whose_account_it_is_where_that_was_said(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device = Device()
    await made(heron, device)
    silent = device.get(await ask(guest, "second_factor"))
    silent["response"]["userHandle"] = None
    assert (await beside(guest, silent)).status_code == 201
    lying = device.get(await ask(guest, "second_factor"), user_handle=b"somebody else")
    needed(await beside(guest, lying))


async def test_another_members_passkey_is_none(
    app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    theirs, own = Device(), Device()
    await made(heron, own)
    async with make.signed_in(app, "magpie") as magpie:
        await made(magpie, theirs)
    wrong = await beside(guest, theirs.get(await ask(guest, "second_factor")))
    assert needed(wrong) == ["passkey", "recovery_code"]
    code = "second_factor_needed"
    assert wrong.json()["errors"] == [{"pointer": "#/passkey", "code": code, "detail": passkeys.WRONG}]


async def test_a_wrong_password_says_nothing_of_the_passkey_and_does_not_use_it_up(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device = Device()
    await made(heron, device)
    credential = device.get(await ask(guest, "second_factor"))
    wrong = await beside(guest, credential, password="wrong and long enough")
    assert (wrong.json()["type"], "factors" in wrong.json()) == ("/problems/not-signed-in", False)
    assert (await beside(guest, credential)).status_code == 201


async def test_an_answer_opens_once_beside_a_password_too(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    device = Device()
    await made(heron, device)
    credential = device.get(await ask(guest, "second_factor"))
    assert (await beside(guest, credential)).status_code == 201
    needed(await beside(guest, credential))
    needed(await beside(guest, device.get(await ask(guest))))  # which was asked for something else


async def test_asked_for_nothing_a_passkey_is_not_looked_at(
    app: FastAPI, guest: httpx.AsyncClient, services: Services
) -> None:
    await make.member(services, "heron")
    device = Device()
    async with make.signed_in(app, "magpie") as magpie:
        await made(magpie, device)
    assert (await beside(guest, device.get(await ask(guest, "second_factor")))).status_code == 201


async def test_passkeys_are_tried_ten_times_and_no_more(
    heron: httpx.AsyncClient, settings: Settings, guest: httpx.AsyncClient
) -> None:
    device = Device()
    await made(heron, device)
    strict = settings.model_copy(update={"second_factor_limit": "10/5 minutes"})
    async with make.application(strict) as app, make.client(app) as client:
        for _ in range(10):
            needed(await beside(client, device.get(await ask(client, "second_factor"), key=new_key(ES256))))
        assert (await beside(client, device.get(await ask(client, "second_factor")))).status_code == 429


async def test_who_has_both_is_told_of_both_and_may_show_either(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device = Device()
    secret, paper = await set_up(heron)
    await made(heron, device)
    assert needed(await guest.post(f"{API}/sessions", json=make.signing_in("heron"))) == [
        "passkey",
        "totp",
        "recovery_code",
    ]
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("heron", code=code_of(secret)))).status_code == 201
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("heron", code=paper[0]))).status_code == 201
    assert (await beside(guest, device.get(await ask(guest, "second_factor")))).status_code == 201
    assert (await show(guest, device.get(await ask(guest)))).status_code == 201


async def test_a_code_that_is_wrong_where_there_is_no_app_is_said_to_be(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await made(heron, Device())
    wrong = await guest.post(f"{API}/sessions", json=make.signing_in("heron", code="123456"))
    assert needed(wrong) == ["passkey", "recovery_code"]
    assert wrong.json()["errors"][0]["pointer"] == "#/code"


async def test_a_reset_password_still_wants_the_passkey(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    device = Device()
    await made(heron, device)
    await mailbox.come(services)
    await guest.post(f"{API}/password-resets", json={"login": "heron"})
    [letter] = await mailbox.come(services)
    new = "eleven brass kettles humming"
    reset = await guest.post(f"{API}/password-resets/completion", json={"token": letter.token, "new": new})
    assert reset.status_code == 204
    needed(await guest.post(f"{API}/sessions", json=make.signing_in("heron", password=new)))
    credential = device.get(await ask(guest, "second_factor"))
    assert (await beside(guest, credential, password=new)).status_code == 201


# Doing without.


async def test_the_last_one_takes_the_recovery_codes_with_it(
    app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    device, other = Device(), Device()
    first, second = await made(heron, device), await made(heron, other)
    await mailbox.come(services)
    assert (await heron.delete(f"{API}/me/passkeys/{first['id']}")).status_code == 204
    assert len(await mailbox.come(services)) == 1
    unknown(await show(guest, device.get(await ask(guest))))
    needed(await guest.post(f"{API}/sessions", json=make.signing_in("heron")))
    token = (await show(guest, other.get(await ask(guest)))).json()["token"]
    assert (await heron.delete(f"{API}/me/passkeys/{second['id']}")).status_code == 204
    assert (await guest.get(f"{API}/me", headers={"Authorization": f"Bearer {token}"})).status_code == 401
    assert (await heron.get(f"{API}/me/second-factor")).json()["since"] is None
    async with services.database.work() as session:
        assert not (await session.execute(select(RecoveryCode))).all()
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("heron"))).status_code == 201


async def test_an_app_can_go_while_a_passkey_stays(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    secret, paper = await set_up(heron)
    await made(heron, Device())
    gone = f"{API}/me/second-factor/authenticator-app"
    assert (await heron.delete(gone)).status_code == 204
    assert (await heron.delete(gone)).status_code == 404
    wrong = await guest.post(f"{API}/sessions", json=make.signing_in("heron", code=code_of(secret)))
    assert needed(wrong) == ["passkey", "recovery_code"]
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("heron", code=paper[0]))).status_code == 201


async def test_who_does_without_all_does_without_passkeys_too(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device = Device()
    await made(heron, device)
    assert (await heron.delete(f"{API}/me/second-factor")).status_code == 204
    assert (await heron.get(f"{API}/me/passkeys")).json()["items"] == []
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("heron"))).status_code == 201
    unknown(await show(guest, device.get(await ask(guest))))


async def test_nobody_removes_anothers(app: FastAPI, heron: httpx.AsyncClient) -> None:
    mine = await made(heron, Device())
    async with make.signed_in(app, "magpie") as magpie:
        assert (await magpie.delete(f"{API}/me/passkeys/{mine['id']}")).status_code == 404
        assert (await magpie.get(f"{API}/me/passkeys")).json()["items"] == []
    assert len((await heron.get(f"{API}/me/passkeys")).json()["items"]) == 1


async def test_an_administrator_takes_lost_ones_away(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    device = Device()
    await made(heron, device)
    async with services.database.work() as session:
        member = await get_member(session, "heron")
        await enrolment.reset_second_factor(session, member, clock.now())
    unknown(await show(guest, device.get(await ask(guest))))
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("heron"))).status_code == 201


async def test_they_go_with_their_member(heron: httpx.AsyncClient, services: Services) -> None:
    await made(heron, Device())
    await begin(heron)
    async with services.database.work() as session:
        await session.execute(text("DELETE FROM member"))
        assert not (await session.execute(select(Passkey))).all()
        assert not (await session.execute(select(PasskeyChallenge))).all()


# What a role is worth with it.


@pytest.fixture
async def orla(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A moderator who signed in with the password alone."""
    await make.member(services, "orla", Role.MODERATOR)
    token = (await guest.post(f"{API}/sessions", json=make.signing_in("orla"))).json()["token"]
    async with make.client(app, Authorization=f"Bearer {token}") as client:
        yield client


async def test_a_role_counts_once_a_passkey_was_made_and_each_time_it_is_shown(
    app: FastAPI, orla: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device, queue = Device(), f"{API}/moderation/cases"
    assert (await orla.get(queue)).json()["type"] == "/problems/role-withheld"
    mine = await made(orla, device)
    assert (await orla.get(queue)).status_code == 200
    for opened in (
        await show(guest, device.get(await ask(guest))),
        await beside(guest, device.get(await ask(guest, "second_factor")), login="orla"),
    ):
        async with make.client(app, Authorization=f"Bearer {opened.json()['token']}") as client:
            assert (await client.get(queue)).status_code == 200
            [session, *_] = (await client.get(f"{API}/me/sessions")).json()["items"]
            lasts = clock.now() + sessions.STAFF_LAST
            assert session["expires_at"] <= lasts.isoformat()
    assert (await orla.delete(f"{API}/me/passkeys/{mine['id']}")).status_code == 204
    assert (await orla.get(queue)).json()["type"] == "/problems/role-withheld"


async def test_administrators_see_whose_role_waits_for_one_and_what_was_refused(
    app: FastAPI, orla: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    device, stranger = Device(), Device()
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        listed = [account["handle"] for account in (await joan.get(f"{API}/accounts?state=withheld")).json()["items"]]
        assert "orla" in listed
        await made(orla, device)
        stranger.create({**(await begin(orla)), "excludeCredentials": []})
        listed = [account["handle"] for account in (await joan.get(f"{API}/accounts?state=withheld")).json()["items"]]
        assert "orla" not in listed
        await show(guest, device.get(await ask(guest), flags=PRESENT))
        await show(guest, stranger.get(await ask(guest)))
        await beside(guest, device.get(await ask(guest, "second_factor"), key=new_key(ES256)), login="orla")
        refused = (await joan.get(f"{API}/refused-sign-ins")).json()["items"]
        assert {(one["handle"], one["reason"], one["times"]) for one in refused} == {
            ("orla", "passkey", 1),
            (None, "passkey", 1),
            ("orla", "second_factor", 1),
        }


# From where.


def party(**settings: Any) -> Party:
    return Party.of(Settings(database_url="postgresql://nobody@localhost/nothing", **settings))


def test_a_passkey_is_bound_to_the_public_address() -> None:
    assert party(public_url="https://Forum.Test:443/pages") == Party(
        "forum.test", "forum.test", frozenset({"https://forum.test"})
    )
    assert party(public_url="http://localhost:8000").origins == {"http://localhost:8000"}


def test_pages_below_it_may_show_one_if_they_are_named_and_others_never() -> None:
    named = "https://app.forum.test, https://forum.test:8443, https://forum.example, https://notforum.test"
    assert party(public_url="https://forum.test", allowed_origins=named).origins == {
        "https://forum.test",
        "https://app.forum.test",
        "https://forum.test:8443",
    }


async def test_an_app_may_show_one_if_it_is_named(settings: Settings) -> None:
    app_origin = "android:apk-key-hash:" + "A" * 43
    named = settings.model_copy(update={"passkey_origins": frozenset({app_origin})})
    device = Device(origin=app_origin)
    async with make.application(named) as app, make.signed_in(app, "heron") as heron, make.client(app) as guest:
        await made(heron, device)
        assert (await show(guest, device.get(await ask(guest)))).status_code == 201


@pytest.mark.parametrize("origin", ["https://forum.test", "android:apk-key-hash:short", "ios:bundle-id:test.forum"])
def test_what_is_no_app_is_not_taken_for_one(origin: str) -> None:
    with pytest.raises(ValidationError, match="apk-key-hash"):
        party(passkey_origins=origin)


# What is sent.

PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SENT = st.binary(max_size=80).map(written) | st.text(max_size=12) | PLAIN_JSON


@st.composite
def credentials(draw: st.DrawFn) -> Any:
    """Something like a credential, with some of its members as they should be."""
    names = ("clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle")
    response = {name: draw(SENT) for name in names}
    same = draw(SENT)
    like = {"id": same, "rawId": same, "type": "public-key", "response": response}
    return draw(st.just(like) | PLAIN_JSON)


async def test_nothing_that_is_sent_is_our_mistake(heron: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    drawn: list[Any] = []

    @tries(max_examples=150, derandomize=True, database=None)
    @given(credentials())
    def draw(one: Any) -> None:
        drawn.append(one)

    draw()
    for one in drawn:
        for answer in (await show(guest, one), await add(heron, one), await beside(guest, one)):
            assert answer.status_code in {201, 401, 422}, answer.text


@tries(max_examples=400, derandomize=True)
@given(st.binary(max_size=200), st.binary(max_size=100), st.integers(0, 255))
def test_nothing_that_a_device_says_is_our_mistake(said: bytes, after: bytes, flags: int) -> None:
    host = Party("forum.test", "forum.test", frozenset({make.BASE}))
    device, challenge = Device(), bytes(32)
    options = webauthn.creation_options(host, challenge, bytes(64), [])
    for odd in ({"attestation": said}, {"client_data": said}, {"public_key": said}, {"after": after}):
        assert webauthn.verify_creation(device.create(options, **odd), challenge, host) is None or odd == {"after": b""}
    asked = webauthn.request_options(host, challenge, alone=True)
    key = cbor2.dumps(public_half(device.passkeys[-1].key))
    credential = device.get(asked, flags=flags, after=after)
    seen = webauthn.verify_assertion(credential, challenge, key, host, alone=True)
    assert seen is None or (flags & (PRESENT | VERIFIED) == PRESENT | VERIFIED)


@tries(max_examples=300, derandomize=True)
@given(st.binary(max_size=60))
def test_every_length_is_looked_at_before_it_is_believed(data: bytes) -> None:
    try:
        end = webauthn_parsing.end_of(data, 0)
    except ValueError:
        return
    assert 0 < end <= len(data)
    cbor2.dumps(cbor2.loads(data[:end]) if _is_readable(data[:end]) else None)


def _is_readable(data: bytes) -> bool:
    try:
        cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError):
        return False
    return True


def test_what_laughs_would_be_read_to_the_end_by_a_reader_that_lets_it() -> None:
    assert len(laughs(10)) < 70
    assert len(cbor2.dumps(cbor2.loads(laughs(10)))) >= 2**10


@pytest.mark.parametrize("member", ["id", "rawId", "clientDataJSON", "attestationObject"])
async def test_what_is_too_long_is_not_read(member: str, heron: httpx.AsyncClient) -> None:
    credential = Device().create(await begin(heron))
    place = credential if member in credential else credential["response"]
    place[member] = "A" * 8_001
    answer = await add(heron, credential)
    assert answer.status_code == 422
    pointers = [fault["pointer"] for fault in answer.json()["errors"]]
    assert pointers == [f"#/credential/{member}" if member in credential else f"#/credential/response/{member}"]


async def test_logs_say_nothing_of_what_was_sent(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, capfd: pytest.CaptureFixture[str], caplog: Any
) -> None:
    device = Device(counts=True)
    mine = await made(heron, device)
    with caplog.at_level(logging.DEBUG):
        await show(guest, device.get(await ask(guest), origin="https://secret.example"))
        await show(guest, device.get(await ask(guest), count=0))
        await add(heron, Device().create(await begin(heron), origin="https://secret.example"))
    said = "".join(capfd.readouterr()) + caplog.text
    for word in ("secret.example", written(device.passkeys[0].id), mine["id"], "heron"):
        assert word not in said
