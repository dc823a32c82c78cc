"""Sign in on pages: the second step, passkeys, once more after a while; and what was written comes along."""

import json
import re
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from forum.authentication.second_factor import totp
from forum.authentication.second_factor.tables import Totp
from forum.core import clock
from forum.http.services import Services
from tests.support import make
from tests.support.authenticator import Device
from tests.web.support import fields_of, form, text_of

API = {"Sec-Fetch-Site": "same-origin"}


async def with_app(services: Services, handle: str) -> str:
    """A member with an authenticator app; returns its secret."""
    made = await make.member(services, handle)
    secret = totp.new_secret()
    async with services.database.work() as session:
        session.add(Totp(member_id=made.id, secret=secret, since=clock.now()))
    return secret


def code(secret: str) -> str:
    return totp.current_code(secret, clock.now())


async def first_step(guest: httpx.AsyncClient, handle: str = "heron", back: str = "/boards/new-here") -> httpx.Response:
    page = await guest.get(f"/sign-in?back={back}")
    return await form(guest, page, "/sign-in", login=handle, password=make.PASSWORD)


async def test_the_code_is_asked_for_on_a_page_without_the_password(
    services: Services, guest: httpx.AsyncClient
) -> None:
    secret = await with_app(services, "heron")
    asked = await first_step(guest)
    assert asked.status_code == 303
    assert asked.headers["Location"] == "/sign-in/code?back=%2Fboards%2Fnew-here"
    assert make.PASSWORD not in str(asked.headers)
    page = await guest.get(asked.headers["Location"])
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert make.PASSWORD not in page.text
    wrong = await form(guest, page, "/sign-in/code", code="000000")
    assert wrong.status_code == 422
    assert "not the right one" in text_of(wrong.text)
    nothing = await form(guest, wrong, "/sign-in/code")
    assert nothing.status_code == 422
    done = await form(guest, nothing, "/sign-in/code", code=code(secret))
    assert done.status_code == 303, text_of(done.text)
    assert done.headers["Location"] == "/boards/new-here?done=signed-in"
    assert "__Host-forum-step" not in guest.cookies
    assert "__Host-forum-device" in guest.cookies


async def test_without_the_first_step_there_is_no_second(services: Services, guest: httpx.AsyncClient) -> None:
    secret = await with_app(services, "heron")
    assert (await guest.get("/sign-in/code?back=/me")).headers["Location"] == "/sign-in?back=%2Fme"
    for step in ("", "bm90", "e30=.e30=", "é.é"):
        headers = API | ({"Cookie": f"__Host-forum-step={step}".encode()} if step else {})  # type: ignore[dict-item]
        sent = await guest.post("/sign-in/code", data={"code": code(secret)}, headers=headers)
        assert sent.status_code == 422
        assert "begin again" in text_of(sent.text)


async def test_the_first_step_counts_for_ten_minutes(
    services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await with_app(services, "heron")
    page = await guest.get((await first_step(guest)).headers["Location"])
    later = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: later)
    late = await form(guest, page, "/sign-in/code", code=code(secret))
    assert late.status_code == 422
    assert fields_of(late.text, "/sign-in")["back"] == "/boards/new-here"


async def test_a_new_password_makes_the_first_step_void(services: Services, guest: httpx.AsyncClient) -> None:
    secret = await with_app(services, "heron")
    page = await guest.get((await first_step(guest)).headers["Location"])
    async with services.database.work() as session:
        found = await make.get_member(session, "heron")
        found.password_hash = "another"
        session.add(found)
    late = await form(guest, page, "/sign-in/code", code=code(secret))
    assert late.status_code == 422
    assert "begin again" in text_of(late.text)


