"""Throttles: so often and no oftener, in every process, whatever became of the request; nobody locks another out."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from limits import parse
from sqlalchemy import select, text

from forum.authentication.second_factor import totp
from forum.core import clock, rate_limits
from forum.core.database import Database, Reader
from forum.core.errors import Forbidden, Throttled
from forum.core.rate_limits import PostgresStorage, RateLimits, ThrottleCount
from forum.core.settings import Settings
from forum.http.services import Services
from forum.passwords import hashing
from tests.support import make

API = "/api/v1"
LIMIT = parse("3/1 minute")
AGES = timedelta(hours=1)  # longer than any test: a window that is made so much longer does not run out under it


@pytest.fixture
async def app(database_url: str, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The application with the figures of the promise."""
    async with make.application(Settings(database_url=database_url, data=tmp_path, pool_size=5)) as app:
        yield app


async def _try(app: FastAPI, address: str, login: str, password: str = "wrong", **more: Any) -> httpx.Response:
    async with make.client_at(app, address) as client:
        return await client.post(f"{API}/sessions", json=make.signing_in(login, password, **more))


async def _statuses(app: FastAPI, *tries: tuple[str, str]) -> list[int]:
    return [(await _try(app, address, login)).status_code for address, login in tries]


async def _as_if(services: Services, later: timedelta) -> None:
    """Let every window be so much older."""
    older = text("UPDATE throttle_count SET ends_at = ends_at - make_interval(secs => :seconds)")
    async with services.database.work() as session:
        await session.execute(older, {"seconds": later.total_seconds()})


def _refusal(response: httpx.Response, policy: str, quota: int, window: int) -> int:
    """The seconds to wait that a refused request was told, everywhere the same."""
    assert response.status_code == 429, response.text
    assert response.headers["content-type"] == "application/problem+json"
    wait = int(response.headers["retry-after"])
    assert 0 < wait <= window
    assert response.headers["ratelimit-policy"] == f'"{policy}";q={quota};w={window}'
    assert response.headers["ratelimit"] == f'"{policy}";r=0;t={wait}'
    assert (response.json()["type"], response.json()["title"]) == ("/problems/too-many-requests", "Too many requests")
    return wait


# Signing in.


async def test_ten_tries_for_one_login_are_enough_for_five_minutes_from_wherever_they_come(
    app: FastAPI, services: Services
) -> None:
    await make.member(services, "heron")
    tries = [(f"192.0.2.{number}", ("heron", "HERON", "ｈｅｒｏｎ")[number % 3]) for number in range(10)]
    assert await _statuses(app, *tries) == [401] * 10
    refused = await _try(app, "192.0.2.99", "heron", make.PASSWORD)  # the right one too
    wait = _refusal(refused, "sign-in", 10, 300)
    assert wait > 240
    assert refused.json()["detail"] == "Too often. Please wait 5 minutes and try again."
    await _as_if(services, timedelta(seconds=301))
    assert (await _try(app, "192.0.2.99", "heron", make.PASSWORD)).status_code == 201


