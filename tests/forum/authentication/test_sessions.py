"""Sessions: who signs in is known by a token that nobody else can use, and that ends when its owner says so."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from passlib.hash import phpass
from sqlalchemy import func, select, update
from sqlmodel import col

from forum.administration import roles
from forum.authentication import profiles, sessions, sign_in
from forum.authentication.sessions import Device, MemberSession, SessionCache
from forum.core import clock
from forum.core.errors import NotSignedIn
from forum.core.settings import Settings
from forum.http.current_member import COOKIE
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.standing import add_sanction
from forum.members.tables import Member, Role, Standing
from forum.members.viewer import GUEST
from forum.passwords import hashing
from tests.support import make
from tests.support.scenes import sql

API = "/api/v1"
FRIENDS = "https://friends.example"
ANOTHER = "a new sentence about terns"
PHONE = "Mozilla/5.0 (Android 13; Mobile; rv:109.0) Gecko/113.0 Firefox/113.0"


class HandWound:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"allowed_origins": frozenset({FRIENDS})})


@pytest.fixture
async def other(settings: Settings, app: FastAPI) -> AsyncIterator[FastAPI]:
    """Another process of the same forum."""
    async with make.application(settings) as application:
        yield application


async def _sign_in(client: httpx.AsyncClient, login: str, password: str = make.PASSWORD, **more: Any) -> httpx.Response:
    return await client.post(f"{API}/sessions", json=make.signing_in(login, password, **more))


async def _status(app: FastAPI, token: str) -> int:
    async with make.client(app, Authorization=f"Bearer {token}") as client:
        return (await client.get(f"{API}/me")).status_code


async def _count(services: Services, table: Any) -> int:
    async with services.database.work() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


# Signing in.


async def test_a_member_signs_in_by_handle_or_by_address(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    handles = ["heron", "HERON", " heron ", "ｈｅｒｏｎ", "@heron", " @Heron"]
    addresses = ["heron@example.org", " Heron@Example.ORG "]
    for login in (*handles, *addresses):
        async with make.client(app) as guest:
            answer = await _sign_in(guest, login)
            assert answer.status_code == 201, answer.text
            told = answer.json()
            assert told["member"] == {"handle": "heron", "name": "Heron", "title": None}
            assert answer.headers["cache-control"] == "no-store"
            assert "set-cookie" not in answer.headers
            guest.headers["Authorization"] = f"Bearer {told['token']}"
            newest = (await guest.get(f"{API}/me/sessions")).json()["items"][0]
            assert f"{API}/me/sessions/{newest['id']}" == answer.headers["location"]
            assert newest["current"]


async def test_tokens_are_long_never_alike_and_never_kept(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    told = [(await _sign_in(guest, "heron")).json() for _ in range(3)]
    secrets = {secret for answer in told for secret in (answer["token"], answer["device"])}
    assert len(secrets) == 6
    assert min(map(len, secrets)) >= 43  # 256 bits
    async with services.database.work() as session:
        kept = (await session.execute(select(MemberSession.token_digest).union(select(Device.token_digest)))).scalars()
        assert all(secret.encode() not in digest for digest in kept for secret in secrets)


async def test_a_wrong_login_and_a_wrong_password_are_answered_alike(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    wrong = [("heron", "not my password"), ("heron", ""), ("heron@example.org", "not my password")]
    nobody = ["nobody", "nobody@example.org", "h%", "@", "   ", "heron' OR ''='"]
    for login, password in (*wrong, *((login, make.PASSWORD) for login in nobody)):
        answer = await _sign_in(guest, login, password)
        assert answer.status_code == 401, login
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json() == {
            "type": "/problems/not-signed-in",
            "title": "Not signed in",
            "status": 401,
            "code": "wrong_login_or_password",
            "detail": "The login or the password is wrong.",
        }
    assert await _count(services, MemberSession) == await _count(services, Device) == 0


async def test_a_wrong_login_costs_the_same_statements_as_a_wrong_password(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    pairs = [("heron", "nobody"), ("heron@example.org", "nobody@example.org")]
    # Three of them count the try.
    for device, statements in ((None, 4), ("q1zV0Wb3yRrM0bqk2cJ9w0m7oXn8tU5sLd4fGh6eAaE", 5)):
        for there, nowhere in pairs:
            sent: list[list[str]] = []
            for login in (there, there, nowhere):  # the first warms everything up
                with make.note_of_statements(services) as noted:
                    assert (await _sign_in(guest, login, "not my password", device=device)).status_code == 401
                sent.append(noted)
            assert sent[1] == sent[2]
            assert len(sent[1]) == statements


async def test_who_signs_in_by_an_address_that_several_claim_is_who_verified_it_else_the_first(
    services: Services, guest: httpx.AsyncClient
) -> None:
    for handle in ("heron", "bittern", "curlew"):
        joined = await guest.post(f"{API}/members", json=make.joining(handle, email="shared@example.org"))
        assert joined.status_code == 201
    assert (await _sign_in(guest, "Shared@example.org")).json()["member"]["handle"] == "heron"
    async with services.database.work() as session:
        curlew = await get_member(session, "curlew")
        curlew.email_verified_at = clock.now()
    assert (await _sign_in(guest, "shared@example.org")).json()["member"]["handle"] == "curlew"
    for handle in ("heron", "bittern", "curlew"):
        assert (await _sign_in(guest, handle)).json()["member"]["handle"] == handle


async def test_who_was_silenced_suspended_or_banned_signs_in_to_read_why(
    services: Services, guest: httpx.AsyncClient
) -> None:
    for standing in (Standing.SILENCED, Standing.SUSPENDED, Standing.BANNED):
        member = await make.member(services, standing)
        async with services.database.work() as session:
            await add_sanction(session, member.id, standing, clock.now(), None)
        assert (await _sign_in(guest, standing)).status_code == 201


async def test_what_is_no_sign_in_is_refused_where_it_is(guest: httpx.AsyncClient) -> None:
    whole = make.signing_in("heron")
    bodies: list[tuple[dict[str, Any], str]] = [
        ({"login": "heron"}, "#/password"),
        ({"password": make.PASSWORD}, "#/login"),
        ({**whole, "login": ""}, "#/login"),
        ({**whole, "login": "x" * 255}, "#/login"),
        ({**whole, "login": "he\x00ron"}, "#/login"),
        ({**whole, "password": "x" * 257}, "#/password"),
        ({**whole, "password": ["x"]}, "#/password"),
        ({**whole, "transport": "pigeon"}, "#/transport"),
        ({**whole, "device": "x" * 101}, "#/device"),
        ({**whole, "remember": True}, "#/remember"),
    ]
    for body, pointer in bodies:
        refused = await guest.post(f"{API}/sessions", json=body)
        assert refused.status_code == 422
        assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


async def test_a_token_that_is_none_makes_a_guest(guest: httpx.AsyncClient) -> None:
    headers = ["Bearer", "Bearer ", "Bearer nonsense", "Basic aGVyb246eA==", "nonsense", "Bearer \xe9", "bearer  "]
    for header in headers:
        sent = {"Authorization": header.encode("latin-1")}
        assert (await guest.get(f"{API}/boards", headers=sent)).status_code == 200, header
        assert (await guest.get(f"{API}/me", headers=sent)).status_code == 401, header


# The cookie.


@asynccontextmanager
async def _with_cookie(app: FastAPI, handle: str = "heron") -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is signed in."""
    async with make.client(app) as browser:
        body = make.signing_in(handle, transport="cookie")
        answer = await browser.post(f"{API}/sessions", json=body, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 201, answer.text
        yield browser


async def test_the_cookie_is_for_this_host_over_tls_only_and_out_of_scripts_reach(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    answer = await guest.post(
        f"{API}/sessions", json=make.signing_in("heron", transport="cookie"), headers={"Origin": make.BASE}
    )
    assert answer.status_code == 201
    assert answer.json()["token"] is None
    (header,) = answer.headers.get_list("set-cookie")
    value, *attributes = [part.strip() for part in header.split(";")]
    assert value.startswith("__Host-forum-session=")
    assert {attribute.lower() for attribute in attributes} == {
        "httponly",
        "secure",
        "samesite=lax",
        "path=/",
        f"max-age={90 * 24 * 3600}",
    }
    assert (await guest.get(f"{API}/me")).json()["handle"] == "heron"
    assert (await guest.get(f"{API}/me/sessions")).json()["items"][0]["transport"] == "cookie"
    assert value.partition("=")[2] not in answer.text


FORGED = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "https://forum.test.evil.example"},
    {"Origin": "https://evil.example/https://forum.test"},
    {"Origin": ""},
    {"Origin": "http://forum.test"},  # anybody on the way could have written that page
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Referer": "https://forum.test/"},
]
OURS = [
    {"Origin": make.BASE},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": make.BASE},
    {"Sec-Fetch-Site": "cross-site", "Origin": FRIENDS},
]


