"""The limit on each client's requests to the whole API: counted in each process, shared about once a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from limits import RateLimitItem
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from forum.core import rate_limits
from forum.core.database import Reader

POLICY = "api"
PAUSE = 1.0  # seconds between two exchanges: a process learns this late what another counted
# A count is shared from this fraction of the limit on (1/10). Below it a process keeps it to itself: it writes nothing
# for most readers, and the database does not show who only reads.
KEPT_BACK = 10
COUNTS_AT_MOST = 50_000  # in one process, some 250 bytes each: made-up addresses must not fill the memory

log = structlog.get_logger()


@dataclass(slots=True)
class _Count:
    """The requests of one client in one window."""

    ends_at: float
    shared: int = 0  # by all processes, as the database last answered
    unshared: int = 0  # by this process since then


class ApiQuota:
    """Counts requests and refuses those over the limit, without a query; `clock` returns seconds."""

    def __init__(self, reader: Reader, limit: RateLimitItem, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader, self._limit, self._clock = reader, limit, clock
        self._most, self._window = limit.amount, limit.get_expiry()
        self._shared_from = limit.amount // KEPT_BACK
        self._counts: dict[Hashable, _Count] = {}  # ordered by when their windows began
        self._to_share: dict[Hashable, _Count] = {}
        self._is_disconnected = False

    def count(self, who: Hashable, weight: int = 1) -> None:
        """Count one request as `weight`. Raises Throttled when it is over the limit, as far as this process knows."""
        now = self._clock()
        count = self._counts.get(who)
        if count is None or count.ends_at <= now:
            count = self._start_window(who, now)
        total = count.shared + count.unshared
        if total >= self._most:
            raise rate_limits.refusal(self._limit, POLICY, count.ends_at - now)
        count.unshared += weight
        if total >= self._shared_from:
            self._to_share[who] = count

    @asynccontextmanager
    async def exchanging(self) -> AsyncIterator[None]:
        """Exchange counts with the other processes for as long as the block lasts."""
        task = asyncio.create_task(self._exchange_repeatedly())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def exchange(self) -> None:
        """Share what this process counted and read what all processes counted, in one statement.

        While the database does not answer, each process counts for itself and shares its counts later.
        """
        self._drop_ended_windows()
        now = self._clock()
        sharing, self._to_share = {who: count for who, count in self._to_share.items() if count.ends_at > now}, {}
        if not sharing:
            return
        try:
            await self._send(sharing)
        except (DBAPIError, PoolTimeoutError) as error:
            self._to_share = sharing | self._to_share
            if not self._is_disconnected:  # one line for each outage, not one a second
                log.warning("each process counts requests for itself", reason=type(error).__name__)
            self._is_disconnected = True
        else:
            self._is_disconnected = False

    async def _exchange_repeatedly(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            await self.exchange()

    async def _send(self, sharing: dict[Hashable, _Count]) -> None:
        now = self._clock()
        counts = {rate_limits.digest(f"{POLICY}/{who}"): count for who, count in sharing.items()}
        tries = [count.unshared for count in counts.values()]
        seconds = [count.ends_at - now for count in counts.values()]
        rows = await self._reader.rows(rate_limits.COUNT_MANY, keys=list(counts), tries=tries, seconds=seconds)
        # Requests that came while the statement ran stay unshared: subtract what was sent, do not set it to 0.
        for count, sent in zip(counts.values(), tries, strict=True):
            count.unshared -= sent
        now = self._clock()
        for row in rows:
            counts[row.key].shared, counts[row.key].ends_at = row.tries, now + row.seconds

    def _start_window(self, who: Hashable, now: float) -> _Count:
        self._counts.pop(who, None)
        if len(self._counts) >= COUNTS_AT_MOST:
            del self._counts[next(iter(self._counts))]
        count = self._counts[who] = _Count(now + self._window)
        return count

    def _drop_ended_windows(self) -> None:
        """Delete the windows that have ended."""
        now = self._clock()
        while self._counts and (oldest := next(iter(self._counts.items())))[1].ends_at <= now:
            del self._counts[oldest[0]]
