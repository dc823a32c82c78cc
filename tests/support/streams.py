"""Streams of live events, read as they come: httpx's own transport waits for the end of an answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI

PATIENCE = 20.0
EVENTS = "/api/v1/events"


@dataclass(frozen=True)
class Told:
    """An event as a client gets it."""

    name: str
    data: Any


@dataclass
class Stream:
    """An open stream, or the answer that refused it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    last_id: str = ""
    body: bytes = b""
    said: str = ""  # all of it
    _events: asyncio.Queue[Told | None] = field(default_factory=asyncio.Queue)
    _begun: asyncio.Event = field(default_factory=asyncio.Event)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def next(self) -> Told | None:
        """The next event; None at the end."""
        async with asyncio.timeout(PATIENCE):
            return await self._events.get()

    async def until(self, name: str) -> list[Told]:
        """What comes up to an event of this name."""
        found: list[Told] = []
        while not found or found[-1].name != name:
            told = await self.next()
            assert told, found
            found.append(told)
        return found

    async def first(self) -> str:
        """All that comes first: what happened since a place in the order of events comes together."""
        async with asyncio.timeout(PATIENCE):
            await self._heard.wait()
        return self.said

    async def begun(self) -> None:
        """Wait for the status."""
        async with asyncio.timeout(PATIENCE):
            await self._begun.wait()

    async def take(self, message: Any) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self._begun.set()
            return
        self.body += message.get("body", b"")
        self.said += message.get("body", b"").decode()
        self._heard.set()
        *blocks, rest = self.body.split(b"\n\n")
        if self.status == 200:
            self.body = rest
            for block in blocks:
                self._take_block(block.decode())
        if not message.get("more_body"):
            self._events.put_nowait(None)

    def _take_block(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        self.last_id = fields.get("id", self.last_id)
        if "event" in fields:
            self._events.put_nowait(Told(fields["event"], json.loads(fields["data"])))


@asynccontextmanager
async def stream(
    app: FastAPI,
    *threads: int,
    token: str = "",
    after: str = "",
    address: str = "127.0.0.1",
    query: Mapping[str, str] | None = None,
) -> AsyncIterator[Stream]:
    """A stream of the application, over ASGI, until the block ends: then its client is gone."""
    asking = urlencode([*(("thread", thread) for thread in threads), *(query or {}).items()])
    given = {"authorization": token, "last-event-id": after, "host": "forum.test"}
    gone, opened, asked = asyncio.Event(), Stream(), False
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": EVENTS,
        "raw_path": EVENTS.encode(),
        "root_path": "",
        "query_string": asking.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value],
        "client": (address, 50_000),
        "server": ("forum.test", 443),
        "state": {},
    }

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    task = asyncio.create_task(app(scope, receive, opened.take))  # type: ignore[arg-type]
    try:
        await opened.begun()
        yield opened
    finally:
        gone.set()
        await asyncio.wait_for(task, PATIENCE)
