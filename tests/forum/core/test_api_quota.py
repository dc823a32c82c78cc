"""The limit on the whole API: nobody copies the forum, whoever reads is not counted anywhere else, nothing is asked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from limits import parse
from sqlalchemy import select
from starlette.types import Receive, Scope, Send

from forum.authentication.sessions import SessionCache
from forum.core import api_quota
from forum.core.api_quota import ApiQuota
from forum.core.database import Database
from forum.core.errors import Throttled
from forum.core.rate_limits import ThrottleCount
from forum.core.settings import Settings
from forum.http.current_member import COOKIE
from forum.http.quota_middleware import ApiLimit
from forum.http.services import Services
from tests.forum.authentication.test_sessions import HandWound
from tests.forum.core.test_rate_limits import _refusal as refusal
from tests.support import make

API = "/api/v1"
LIMIT = parse("100/1 minute")


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """An application that lets everybody ask ten times a minute."""
    async with make.application(settings.model_copy(update={"api_limit": "10/1 minute"})) as app:
        yield app


async def _statuses(client: httpx.AsyncClient, times: int, path: str = f"{API}/boards") -> list[int]:
    return [(await client.get(path)).status_code for _ in range(times)]


def _through(counter: ApiQuota, times: int, who: str = "heron") -> int:
    """How many of so many requests are let through."""
    through = 0
    for _ in range(times):
        try:
            counter.count(who)
        except Throttled:
            break
        through += 1
    return through


async def _kept(services: Services) -> list[int]:
    async with services.database.work() as session:
        return sorted((await session.execute(select(ThrottleCount.tries))).scalars())


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """The database as another process has it."""
    database = Database(database_url, pool_size=1)
    yield database
    await database.close()


# Who is counted


async def test_a_household_of_guests_is_refused_when_it_asks_too_often(app: FastAPI) -> None:
    async with make.client_at(app, "2001:db8::1") as one, make.client_at(app, "2001:db8::2") as next_door:
        assert await _statuses(one, 6) + await _statuses(next_door, 4) == [200] * 10
        refused = await one.get(f"{API}/boards")
        refusal(refused, "api", 10, 60)
        assert "x-content-type-options" in refused.headers
        assert (await one.get(f"{API}/nowhere")).status_code == 429
    async with make.client_at(app, "2001:db8:0:1::1") as elsewhere:
        assert await _statuses(elsewhere, 1) == [200]


async def test_whoever_looks_after_the_forum_asks_as_often_as_they_like(app: FastAPI) -> None:
    async with make.client(app) as guest:
        for path in ("/healthz", "/readyz"):
            assert set(await _statuses(guest, 15, path)) == {200}
        assert await _statuses(guest, 1) == [200]


async def test_members_of_one_household_are_counted_each_by_themselves_wherever_they_are_signed_in(
    app: FastAPI,
) -> None:
    async with (
        make.signed_in(app, "heron") as phone,
        make.signed_in(app, "heron") as laptop,
        make.signed_in(app, "bittern") as bittern,
        make.client(app) as guest,
    ):
        for member in (phone, laptop, bittern):
            await member.get(f"{API}/boards")  # from now on they are known
        assert await _statuses(phone, 5) + await _statuses(laptop, 6) == [200] * 10 + [429]
        assert await _statuses(bittern, 10) == [200] * 10
        assert await _statuses(guest, 10) == [200] * 10


async def test_a_cookie_is_as_good_as_a_bearer_token(app: FastAPI) -> None:
    async with make.signed_in(app, "heron") as heron:
        cookie = {"Cookie": f"a=b; {COOKIE}={heron.headers['Authorization'].removeprefix('Bearer ')}; c=d"}
        assert await _statuses(heron, 1) == [200]
        assert await _statuses(heron, 10) == [200] * 10
        async with make.client(app, **cookie) as browser:
            assert await _statuses(browser, 1) == [429]


async def test_tokens_that_are_made_up_make_no_room(app: FastAPI) -> None:
    statuses = []
    for number in range(11):
        async with make.client(app, Authorization=f"Bearer {number}") as client:
            statuses += await _statuses(client, 1)
    assert statuses == [200] * 10 + [429]


async def test_guests_who_ask_too_often_lock_no_member_of_their_household_out(app: FastAPI) -> None:
    async with make.client(app) as guest, make.signed_in(app, "heron") as heron:
        assert (await _statuses(guest, 11))[-1] == 429
        assert await _statuses(heron, 10) == [200] * 10


async def test_who_asks_for_much_at_once_is_counted_for_as_much(app: FastAPI) -> None:
    """A hundred cards in one answer are no cheaper for being one request."""
    async with make.client(app) as guest:
        query = "&".join(f"handle=heron{number}" for number in range(100))
        assert await _statuses(guest, 2, f"{API}/members?{query}") == [200, 429]


async def test_a_network_has_only_so_many_requests_under_way(app: FastAPI) -> None:
    begun, may_go_on = asyncio.Queue[None](), asyncio.Event()

    async def slow(scope: Scope, _receive: Receive, _send: Send) -> None:
        if scope["path"] == "/slow":
            begun.put_nowait(None)
            await may_go_on.wait()

    services: Services = app.state.services
    limited = ApiLimit(slow, ApiQuota(services.database.reader, LIMIT), SessionCache(), at_once=2)

    async def ask(path: str, address: str) -> list[int]:
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
        await limited({**scope, "client": (address, 1)}, None, send)  # type: ignore[arg-type]
        return [message["status"] for message in said if message["type"] == "http.response.start"]

    waiting = [asyncio.create_task(ask("/slow", "2001:db8::1")) for _ in range(2)]
    for _ in waiting:
        await begun.get()
    assert await ask("/quick", "2001:db8::2") == [429]
    assert await ask("/readyz", "2001:db8::2") == []
    assert await ask("/quick", "2001:db8:0:1::1") == []
    may_go_on.set()
    await asyncio.gather(*waiting)
    assert await ask("/quick", "2001:db8::2") == []


async def test_a_session_that_has_ended_counts_for_nobody(app: FastAPI) -> None:
    services: Services = app.state.services
    async with make.signed_in(app, "heron") as heron:
        token = heron.headers["Authorization"].removeprefix("Bearer ")
        await heron.get(f"{API}/me")
        assert services.session_cache.owner(token) == (await make.viewer(services, "heron")).id
        assert (await heron.delete(f"{API}/sessions/current")).status_code == 204
        await heron.get(f"{API}/me")
        assert services.session_cache.owner(token) is None


# How it is counted


async def test_processes_tell_each_other_what_they_counted(services: Services, other: Database) -> None:
    one, two = ApiQuota(services.database.reader, LIMIT), ApiQuota(other.reader, LIMIT)
    assert (_through(one, 60), _through(two, 20)) == (60, 20)
    for counter in (one, two):
        await counter.exchange()
    assert _through(one, 1) == 1
    await one.exchange()
    assert (_through(one, 60), _through(two, 60)) == (19, 20)  # late by one exchange, and no more
    for counter in (one, two):
        await counter.exchange()
    assert (_through(one, 1), _through(two, 1)) == (0, 0)
    assert await _kept(services) == [120]


async def test_while_a_tenth_is_not_reached_nobody_else_is_told(services: Services) -> None:
    counter = ApiQuota(services.database.reader, LIMIT)
    assert (_through(counter, 10), _through(counter, 11, "bittern")) == (10, 11)
    await counter.exchange()
    assert await _kept(services) == [11]


async def test_everybody_is_told_of_in_one_statement_and_of_nobody_in_none(services: Services) -> None:
    counter = ApiQuota(services.database.reader, LIMIT)
    for number in range(50):
        _through(counter, 20, f"heron{number}")
    with make.note_of_statements(services) as sent:
        await counter.exchange()
        await counter.exchange()
    assert len(sent) == 1
    assert await _kept(services) == [20] * 50


async def test_a_window_ends_for_all_when_it_ends_for_the_first(services: Services, other: Database) -> None:
    wound = HandWound()
    one, two = ApiQuota(services.database.reader, LIMIT, wound), ApiQuota(other.reader, LIMIT, wound)
    assert _through(one, 101) == 100
    wound.seconds += 30
    await one.exchange()
    assert _through(two, 20) == 20
    await two.exchange()
    with pytest.raises(Throttled) as refused:
        two.count("heron")
    assert 25 < refused.value.retry_after <= 30
    wound.seconds += 30.5
    assert (_through(one, 1), _through(two, 1)) == (1, 1)


async def test_no_more_is_remembered_than_may_be(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_quota, "COUNTS_AT_MOST", 3)
    wound = HandWound()
    counter = ApiQuota(services.database.reader, LIMIT, wound)
    for number in range(5):
        assert _through(counter, 101, f"heron{number}") == 100
    assert [_through(counter, 1, f"heron{number}") for number in (3, 4)] == [0, 0]
    assert _through(counter, 1, "heron0") == 1
    wound.seconds += 61
    await counter.exchange()
    assert counter._counts == counter._to_share == {}


async def test_without_a_database_each_counts_for_itself_says_so_once_and_tells_later(
    services: Services, database_url: str
) -> None:
    nowhere = Database("postgresql+asyncpg://forum@127.0.0.1:1/forum", pool_size=1)
    counter = ApiQuota(nowhere.reader, LIMIT)
    with structlog.testing.capture_logs() as lines:
        assert _through(counter, 30) == 30
        for _ in range(3):
            await counter.exchange()
        assert _through(counter, 100) == 70
    assert [line["log_level"] for line in lines] == ["warning"]
    counter._reader = services.database.reader  # it is back
    await counter.exchange()
    assert await _kept(services) == [100]


async def test_exchanging_ends_with_the_process_also_in_the_middle(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_quota, "PAUSE", 0.001)
    counter, begun = ApiQuota(services.database.reader, LIMIT), asyncio.Event()

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(30):
        async with counter.exchanging():
            assert _through(counter, 20) == 20
            while await _kept(services) != [20]:  # noqa: ASYNC110 (the task makes it so)
                await asyncio.sleep(0.01)
            monkeypatch.setattr(counter, "exchange", never)
            await begun.wait()