async def test_another_sites_page_changes_nothing_with_a_cookie(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    async with _with_cookie(app) as browser:
        for headers in FORGED:
            answer = await browser.patch(f"{API}/me", json={"name": "Changed"}, headers=headers)
            assert answer.status_code == 403, headers
            read = await browser.get(f"{API}/me", headers=headers)  # what it reads, the other page cannot see
            assert (read.status_code, read.json()["name"]) == (200, "Heron")


async def test_our_own_pages_and_those_of_our_friends_change_things_with_a_cookie(
    app: FastAPI, services: Services
) -> None:
    await make.member(services, "heron")
    async with _with_cookie(app) as browser:
        for number, headers in enumerate(OURS):
            answer = await browser.patch(f"{API}/me", json={"name": f"Heron {number}"}, headers=headers)
            assert (answer.status_code, answer.json()["name"]) == (200, f"Heron {number}"), headers


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/boards/new-here/threads", {"title": "What now?", "body_markdown": "They come on Monday"}),
        ("PUT", "/me/password", {"current": make.PASSWORD, "new": ANOTHER}),
        ("PATCH", "/me", {"name": "Changed"}),
        ("DELETE", "/sessions/current", None),
    ],
)
async def test_no_method_that_changes_something_is_left_unguarded(
    app: FastAPI, services: Services, method: str, path: str, body: dict[str, str] | None
) -> None:
    await make.member(services, "heron")
    await make.board(services)
    async with _with_cookie(app) as browser:
        forged = await browser.request(method, API + path, json=body, headers={"Origin": "https://evil.example"})
        assert forged.status_code == 403
        ours = await browser.request(method, API + path, json=body, headers={"Origin": make.BASE})
        assert ours.status_code in {200, 201, 204}, ours.text


