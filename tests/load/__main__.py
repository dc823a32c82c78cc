"""`python -m tests.load`: fill a forum, load it, and print how it compares. A table to look at, no verdict."""

import asyncio
import http.client
import multiprocessing
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated

import psutil
import typer
import uvloop
from rich.console import Console, Group, RenderableType
from rich.progress import Progress
from rich.table import Table

from forum.core import database, embedded_postgres
from forum.core.settings import Settings
from tests.load import (
    bodies,
    ceilings,
    crowd,
    daily,
    doors,
    events,
    fanout,
    growth,
    html,
    memory,
    moving,
    queue,
    screening,
    search,
    seed,
    staleness,
    terms,
)
from tests.load.ceilings import Answer, Ceiling
from tests.load.rounds import CONNECTIONS, FORUM, Kind, Server, Target, measure, of_ceiling, of_forum, rounds_in
from tests.support import make

QUEUES = 0.25  # of the time for pages
BODY_ROUNDS = 6  # of the time, each kind of body gets one part
SOME_POSTS = 2_000  # where reading many is not the question
SOME_TRIES = 20  # at each door, where there is little time
STARTING = 120.0  # seconds that a server may take until it answers, on a busy machine


class Part(StrEnum):
    """What can be measured by itself."""

    PAGES = "pages"
    HTML = "html"
    QUEUE = "queue"
    DAILY = "daily"
    CROWD = "crowd"
    DOORS = "doors"
    BODIES = "bodies"
    FANOUT = "fanout"
    EVENTS = "events"
    SCREENING = "screening"
    SEARCH = "search"
    GROWTH = "growth"
    STALENESS = "staleness"
    MEMORY = "memory"
    MOVING = "moving"


cli = typer.Typer(pretty_exceptions_enable=False)
out = Console(width=100, highlight=False)


@cli.command()
def main(
    seconds: Annotated[float, typer.Option(min=5, max=3600, help="How long to measure, once all is written")] = 180,
    posts: Annotated[int, typer.Option(min=1000, max=10_000_000, help="How many posts there shall be")] = 100_000,
    database_url: Annotated[
        str | None, typer.Option("--database", help="postgresql://… of an empty database; without it, one of our own")
    ] = None,
    only: Annotated[list[Part] | None, typer.Option(help="Some parts and not all")] = None,
    writes: Annotated[int, typer.Option(min=1, help="How many, for `staleness`")] = staleness.WRITES,
    streams: Annotated[int, typer.Option(min=1, help="How many pages are open, for `events`")] = events.STREAMS,
) -> None:
    """Compare what the forum answers with the same bytes as constants, from FastAPI and from bare ASGI; pages for
    people with the API's read of the same threads; the moderators' queue among few cases and among many; what members
    look at each day among few threads and among many; what readers notice of greedy clients; how long strangers wait at
    the doors, and others meanwhile; how late the event loop is under hostile bodies; how soon the followers of a thread
    are told, and what that costs a reply; how soon a thousand open pages hear of news; how long it takes to screen a
    text, also with 20,000 terms; what a search takes in the database, for each kind of word; what reads take among many
    posts and among 10,000 (`--only growth --posts 1000000`); whether one of two
    processes ever tells what is no longer so (`--only staleness --writes 10000`); how much memory the
    demonstration takes; how long an old board takes to be looked at, moved, given again with no news, and checked
    (`--only moving --posts 1000000`).
    """
    measuring: dict[Part, Callable[[], RenderableType | None]] = {
        Part.PAGES: lambda: _pages(seconds, posts, database_url),
        Part.HTML: lambda: _html(seconds * QUEUES),
        Part.QUEUE: lambda: _queues(seconds * QUEUES),
        Part.DAILY: lambda: _daily(seconds * QUEUES),
        Part.CROWD: lambda: _crowd(posts),
        Part.DOORS: lambda: _doors(max(SOME_TRIES, int(doors.TRIES * min(1, seconds / 180)))),
        Part.BODIES: lambda: _bodies(seconds / BODY_ROUNDS),
        Part.FANOUT: lambda: _fanout(min(fanout.MOST_ROUNDS, max(5, int(seconds / 2)))),
        Part.EVENTS: lambda: _events(min(events.MOST_SECONDS, seconds), streams),
        Part.SCREENING: lambda: Group(screening.measure(), terms.measure()),
        Part.SEARCH: lambda: _search(posts, database_url),
        Part.GROWTH: lambda: _growth(posts),
        Part.STALENESS: lambda: _staleness(writes),
        Part.MEMORY: _memory,
        Part.MOVING: lambda: moving.measure(posts),
    }
    for part, measure_part in measuring.items():
        if part in (only or Part) and (shown := measure_part()) is not None:
            out.print(shown)