@pytest.mark.parametrize(
    ("first", "second", "is_one_household"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
async def test_ten_tries_from_one_household_are_enough_for_five_minutes(
    app: FastAPI, first: str, second: str, is_one_household: bool
) -> None:
    assert await _statuses(app, *((first, f"nobody{number}") for number in range(10))) == [401] * 10
    eleventh = await _try(app, second, "somebody")
    if is_one_household:
        _refusal(eleventh, "sign-in", 10, 300)
    else:
        assert eleventh.status_code == 401


async def test_who_signs_in_counts_nothing_for_their_network_and_who_fails_does(
    app: FastAPI, services: Services
) -> None:
    for handle in ("heron", "bittern", "egret"):
        await make.member(services, handle)
    assert await _statuses(app, *(("192.0.2.1", f"nobody{number}") for number in range(9))) == [401] * 9
    for handle in ("heron", "bittern", "egret"):
        assert (await _try(app, "192.0.2.1", handle, make.PASSWORD)).status_code == 201
    assert await _statuses(app, ("192.0.2.1", "nobody9")) == [401]
    _refusal(await _try(app, "192.0.2.1", "heron", make.PASSWORD), "sign-in", 10, 300)


async def test_a_client_that_asks_whether_a_code_is_needed_counts_nothing_for_its_network_and_a_wrong_code_does(
    database_url: str, tmp_path: Path
) -> None:
    strict = Settings(database_url=database_url, data=tmp_path, pool_size=5, sign_in_limit="2/5 minutes")
    async with make.application(strict) as app:
        async with make.signed_in(app, "suzie") as suzie:
            secret = (await suzie.post(f"{API}/me/second-factor")).json()["secret"]
            code = totp.current_code(secret, clock.now())
            assert (await suzie.put(f"{API}/me/second-factor", json={"code": code})).status_code == 200
        assert (await _try(app, "192.0.2.1", "suzie", make.PASSWORD)).json()["code"] == "second_factor_needed"
        assert await _statuses(app, ("192.0.2.1", "nobody")) == [401]
        assert (await _try(app, "192.0.2.1", "suzie@example.org", make.PASSWORD, code="000000")).status_code == 401
        _refusal(await _try(app, "192.0.2.1", "somebody"), "sign-in", 2, 300)


async def test_fifteen_who_sign_in_at_the_same_moment_do_not_refuse_each_other_and_of_fifteen_guesses_ten_are_tried(
    app: FastAPI, services: Services
) -> None:
    handles = [f"heron-{letter}" for letter in "abcdefghijkmnpq"]
    for handle in handles:
        await make.member(services, handle)
    signed_in = await asyncio.gather(*(_try(app, "192.0.2.1", handle, make.PASSWORD) for handle in handles))
    assert [answer.status_code for answer in signed_in] == [201] * 15
    guesses = await asyncio.gather(*(_try(app, "192.0.2.1", handle) for handle in handles))
    assert sorted(answer.status_code for answer in guesses) == [401] * 10 + [429] * 5


async def test_who_tries_at_the_same_moment_shares_a_statement_and_is_counted_apart(services: Services) -> None:
    limits, asked = RateLimits(services.database.reader), list[int]()

    async def rows(statement: Any, **values: Any) -> Any:
        asked.append(len(values.get("keys", ())))
        return await Reader.rows(services.database.reader, statement, **values)

    services.database.reader.rows = rows  # type: ignore[method-assign] # only to count
    tries = [("heron", number) for number in range(5)] + [("egret", number) for number in range(3)]
    refused = await asyncio.gather(*(limits.hit(LIMIT, "posting", who) for who, _ in tries), return_exceptions=True)
    assert [isinstance(one, Throttled) for one in refused].count(True) == 2
    assert refused[5:] == [None] * 3
    assert max(asked) == 2  # one statement has both
    assert sum(map(bool, asked)) < len(tries)


async def test_a_try_that_is_cancelled_stays_counted(services: Services) -> None:
    limits = RateLimits(services.database.reader)
    begun = asyncio.Event()

    async def wait_for_ever() -> None:
        async with limits.reserve(LIMIT, "sign-in", "heron", counts=lambda _: False):
            begun.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(wait_for_ever())
    await begun.wait()
    running.cancel()
    await asyncio.wait([running])
    assert await PostgresStorage(services.database.reader).get(LIMIT.key_for("sign-in", "heron")) == 1


async def test_a_device_that_signed_in_before_is_not_locked_out_by_others(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    await make.member(services, "bittern")
    phone = (await _try(app, "198.51.100.1", "heron", make.PASSWORD)).json()["device"]
    others_phone = (await _try(app, "198.51.100.1", "bittern", make.PASSWORD)).json()["device"]
    await _statuses(app, *((f"192.0.2.{number}", "heron") for number in range(9)))
    await _statuses(app, *(("203.0.113.1", f"nobody{number}") for number in range(10)))
    # From a household that is over the limit, for a login that is over the limit.
    for device, status in ((None, 429), ("nonsense", 429), (others_phone, 429), (phone, 201)):
        assert (await _try(app, "203.0.113.1", "heron", make.PASSWORD, device=device)).status_code == status, device
    answer = await _try(app, "203.0.113.1", "heron@example.org", make.PASSWORD, device=phone)
    assert (answer.status_code, answer.json()["device"]) == (201, phone)


async def test_a_device_that_signed_in_before_has_ten_tries_of_its_own(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    phone = (await _try(app, "192.0.2.1", "heron", make.PASSWORD)).json()["device"]
    for number in range(10):
        assert (await _try(app, f"198.51.100.{number}", "heron", device=phone)).status_code == 401
    _refusal(await _try(app, "198.51.100.99", "heron", make.PASSWORD, device=phone), "sign-in", 10, 300)
    assert (await _try(app, "198.51.100.99", "heron", make.PASSWORD)).status_code == 201


async def test_tries_with_a_handle_do_not_tell_whose_address_it_is(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    await _statuses(app, *((f"192.0.2.{number}", "heron") for number in range(11)))
    tries = [("198.51.100.1", "heron@example.org"), ("198.51.100.1", "nobody@example.org")]
    assert await _statuses(app, *tries) == [401, 401]
    by_address = [(f"203.0.113.{number}", "heron@example.org") for number in range(9)]
    assert await _statuses(app, *by_address, ("203.0.113.99", "Heron@example.org")) == [401] * 9 + [429]


async def test_who_is_over_the_limit_learns_nothing_costs_nothing_and_uses_up_nothing_of_another(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.member(services, "heron")
    await _statuses(app, *(("192.0.2.1", f"nobody{number}") for number in range(10)))
    with monkeypatch.context() as patch:
        patch.delattr(hashing, "verify")
        answers = [await _try(app, "192.0.2.1", login) for login in ["heron", "nobody", *["heron"] * 10]]
    assert {(answer.status_code, answer.json()["title"]) for answer in answers} == {(429, "Too many requests")}
    assert (await _try(app, "192.0.2.2", "heron", make.PASSWORD)).status_code == 201


# Everything else.


async def _join(client: httpx.AsyncClient, handle: str, **changes: Any) -> httpx.Response:
    return await client.post(f"{API}/members", json=make.joining(handle, **changes))


async def test_so_many_accounts_an_hour_from_one_household_and_who_was_refused_may_try_again(
    database_url: str, tmp_path: Path
) -> None:
    few = Settings(database_url=database_url, data=tmp_path, pool_size=5, join_limit="2/1 hour")
    async with (
        make.application(few) as app,
        make.client_at(app, "2001:db8::1") as one,
        make.client_at(app, "2001:db8:0:1::1") as other,
    ):
        assert (await _join(one, "heron")).status_code == 201
        for _ in range(3):
            assert (await _join(one, "heron")).status_code == 409
            assert (await _join(one, "bittern", password="aaaaaaaaaaaa")).status_code == 422
        assert (await _join(one, "bittern")).status_code == 201
        _refusal(await _join(one, "egret"), "join", 2, 3600)
        assert (await _join(other, "egret")).status_code == 201


async def test_tries_to_join_have_a_limit_of_their_own(database_url: str, tmp_path: Path) -> None:
    """Each keeps the one thread that hashes passwords busy."""
    few = Settings(database_url=database_url, data=tmp_path, pool_size=5, join_try_limit="2/1 hour")
    async with make.application(few) as app, make.client_at(app, "192.0.2.1") as one:
        for _ in range(2):
            assert (await _join(one, "heron", password="aaaaaaaaaaaa")).status_code == 422
        _refusal(await _join(one, "heron"), "join", 2, 3600)


def test_a_support_group_may_join_from_one_network() -> None:
    assert (Settings().join_limit, Settings().join_try_limit) == ("20/1 hour", "100/1 hour")


async def test_a_member_can_cause_five_mails_a_day_by_other_addresses_and_five_by_leaving_again_and_again(
    app: FastAPI,
) -> None:
    async with make.signed_in(app, "heron") as heron:
        for number in range(5):
            wish = {"email": f"other{number}@example.org", "current": make.PASSWORD}
            assert (await heron.put(f"{API}/me/email", json=wish)).status_code == 204
            assert (await heron.put(f"{API}/me/departure", json={"kind": "leave"})).status_code == 200
            assert (await heron.delete(f"{API}/me/departure")).status_code == 204
        _refusal(await heron.put(f"{API}/me/email", json=wish), "address-change", 5, 86_400)
        _refusal(await heron.put(f"{API}/me/departure", json={"kind": "leave"}), "departure", 5, 86_400)


@pytest.mark.parametrize(("joined", "window"), [(timedelta(days=400), 5), (timedelta(hours=1), 10)])
async def test_a_member_posts_once_in_five_seconds_and_a_newcomer_in_ten(
    app: FastAPI, services: Services, joined: timedelta, window: int
) -> None:
    await make.board(services)
    await make.member(services, "bittern")
    thread = await make.thread(services, "bittern")
    async with make.signed_in(app, "heron", joined=joined) as heron, make.signed_in(app, "bittern") as bittern:
        reply = {"body_markdown": "I see"}
        assert (await heron.post(f"{API}/threads/{thread}/posts", json=reply)).status_code == 201
        await _as_if(services, -AGES)
        again = await heron.post(f"{API}/threads/{thread}/posts", json=reply)
        wait = _refusal(again, "posting", 1, window)
        assert again.json()["detail"] == f"Too often. Please wait {wait} seconds and try again."
        opening = {"title": "What now?", "body_markdown": "They come on Monday"}
        _refusal(await heron.post(f"{API}/boards/new-here/threads", json=opening), "posting", 1, window)
        assert (await bittern.post(f"{API}/threads/{thread}/posts", json=reply)).status_code == 201
        await _as_if(services, AGES + timedelta(seconds=window))
        assert (await heron.post(f"{API}/boards/new-here/threads", json=opening)).status_code == 201
    async with make.client(app) as guest:
        assert len((await guest.get(f"{API}/threads/{thread}/posts")).json()["items"]) == 3


async def test_a_safe_repeat_is_not_counted(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "bittern")
    thread = await make.thread(services, "bittern")
    async with make.signed_in(app, "heron") as heron:
        path, reply = f"{API}/threads/{thread}/posts", {"body_markdown": "I see"}
        sent = [await heron.post(path, json=reply, headers={"Idempotency-Key": "reply-1"}) for _ in range(3)]
        assert [answer.status_code for answer in sent] == [201] * 3
        assert len({answer.json()["id"] for answer in sent}) == 1
        await _as_if(services, -AGES)
        _refusal(await heron.post(path, json=reply, headers={"Idempotency-Key": "reply-2"}), "posting", 1, 5)
        await _as_if(services, AGES + timedelta(seconds=5))
        later = await heron.post(path, json=reply, headers={"Idempotency-Key": "reply-2"})
        assert (later.status_code, later.json()["number"]) == (201, 3)


@pytest.mark.parametrize(
    ("method", "path", "body", "policy", "quota", "window"),
    [
        ("PATCH", "/me", {"name": "Heron"}, "editing", 30, 60),
        ("POST", "/previews", {"body_markdown": "Hello"}, "preview", 60, 60),
        ("PUT", "/me/password", {"current": "wrong", "new": "a sentence about terns"}, "password", 10, 300),
    ],
)
async def test_what_costs_us_work_has_a_limit(
    app: FastAPI, method: str, path: str, body: dict[str, str], policy: str, quota: int, window: int
) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "bittern") as bittern:
        answers = [await heron.request(method, API + path, json=body) for _ in range(quota)]
        assert {answer.status_code for answer in answers} <= {200, 422}
        _refusal(await heron.request(method, API + path, json=body), policy, quota, window)
        assert (await bittern.request(method, API + path, json=body)).status_code in {200, 422}


# How it counts.


async def _hits(guard: RateLimits, times: int, who: str = "heron", policy: str = "testing") -> int:
    """How many of so many tries at once were let through."""

    async def hit() -> bool:
        try:
            await guard.hit(LIMIT, policy, who)
        except Throttled:
            return False
        return True

    return sum(await asyncio.gather(*(hit() for _ in range(times))))


async def test_the_count_survives_the_request_that_failed(services: Services) -> None:
    async def fail() -> None:
        async with services.database.work():
            await services.rate_limits.hit(LIMIT, "testing", "heron")
            raise Forbidden("and all of it is rolled back")

    for _ in range(3):
        with pytest.raises(Forbidden):
            await fail()
    with pytest.raises(Throttled):
        await fail()


async def test_two_processes_count_together_and_let_no_more_through_at_once(
    services: Services, database_url: str
) -> None:
    other = Database(database_url, pool_size=5)
    try:
        through = await asyncio.gather(_hits(services.rate_limits, 10), _hits(RateLimits(other.reader), 10))
        assert sum(through) == 3
        assert await _hits(RateLimits(other.reader), 1) == 0
    finally:
        await other.close()


async def test_each_policy_counts_each_of_us_alone(services: Services) -> None:
    assert await _hits(services.rate_limits, 5) == 3
    assert await _hits(services.rate_limits, 5, who="bittern") == 3
    assert await _hits(services.rate_limits, 5, policy="posting") == 3


async def test_a_window_begins_with_its_first_try_and_is_not_made_longer_by_refused_ones(services: Services) -> None:
    assert await _hits(services.rate_limits, 3) == 3
    await _as_if(services, timedelta(seconds=50))
    with pytest.raises(Throttled) as refused:
        await services.rate_limits.hit(LIMIT, "testing", "heron")
    assert refused.value.retry_after <= 10
    await _as_if(services, timedelta(seconds=10))
    assert await _hits(services.rate_limits, 5) == 3


async def test_nobody_waits_longer_than_a_window_whatever_the_servers_clock_says(services: Services) -> None:
    assert await _hits(services.rate_limits, 3) == 3
    await _as_if(services, -timedelta(hours=3))
    with pytest.raises(Throttled) as refused:
        await services.rate_limits.hit(LIMIT, "testing", "heron")
    assert refused.value.retry_after == 60


async def test_who_tried_what_is_not_to_be_read_in_the_counts(app: FastAPI, services: Services) -> None:
    await _try(app, "192.0.2.1", "heron@example.org")
    async with services.database.work() as session:
        keys = (await session.execute(select(ThrottleCount.key))).scalars().all()
    assert len(keys) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)


async def test_tidying_forgets_windows_that_are_over_and_no_others(services: Services) -> None:
    assert await _hits(services.rate_limits, 3) == 3
    async with services.database.work() as session:
        await rate_limits.delete_expired(session, {}, clock.now())
    assert await _hits(services.rate_limits, 1) == 0
    async with services.database.work() as session:
        await rate_limits.delete_expired(session, {}, clock.now() + timedelta(seconds=61))
        assert (await session.execute(select(ThrottleCount))).first() is None


async def test_the_storage_keeps_the_librarys_promises(services: Services) -> None:
    storage = PostgresStorage(services.database.reader)
    assert await storage.check()
    assert [await storage.incr("one", 60), await storage.incr("one", 60, amount=2)] == [1, 3]
    assert await storage.incr("two", 60) == 1
    assert [await storage.get(key) for key in ("one", "two", "three")] == [3, 1, 0]
    now = clock.now().timestamp()
    assert 0 < await storage.get_expiry("one") - now <= 60
    assert await storage.get_expiry("three") >= now
    await storage.clear("one")
    assert [await storage.get(key) for key in ("one", "two")] == [0, 1]
    assert await storage.reset() == 1
    assert await storage.get("two") == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:DB8:0:0:1:2:3:4", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("a-socket", "unknown"),
        ("192.0.2.1:443", "unknown"),
    ],
)
def test_a_household_is_an_ipv4_address_or_an_ipv6_network(address: str, network: str) -> None:
    assert rate_limits.network(address) == network
