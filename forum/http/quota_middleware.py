"""The limit on the whole API, before anything is asked of the database: plain ASGI, some microseconds a request."""

from collections.abc import Hashable, Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from forum.authentication.sessions import SessionCache
from forum.core import rate_limits
from forum.core.api_quota import ApiQuota
from forum.core.errors import Throttled
from forum.http import problems
from forum.http.current_member import COOKIE

UNCOUNTED = {"/healthz", "/readyz"}  # who looks after the forum asks again and again
_COOKIE = f"{COOKIE}=".encode()
_network = lru_cache(maxsize=4096)(rate_limits.network)


class ApiLimit:
    """Refuses who asks far oftener than people do: a member wherever they are, a guest by their network.

    A token that nobody was seen to own counts by the network too, apart from its guests: neither do made-up ones make
    room, nor can a guest next door lock a member out.
    """

    def __init__(self, app: ASGIApp, traffic: ApiQuota, session_cache: SessionCache) -> None:
        self.app = app
        self._traffic, self._doorkeeper = traffic, session_cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, if it is not one too many."""
        if scope["type"] == "http" and scope["path"] not in UNCOUNTED:
            try:
                self._traffic.count(self._who(scope))
            except Throttled as refused:
                await problems.answer_to(refused, scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _who(self, scope: Scope) -> Hashable:
        client = scope["client"]
        network = _network(client[0] if client else "")
        token = _token(scope["headers"])
        if token is None:
            return network
        return self._doorkeeper.owner(token) or ("token", network)


def _token(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """What may be a session's token, as `dependencies.py` finds it."""
    cookie = None
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
        if name == b"cookie" and _COOKIE in value:
            cookie = value.partition(_COOKIE)[2].partition(b";")[0].decode("latin-1").strip()
    return cookie or None