async def test_what_was_written_comes_through_both_steps(services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    secret = await with_app(services, "heron")
    thread = await make.thread(services, "heron", "new-here")
    words = "It took me an hour to write <this>."
    refused = await guest.post(f"/threads/{thread}/reply", data={"body_markdown": words}, headers=API)
    mistyped = await form(guest, refused, "/sign-in", login="heron", password="not this one")
    assert words in text_of(mistyped.text)
    asked = await form(guest, mistyped, "/sign-in", login="heron", password=make.PASSWORD)
    assert words in text_of(asked.text)
    wrong = await form(guest, asked, "/sign-in/code", code="000000")
    assert words in text_of(wrong.text)
    kept = await form(guest, wrong, "/sign-in/code", code=code(secret))
    assert words in text_of(kept.text)
    sent = await form(guest, kept, f"/threads/{thread}/reply")
    assert sent.status_code == 303, text_of(sent.text)


async def add_passkey(app: FastAPI, device: Device) -> list[str]:
    """Heron makes a passkey over the API, and gets recovery codes."""
    async with make.signed_in(app, "heron") as client:
        options = (await client.post("/api/v1/me/passkey-challenges")).json()
        body = {"name": "My phone", "credential": device.create(options)}
        codes: list[str] = (await client.post("/api/v1/me/passkeys", json=body)).json()["recovery_codes"]
        return codes


async def asked_for(guest: httpx.AsyncClient, purpose: str) -> dict[str, object]:
    """What the script gets for the device."""
    options: dict[str, object] = (await guest.post("/api/v1/passkey-challenges", json={"purpose": purpose})).json()
    return options


async def test_a_passkey_signs_in_alone_and_as_second_step(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    device = Device(origin="http://127.0.0.1:8000")
    codes = await add_passkey(app, device)
    page = await guest.get("/sign-in?back=/me")
    alone = json.dumps(device.get(await asked_for(guest, "sign_in")))
    done = await form(guest, page, "/sign-in/passkey", credential=alone)
    assert done.status_code == 303, text_of(done.text)
    assert done.headers["Location"] == "/me?done=signed-in"
    again = await form(guest, page, "/sign-in/passkey", credential=alone)  # each challenge is answered once
    assert again.status_code == 422
    assert "passkey" in text_of(again.text)
    nonsense = await form(guest, page, "/sign-in/passkey", credential="{")
    assert nonsense.status_code == 422

    guest.cookies.clear()
    asked = await guest.get((await first_step(guest, back="/me")).headers["Location"])
    assert "passkey" in asked.text
    assert "six digits" not in text_of(asked.text)
    beside = json.dumps(device.get(await asked_for(guest, "second_factor")))
    done = await form(guest, asked, "/sign-in/code", credential=beside, code="")
    assert done.status_code == 303, text_of(done.text)

    guest.cookies.clear()
    asked = await guest.get((await first_step(guest, back="/me")).headers["Location"])
    done = await form(guest, asked, "/sign-in/code", code=codes[0], credential="")
    assert done.status_code == 303, text_of(done.text)
    guest.cookies.clear()
    asked = await guest.get((await first_step(guest, back="/me")).headers["Location"])
    used = await form(guest, asked, "/sign-in/code", code=codes[0], credential="")
    assert used.status_code == 422
    assert "used already" in text_of(used.text)


async def test_too_many_tries_say_when_it_works_again(services: Services) -> None:
    settings = services.settings.model_copy(update={"sign_in_limit": "1/5 minutes"})
    async with make.application(settings) as slow, make.client(slow) as client:
        await make.member(services, "heron")
        page = await client.get("/sign-in")
        for _ in range(2):
            answer = await form(client, page, "/sign-in", login="heron", password="wrong")
    assert answer.status_code == 422
    assert re.search(r"wait until \d\d:\d\d", text_of(answer.text))


async def test_an_office_may_mistype_its_old_passwords_on_the_moving_day(services: Services) -> None:
    on_that_day = {"sign_in_limit": "1/5 minutes", "moving_day": clock.now().date(), "time_zone": "UTC"}
    async with make.application(services.settings.model_copy(update=on_that_day)) as app, make.client(app) as client:
        page = await client.get("/sign-in")
        said = [
            text_of((await form(client, page, "/sign-in", login=f"heron{number}", password="old")).text)
            for number in (1, 2, 3)
        ]
        assert not [words for words in said if "wait until" in words]
        again = text_of((await form(client, page, "/sign-in", login="heron1", password="old")).text)
        assert "wait until" in again  # at one login, no more than ever


async def test_a_device_that_is_known_is_not_locked_out_by_others(services: Services, guest: httpx.AsyncClient) -> None:
    settings = services.settings.model_copy(update={"sign_in_limit": "2/5 minutes"})
    await make.member(services, "heron")
    async with make.application(settings) as slow, make.client(slow) as own, make.client(slow) as stranger:
        page = await own.get("/sign-in")
        assert (await form(own, page, "/sign-in", login="heron", password=make.PASSWORD)).status_code == 303
        for _ in range(3):
            await form(stranger, page, "/sign-in", login="heron", password="guess")
        assert (await form(stranger, page, "/sign-in", login="heron", password=make.PASSWORD)).status_code == 422
        assert (await form(own, page, "/sign-in", login="heron", password=make.PASSWORD)).status_code == 303
