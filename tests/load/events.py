"""A thousand open pages on one process: whether each hears of everything once, how soon, and what that costs."""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg
import httpx
from rich.table import Table

from forum.core.database import Database
from tests.load import seed
from tests.load.rounds import Server

STREAMS = 1_000
EVENTS_A_SECOND = 5
MOST_SECONDS = 60.0
HELD_SECONDS = 5.0  # for which a transaction is open while others commit
CUTS = 3
OPENED_AT_ONCE = 50
PATIENCE = 30.0
# What the processes need besides: see docs/running.md for the open files that this takes.
SETTINGS = {"FORUM_CONNECTION_LIMIT": str(2 * STREAMS + 200), "FORUM_STREAMS_PER_ADDRESS": "10000"}
LISTENERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
HELD = "INSERT INTO event (kind, thread_id) VALUES ('locked', $1)"
WRITTEN = "SELECT number, at FROM event WHERE kind = 'post' AND thread_id = $1 AND id > $2"


@dataclass
class Heard:
    """What all streams heard of: when each event came to each of them."""

    events: Counter[tuple[int, str]] = field(default_factory=Counter)
    came: dict[tuple[int, str], float] = field(default_factory=dict)
    begun: int = 0
    ended: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def all_begun(self, streams: int) -> None:
        """Wait until so many streams have begun."""
        await self._until(lambda: self.begun >= streams)

    async def enough(self, deliveries: int) -> None:
        """Wait for so many deliveries, but not without an end."""
        with suppress(TimeoutError):
            await self._until(lambda: len(self.events) >= deliveries)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Result:
    """What came of it."""

    streams: int
    events: int
    lost: int
    twice: int
    delays: list[float]
    held_delay: float
    core: float
    kib: float


async def measure(
    url: str, servers: list[Server], seeded: seed.Seeded, seconds: float, *, streams: int, done: Callable[[], object]
) -> Result:
    """Open the streams on the first server, write by both in turn, and hold and cut meanwhile."""
    thread, heard = seeded.short_threads[0], Heard()
    process = servers[0].process
    database = await Database(url, pool_size=1).reader.open_connection()
    before = process.memory_info().rss
    tasks = []
    for place in range(streams):
        tasks.append(asyncio.create_task(_listen(servers[0].port, thread, place, heard)))
        if place % OPENED_AT_ONCE == 0:
            await asyncio.sleep(0.1)
    await heard.all_begun(streams)
    kib = (process.memory_info().rss - before) / 1024 / streams
    last = await database.fetchval("SELECT coalesce(max(id), 0) FROM event")
    begun, worked = time.perf_counter(), sum(process.cpu_times()[:2])
    holder = asyncio.create_task(_hold(url, thread))
    await asyncio.gather(_write(servers, seeded, thread, seconds, done), _cut(database, seconds))
    core = (sum(process.cpu_times()[:2]) - worked) / (time.perf_counter() - begun)
    held_at = await holder
    written = {f"post {row['number']}": row["at"].timestamp() for row in await database.fetch(WRITTEN, thread, last)}
    expected = [(place, what) for place in range(streams) for what in (*written, "locked")]
    await heard.enough(len(expected))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await database.close()
    delays = [at - written[what] for (_, what), at in heard.came.items() if what in written]
    return Result(
        streams=streams,
        events=len(written) + 1,
        lost=sum(1 for one in expected if not heard.events[one]),
        twice=sum(count - 1 for count in heard.events.values()),
        delays=delays,
        held_delay=max((at - held_at for (_, what), at in heard.came.items() if what == "locked"), default=0.0),
        core=core,
        kib=kib,
    )


async def _listen(port: int, thread: int, place: int, heard: Heard) -> None:
    """Listen to a thread, and come back with the last id where the stream ends."""
    last = ""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"GET /api/v1/events?thread={thread} HTTP/1.1\r\nHost: forum\r\n"
            writer.write(f"{head}{f'Last-Event-ID: {last}' if last else 'Accept: */*'}\r\n\r\n".encode())
            name = ""
            while line := (await reader.readline()).decode():
                if line.startswith("id: "):
                    last = line[4:].strip()
                elif line.startswith("event: "):
                    name = line[7:].strip()
                elif line.startswith("data: "):
                    _note(heard, place, name, json.loads(line[6:]))
            writer.close()
        heard.ended += 1
        await asyncio.sleep(1)


def _note(heard: Heard, place: int, name: str, data: dict[str, object]) -> None:
    heard.changed.set()
    if name == "reset":
        heard.begun += 1
        return
    what = (place, f"post {data['number']}" if name == "post" else str(data.get("change")))
    heard.events[what] += 1
    heard.came.setdefault(what, time.time())


async def _write(
    servers: list[Server], seeded: seed.Seeded, thread: int, seconds: float, done: Callable[[], object]
) -> None:
    headers = {"Authorization": f"Bearer {seeded.tokens[-1]}"}
    clients = [
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=PATIENCE)
        for server in servers
    ]
    begun = time.perf_counter()
    for number in range(int(seconds * EVENTS_A_SECOND)):
        await asyncio.sleep(max(0.0, begun + number / EVENTS_A_SECOND - time.perf_counter()))
        answer = await clients[number % len(clients)].post(
            f"/api/v1/threads/{thread}/posts", json={"body_markdown": f"I see. Well, that is {number}."}
        )
        answer.raise_for_status()
        done()
    for client in clients:
        await client.aclose()


async def _hold(url: str, thread: int) -> float:
    """Write an event in a transaction that stays open; when it was committed."""
    holder = await Database(url, pool_size=1).reader.open_connection()
    async with holder.transaction():
        await holder.execute(HELD, thread)
        await asyncio.sleep(HELD_SECONDS)
    await holder.close()
    return time.time()


async def _cut(database: asyncpg.Connection, seconds: float) -> None:
    for _ in range(CUTS):
        await asyncio.sleep(seconds / (CUTS + 1))
        await database.execute(LISTENERS)


def table(result: Result) -> Table:
    """What was heard, how soon, and what it cost."""
    lines = Table("", "", box=None, pad_edge=False, show_header=False)
    lines.columns[1].justify = "right"
    hundredths = statistics.quantiles(result.delays, n=100)
    for what, value in (
        ("streams on one process", f"{result.streams:,}"),
        (f"events, {EVENTS_A_SECOND} a second, by two processes", f"{result.events:,}"),
        ("deliveries", f"{len(result.delays):,}"),
        ("lost", f"{result.lost:,}"),
        ("told twice", f"{result.twice:,}"),
        ("p50 ms since the transaction began", f"{1000 * hundredths[49]:.0f}"),
        ("p99 ms", f"{1000 * hundredths[98]:.0f}"),
        (f"the event that was held for {HELD_SECONDS:.0f} s, ms since its commit", f"{1000 * result.held_delay:.0f}"),
        ("of a core", f"{result.core:.0%}"),
        ("KiB a stream", f"{result.kib:.1f}"),
    ):
        lines.add_row(what, value)
    return lines
