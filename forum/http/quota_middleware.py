"""The limits on requests to the whole API: plain ASGI, without a query, some microseconds a request."""

from collections import Counter
from collections.abc import Callable, Hashable
from functools import lru_cache

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from forum.authentication.sessions import SessionCache
from forum.core import rate_limits
from forum.core.api_quota import ApiQuota
from forum.core.errors import Throttled
from forum.http import problems
from forum.http.current_member import token_in
from forum.http.middleware import STREAM

UNCOUNTED = {"/healthz", "/readyz"}  # monitoring asks again and again
STATIC = "/static/"  # files that a browser asks for once
VALUES_PER_REQUEST = 10  # a hundred handles in one query weigh as much as eleven requests
_network = lru_cache(maxsize=4096)(rate_limits.network)


class ApiLimit:
    """Refuses clients that send far more requests than people do: counted by member, and for guests by network.

    Requests with a token whose member is not known yet count by network too, apart from those of guests. So made-up
    tokens give nobody a larger limit, and guests cannot use up the limit of a member in the same network.

    It also refuses a network that has too many requests under way in this process: whoever asks for what takes long,
    a hundred times at once, must not keep others waiting.
    """

    def __init__(
        self,
        app: ASGIApp,
        traffic: ApiQuota,
        session_cache: SessionCache,
        at_once: int,
        answer: Callable[[Throttled, Scope], Response] = problems.answer_to,
    ) -> None:
        self.app, self._answer = app, answer
        self._quota, self._session_cache, self._at_once = traffic, session_cache, at_once
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429 over the limit."""
        if scope["type"] != "http" or scope["path"] in UNCOUNTED or scope["path"].startswith(STATIC):
            await self.app(scope, receive, send)
            return
        client = scope["client"]
        network = _network(client[0] if client else "")
        is_under_way = scope["path"] != STREAM
        try:
            self._quota.count(self._who(scope, network), _weight(scope))
            if is_under_way:
                self._begin(network)
        except Throttled as refused:
            await self._answer(refused, scope)(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            if is_under_way:
                self._end(network)

    def _begin(self, network: str) -> None:
        """Count a request that is under way. Raises Throttled."""
        if self._under_way[network] >= self._at_once:
            raise Throttled(
                "Too many requests at once. Please wait for some of the answers.",
                policy="at-once",
                quota=self._at_once,
                window=1,
                retry_after=1,
            )
        self._under_way[network] += 1

    def _end(self, network: str) -> None:
        self._under_way[network] -= 1
        if not self._under_way[network]:
            del self._under_way[network]

    def _who(self, scope: Scope, network: str) -> Hashable:
        token, _ = token_in(scope["headers"])
        if token is None:
            return network
        return self._session_cache.owner(token) or ("token", network)


def _weight(scope: Scope) -> int:
    """Return as how many requests this one counts: one that names many things in its query is as much work."""
    return 1 + int(scope["query_string"].count(b"&")) // VALUES_PER_REQUEST
