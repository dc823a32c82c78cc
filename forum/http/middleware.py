"""What surrounds every request: a size limit, safe headers, one line of log. Plain ASGI: each layer costs little."""

import secrets
import time

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forum.http import problems

log = structlog.get_logger()

# 20,000 characters are at most 240,000 bytes of JSON, each written as two \uXXXX escapes.
LARGEST_BODY = 512 * 1024

# What every answer says, unless its route says otherwise (OWASP ASVS 5.0, 3.4 and 3.5). An answer that may be kept says
# so itself: pages that are the same for everybody, with an ETag. All else is nobody's business once it was read.
SAFETY = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cache-control": b"no-store",
}
# Two years. Never over plain HTTP, where a browser must not heed it (RFC 6797 §7.2).
TLS_ONLY = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


class SizeLimit:
    """Refuses a body that no request needs, without reading it to its end.

    FastAPI's own limit answers in plain text where the length was announced; ours is a problem document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body as it is read."""
        await self.app(scope, _counted(receive) if scope["type"] == "http" else receive, send)


def _counted(receive: Receive) -> Receive:
    size = 0

    async def count() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            raise HTTPException(413, f"A request may have at most {LARGEST_BODY} bytes.")
        return message

    return count


class UnexpectedErrors:
    """Answers when something went wrong that nobody expected, so that this answer too is dressed and logged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; what is raised before there is an answer becomes one."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await problems.internal_error(scope, error)(scope, receive, send)


class SafeHeaders:
    """Adds the headers that keep browsers from guessing, framing, telling and keeping."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and dress its answer."""

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = dict(message["headers"])
                missing = [(name, value) for name, value in SAFETY.items() if name not in given]
                over_tls = (TLS_ONLY,) if scope["scheme"] == "https" else ()
                message["headers"] = [*message["headers"], *missing, *over_tls]
            await send(message)

        await self.app(scope, receive, dressed if scope["type"] == "http" else send)


class AccessLog:
    """Logs one line a request: the route and not the address, for addresses name people.

    Whatever else is logged meanwhile carries the same random word, which is told to nobody and dies with the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, begun = 0, time.perf_counter()
        structlog.contextvars.bind_contextvars(request=secrets.token_hex(6))

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", None)
            took = round((time.perf_counter() - begun) * 1000, 1)
            log.info("request", method=scope["method"], route=route, status=status, milliseconds=took)
