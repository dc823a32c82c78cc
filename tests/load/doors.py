"""The doors: the time of an answer must not tell who has an account, and nobody waits while others sign in."""

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

import httpx
import uvicorn
import uvloop
from limits import parse
from passlib.hash import argon2, phpass
from rich.table import Table
from starlette.types import Receive, Scope, Send

from forum.app import create_app
from forum.authentication.sessions import SessionCache
from forum.core import clock, embedded_postgres, logs
from forum.core.api_quota import ApiQuota
from forum.core.database import Database
from forum.core.settings import Settings
from forum.http.quota_middleware import ApiLimit
from forum.members import names
from forum.members.tables import Member
from forum.passwords import hashing
from tests.forum.passwords.test_hashing import HOSTILE
from tests.support import make

TRIES = 200  # of each kind and for each of known and unknown
LANES = 8  # at once, for a wrong password is told after half a second
AT_ONCE, BURSTS = 20, 10
TICK = 0.001  # seconds
PASSWORD = make.PASSWORD
OLD_BOARD = "phpBB 3.0"


@dataclass
class Door:
    """A way to ask whether somebody is known, and the seconds that its answers took."""

    what: str
    lanes: int
    status: int
    path: str
    body: Callable[[str, int], dict[str, Any]]
    took: dict[str, list[float]] = field(default_factory=lambda: {"known": [], "other": []})

    async def ask(self, http: httpx.AsyncClient, who: str, number: int) -> None:
        """Ask for the known or the other of this number."""
        begun = time.perf_counter()
        answer = await http.post(f"/api/v1/{self.path}", json=self.body(who, number))
        self.took[who].append(time.perf_counter() - begun)
        if answer.status_code != self.status:
            raise RuntimeError(f"{self.what}: {answer.status_code} {answer.text}")


def doors() -> list[Door]:
    """Every place where a stranger says an address."""
    return [
        Door("signing in", LANES, 401, "sessions", lambda who, n: make.signing_in(address(who, n), "wrong")),
        Door("a lost password", 1, 204, "password-resets", lambda who, n: {"login": address(who, n)}),
        Door("joining", 1, 201, "members", _joining),
    ]


def _joining(who: str, number: int) -> dict[str, Any]:
    email = address(who, number)
    return make.joining(email.partition("@")[0].replace("heron", "bittern-"), email=email)


def address(who: str, number: int) -> str:
    """An address: of a member who has verified it, or of nobody; alike, for a password is judged by it too."""
    return f"heron{number + (0 if who == 'known' else 500):03}@example.org"


@cache
def _hash(kind: str) -> str:
    if kind == OLD_BOARD:
        return str(phpass.using(ident="H", rounds=11).hash(PASSWORD))  # as phpBB 3.0 made them
    return str(argon2.using(type="ID", memory_cost=19 * 1024, rounds=2, parallelism=1).hash(PASSWORD))


async def fill(url: str) -> None:
    """Members with addresses that they have verified, in the empty forum at `url`."""
    await _add(url, [f"heron{number:03}" for number in range(TRIES)], _hash("ours"))


async def _add(url: str, handles: Sequence[str], password_hash: str) -> None:
    database, ago = Database(url, pool_size=1), clock.now() - timedelta(days=400)
    try:
        async with database.work() as session:
            for handle in handles:
                known = {"handle": handle, "skeleton": names.skeleton(handle), "name": handle, "joined_at": ago}
                email, name = f"{handle}@example.org", {"name_skeleton": names.skeleton(handle)}
                session.add(Member(**known, **name, email=email, email_verified_at=ago, password_hash=password_hash))
    finally:
        await database.close()


# Time


async def time_answers(port: int, doors: Sequence[Door], tries: int, *, done: Callable[[], object]) -> None:
    """Ask at each door for known and for others in turn, now the one first and now the other."""
    for door in doors:
        numbers = iter(range(tries))

        async def go_on(door: Door = door, numbers: Any = numbers) -> None:
            async with _client(port) as http:
                for number in numbers:
                    for who in random.sample(("known", "other"), 2):
                        await door.ask(http, who, number)
                    done()

        await asyncio.gather(*(go_on() for _ in range(door.lanes)))


def table(doors: Sequence[Door]) -> Table:
    """The medians beside each other, and by how much they differ."""
    lines = Table("", "tries", "known ms", "unknown ms", "differ by", box=None, pad_edge=False)
    for column in lines.columns[1:]:
        column.justify = "right"
    for door in doors:
        known, other = (statistics.median(door.took[who]) for who in ("known", "other"))
        times = [f"{1000 * seconds:.2f}" for seconds in (known, other)]
        lines.add_row(door.what, f"2 × {len(door.took['known'])}", *times, f"{abs(known / other - 1):.1%}")
    return lines


