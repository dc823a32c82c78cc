"""Floods: two processes, a thousand tries, and the figures hold to the request; who lives here still gets in."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from forum.core.settings import Settings
from tests.support import make
from tests.support.running import Forum, started

TRIES, AT_ONCE = 1000, 40
SIGN_INS = Settings().limit("sign_in").amount  # 10, and no window of 5 minutes ends while this runs
SESSIONS, BOARDS = "/api/v1/sessions", "/api/v1/boards"


@asynccontextmanager
async def _two_processes(folder: Path, database_url: str, **limits: str) -> AsyncIterator[Forum]:
    """A forum that believes its proxy, so that the tests can come from everywhere."""
    told = {"FORUM_DATABASE_URL": database_url, "FORUM_TRUSTED_PROXIES": "127.0.0.1"}
    async with started(folder, "serve", "--no-worker", "--workers", 2, **told, **limits) as forum:
        await forum.ready()
        yield forum


async def _sign_in(
    http: httpx.AsyncClient, address: str, login: str, password: str = "wrong", **more: str
) -> httpx.Response:
    body = make.signing_in(login, password, **more)
    return await http.post(SESSIONS, json=body, headers={"X-Forwarded-For": address})


async def _flooded(forum: Forum, tries: Iterable[tuple[str, str]]) -> Counter[int]:
    """What became of all these tries, many at once, over connections that both processes take."""
    left, statuses = iter(list(tries)), Counter[int]()

    async def go_on() -> None:
        async with forum.client({}) as http:
            for address, login in left:
                statuses[(await _sign_in(http, address, login)).status_code] += 1

    await asyncio.gather(*(go_on() for _ in range(AT_ONCE)))
    return statuses


async def test_of_a_thousand_tries_ten_reach_a_password_and_its_owners_phone_gets_in(
    app: FastAPI, database_url: str, tmp_path: Path
) -> None:
    for handle in ("heron", "magpie"):
        await make.member(app.state.services, handle)
    limits = {"FORUM_SIGN_IN_LIMIT": Settings().sign_in_limit}
    async with _two_processes(tmp_path, database_url, **limits) as forum:
        # From everywhere, with one login. Signed in before, by the address: the tries to come are with the handle.
        phone = (await _sign_in(forum.http, "192.0.2.1", "heron@example.org", make.PASSWORD)).json()["device"]
        everywhere = ((f"10.0.{number // 250}.{number % 250}", "heron") for number in range(TRIES))
        assert await _flooded(forum, everywhere) == {401: SIGN_INS, 429: TRIES - SIGN_INS}
        guessed = await _sign_in(forum.http, "192.0.2.2", "heron", make.PASSWORD)
        assert guessed.status_code == 429  # the right one too: or trying would go on to pay
        mine = await _sign_in(forum.http, "192.0.2.3", "heron", make.PASSWORD, device=phone)
        assert mine.status_code == 201

        # From one household, with everybody's login.
        phone = (await _sign_in(forum.http, "192.0.2.4", "magpie", make.PASSWORD)).json()["device"]
        household = ((f"2001:db8::{number:x}", f"magpie{number}") for number in range(TRIES))
        assert await _flooded(forum, household) == {401: SIGN_INS, 429: TRIES - SIGN_INS}
        assert (await _sign_in(forum.http, "2001:db8::", "magpie", make.PASSWORD)).status_code == 429
        assert (await _sign_in(forum.http, "2001:db8::", "magpie", make.PASSWORD, device=phone)).status_code == 201
        assert (await _sign_in(forum.http, "2001:db8:0:1::", "magpie", make.PASSWORD)).status_code == 201


async def test_whoever_copies_the_forum_is_stopped_in_both_processes(
    app: FastAPI, database_url: str, tmp_path: Path
) -> None:
    most = 50
    async with _two_processes(tmp_path, database_url, FORUM_API_LIMIT=f"{most}/1 hour") as forum:
        through, refused_in_a_row = 0, 0
        async with asyncio.timeout(60):
            while refused_in_a_row < 20:  # new connections, so that both processes answer
                async with forum.client({}) as http:
                    answer = await http.get(BOARDS)
                through += answer.status_code == 200
                refused_in_a_row = refused_in_a_row + 1 if answer.status_code == 429 else 0
                await asyncio.sleep(0.05)
        assert answer.headers["ratelimit-policy"] == f'"api";q={most};w=3600'
        assert most <= through < most + 30  # what one process lets through in the second before it is told
        assert (await forum.http.get("/readyz")).status_code == 200
        elsewhere = await forum.http.get(BOARDS, headers={"X-Forwarded-For": "192.0.2.1"})
        assert elsewhere.status_code == 200
        forum.process.terminate()
        assert await forum.ended() == 0
        assert "Traceback" not in forum.said()
