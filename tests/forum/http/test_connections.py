"""Connections: a client that is slow, greedy or silent is let go, and nobody else waits for it."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from forum.http import connections
from forum.http.connections import BoundedConnection
from forum.http.one_piece import WHOLE
from forum.http.services import Services
from tests.support import make
from tests.support.scenes import API

GET = b"GET / HTTP/1.1\r\nHost: forum.test\r\n"
POST = b"POST / HTTP/1.1\r\nHost: forum.test\r\nContent-Length: %d\r\n\r\n"
PATIENCE = 20  # seconds; nothing here takes as long
SOON, LATE = 0.2, 60.0

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the whole body and says how long it was."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await answer(send, str(size).encode())


async def answer(send: Send, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs out but what a test says."""
    for name in ("HEAD_SECONDS", "BODY_GRACE_SECONDS", "BODY_CHECK_SECONDS", "LEFTOVER_SECONDS", "STALLED_SECONDS"):
        monkeypatch.setattr(connections, name, LATE)


@asynccontextmanager
async def serving(application: Application = echo, **options: Any) -> AsyncIterator[int]:
    """A real server in this process; gives its port."""
    options = {"log_config": None, "access_log": False, "lifespan": "off", "ws": "none", **options}
    server = uvicorn.Server(uvicorn.Config(application, http=BoundedConnection, **options))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server._serve([listener]))
        try:
            async with asyncio.timeout(PATIENCE):
                while not server.started:  # noqa: ASYNC110 (it has no event)
                    await asyncio.sleep(0.01)
                yield listener.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
            await running


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server hangs up."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def asked(port: int) -> bytes:
    """What somebody else is answered, who asks as people do."""
    async with connected(port) as (reader, writer):
        writer.write(GET + b"Connection: close\r\n\r\n")
        return await rest(reader)


def refused(said: bytes, status: int, code: str) -> bool:
    """Whether that is all that was said, as a problem document."""
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), said
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    problem = json.loads(body)
    return (problem["status"], problem["code"]) == (status, code)


# Heads


@pytest.mark.parametrize("size", [31_000, 4 * 1024])
async def test_a_large_head_is_taken(size: int) -> None:
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(GET + b"Cookie: " + b"a" * size + b"\r\nConnection: close\r\n\r\n")
        assert (await rest(reader)).endswith(b"\r\n\r\n0")


@pytest.mark.parametrize(
    "head",
    [
        GET + b"Cookie: " + b"a" * 33_000 + b"\r\n\r\n",
        GET + b"X: y\r\n" * 6_000 + b"\r\n",
        b"GET /" + b"a" * 33_000 + b" HTTP/1.1\r\nHost: forum.test\r\n\r\n",
        GET + b"Cookie: " + b"a" * 40_000,
    ],
    ids=["one header", "many", "the address", "without an end"],
)
async def test_too_large_a_head_is_refused(head: bytes) -> None:
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(head)
        assert refused(await rest(reader), 431, "head_too_large")


async def test_a_head_without_an_end_is_not_collected() -> None:
    async with serving() as port, connected(port) as (_, writer):
        writer.write(GET + b"Cookie: ")
        sent = 0
        with suppress(ConnectionError):
            while sent < 150_000_000:
                writer.write(b"a" * 65_536)
                await writer.drain()
                sent += 65_536
        assert sent < 20_000_000  # what both ends' buffers take


@pytest.mark.parametrize("sent", [b"", GET, b"\r\n", b"\r\n" * 50])
async def test_a_request_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", SOON)
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(sent)
        said = await rest(reader)
        assert refused(said, 408, "request_timeout") if sent else said == b""