async def time_hostile_hashes() -> str:
    """How long it takes to refuse a hash that asks for more work than any board did; in this process."""
    await hashing.verify("wrong", None)  # the first time, it makes the hash that it compares with
    took = []
    for kept in HOSTILE * 10:
        begun = time.perf_counter()
        await hashing.verify(PASSWORD, kept)
        took.append(time.perf_counter() - begun)
    return f"A hostile hash is refused after {1000 * statistics.median(took):.1f} ms, at most {1000 * max(took):.1f}."


async def time_counting() -> str:
    """What the limit on the whole API takes of each request, where nothing else is done; in this process."""
    database = Database("postgresql+asyncpg://nobody@localhost/nothing", pool_size=1)
    counted = ApiLimit(_nothing, ApiQuota(database.reader, parse("1000000000/1 hour")), SessionCache(), 50)
    headers = [(b"host", b"127.0.0.1"), (b"accept", b"*/*"), (b"authorization", b"Bearer " + b"x" * 43)]
    scope = {"type": "http", "path": "/api/v1/boards", "client": ("2001:db8::1", 1), "query_string": b""}
    scope["headers"] = headers
    seconds = []
    for app in (_nothing, counted):
        begun = time.perf_counter()
        for _ in range(100_000):
            await app(scope, None, None)
        seconds.append(time.perf_counter() - begun)
    return f"Counting it takes {10 * (seconds[1] - seconds[0]):.1f} µs of each request."


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    pass


# Lag


def serve_and_tick(port: int, url: str, notes: Connection) -> None:
    """Answer as a server process does, in a process of multiprocessing's, and note how late its event loop is.

    Lateness is seen inside the loop or not at all: a task sleeps for a millisecond again and again, and notes how much
    longer it took. What asks is another process, so that its own work is not in it.
    """
    embedded_postgres.stop_with_parent()
    logs.configure("WARNING")
    app = create_app(Settings(database_url=url, **make.UNTHROTTLED))
    gc.collect()
    gc.freeze()  # as a process of the forum does
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="on")

    async def run() -> None:
        ticking = asyncio.create_task(_tick(notes))
        await uvicorn.Server(config).serve()
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(run())


async def _tick(notes: Connection) -> None:
    late: list[float] = []
    while True:
        if notes.poll():
            notes.recv()
            notes.send(late)
            late = []
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        late.append(time.perf_counter() - before - TICK)


async def measure_lag(port: int, url: str, notes: Connection) -> Table:
    """How late the loop was while twenty did this at once, again and again."""
    await _add(url, [f"ours{number:02}" for number in range(AT_ONCE)], _hash("ours"))
    lines = Table("20 at once", "p50 ms", "p99 ms", "longest ms", "their own p50 ms", box=None, pad_edge=False)
    for column in lines.columns[1:]:
        column.justify = "right"
    async with _client(port) as http:
        for what, act in (
            ("nothing at all", _rest),
            ("sign-ins", lambda number, _: _sign_in(http, f"ours{number:02}", PASSWORD, 201)),
            ("sign-ins with a wrong password", lambda number, _: _sign_in(http, f"ours{number:02}", "wrong", 401)),
            ("sign-ins that renew phpBB 3.0's hash", lambda n, burst: _sign_in(http, f"old{burst}-{n}", PASSWORD, 201)),
            ("joinings", lambda number, burst: _join(http, f"join{burst}-{number}")),
        ):
            if "phpBB" in what:
                olds = [f"old{burst}-{number}" for burst in range(BURSTS) for number in range(AT_ONCE)]
                await _add(url, olds, _hash(OLD_BOARD))
            lines.add_row(what, *await _lag_while(act, notes))
    return lines


async def _lag_while(act: Callable[[int, int], Awaitable[None]], notes: Connection) -> list[str]:
    await noted(notes)
    took: list[float] = []

    async def timed(number: int, burst: int) -> None:
        begun = time.perf_counter()
        await act(number, burst)
        took.append(time.perf_counter() - begun)

    for burst in range(BURSTS):
        await asyncio.gather(*(timed(number, burst) for number in range(AT_ONCE)))
    late = await noted(notes)
    figures = (statistics.median(late), statistics.quantiles(late, n=100)[98], max(late), statistics.median(took))
    return [f"{1000 * seconds:.2f}" for seconds in figures]


async def noted(notes: Connection) -> list[float]:
    """What was noted since it was last asked for."""
    notes.send(None)
    late: list[float] = await asyncio.to_thread(notes.recv)
    return late


async def _rest(_number: int, _burst: int) -> None:
    await asyncio.sleep(0.2)


async def _sign_in(http: httpx.AsyncClient, login: str, password: str, status: int) -> None:
    answer = await http.post("/api/v1/sessions", json=make.signing_in(login, password))
    if answer.status_code != status:
        raise RuntimeError(f"{login}: {answer.status_code} {answer.text}")


async def _join(http: httpx.AsyncClient, handle: str) -> None:
    answer = await http.post("/api/v1/members", json=make.joining(handle))
    if answer.status_code != 201:
        raise RuntimeError(f"{handle}: {answer.status_code} {answer.text}")


def _client(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