async def test_a_bearer_token_needs_no_such_guard(app: FastAPI) -> None:
    async with make.signed_in(app, "heron") as heron:
        for headers in FORGED:
            answer = await heron.patch(f"{API}/me", json={"name": "Changed"}, headers=headers)
            assert answer.status_code == 200, headers


async def test_another_sites_page_cannot_sign_a_browser_in(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    tries = [*(("cookie", h, 403) for h in FORGED), *(("cookie", h, 201) for h in OURS), ("bearer", FORGED[1], 201)]
    for transport, headers, status in tries:
        async with make.client(app) as browser:
            body = make.signing_in("heron", transport=transport)
            answer = await browser.post(f"{API}/sessions", json=body, headers=headers)
        assert answer.status_code == status, headers
        assert ("set-cookie" in answer.headers) is (status == 201 and transport == "cookie")


async def test_a_cookie_that_was_there_before_is_not_the_one_after(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    async with _with_cookie(app) as browser:
        before = browser.cookies[COOKIE]
        answer = await browser.post(
            f"{API}/sessions", json=make.signing_in("heron", transport="cookie"), headers={"Origin": make.BASE}
        )
        assert SimpleCookie(answer.headers["set-cookie"])[COOKIE].value != before


async def test_signing_out_ends_the_session_and_takes_the_cookie_away(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    async with _with_cookie(app) as browser:
        token = browser.cookies[COOKIE]
        answer = await browser.delete(f"{API}/sessions/current", headers={"Origin": make.BASE})
        assert answer.status_code == 204
        taken = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
        assert (taken.value, taken["max-age"], taken["path"]) == ("", "0", "/")
        assert taken["secure"]  # or a browser would not believe a __Host- cookie
        assert COOKIE not in browser.cookies
        again = await browser.get(f"{API}/me", headers={"Cookie": f"{COOKIE}={token}"})
        assert again.status_code == 401
    assert await _count(services, MemberSession) == 0


async def test_one_request_leaves_no_trace_in_a_browser_whether_or_not_the_session_lived(
    app: FastAPI, services: Services
) -> None:
    await make.member(services, "heron")
    async with _with_cookie(app) as browser:
        kept = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}", "Origin": make.BASE}
    async with make.client(app) as closing, make.signed_in(app, "bittern") as bearer:
        answers = [await closing.delete(f"{API}/sessions/current", headers=headers) for headers in (kept, kept, {})]
        answers.append(await bearer.delete(f"{API}/sessions/current"))
        for answer in answers:
            assert answer.status_code == 204
            assert answer.headers["clear-site-data"] == '"cache", "cookies", "storage"'
            assert SimpleCookie(answer.headers["set-cookie"])[COOKIE]["max-age"] == "0"
    assert await _count(services, MemberSession) == 0


async def test_who_is_banned_can_sign_out(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron:
        await make.sanction(services, "heron", Standing.BANNED)
        assert (await heron.delete(f"{API}/sessions/current")).status_code == 204
    assert await _count(services, MemberSession) == 0


# Lists and ends.


async def test_a_member_sees_where_they_are_signed_in_newest_first(app: FastAPI, services: Services) -> None:
    await make.member(services, "bittern")
    async with make.client(app) as guest:
        await _sign_in(guest, "bittern")
    async with make.signed_in(app, "heron") as heron, make.client(app, **{"User-Agent": PHONE}) as phone:
        await _sign_in(phone, "heron")
        page = (await heron.get(f"{API}/me/sessions")).json()
    assert [(item["current"], item["client"], item["transport"]) for item in page["items"]] == [
        (False, "Firefox Mobile on Android", "bearer"),
        (True, None, "bearer"),
    ]
    lasts = [datetime.fromisoformat(i["expires_at"]) - datetime.fromisoformat(i["created_at"]) for i in page["items"]]
    assert lasts == [timedelta(days=90)] * 2
    assert page["next"] is None


async def test_a_session_that_is_ended_is_over_at_once(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    async with make.signed_in(app, "heron") as heron:
        phone = (await _sign_in(guest, "heron")).json()["token"]
        assert await _status(app, phone) == 200
        lost = next(item for item in (await heron.get(f"{API}/me/sessions")).json()["items"] if not item["current"])
        assert (await heron.delete(f"{API}/me/sessions/{lost['id']}")).status_code == 204
        assert await _status(app, phone) == 401
        assert (await heron.get(f"{API}/me")).status_code == 200
        assert (await heron.delete(f"{API}/me/sessions/{lost['id']}")).status_code == 404


async def test_nobody_ends_anothers_session(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "marcus", Role.ADMINISTRATOR) as marcus:
        (theirs,) = (await heron.get(f"{API}/me/sessions")).json()["items"]
        answer = await marcus.delete(f"{API}/me/sessions/{theirs['id']}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "You have no such session.")
        assert (await heron.get(f"{API}/me")).status_code == 200


async def test_a_guest_has_no_sessions(guest: httpx.AsyncClient) -> None:
    nowhere = "01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"
    for method, path in [("GET", "me/sessions"), ("DELETE", f"me/sessions/{nowhere}")]:
        assert (await guest.request(method, f"{API}/{path}")).status_code == 401


async def test_a_session_that_ran_out_is_none(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    old, new = [(await _sign_in(guest, "heron")).json()["token"] for _ in range(2)]
    async with services.database.work() as session:
        first = select(MemberSession.id).order_by(col(MemberSession.created_at)).limit(1).scalar_subquery()
        run_out = update(MemberSession).where(col(MemberSession.id) == first).values(expires_at=clock.now())
        await session.execute(run_out)
    assert await _status(app, old) == 401
    guest.headers["Authorization"] = f"Bearer {old}"
    assert (await guest.get(f"{API}/boards")).status_code == 200
    guest.headers["Authorization"] = f"Bearer {new}"
    assert len((await guest.get(f"{API}/me/sessions")).json()["items"]) == 1


async def test_a_session_that_nobody_uses_for_thirty_days_is_over(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    token = (await _sign_in(guest, "heron")).json()["token"]
    for unused, status in ((timedelta(days=29, hours=23), 200), (timedelta(days=30), 401)):
        async with services.database.work() as session:
            await session.execute(update(MemberSession).values(used_at=clock.now() - unused))
        services.session_cache.invalidate(None)
        services.session_cache._known.clear()
        assert await _status(app, token) == status


async def test_the_last_use_is_noted_to_within_ten_minutes(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    token, now = (await _sign_in(guest, "heron")).json()["token"], clock.now()

    async def last_use(later: timedelta) -> datetime:
        await SessionCache().load(services.database.reader, token, now + later)
        async with services.database.work() as session:
            return (await session.execute(select(col(MemberSession.used_at)))).scalar_one()

    opened = await last_use(timedelta(minutes=9))
    assert opened <= now
    assert await last_use(timedelta(minutes=11)) == now + timedelta(minutes=11)
    assert await last_use(timedelta(minutes=20)) == now + timedelta(minutes=11)


async def test_a_session_of_staff_lasts_half_a_day(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        [kept] = (await orla.get(f"{API}/me/sessions")).json()["items"]
    lasts = datetime.fromisoformat(kept["expires_at"]) - datetime.fromisoformat(kept["created_at"])
    assert lasts == timedelta(hours=12)


async def test_who_signs_in_again_has_one_session_and_the_first_is_over(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron:
        again = await _sign_in(heron, "heron")
        assert again.status_code == 201
        assert (await heron.get(f"{API}/me")).status_code == 401
        heron.headers["Authorization"] = f"Bearer {again.json()['token']}"
        assert len((await heron.get(f"{API}/me/sessions")).json()["items"]) == 1


async def test_who_signs_in_as_somebody_else_ends_nothing_of_the_firsts(app: FastAPI, services: Services) -> None:
    await make.member(services, "bittern")
    async with make.signed_in(app, "heron") as heron:
        assert (await _sign_in(heron, "bittern")).status_code == 201
        assert (await heron.get(f"{API}/me")).status_code == 200


async def test_all_sessions_end_at_once(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "heron") as heron:
        phone = (await _sign_in(guest, "heron")).json()["token"]
        assert (await heron.delete(f"{API}/me/sessions")).status_code == 204
        assert (await heron.get(f"{API}/me")).status_code == 401
        assert await _status(app, phone) == 401
    assert await _count(services, Device) == 0


async def test_a_role_that_is_given_or_taken_ends_every_session(app: FastAPI, services: Services) -> None:
    heron = await make.member(services, "heron")
    for change in (roles.grant, roles.revoke):
        async with make.signed_in(app, "heron") as client:
            async with services.database.work() as session:
                await change(session, await get_member(session, "heron"), Role.MODERATOR, clock.now())
            services.session_cache.invalidate(heron.id)
            assert (await client.get(f"{API}/me")).status_code == 401


async def test_tidying_keeps_what_has_not_run_out(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    for _ in range(2):
        assert (await _sign_in(guest, "heron")).status_code == 201
    async with services.database.work() as session:
        await sessions.delete_expired(session, clock.now())
    assert (await _count(services, MemberSession), await _count(services, Device)) == (2, 2)
    async with services.database.work() as session:
        await sessions.delete_expired(session, clock.now() + sessions.IDLE_TIMEOUT)
    assert (await _count(services, MemberSession), await _count(services, Device)) == (0, 2)
    async with services.database.work() as session:
        await sessions.delete_expired(session, clock.now() + sessions.DEVICE_LASTS)
    assert await _count(services, Device) == 0


async def test_a_new_password_ends_every_other_session_and_forgets_every_device(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "bittern")
    other = (await _sign_in(guest, "bittern")).json()["token"]
    async with make.signed_in(app, "heron") as heron:
        phones = [(await _sign_in(guest, "heron")).json()["token"] for _ in range(2)]
        assert [await _status(app, phone) for phone in phones] == [200, 200]
        changed = await heron.put(f"{API}/me/password", json={"current": make.PASSWORD, "new": ANOTHER})
        assert changed.status_code == 204
        assert [await _status(app, phone) for phone in phones] == [401, 401]
        assert (await heron.get(f"{API}/me")).status_code == 200
        assert len((await heron.get(f"{API}/me/sessions")).json()["items"]) == 1
    assert await _status(app, other) == 200
    assert await _count(services, Device) == 1


# What another process believes.


async def test_what_ends_in_one_process_counts_with_the_next_request_in_every_other(
    app: FastAPI, services: Services, other: FastAPI
) -> None:
    """However it ends: each time, the other process has just answered, and knows whose the token is."""
    board = await make.board(services, readers=["member"])
    thread = await make.thread(services, (await make.member(services, "magpie")).handle)
    paths = [f"{API}/threads/{thread}", f"{API}/boards/{board.slug}/threads", f"{API}/advisers", f"{API}/me"]

    async def statuses(client: httpx.AsyncClient) -> list[int]:
        return [(await client.get(path)).status_code for path in paths]

    for path in ("sessions/current", "me/sessions"):
        async with make.signed_in(other, "heron") as there:
            assert await statuses(there) == [200, 200, 200, 200]
            async with make.client(app, Authorization=there.headers["Authorization"]) as same:
                assert (await same.delete(f"{API}/{path}")).status_code == 204
            assert await statuses(there) == [404, 404, 200, 401]
    async with make.signed_in(other, "tern") as there, make.signed_in(app, "tern") as same:
        assert await statuses(there) == [200, 200, 200, 200]
        change = {"current": make.PASSWORD, "new": ANOTHER}
        assert (await same.put(f"{API}/me/password", json=change)).status_code == 204
        assert await statuses(there) == [404, 404, 200, 401]
        assert await statuses(same) == [200, 200, 200, 200]
    async with make.signed_in(other, "wren") as there:
        for standing in (Standing.SUSPENDED, Standing.BANNED):
            assert await statuses(there) == [200, 200, 200, 200]
            await make.sanction(services, "wren", standing)
            assert await statuses(there) == [404, 404, 200, 200]  # their own account stays open
            reply = await there.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Wait for me."})
            assert reply.status_code == 403
            await sql(services, "DELETE FROM sanction")
        assert await statuses(there) == [200, 200, 200, 200]
        await sql(services, "DELETE FROM member_session")
        assert await statuses(there) == [404, 404, 200, 401]
    async with make.signed_in(other, "suzie", Role.MODERATOR) as there:
        queue = f"{API}/moderation/cases"
        assert (await there.get(queue)).status_code == 200
        await sql(services, "UPDATE member_session SET second_factor = false")  # as where somebody turned it off
        assert (await there.get(queue)).status_code == 403
        await sql(services, "UPDATE member_session SET second_factor = true")
        assert (await there.get(queue)).status_code == 200
        await sql(services, "DELETE FROM role_grant")
        assert (await there.get(queue)).status_code == 403


async def test_a_doorkeeper_counts_from_before_it_read(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    token = (await _sign_in(guest, "heron")).json()["token"]
    wound = HandWound()
    session_cache = SessionCache(wound)
    assert session_cache.get(token) is None
    reader = services.database.reader
    slow = _SlowReader(reader, wound, seconds=5)
    assert (await session_cache.load(slow, token, clock.now())).handle == "heron"
    assert session_cache.get(token) is None
    assert (await session_cache.load(reader, token, clock.now())).handle == "heron"
    known = session_cache.get(token)
    assert known is not None
    assert known.viewer.handle == "heron"


async def test_what_a_doorkeeper_read_while_a_session_ended_is_not_believed(
    services: Services, guest: httpx.AsyncClient
) -> None:
    heron = await make.member(services, "heron")
    token = (await _sign_in(guest, "heron")).json()["token"]
    viewer, wound = await make.viewer(services, "heron"), HandWound()
    session_cache = SessionCache(wound)
    async with services.database.work() as session:
        listed = (await session.execute(sessions.select_sessions(viewer, clock.now()))).one()
        await sessions.delete_session(session, viewer, listed.id)
        reader = services.database.reader  # before the end is committed
        assert (await session_cache.load(reader, token, clock.now())).id == heron.id
    known = session_cache.get(token)
    assert known is not None
    assert known.version != await services.page_versions.ask_viewers()
    assert await session_cache.load(reader, token, clock.now()) == GUEST


async def test_a_doorkeeper_remembers_no_more_than_it_may(
    services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "CACHED_AT_MOST", 2)
    await make.member(services, "heron")
    tokens = [(await _sign_in(guest, "heron")).json()["token"] for _ in range(3)]
    session_cache = SessionCache()
    reader = services.database.reader
    for token in [*tokens, "nonsense"]:
        await session_cache.load(reader, token, clock.now())
    assert [session_cache.get(token) is not None for token in [*tokens, "nonsense"]] == [False, False, True, False]


# At the same moment.


async def test_a_sign_in_with_the_old_password_that_is_overtaken_by_the_new_opens_nothing(
    services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.member(services, "heron")
    viewer = await make.viewer(services, "heron")

    async def overtake() -> None:
        await profiles.change_password(services.transactions(clock.now()), viewer, make.PASSWORD, ANOTHER)

    _while_checking(monkeypatch, overtake)
    assert (await _sign_in(guest, "heron")).status_code == 401
    assert await _count(services, MemberSession) == 0
    assert (await _sign_in(guest, "heron", ANOTHER)).status_code == 201


async def test_an_old_boards_hash_that_is_renewed_twice_at_once_lets_both_in_and_never_comes_back(
    services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.member(services, "heron")
    old = phpass.using(ident="H", rounds=8).hash(make.PASSWORD)
    async with services.database.work() as session:
        await session.execute(update(Member).values(password_hash=old))

    async def overtake() -> None:
        assert (await _sign_in(guest, "heron")).status_code == 201

    _while_checking(monkeypatch, overtake)
    assert (await _sign_in(guest, "heron")).status_code == 201
    assert await _count(services, MemberSession) == 2


async def test_an_old_boards_hash_does_not_undo_a_new_password(
    services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.member(services, "heron")
    old = phpass.using(ident="H", rounds=8).hash(make.PASSWORD)
    async with services.database.work() as session:
        await session.execute(update(Member).values(password_hash=old))
    viewer = await make.viewer(services, "heron")

    async def overtake() -> None:
        await profiles.change_password(services.transactions(clock.now()), viewer, make.PASSWORD, ANOTHER)

    _while_checking(monkeypatch, overtake)
    assert (await _sign_in(guest, "heron")).status_code == 401
    assert (await _sign_in(guest, "heron")).status_code == 401
    assert (await _sign_in(guest, "heron", ANOTHER)).status_code == 201


async def test_many_sign_in_at_once(services: Services, guest: httpx.AsyncClient) -> None:
    for number in range(4):
        await make.member(services, f"heron{number}")
    answers = await asyncio.gather(*(_sign_in(guest, f"heron{number % 4}") for number in range(12)))
    assert {answer.status_code for answer in answers} == {201}
    assert await _count(services, MemberSession) == 12


class _BusyHashing(ThreadPoolExecutor):
    """The one thread that hashes, busy until it is let go; it tells when so many wait for it."""

    def __init__(self, expected: int) -> None:
        super().__init__(max_workers=1)
        self.expected, self.all_wait, self.may_go_on = expected, asyncio.Event(), threading.Event()
        super().submit(self.may_go_on.wait)

    def submit(self, *task: Any, **options: Any) -> Any:
        self.expected -= 1
        if self.expected == 0:
            self.all_wait.set()
        return super().submit(*task, **options)


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        ("POST", "/sessions", make.signing_in("heron"), {201}),
        ("POST", "/members", make.joining("bittern"), {201, 409}),  # the first and the others
        ("PUT", "/me/password", {"current": make.PASSWORD, "new": ANOTHER}, {204, 422}),
    ],
)
async def test_nobody_waits_with_a_connection_for_the_one_thread_that_hashes(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: dict[str, str],
    statuses: set[int],
) -> None:
    small = settings.model_copy(update={"pool_size": 2})
    async with make.application(small) as app, make.signed_in(app, "heron") as heron, asyncio.timeout(60):
        with _BusyHashing(20) as busy:
            monkeypatch.setattr(hashing, "HASHING_THREAD", busy)
            burst = [asyncio.create_task(heron.request(method, API + path, json=body)) for _ in range(20)]
            try:
                async with asyncio.timeout(10):
                    await busy.all_wait.wait()
                    assert (await heron.get(f"{API}/me")).status_code == 200
                    assert (await heron.get(f"{API}/boards")).status_code == 200
            finally:
                busy.may_go_on.set()
            assert {answer.status_code for answer in await asyncio.gather(*burst)} == statuses


async def test_who_comes_when_too_many_wait_to_sign_in_is_told_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "WAITING_AT_MOST", 3)
    async with make.application(settings) as app, make.client(app) as guest, asyncio.timeout(60):
        await make.member(app.state.services, "heron")
        with _BusyHashing(3) as busy:
            monkeypatch.setattr(hashing, "HASHING_THREAD", busy)
            burst = [asyncio.create_task(_sign_in(guest, "heron")) for _ in range(3)]
            try:
                await busy.all_wait.wait()
                for login in ("heron", "nobody"):
                    late = await _sign_in(guest, login)
                    assert (late.status_code, late.json()["type"]) == (503, "/problems/service-unavailable")
                    assert late.headers["Retry-After"] == "1"
            finally:
                busy.may_go_on.set()
            assert [answer.status_code for answer in await asyncio.gather(*burst)] == [201, 201, 201]
            assert (await _sign_in(guest, "heron")).status_code == 201


async def test_the_verb_says_why_in_the_houses_words(services: Services) -> None:
    shown = sign_in.PasswordSignIn(login="nobody", password="x", address="192.0.2.1")
    with pytest.raises(NotSignedIn, match="The login or the password is wrong"):
        await sign_in.sign_in(services.transactions(clock.now()), shown)


class _SlowReader:
    """A reader whose answers are old when they come."""

    def __init__(self, reader: Any, wound: HandWound, seconds: float) -> None:
        self._reader, self._wound, self._seconds = reader, wound, seconds

    async def rows(self, statement: Any, **values: Any) -> Any:
        found = await self._reader.rows(statement, **values)
        self._wound.seconds += self._seconds
        return found


def _while_checking(monkeypatch: pytest.MonkeyPatch, overtake: Callable[[], Awaitable[None]]) -> None:
    """Let something happen while the first password is being checked, after it was read."""
    real = hashing.verify

    async def check(password: str, kept: str | None) -> tuple[bool, str | None]:
        monkeypatch.setattr(hashing, "verify", real)
        found = await real(password, kept)
        await overtake()
        return found

    monkeypatch.setattr(hashing, "verify", check)
