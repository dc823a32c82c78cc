"""Connections: how large a request's head may be, how slow a client, and how many connections there are.

Uvicorn has no such limits with the parser that it uses by default (httptools): a head of 150 MB is collected, and a
client that sends nothing, or one byte a minute, is waited for without an end. Where a proxy like nginx stands before
the forum, it has limits of its own; many forums have none.
"""

import asyncio
import resource
from enum import Enum, auto
from functools import cache
from itertools import chain
from typing import Any, ClassVar

from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from forum.core.settings import Settings
from forum.http import problems
from forum.http.event_stream import END_STREAM
from forum.http.one_piece import WHOLE, head_of
from forum.http.problems import ProblemType

HEAD_MAX = 32 * 1024  # bytes. Browsers send 1 to 4 KiB; nginx takes 32 KiB (`large_client_header_buffers`)
HEAD_SECONDS = 10.0
BODY_RATE = 1024  # bytes a second, the least, once
BODY_GRACE_SECONDS = 10.0  # have passed: a phone may lose its network for a moment
BODY_CHECK_SECONDS = 5.0
LEFTOVER_SECONDS = 5.0  # for the rest of a body that was answered already: to hang up at once would lose the answer
STALLED_SECONDS = 75.0  # that a client does not read its answer
PIPELINED_MAX = 16  # requests that wait for the answer to the one before; nobody's browser sends even two
FILES_BESIDE = 200  # open files that are no connections: to the database, modules, logs

BAD_REQUEST = ProblemType(400, "bad-request", "Bad request")
REQUEST_TIMEOUT = ProblemType(408, "request-timeout", "Too slow")
HEAD_TOO_LARGE = ProblemType(431, "request-header-fields-too-large", "Header too large")


class _Part(Enum):
    """What of a request comes next on a connection."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class _HeadTooLarge(Exception):
    """Raised in the parser's callback; the parser ends with an error of its own."""


class _TooManyAtOnce(Exception):
    """The same, for pipelined requests."""


