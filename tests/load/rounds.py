"""What is measured, in short rounds of every target in turn, so that whatever drifts on the machine hits all alike."""

import gc
import itertools
import json
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import psutil

from tests.load.ceilings import Ceiling
from tests.load.client import burst
from tests.load.seed import Seeded, bodies

CONNECTIONS = 32
PAGE = 20
KEPT = 20  # threads that many read: so many pages stay kept, and of thousands none does
SHORTEST = 0.3  # seconds; in less, the start of a burst would be too much of it
MOST_ROUNDS = 12
FORUM = "forum"
# As a browser asks that has nothing yet.
HEAD = (
    b"%b %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/5.0 (Android 9; Mobile; rv:128.0) Gecko/128.0\r\n"
    b"Accept: application/json\r\nAccept-Encoding: gzip\r\nAccept-Language: en-GB\r\n%b\r\n%b"
)


class Kind(StrEnum):
    """What is asked for; all but the queue and what is daily is compared with the same bytes as a constant."""

    THREAD = "thread page"
    BOARD = "board page"
    BOARDS = "list of boards"
    REPLY = "reply"
    QUEUE = "queue"
    DAILY = "daily"
    UNCHANGED = "unchanged"

    @property
    def path(self) -> str:
        """Where a ceiling answers it."""
        return f"/{self.name.lower()}"


@dataclass
class Target:
    """Requests of one kind to one server, and what came of them."""

    kind: Kind
    what: str
    server: str
    requests: Iterator[bytes]
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @property
    def status(self) -> int:
        """What every request is answered with."""
        return {Kind.REPLY: 201, Kind.UNCHANGED: 304}.get(self.kind, 200)

    @property
    def rate(self) -> float:
        """Answers a second, in the median of the rounds."""
        return statistics.median(self.rates)

    @property
    def cpu(self) -> float:
        """The server process's own work for one answer, in seconds."""
        return self.cpu_seconds / len(self.latencies)

    def percentile(self, hundredth: int) -> float:
        """The seconds below which that share of the answers came."""
        return statistics.quantiles(self.latencies, n=100)[hundredth - 1]

    def ratio_to(self, other: "Target") -> float:
        """This rate as a multiple of another's: the median of the rounds' own ratios."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))


def get(path: str, token: str | None = None) -> bytes:
    """A request for a page, by a guest or by the member of that token."""
    return _request(b"GET", path, token)


def page(thread: int, first: int = 1) -> str:
    """The address of a thread's page."""
    return f"/api/v1/threads/{thread}/posts?from={first}&limit={PAGE}"


def board_page(slug: str) -> str:
    """The address of a board's first page."""
    return f"/api/v1/boards/{slug}/threads?limit={PAGE}"


def replies(paths: Sequence[str], tokens: Sequence[str]) -> Iterator[bytes]:
    """Replies of all members in turn, no two alike."""
    places = zip(itertools.cycle(paths), itertools.cycle(tokens), itertools.cycle(bodies()), strict=False)
    for number, (path, token, words) in enumerate(places):
        said = json.dumps({"body_markdown": f"{words} This is my reply number {number}."})
        yield _request(b"POST", path, token, said.encode())


def asked_again(path: str) -> bytes:
    """A request for a page by somebody who has it already."""
    return HEAD % (b"GET", path.encode(), b"If-None-Match: *\r\n", b"")


def _request(method: bytes, path: str, token: str | None, body: bytes = b"") -> bytes:
    sign_in = b"Authorization: Bearer %b\r\n" % token.encode() if token else b""
    length = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body) if body else b""
    return HEAD % (method, path.encode(), sign_in + length, body)


def of_forum(seeded: Seeded) -> list[Target]:
    """What the forum is asked for."""
    busy, *quiet = random.Random(7).sample(seeded.short_threads, len(seeded.short_threads))
    pages = [page(thread) for thread in quiet]
    signed_in = [get(path, token) for path, token in zip(pages, itertools.cycle(seeded.tokens), strict=False)]
    first, last = page(seeded.long_thread), page(seeded.long_thread, seeded.long_posts - PAGE + 1)
    places = [f"/api/v1/threads/{thread}/posts" for thread in quiet]
    asked: list[tuple[Kind, str, Iterator[bytes]]] = [
        (Kind.THREAD, "thread page, of many threads", itertools.cycle([get(path) for path in pages])),
        (Kind.THREAD, "… by a member", itertools.cycle(signed_in)),
        (Kind.THREAD, f"thread page, of {KEPT} threads", itertools.cycle([get(path) for path in pages[:KEPT]])),
        (Kind.THREAD, "… by a member", itertools.cycle(signed_in[:KEPT])),
        (Kind.UNCHANGED, "… unchanged", itertools.cycle([asked_again(path) for path in pages[:KEPT]])),
        (Kind.THREAD, f"first page of {seeded.long_posts:,} posts", itertools.repeat(get(first))),
        (Kind.THREAD, "last page of the same", itertools.repeat(get(last))),
        (Kind.BOARD, "board page", itertools.cycle([get(board_page(slug)) for slug in seeded.boards])),
        (Kind.BOARDS, "list of boards", itertools.repeat(get("/api/v1/boards"))),
        (Kind.REPLY, "reply, to many threads", replies(places, seeded.tokens)),
        (Kind.REPLY, "reply, all to one thread", replies([f"/api/v1/threads/{busy}/posts"], seeded.tokens)),
    ]
    return [Target(kind, what, FORUM, requests) for kind, what, requests in asked]


def of_ceiling(ceiling: Ceiling, seeded: Seeded) -> list[Target]:
    """The same requests to a server that has one answer to all of a kind."""
    asked = {kind: itertools.repeat(get(kind.path)) for kind in (Kind.THREAD, Kind.UNCHANGED, Kind.BOARD, Kind.BOARDS)}
    asked[Kind.REPLY] = replies([Kind.REPLY.path], seeded.tokens)
    return [Target(kind, ceiling, ceiling, requests) for kind, requests in asked.items()]


@dataclass(frozen=True)
class Server:
    """Where a server listens, and its process."""

    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """How long the process has worked."""
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)


def rounds_in(seconds: float, targets: int) -> int:
    """How many rounds fit; one more, the first, only warms up."""
    return max(1, min(MOST_ROUNDS, int(seconds / SHORTEST / targets) - 1))


async def measure(
    targets: Sequence[Target], servers: Mapping[str, Server], seconds: float, *, done: Callable[[], object]
) -> None:
    """Load every target in turn, round after round; `done` is called after each burst."""
    rounds = rounds_in(seconds, len(targets))
    each = seconds / (rounds + 1) / len(targets)
    gc.freeze()
    for number in range(rounds + 1):
        for target in targets:
            server = servers[target.server]
            before = server.cpu_seconds()
            gc.collect()
            result = await burst(server.port, target.requests, target.status, connections=CONNECTIONS, seconds=each)
            if number > 0:
                target.rates.append(result.rate)
                target.latencies += result.latencies
                target.cpu_seconds += server.cpu_seconds() - before
            done()
