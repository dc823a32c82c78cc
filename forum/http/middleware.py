"""What every request passes: safe headers, one line of log.

Plain ASGI: each BaseHTTPMiddleware of Starlette costs 200 µs a request. A layer that has nothing to do afterwards
returns what it calls, for its caller to await: so it costs no coroutine.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forum.core import logs
from forum.http import problems

API = "/api/v1"
STREAM = f"{API}/events"  # goes on for hours

# Counts a request: its method, route, status and seconds.
Count = Callable[[str, str | None, int, float | None], None]

log = structlog.get_logger()

# The headers of every answer, unless its route sets others (OWASP ASVS 5.0, 3.4 and 3.5). A read that is the same for
# every reader sets its own Cache-Control; nothing else may be stored, for others may use the same device later.
SAFETY = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cache-control": b"no-store",
}
# Two years. Never over plain HTTP, where browsers must ignore it (RFC 6797 §7.2).
TLS_ONLY = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


class UnexpectedErrors:
    """Answers unexpected errors, inside the other layers, so that these answers too get safe headers and a log line."""

    def __init__(self, app: ASGIApp, answer: Callable[[Scope, Exception], Response] = problems.internal_error) -> None:
        self.app, self._answer = app, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer an exception that is raised before the answer has begun."""
        has_begun = False

        def send_and_note(message: Message) -> Awaitable[None]:
            nonlocal has_begun
            has_begun = True
            return send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise
            await self._answer(scope, error)(scope, receive, send)


class HeadersAlone:
    """Answers HEAD wherever there is GET, with the headers alone (RFC 9110 §9.3.2); of a stream, how it would begin."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        return (self._answer if is_head else self.app)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as a GET, and send no more than the headers of its answer."""
        has_ended = asyncio.Event()

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                has_ended.set()

        async def receive_until_then() -> Message:
            asked, ended = asyncio.ensure_future(receive()), asyncio.ensure_future(has_ended.wait())
            await asyncio.wait((asked, ended), return_when=asyncio.FIRST_COMPLETED)
            (ended if asked.done() else asked).cancel()
            return asked.result() if asked.done() else {"type": "http.disconnect"}

        as_get = {**scope, "method": "GET", "extensions": {}}  # in parts: of one piece, nothing can be left out
        try:
            await self.app(as_get, receive_until_then, send_headers)
        finally:
            scope["route"] = as_get.get("route")  # for the line of log


def safe_headers(headers: Collection[tuple[bytes, bytes]], scheme: str) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with those that every answer has that comes over `scheme`."""
    given = dict(headers)
    missing = [(name, value) for name, value in SAFETY.items() if name not in given]
    return [*headers, *missing, *((TLS_ONLY,) if scheme == "https" else ())]


class SafeHeaders:
    """Adds the headers that stop browsers from guessing types, framing, sending referrers and storing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on, and add the headers that its answer does not set."""

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = safe_headers(message["headers"], scope["scheme"])
            return send(message)

        return self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class AccessLog:
    """Logs one line for each request, with the route instead of the path: paths name people.

    Every other line of the same request has the same random id, which is not sent to anybody.
    """

    def __init__(self, app: ASGIApp, count: Count | None = None) -> None:
        self.app, self._count = app, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, log its status and time, and count it where metrics are wanted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, started = 0, time.perf_counter()
        logs.begin_request()

        def send_and_note(message: Message) -> Awaitable[None]:
            nonlocal status
            status = message.get("status", status)
            return send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", None)
            took = time.perf_counter() - started
            log.info("request", method=scope["method"], route=route, status=status, milliseconds=round(took * 1000, 1))
            if self._count:
                path: str = scope["path"]
                surface = API if route and path.startswith(f"{API}/") else ""  # a route does not know under which it is
                self._count(scope["method"], route and surface + route, status, None if path == STREAM else took)
