"""The limit on requests to the whole API: plain ASGI, without a query, some microseconds a request."""

from collections.abc import Hashable, Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from forum.authentication.sessions import SessionCache
from forum.core import rate_limits
from forum.core.api_quota import ApiQuota
from forum.core.errors import Throttled
from forum.http import problems
from forum.http.current_member import COOKIE

UNCOUNTED = {"/healthz", "/readyz"}  # monitoring asks again and again
_COOKIE = f"{COOKIE}=".encode()
_network = lru_cache(maxsize=4096)(rate_limits.network)


class ApiLimit:
    """Refuses clients that send far more requests than people do: counted by member, and for guests by network.

    Requests with a token whose member is not known yet count by network too, apart from those of guests. So made-up
    tokens give nobody a larger limit, and guests cannot use up the limit of a member in the same network.
    """

    def __init__(self, app: ASGIApp, traffic: ApiQuota, session_cache: SessionCache) -> None:
        self.app = app
        self._quota, self._session_cache = traffic, session_cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429 over the limit."""
        if scope["type"] == "http" and scope["path"] not in UNCOUNTED:
            try:
                self._quota.count(self._who(scope))
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
        return self._session_cache.owner(token) or ("token", network)


def _token(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return what may be a session token, found as `current_member.py` finds it."""
    cookie = None
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
        if name == b"cookie" and _COOKIE in value:
            cookie = value.partition(_COOKIE)[2].partition(b";")[0].decode("latin-1").strip()
    return cookie or None