def _pages(seconds: float, posts: int, database_url: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        folder = Path(name)
        url = running.enter_context(_database(folder, database_url))
        seeded = _filled(url, posts)
        targets = of_forum(seeded)
        servers = {FORUM: running.enter_context(_forum(url, folder))}
        answers = {target.kind.path: _first_answer(servers[FORUM], target) for target in targets}
        for ceiling in Ceiling:
            servers[ceiling] = running.enter_context(_constant(ceiling, answers))
            targets += of_ceiling(ceiling, seeded)
        share = _measured(targets, servers, seconds)
        out.print(_table(targets, answers))
        _say_where(targets, share, asyncio.run(seed.version(url)))


@contextmanager
def _database(folder: Path, url: str | None) -> Iterator[str]:
    """The address of an empty, migrated database for as long as the block lasts."""
    if url is None:
        with embedded_postgres.running(folder / "data") as server:
            database.migrate(server.url)
            yield server.url
        return
    given = Settings(database_url=url).sqlalchemy_url
    database.migrate(given)
    if not asyncio.run(seed.is_empty(given)):
        raise typer.BadParameter("This database has members or boards already: name an empty one.")
    yield given


def _filled(url: str, posts: int) -> seed.Seeded:
    begun = time.perf_counter()
    seeded = asyncio.run(seed.seed(url, posts))
    out.print(f"{seeded.posts:,} posts written in {time.perf_counter() - begun:.1f} s.")
    return seeded


@contextmanager
def _forum(url: str, folder: Path, **more: str) -> Iterator[Server]:
    """The forum as a charity runs it, one process with its access log, but for the throttles."""
    port, unthrottled = _free_port(), {f"FORUM_{name.upper()}": value for name, value in make.UNTHROTTLED.items()}
    with (folder / "forum.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "forum", "serve", "--port", str(port)],
            env={**os.environ, **unthrottled, **more, "FORUM_DATABASE_URL": url, "FORUM_DATA": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            yield _answering(port, process.pid)
        except OSError:
            sys.stderr.write((folder / "forum.log").read_text())
            raise
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _constant(ceiling: Ceiling, answers: Mapping[Kind, Answer]) -> Iterator[Server]:
    port = _free_port()
    process = multiprocessing.get_context("spawn").Process(target=ceilings.serve, args=(ceiling, port, answers))
    process.start()
    try:
        yield _answering(port, process.pid)
    finally:
        process.terminate()
        process.join()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answering(port: int, pid: int | None) -> Server:
    """The server of that process, once it accepts connections."""
    server, deadline = Server(port, psutil.Process(pid)), time.monotonic() + STARTING
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline or server.process.status() == psutil.STATUS_ZOMBIE:
                raise
            time.sleep(0.05)
        else:
            return server


def _first_answer(server: Server, target: Target) -> Answer:
    """What the forum says to the first request of a target, for the ceilings to repeat."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(next(target.requests))
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Answer(response.status, response.read())


def _measured(targets: Sequence[Target], servers: Mapping[str, Server], seconds: float) -> float:
    """Measure; how much of one core the load itself took."""
    bursts = (1 + rounds_in(seconds, len(targets))) * len(targets)
    begun, worked = time.perf_counter(), time.process_time()
    with Progress(console=out, transient=True) as progress, asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        task = progress.add_task("Measuring", total=bursts)
        loop.run(measure(targets, servers, seconds, done=lambda: progress.advance(task)))
    return (time.process_time() - worked) / (time.perf_counter() - begun)


def _html(seconds: float) -> Table:
    """Read threads as pages and from the API, in one run."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        url = running.enter_context(_database(Path(name), None))
        seeded = _filled(url, SOME_POSTS)
        server = running.enter_context(_forum(url, Path(name)))
        targets = html.targets(server, seeded)
        _measured(targets, {FORUM: server}, seconds)
        return html.table(targets)


def _queues(seconds: float) -> Table:
    """Load the moderators' queues of two forums beside each other, one of few cases and one of many."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        servers: dict[str, Server] = {}
        targets: list[Target] = []
        for size in (queue.FEW, queue.MANY):
            folder = Path(name) / size.name
            folder.mkdir()
            url = running.enter_context(_database(folder, None))
            targets += asyncio.run(queue.fill(url, size))
            servers[size.name] = running.enter_context(_forum(url, folder))
        # One size after the other of the same question, so that whatever drifts hits both alike.
        targets.sort(key=lambda target: target.what)
        _measured(targets, servers, seconds)
        return queue.table(targets)


def _daily(seconds: float) -> Table:
    """Load what members look at each day, in a forum of few threads and in one of many."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        servers: dict[str, Server] = {}
        targets: list[Target] = []
        for size in (daily.FEW, daily.MANY):
            folder = Path(name) / size.name
            folder.mkdir()
            url = running.enter_context(_database(folder, None))
            targets += asyncio.run(daily.fill(url, size))
            servers[size.name] = running.enter_context(_forum(url, folder))
        targets.sort(key=lambda target: target.what)
        _measured(targets, servers, seconds)
        return daily.table(targets)


def _crowd(posts: int) -> Table:
    """Have greedy clients at a forum of so many posts, and read there as others do."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        folder = Path(name)
        url = running.enter_context(_database(folder, None))
        _filled(url, posts)
        return asyncio.run(crowd.watch(running.enter_context(_forum(url, folder))))


def _doors(tries: int) -> None:
    """Try every door, for known addresses and for others; then see what a process's loop does meanwhile."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        folder = Path(name)
        url = running.enter_context(_database(folder, None))
        asyncio.run(doors.fill(url))
        tried = doors.doors()
        with _forum(url, folder) as server, Progress(console=out, transient=True) as progress:
            task = progress.add_task("Trying the doors", total=tries * len(tried))
            asyncio.run(doors.time_answers(server.port, tried, tries, done=lambda: progress.advance(task)))
        out.print(doors.table(tried))
        for measured in (doors.time_hostile_hashes, doors.time_counting):
            out.print(asyncio.run(measured()))
        server, notes = running.enter_context(_ticking(url))
        out.print(asyncio.run(doors.measure_lag(server.port, url, notes)))


def _fanout(rounds: int) -> Table:
    """Reply in a thread of many followers and in one of none."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        folder = Path(name)
        url = running.enter_context(_database(folder, None))
        seeded = _filled(url, SOME_POSTS)
        server = running.enter_context(_forum(url, folder))
        with Progress(console=out, transient=True) as progress:
            task = progress.add_task("Replying", total=rounds)
            replies = asyncio.run(fanout.measure(url, server.port, seeded, rounds, done=lambda: progress.advance(task)))
        return fanout.table(replies)


def _search(posts: int, database_url: str | None) -> None:
    """Fill a forum of its own, in which words have known shares, and search it."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        url = running.enter_context(_database(Path(name), database_url))
        begun = time.perf_counter()
        asyncio.run(search.fill(url, posts))
        out.print(f"{posts:,} posts written and indexed in {time.perf_counter() - begun:.0f} s.")
        for table in asyncio.run(search.measure(url)):
            out.print(table)


def _growth(posts: int) -> Table:
    """Read in a forum of few posts and in one of so many, beside each other."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        forums = []
        for size in (growth.FEW, posts):
            folder = Path(name) / str(size)
            folder.mkdir(exist_ok=True)
            url = running.enter_context(_database(folder, None))
            seeded = _filled(url, size)
            forums.append(growth.Growing(seeded, running.enter_context(_forum(url, folder, **growth.SETTINGS)), url))
        with Progress(console=out, transient=True) as progress:
            task = progress.add_task("Reading", total=growth.ROUNDS)
            asyncio.run(growth.measure(forums, done=lambda: progress.advance(task)))
        return growth.table(*forums)


def _staleness(writes: int) -> Table:
    """Write to two processes in turn, and read after each write."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        folder = Path(name)
        url = running.enter_context(_database(folder, None))
        seeded = _filled(url, SOME_POSTS)
        servers = [running.enter_context(_forum(url, folder)) for _ in range(2)]
        truth = running.enter_context(_forum(url, folder, **staleness.KEPT_NOTHING))
        with Progress(console=out, transient=True) as progress:
            task = progress.add_task("Writing and reading", total=writes)
            community = staleness.Community(servers, truth, url, seeded)
            found = asyncio.run(staleness.watch(community, writes, done=lambda: progress.advance(task)))
        for place in found.where[:10]:
            out.print(place)
        return staleness.table(found)


def _memory() -> Table:
    """Browse the demonstration, and load it."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name:
        return asyncio.run(memory.measure(Path(name)))


def _events(seconds: float, streams: int) -> Table:
    """Open many streams on one process, and write by it and another."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        folder = Path(name)
        url = running.enter_context(_database(folder, None))
        seeded = _filled(url, SOME_POSTS)
        servers = [running.enter_context(_forum(url, folder, **events.SETTINGS)) for _ in range(2)]
        with (
            Progress(console=out, transient=True) as progress,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
        ):
            task = progress.add_task("Listening", total=int(seconds * events.EVENTS_A_SECOND))
            measured = events.measure(
                url, servers, seeded, seconds, streams=streams, done=lambda: progress.advance(task)
            )
            return events.table(loop.run(measured))


def _bodies(seconds: float) -> None:
    """Send the worst bodies to a forum, and see what its loop does and how long its readers wait meanwhile."""
    with tempfile.TemporaryDirectory(prefix="forum-load-") as name, ExitStack() as running:
        url = running.enter_context(_database(Path(name), None))
        seeded = _filled(url, SOME_POSTS)
        server, notes = running.enter_context(_ticking(url))
        out.print(asyncio.run(bodies.measure(server, seeded, notes, seconds)))


@contextmanager
def _ticking(url: str) -> Iterator[tuple[Server, Connection]]:
    """A process of the forum that notes how late its event loop is, and the connection that asks for the notes."""
    ours, theirs = multiprocessing.Pipe()
    port = _free_port()
    process = multiprocessing.get_context("spawn").Process(target=doors.serve_and_tick, args=(port, url, theirs))
    process.start()
    try:
        yield _answering(port, process.pid), ours
    finally:
        process.terminate()
        process.join()


def _table(targets: Sequence[Target], answers: Mapping[str, Answer]) -> Table:
    """Each kind beside its ceilings."""
    table = Table("", "bytes", "a second", "× (a)", "× (b)", "p50 ms", "p99 ms", "CPU ms", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for kind in dict.fromkeys(target.kind for target in targets):
        rows = [target for target in targets if target.kind == kind]
        ceilings_of_kind = [row for row in rows if row.server != FORUM]
        for row in rows:
            ratios = [f"{row.ratio_to(ceiling):.3f}" for ceiling in ceilings_of_kind]
            times = [f"{1000 * value:.2f}" for value in (row.percentile(50), row.percentile(99), row.cpu)]
            table.add_row(row.what, f"{len(answers[kind.path].content):,}", f"{row.rate:,.0f}", *ratios, *times)
        table.add_row()
    return table


def _say_where(targets: Sequence[Target], share: float, version: str) -> None:
    first, last = (next(target for target in targets if target.what.startswith(name)) for name in ("first", "last"))
    out.print(f"The last page of the long thread costs {first.ratio_to(last):.2f} times its first page.")
    out.print(
        f"{CONNECTIONS} connections, 1 worker, {len(first.rates)} rounds. The load itself took {share:.0%} of a core.\n"
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, PostgreSQL {version}."
    )


if __name__ == "__main__":
    cli()
