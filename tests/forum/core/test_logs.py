"""Logs: they say when, where in the forum and what happened, and nothing of who it was or what anybody wrote."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from forum.core import logs
from forum.core.database import Database
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Role
from tests.forum.authentication.test_passkeys import ask, made, show
from tests.forum.authentication.test_second_factor import code_of
from tests.support import make
from tests.support.authenticator import Device

API = "/api/v1"
WRONG = "wrong and long enough"


@pytest.fixture
async def heron(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "heron") as client:
        yield client


def told(logged: list[Any], *events: str) -> list[dict[str, Any]]:
    """The lines of these events, without what every line has."""
    left_out = {"log_level", "request"}
    return [{key: line[key] for key in line if key not in left_out} for line in logged if line["event"] in events]


# Their form.


def test_every_line_is_one_line_of_json_in_utc_whatever_is_in_it() -> None:
    told = """
import logging, structlog
from forum.core import logs
logs.configure("INFO")
structlog.get_logger().info("ours", route='/a"}\\n{"event": "forged"}\\r\\x1b[2K\\u2028')
logging.getLogger("library").warning("theirs\\n%s", '{"event": "forged"}')
structlog.get_logger().debug("left out")
"""
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"].split("\n")[0] for line in lines] == ["ours", "theirs"]
    assert all(datetime.fromisoformat(line["timestamp"]).tzinfo == UTC for line in lines)
    assert "\x1b" not in done.stderr
    assert done.stdout == ""


async def test_what_is_logged_of_one_request_carries_the_same_word_and_no_two_requests_one(
    guest: httpx.AsyncClient,
) -> None:
    with capture_logs(processors=[logs.add_request]) as logged:
        for _ in range(2):
            await guest.get(f"{API}/me", headers={"Authorization": "Bearer nonsense"})
    assert [line["event"] for line in logged] == ["refused", "request"] * 2
    first, second = {line["request"] for line in logged[:2]}, {line["request"] for line in logged[2:]}
    assert len(first) == len(second) == 1
    assert first != second


async def test_a_line_of_a_request_names_its_route_and_nobody(heron: httpx.AsyncClient) -> None:
    with capture_logs() as logged:
        await heron.get(f"{API}/members/heron", headers={"User-Agent": "wilhelmina"})
    [line] = told(logged, "request")
    assert line.pop("milliseconds") >= 0
    assert line == {"event": "request", "method": "GET", "route": "/members/{handle}", "status": 200}


# Who wants in.


async def test_every_sign_in_is_logged_with_what_was_shown_and_not_with_who(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    secret = (await heron.post(f"{API}/me/second-factor")).json()["secret"]
    with capture_logs() as logged:
        await guest.post(f"{API}/sessions", json=make.signing_in("heron"))
        await heron.put(f"{API}/me/second-factor", json={"code": code_of(secret, -1)})
        await guest.post(f"{API}/sessions", json=make.signing_in("heron"))  # asks whether a code is needed
        await guest.post(f"{API}/sessions", json=make.signing_in("heron", code="000000"))
        await guest.post(f"{API}/sessions", json=make.signing_in("heron", code=code_of(secret)))
        await guest.post(f"{API}/sessions", json=make.signing_in("heron@example.org", WRONG))
        await guest.post(f"{API}/sessions", json=make.signing_in("nobody", WRONG))
    assert told(logged, "signed_in", "sign_in_refused") == [
        {"event": "signed_in", "by": "password", "second_factor": False, "transport": "bearer"},
        {"event": "sign_in_refused", "reason": "second_factor"},
        {"event": "signed_in", "by": "password", "second_factor": True, "transport": "bearer"},
        *([{"event": "sign_in_refused", "reason": "password"}] * 2),
    ]
    said = {str(word) for line in logged for word in line.values()}
    assert not {"heron", "nobody", WRONG, make.PASSWORD, secret} & said


async def test_a_sign_in_by_passkey_says_so(settings: Settings, services: Services) -> None:
    at_home, device = settings.model_copy(update={"public_url": make.BASE}), Device()
    async with make.application(at_home) as app, make.signed_in(app, "heron") as heron, make.client(app) as guest:
        await made(heron, device)
        shown = device.get(await ask(guest))
        with capture_logs() as logged:
            await show(guest, shown)
            await show(guest, shown)  # it opens once
    assert told(logged, "signed_in", "sign_in_refused") == [
        {"event": "signed_in", "by": "passkey", "second_factor": True, "transport": "bearer"},
        {"event": "sign_in_refused", "reason": "passkey"},
    ]


async def test_a_sign_in_that_is_one_too_many_is_logged(settings: Settings, services: Services) -> None:
    strict = settings.model_copy(update={"sign_in_limit": "1/5 minutes"})
    async with make.application(strict) as app, make.client(app) as guest:
        await guest.post(f"{API}/sessions", json=make.signing_in("heron", WRONG))
        with capture_logs() as logged:
            await guest.post(f"{API}/sessions", json=make.signing_in("heron", WRONG))
    assert told(logged, "sign_in_refused") == [{"event": "sign_in_refused", "reason": "throttled"}]
    assert [line["policy"] for line in told(logged, "refused")] == ["sign-in"]


# Who is kept from something.


async def test_everybody_who_is_kept_from_something_is_logged_with_the_route_and_why(
    app: FastAPI, services: Services, heron: httpx.AsyncClient, guest: httpx.AsyncClient, settings: Settings
) -> None:
    await make.member(services, "orla", Role.MODERATOR)
    token = (await guest.post(f"{API}/sessions", json=make.signing_in("orla"))).json()["token"]
    evil = {"Origin": "https://evil.example"}
    with capture_logs() as logged:
        await guest.get(f"{API}/me")
        await heron.get(f"{API}/accounts/heron")
        await guest.get(f"{API}/moderation/cases", headers={"Authorization": f"Bearer {token}"})
        await guest.post(f"{API}/sessions", json=make.signing_in("heron", transport="cookie"), headers=evil)
        await heron.get(f"{API}/boards")
    assert [(line["kind"], line["method"], line["route"]) for line in told(logged, "refused")] == [
        ("NotSignedIn", "GET", "/me"),
        ("Forbidden", "GET", "/accounts/{handle}"),
        ("RoleWithheld", "GET", "/moderation/cases"),
        ("Forbidden", "POST", "/sessions"),
    ]
    strict = settings.model_copy(update={"api_limit": "1/1 minute"})
    async with make.application(strict) as limited, make.client(limited) as hasty:
        await hasty.get(f"{API}/boards")
        with capture_logs() as logged:
            await hasty.get(f"{API}/boards")
    assert [(line["kind"], line["policy"]) for line in told(logged, "refused")] == [("Throttled", "api")]


# What goes wrong.


async def test_a_mistake_of_ours_is_logged_with_its_place_and_told_to_nobody(
    services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("wilhelmina")

    monkeypatch.setattr(services.database.reader, "rows", fail)
    with capture_logs() as logged:
        answer = await guest.get(f"{API}/members/heron")
    [line] = told(logged, "unexpected")
    assert (line["kind"], line["route"]) == ("RuntimeError", "/members/{handle}")
    assert line["frames"]
    assert answer.json() == {
        "type": "/problems/internal-server-error",
        "title": "Error on our side",
        "status": 500,
        "code": "internal_error",
        "detail": "Something went wrong on our side. Nothing was changed.",
    }
    assert "wilhelmina" not in str(logged)


async def test_only_our_own_places_are_told_and_no_words() -> None:
    nowhere = Database("postgresql+asyncpg://nobody@/nothing?host=/nowhere")
    # Between the two, SQLAlchemy calls a function that it made while it runs, in a file that has no name.
    with pytest.raises(OperationalError) as failed:
        async with nowhere.work() as session:
            await get_member(session, "wilhelmina")
    told = logs.frames(failed.value)
    first, *others = [place.partition(":")[0] for place in told]
    assert (first, set(others)) == ("forum/members/queries.py", {"forum/core/database.py"})
    assert told[0].partition(" ")[2] == "get_member"
