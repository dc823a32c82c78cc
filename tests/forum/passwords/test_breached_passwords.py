"""Stolen passwords: refused kindly wherever one is chosen; whoever cannot be asked refuses nobody and is counted."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from forum.app import create_app
from forum.core.errors import Invalid
from forum.core.http_client import HttpClient
from forum.core.settings import Settings
from forum.http.services import Services
from forum.passwords import breached_passwords, hashing
from forum.passwords.breached_passwords import BreachedPasswords
from tests.support import mailbox, make
from tests.support.sites import LOCAL, Handler, Site, names, opened, raw, said

API = "/api/v1"
STOLEN = "five lost umbrellas humming"
SAFE = "nine copper lanterns glowing"


def digest(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


def line(password: str, count: int) -> str:
    return f"{digest(password)[5:]}:{count}"


PADDING = ("0" * 34 + "1:0", "F" * 35 + ":17")


def listing(*lines: str) -> Handler:
    return said("\r\n".join((*PADDING, *lines)).encode())


class Range(Site):
    """A service that knows STOLEN, and of every other password only what is made up."""

    def __init__(self) -> None:
        known = {digest(STOLEN)[:5]: listing(line(STOLEN, 3)), digest(SAFE)[:5]: listing(line(SAFE, 0))}
        super().__init__(**known, **{digest(make.PASSWORD)[:5]: listing()})


def asking(site: Site) -> BreachedPasswords:
    resolve, _ = names(range_test="127.0.0.1")
    return BreachedPasswords(f"http://range.test:{site.port}", HttpClient(resolve, LOCAL))


@pytest.fixture
async def service() -> AsyncIterator[Site]:
    async with opened(Range()) as site:
        yield site


@pytest.fixture
async def guest(app: FastAPI, services: Services, service: Site) -> httpx.AsyncClient:
    """Somebody at the door of a forum that asks the service."""
    app.state.services = replace(services, breached_passwords=asking(service))
    return make.client(app)


async def test_the_service_is_told_five_digits_and_nothing_else(service: Site) -> None:
    knowing = asking(service)
    assert await knowing.contain(STOLEN)
    assert not await knowing.contain(SAFE)  # it is listed nought times: made up
    request = service.heard[0].decode()
    assert request.startswith(f"GET /{digest(STOLEN)[:5]} HTTP/1.1\r\n")
    assert "add-padding: true\r\n" in request.lower()
    assert digest(STOLEN)[5:] not in request.upper()
    assert knowing.failures == 0


async def test_small_letters_and_lone_line_ends_are_understood() -> None:
    answer = said(f"{digest(STOLEN)[5:].lower()}:2\n{'0' * 35}:1\n".encode())
    async with opened(Site(**{digest(STOLEN)[:5]: answer})) as site:
        assert await asking(site).contain(STOLEN)


async def hang(*_request: object) -> None:
    await asyncio.Event().wait()  # until the site closes


@pytest.mark.parametrize(
    "answer",
    [
        said(b"", status="503 Service Unavailable"),
        said(line(STOLEN, 3).encode(), status="404 Not Found"),
        said(b"", "Location: http://10.0.0.1/", status="302 Found"),
        said(b"<html>Please sign in to the hotel's network</html>"),
        said(line(STOLEN, 3).encode() + b"\r\nand more"),
        said("é".encode()),
        said(b"0" * 35 + b":" + b"9" * 5000),
        said(line(STOLEN, 3).encode(), "Content-Encoding: gzip"),
        raw(b"nonsense"),
        hang,
    ],
    ids=["503", "404", "inner", "page", "tail", "not ASCII", "huge count", "no gzip", "no HTTP", "silence"],
)
async def test_a_service_that_cannot_be_asked_refuses_nobody_and_each_time_is_counted(
    answer: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breached_passwords, "PATIENCE", 0.5)
    async with opened(Site(**{digest(STOLEN)[:5]: answer})) as site:
        knowing = asking(site)
        with capture_logs() as logged:
            assert not await knowing.contain(STOLEN)
            assert not await knowing.contain(STOLEN)
    assert knowing.failures == 2
    assert [(entry["event"], entry["failures"]) for entry in logged] == [
        ("breach_check_failed", 1),
        ("breach_check_failed", 2),
    ]
    assert digest(STOLEN)[:5] not in str(logged)


async def test_a_weak_password_is_refused_before_anybody_is_asked(service: Site) -> None:
    with pytest.raises(Invalid, match="too easily guessed"):
        await hashing.hash_new_password("passwordpassword", about=(), breaches=asking(service), pointer="#/password")
    assert service.heard == []


async def test_who_joins_with_a_stolen_password_is_told_kindly(guest: httpx.AsyncClient) -> None:
    refused = await guest.post(f"{API}/members", json=make.joining("heron", password=STOLEN))
    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert error["pointer"] == "#/password"
    assert "You did nothing wrong" in error["detail"]
    assert STOLEN not in refused.text
    assert (await guest.post(f"{API}/members", json=make.joining("heron", password=SAFE))).status_code == 201


async def test_a_stolen_password_is_told_alike_whether_or_not_the_address_is_known(
    services: Services, guest: httpx.AsyncClient, service: Site
) -> None:
    await make.member(services, "heron")
    taken = make.joining("tern", email="heron@example.org", password=STOLEN)
    refusals = [await guest.post(f"{API}/members", json=who) for who in (taken, make.joining("tern", password=STOLEN))]
    assert len({(refused.status_code, refused.text) for refused in refusals}) == 1
    assert len(service.heard) == 2


async def test_changing_to_a_stolen_password_is_refused(app: FastAPI, guest: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "heron") as heron:
        change = {"current": make.PASSWORD, "new": STOLEN}
        refused = await heron.put(f"{API}/me/password", json=change)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/new")
        assert (await heron.put(f"{API}/me/password", json=change | {"new": SAFE})).status_code == 204


async def test_a_reset_to_a_stolen_password_is_refused_and_the_link_works_still(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    assert (await guest.post(f"{API}/password-resets", json={"login": "heron"})).status_code == 204
    [letter] = await mailbox.come(services)
    for new, status in ((STOLEN, 422), (SAFE, 204)):
        reset = {"token": letter.token, "new": new}
        assert (await guest.post(f"{API}/password-resets/completion", json=reset)).status_code == status


async def test_signing_in_asks_nobody(services: Services, guest: httpx.AsyncClient, service: Site) -> None:
    await make.member(services, "heron")
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("heron"))).status_code == 201
    assert service.heard == []


async def test_while_the_service_is_asked_no_connection_is_held(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    async def look(_request: bytes, writer: asyncio.StreamWriter) -> None:
        held.append(services.database.transactions.pool.checkedout())  # type: ignore[attr-defined] # a pool that counts
        await listing()(_request, writer)

    async with opened(Site(**{digest(SAFE)[:5]: look})) as site:
        app.state.services = replace(services, breached_passwords=asking(site))
        async with make.client(app) as guest, make.signed_in(app, "tern") as tern:
            await guest.post(f"{API}/members", json=make.joining("heron", password=SAFE))
            await tern.put(f"{API}/me/password", json={"current": make.PASSWORD, "new": SAFE})
    assert held == [0, 0]


@pytest.mark.parametrize(("url", "is_asked"), [(None, False), ("https://range.example/range/", True)])
async def test_it_is_off_until_a_service_is_named(settings: Settings, url: str | None, is_asked: bool) -> None:
    app = create_app(settings.model_copy(update={"breached_passwords_url": url}))
    assert (app.state.services.breached_passwords is not None) is is_asked
    await app.state.services.database.close()