class _Exchange(RequestResponseCycle):
    """A request and its answer, which can be sent in one piece: Uvicorn's own looks at each header of each answer."""

    async def send(self, message: Any) -> None:
        """Send a part of the answer, or all of it."""
        if message["type"] != WHOLE:
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        first = STATUS_LINE[message["status"]] + head_of(self.default_headers)
        closing = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((first, message["head"], closing, message["content"])))
        self.response_started = self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class BoundedConnection(HttpToolsProtocol):
    """One connection of a client, closed when it is too slow or asks for too much at once.

    Over the limit of connections, one that waits for its client is closed for a new one: of those whose request has
    not come yet and those that are idle, the oldest of the larger group. So connections that an attacker opens and
    leaves half open make room for each other, and people keep theirs.
    """

    # Of all connections of this process, in the order in which they began to wait.
    _half_open: ClassVar[dict["BoundedConnection", None]] = {}
    _idle: ClassVar[dict["BoundedConnection", None]] = {}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._part = _Part.NOTHING
        self._head_size = self._body_size = 0
        self._body_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    # The transport's calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as Uvicorn's
        """Begin to wait for a request, in the place of another connection when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > connection_limit() and not self._make_room():
            transport.abort()
            return
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read on, and see whether the client may go on."""
        self._head_size += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._part is _Part.BODY:
            if self._timer is None:
                self._body_since = self.loop.time()
                self._timer = self.loop.call_later(BODY_CHECK_SECONDS, self._check_body)
        elif self._part is _Part.HEAD or self._head_size:  # or empty lines, which begin no request
            if self._head_size > HEAD_MAX:
                self._refuse(HEAD_TOO_LARGE, "head_too_large", f"A header may have at most {HEAD_MAX} bytes.")
            elif self._timer is None:
                self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read its answer, but not without an end."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    # The parser's calls

    def on_message_begin(self) -> None:
        """Begin a request. Raises when too many wait before it."""
        if len(self.pipeline) >= PIPELINED_MAX:
            raise _TooManyAtOnce
        super().on_message_begin()
        self._part = _Part.HEAD

    def on_headers_complete(self) -> None:
        """Hand the request to the application. Raises when its head is too large."""
        if self._head_is_too_large():
            raise _HeadTooLarge
        self._stop_waiting()
        self._part, self._body_size = _Part.BODY, 0
        super().on_headers_complete()
        self.cycle.__class__ = _Exchange  # Uvicorn names its own class there; the task of the request has not begun
        self.scope["extensions"] = {WHOLE: {}}

    def on_body(self, body: bytes) -> None:
        """Count how fast it comes."""
        self._body_size += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        self._stop_timer()
        self._part, self._head_size = _Part.NOTHING, 0
        super().on_message_complete()

    # Uvicorn's calls

    def on_response_complete(self) -> None:
        """Become idle; the rest of a body that nobody reads has a few seconds to come."""
        super().on_response_complete()
        if self.transport.is_closing() or self.pipeline:
            return
        if self._part is _Part.BODY:
            self._stop_timer()
            self._timer = self.loop.call_later(LEFTOVER_SECONDS, self.transport.abort)
        elif self._timer is None:
            self._idle[self] = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, or too large a one, with a problem document. Uvicorn's own is plain text."""
        if self._part is _Part.HEAD and self._head_is_too_large():
            self._refuse(HEAD_TOO_LARGE, "head_too_large", f"A header may have at most {HEAD_MAX} bytes.")
        else:
            self._refuse(BAD_REQUEST, "bad_request", "This is no HTTP request that the forum understands.")

    def shutdown(self) -> None:
        """End when the server is told to stop: after the answer, but a stream of events, which has no end, at once."""
        super().shutdown()
        if self._is_answering() and (end := self.scope.get("state", {}).get(END_STREAM)):
            end()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also one whose client has not read its last answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    # Waiting

    def _head_is_too_large(self) -> bool:
        size = len(self.url) + 4 * len(self.headers) + sum(map(len, chain.from_iterable(self.headers)))
        return size > HEAD_MAX

    def _wait_for_head(self) -> None:
        self._idle.pop(self, None)
        self._half_open[self] = None
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up_head)

    def _give_up_head(self) -> None:
        if self._is_answering():
            # It sent a part of its next request before it has the answer to this one.
            self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up_head)
        elif self._head_size:
            self._refuse(REQUEST_TIMEOUT, "request_timeout", "The request took too long to arrive.")
        else:
            self.transport.close()

    def _check_body(self) -> None:
        self._timer = self.loop.call_later(BODY_CHECK_SECONDS, self._check_body)
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:  # it waits for us
            self._body_since += BODY_CHECK_SECONDS
        elif self._body_size < BODY_RATE * (self.loop.time() - self._body_since - BODY_GRACE_SECONDS):
            self._refuse(REQUEST_TIMEOUT, "request_timeout", "The request took too long to arrive.")

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _stop_waiting(self) -> None:
        self._stop_timer()
        self._half_open.pop(self, None)
        self._idle.pop(self, None)

    def _make_room(self) -> bool:
        """Close a connection that waits for its client, and return whether there was one."""
        waiting = max(self._half_open, self._idle, key=len)
        for longest in waiting:
            longest._stop_waiting()
            longest.transport.abort()
            return True
        return False

    # Refusing

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, kind: ProblemType, code: str, detail: str) -> None:
        """Answer with a problem document, where no answer has begun, and hang up."""
        self._stop_waiting()
        if not self._is_answering() or (self._part is _Part.BODY and not self.cycle.response_started):
            body = to_json(problems.content(kind, code, detail))
            head = b"content-type: %b\r\ncontent-length: %d\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[kind.status] + head % (problems.MEDIA_TYPE.encode(), len(body)) + body)
        self.transport.close()


@cache
def connection_limit() -> int:
    """Return how many connections this process has at most: the setting, or what the system lets it open.

    It opens as many files as the system permits at all: many systems begin with 1,024.
    """
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    return max(1, min(Settings().connection_limit, files - FILES_BESIDE))
