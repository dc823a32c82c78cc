"""The load: connections that send prepared bytes, one request after another, and count the answers."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 30.0  # seconds; an answer that takes longer is a failure
BUFFER = 256 * 1024
UNCHANGED = b"HTTP/1.1 304 "  # which has no body
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class WrongAnswer(Exception):
    """The server answered with another status than it should, or hung up."""


@dataclass
class Burst:
    """What came of some seconds of load on one server."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


async def burst(port: int, requests: Iterator[bytes], status: int, *, connections: int, seconds: float) -> Burst:
    """Load the server at `port` for some seconds, and wait for its last answers; raises WrongAnswer."""
    loop, result = asyncio.get_running_loop(), Burst()
    made = [_Connection(requests, status, result.latencies, loop.create_future()) for _ in range(connections)]
    for connection in made:
        await loop.create_connection(lambda connection=connection: connection, "127.0.0.1", port)
    begun = time.perf_counter()
    for connection in made:
        connection.begin(until=begun + seconds)
    try:
        async with asyncio.timeout(seconds + PATIENCE):
            await asyncio.gather(*(connection.finished for connection in made))
    finally:
        for connection in made:
            connection.hang_up()
    result.seconds = time.perf_counter() - begun
    return result


class _Connection(asyncio.BufferedProtocol):
    """Reads no more of an answer than its status and its length: the generator must cost less than the server."""

    def __init__(
        self, requests: Iterator[bytes], status: int, latencies: list[float], finished: asyncio.Future[None]
    ) -> None:
        self._requests, self._latencies, self.finished = requests, latencies, finished
        self._greeting = b"HTTP/1.1 %d " % status
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._filled, self._missing = 0, 0
        self._until = self._asked_at = 0.0

    def begin(self, until: float) -> None:
        """Ask until then."""
        self._until = until
        self._ask()

    def hang_up(self) -> None:
        """End the connection."""
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the server hung up")

    def get_buffer(self, sizehint: int) -> memoryview:
        # Of a body, later parts may lie over earlier ones: nobody reads it.
        return self._view if self._missing else self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        if self._missing:
            self._missing -= nbytes
        else:
            self._filled += nbytes
            end = self._buffer.find(b"\r\n\r\n", 0, self._filled)
            if end < 0:
                return
            self._missing = end + 4 + self._length(end) - self._filled
        if not self._missing:
            self._answered()

    def _length(self, end: int) -> int:
        length = LENGTH.search(self._buffer, 0, end)
        if self._greeting == UNCHANGED and self._buffer.startswith(UNCHANGED):
            return 0
        if not length or not self._buffer.startswith(self._greeting):
            self._fail(bytes(self._view[:end]).decode())
        return int(length[1]) if length else 0

    def _answered(self) -> None:
        now = time.perf_counter()
        self._latencies.append(now - self._asked_at)
        if now < self._until:
            self._ask()
        elif not self.finished.done():
            self.finished.set_result(None)

    def _ask(self) -> None:
        self._filled = 0
        self._asked_at = time.perf_counter()
        self._transport.write(next(self._requests))

    def _fail(self, why: str) -> None:
        if not self.finished.done():
            self.finished.set_exception(WrongAnswer(why))
