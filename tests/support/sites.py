"""Other sites, for the forum to ask: real servers on this machine, under names that only the tests know."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

from forum.core.http_client import Resolver

LOCAL = (ip_network("127.0.0.1/32"),)

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def said(words: bytes, *headers: str, status: str = "200 OK") -> Handler:
    """A site that answers this to everybody."""
    return raw("\r\n".join((f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(words)}", "", "")).encode() + words)


def raw(everything: bytes) -> Handler:
    """A site that answers exactly these bytes."""

    async def answer(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(everything)

    return answer


class Site:
    """A real server on this machine, on which each path has its own way to answer."""

    def __init__(self, **paths: Handler) -> None:
        self.paths = paths
        self.heard: list[bytes] = []
        self.answering: set[Any] = set()  # tasks
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.answering.add(asyncio.current_task())
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            if length := re.search(rb"(?i)content-length: (\d+)", request):
                request += await reader.readexactly(int(length[1]))
            self.heard.append(request)
            await self.paths[request.split()[1].decode().strip("/")](request, writer)
            await writer.drain()
        except ConnectionError:  # whoever asked had enough
            pass
        finally:
            writer.close()
            self.answering.discard(asyncio.current_task())

    def close(self) -> None:
        """Let go of whoever is being answered still, perhaps for ever."""
        for answer in self.answering:
            answer.cancel()

    def at(self, path: str, host: str = "site.test", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}/{path}"


@asynccontextmanager
async def opened(site: Site, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    server = await asyncio.start_server(site, "127.0.0.1", 0, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield site
        finally:
            site.close()


def names(**known: str) -> tuple[Resolver, list[str]]:
    """A resolver that knows these names (`_` for a dot), and the note of what it was asked."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        if addresses := known.get(host.replace(".", "_")):
            return addresses.split()
        raise OSError

    return resolve, asked