@pytest.mark.parametrize("sent", [GET, b"\r\n"])
async def test_nor_is_the_next_one_on_the_same_connection(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(GET + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n0")
        monkeypatch.setattr(connections, "HEAD_SECONDS", SOON)
        writer.write(sent)
        assert refused(await rest(reader), 408, "request_timeout")


async def test_who_drips_a_head_has_no_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", SOON)
    async with serving() as port, connected(port) as (reader, writer):

        async def drip() -> None:
            while True:
                writer.write(b"X: y\r\n")
                await asyncio.sleep(SOON / 10)

        writer.write(GET)
        dripping = asyncio.create_task(drip())
        await rest(reader)  # what the server says may get lost: the client goes on sending
        dripping.cancel()


async def test_what_is_no_request_is_refused_with_a_problem_document() -> None:
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(b"\x16\x03\x01\x00\x00")
        assert refused(await rest(reader), 400, "bad_request")


async def test_many_requests_at_once_are_refused() -> None:
    async with serving() as port, connected(port) as (reader, writer):
        writer.write((GET + b"\r\n") * 5_000)
        said = await rest(reader)
        assert said.count(b"HTTP/1.1 200") <= connections.PIPELINED_MAX + 1


# Bodies


async def test_a_body_that_comes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_CHECK_SECONDS", SOON / 10)
    monkeypatch.setattr(connections, "BODY_GRACE_SECONDS", 0.0)
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(POST % 20_000)
        for _ in range(10):
            writer.write(b"a" * 2_000)
            await asyncio.sleep(SOON / 10)
        assert await reader.readuntil(b"\r\n\r\n20000")


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_CHECK_SECONDS", SOON)
    monkeypatch.setattr(connections, "BODY_GRACE_SECONDS", 0.0)
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(POST % 20_000 + b"a")
        assert refused(await rest(reader), 408, "request_timeout")


async def test_who_waits_for_us_before_sending_a_body_is_not_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_CHECK_SECONDS", SOON / 10)
    monkeypatch.setattr(connections, "BODY_GRACE_SECONDS", 0.0)
    may_go_on = asyncio.Event()

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        await may_go_on.wait()
        await echo(scope, receive, send)

    async with serving(busy) as port, connected(port) as (reader, writer):
        writer.write(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") % 3)
        await asyncio.sleep(SOON)
        may_go_on.set()
        assert await reader.readuntil(b"100 Continue\r\n\r\n")
        writer.write(b"abc")
        assert await reader.readuntil(b"\r\n\r\n3")


async def test_the_rest_of_a_body_that_was_answered_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LEFTOVER_SECONDS", SOON)

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"no")

    async with serving(refuse) as port, connected(port) as (reader, writer):
        writer.write(POST % 20_000 + b"a")
        assert (await rest(reader)).endswith(b"\r\n\r\nno")


# Answers


async def test_who_does_not_read_an_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", SOON)
    ended = asyncio.Event()

    async def endless(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"a" * 100_000, "more_body": True})
        ended.set()

    async with serving(endless) as port, connected(port) as (reader, writer):
        writer.write(GET + b"\r\n")
        await ended.wait()  # the rest is thrown away
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(100_000_000)


# How many


@pytest.fixture
def five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "connection_limit", lambda: 5)


@pytest.mark.usefixtures("five")
async def test_connections_that_are_left_half_open_make_room_for_each_other_and_for_people() -> None:
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(GET + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n0")  # and stays idle, as a browser's does
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        for _, attacker in opened:
            attacker.write(b"GET / HT")
        assert (await asked(port)).endswith(b"\r\n\r\n0")
        writer.write(GET + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n0")
        for _, attacker in opened:
            attacker.close()


@pytest.mark.usefixtures("five")
async def test_nobody_who_is_being_answered_makes_room_for_another() -> None:
    may_go_on, begun = asyncio.Event(), asyncio.Queue[None]()

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        begun.put_nowait(None)
        await may_go_on.wait()
        await echo(scope, receive, send)

    async with serving(busy) as port:
        waiting = [asyncio.create_task(asked(port)) for _ in range(5)]
        for _ in waiting:
            await begun.get()
        assert await asked(port) == b""
        may_go_on.set()
        assert all(said.endswith(b"\r\n\r\n0") for said in await asyncio.gather(*waiting))


async def test_no_connection_is_kept_that_has_ended() -> None:
    async with serving() as port:
        for _ in range(3):
            assert await asked(port)
        async with connected(port):
            pass
        await asyncio.sleep(SOON)
        assert not BoundedConnection._half_open
        assert not BoundedConnection._idle


# Answers in one piece


async def test_an_answer_in_one_piece_is_what_it_is_in_parts(app: FastAPI, services: Services) -> None:
    await make.board(services)
    sent = list[str]()

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            sent.append(message["type"])
            await send(message)

        await app(scope, receive, note)

    async def told(port: int, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
        async with connected(port) as (reader, writer):
            head = (f"{method} {API}/boards/new-here/threads HTTP/{version}", "Host: forum.test", *lines)
            writer.write("\r\n".join((*head, "", "")).encode())
            return re.sub(rb"\r\ndate: [^\r]*", b"", await rest(reader))

    async with serving(noting) as port:
        closing, elsewhere = "Connection: close", "Origin: https://elsewhere.example"
        etag = re.findall(rb"etag: (.*)\r", await told(port, closing))[0].decode()
        ways: tuple[tuple[str, ...], ...] = (
            (closing,),
            (closing, "Accept-Encoding: gzip"),
            (closing, f"If-None-Match: {etag}"),
            (closing, 'If-None-Match: "another"'),
            (closing, "X-Forwarded-Proto: https"),
        )
        for lines in ways:
            sent.clear()
            whole = await told(port, *lines)
            assert sent == [WHOLE], lines
            assert whole == await told(port, *lines, elsewhere), lines
            assert sent[1:] == ["http.response.start", "http.response.body"], lines
        assert await told(port, version="1.0") == await told(port, elsewhere, version="1.0")
        assert await told(port, closing, method="HEAD") == await told(port, closing, elsewhere, method="HEAD")
        async with connected(port) as (reader, writer):
            one = f"GET {API}/boards/new-here/threads HTTP/1.1\r\nHost: forum.test\r\n"
            writer.write(f"{one}\r\n{one}{closing}\r\n\r\n".encode())
            assert (await rest(reader)).count(b"HTTP/1.1 200 OK") == 2
