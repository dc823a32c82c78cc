"""Hostile bodies: how late the event loop is while two clients send the worst ones, and how long readers wait."""

import asyncio
import gc
import itertools
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import httpx
from rich.table import Table

from tests.load.doors import noted
from tests.load.rounds import Server
from tests.load.seed import Seeded
from tests.support import hostile

CLIENTS = 2
WARM_UP = 3.0  # seconds, in which the side process starts
NICENESS = 19  # the clients are elsewhere in truth: here, their own work must not be what readers wait for
# What takes longest to parse, to render or to screen, of many that were tried.
UNITS = ("![", "- a\n", "a\n\n", "http", "[a](", "1. ", "+4", "07700 900123 ", "# a\n", "a@b.cc ", *hostile.HEAVY_UNITS)
UNKNOWN_KEYS = json.dumps({"body_markdown": "Hello", **{f"k{number}": 1 for number in range(20_000)}}).encode()
JSON = {"Content-Type": "application/json"}

Send = Callable[[httpx.AsyncClient], Awaitable[None]]


@dataclass
class Round:
    """What was seen while the clients sent bodies of one kind."""

    what: str
    late: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    sent: int = 0
    grown: int = 0


def bodies(size: int) -> Iterator[str]:
    """The worst bodies of this size, again and again."""
    return itertools.cycle((unit * size)[:size] for unit in UNITS)


async def measure(server: Server, seeded: Seeded, notes: Connection, seconds: float) -> Table:
    """Load the server for some seconds with each kind of body."""
    rounds = [Round(what) for what in _kinds(seeded)]
    async with _client(server.port) as http:
        for found in rounds:
            for measured in (WARM_UP, seconds):
                before = server.process.memory_info().rss
                found.reads, found.late, found.sent = await _load(http, server, seeded, notes, found.what, measured)
                found.grown = server.process.memory_info().rss - before
    return _table(rounds)


def _client(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)


def _kinds(seeded: Seeded) -> dict[str, list[Send]]:
    """What each kind of clients does, again and again."""
    texts = {
        f"{size:,} characters": [_sender(seeded, number, bodies(size)) for number in range(CLIENTS)]
        for size in (4_000, 20_000)
    }
    unknown = {f"{len(UNKNOWN_KEYS):,} bytes of unknown keys": [_unknown_keys_sender(seeded)] * CLIENTS}
    return {"nothing": [], **texts, **unknown}


def _sender(seeded: Seeded, number: int, texts: Iterator[str]) -> Send:
    """One client: previews a body, and posts it as a reply."""
    headers = {"Authorization": f"Bearer {seeded.tokens[number]}"}
    places = itertools.cycle(["/api/v1/previews", f"/api/v1/threads/{seeded.short_threads[number]}/posts"])

    async def send(http: httpx.AsyncClient) -> None:
        answer = await http.post(next(places), json={"body_markdown": next(texts)}, headers=headers)
        if answer.status_code not in {200, 201, 422}:  # 422: nothing in it can be seen
            raise RuntimeError(f"{answer.status_code} {answer.text[:500]}")

    return send


def _unknown_keys_sender(seeded: Seeded) -> Send:
    headers = {"Authorization": f"Bearer {seeded.tokens[0]}", **JSON}

    async def send(http: httpx.AsyncClient) -> None:
        path = f"/api/v1/threads/{seeded.short_threads[0]}/posts"
        answer = await http.post(path, content=UNKNOWN_KEYS, headers=headers)
        if answer.status_code not in {413, 422}:
            raise RuntimeError(f"{answer.status_code} {answer.text[:500]}")

    return send


async def _load(
    http: httpx.AsyncClient, server: Server, seeded: Seeded, notes: Connection, what: str, seconds: float
) -> tuple[list[float], list[float], int]:
    """Read while another process sends; how long each read took, how late the loop was, and how much was sent."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_send, args=(theirs, server.port, seeded, what))
    process.start()
    try:
        await asyncio.to_thread(ours.recv)
        gc.collect()
        await noted(notes)
        ours.send(seconds)
        reads = await _read(http, seeded, seconds)
        return reads, await noted(notes), await asyncio.to_thread(ours.recv)
    finally:
        process.join()


async def _read(http: httpx.AsyncClient, seeded: Seeded, seconds: float) -> list[float]:
    reads, until = list[float](), time.perf_counter() + seconds
    for thread in itertools.cycle(seeded.short_threads[CLIENTS:]):
        begun = time.perf_counter()
        if begun > until:
            break
        (await http.get(f"/api/v1/threads/{thread}/posts")).raise_for_status()
        reads.append(time.perf_counter() - begun)
        await asyncio.sleep(0.005)  # a reader, not a flood
    return reads


def _send(notes: Connection, port: int, seeded: Seeded, what: str) -> None:
    """Send in a process of its own, and say how often."""
    os.nice(NICENESS)
    senders = _kinds(seeded)[what]

    async def go_on(http: httpx.AsyncClient, send: Send, until: float) -> int:
        sent = 0
        while time.perf_counter() < until:
            await send(http)
            sent += 1
        return sent

    async def run() -> int:
        notes.send("ready")
        until = time.perf_counter() + notes.recv()
        async with _client(port) as http:
            return sum(await asyncio.gather(*(go_on(http, send, until) for send in senders)))

    notes.send(asyncio.run(run()))


def _table(rounds: list[Round]) -> Table:
    lines = Table(
        f"{CLIENTS} clients send", "loop p50 ms", "p99", "longest", "reader p50 ms", "× calm", "p99", "sent", "MB more",
        box=None, pad_edge=False,
    )  # fmt: skip
    for column in lines.columns[1:]:
        column.justify = "right"
    calm = statistics.median(rounds[0].reads)
    for found in rounds:
        late, reads = statistics.quantiles(found.late, n=100), statistics.quantiles(found.reads, n=100)
        median = statistics.median(found.reads)
        figures = (late[49], late[98], max(found.late), median)
        shown = [f"{1000 * seconds:.1f}" for seconds in figures]
        lines.add_row(
            found.what, *shown, f"{median / calm:.2f}", f"{1000 * reads[98]:.1f}", str(found.sent),
            f"{found.grown / 2**20:.1f}",
        )  # fmt: skip
    return lines
