"""How much everybody asks of the whole API: counted in each process, which tells the others about once a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from limits import RateLimitItem
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from forum.core import rate_limits
from forum.core.database import Prepared, Reader

POLICY = "api"
PAUSE = 1.0  # seconds between two exchanges: so late one process knows what another counted
# What is below this part of the limit a process keeps to itself: who only reads leaves no trace in the database.
KEPT_BACK = 10
COUNTS_AT_MOST = 50_000  # in one process, some 250 bytes each

# All counts in one statement, always in the same order: two processes never wait for each other's rows.
_EXCHANGED = Prepared(
    text("""
INSERT INTO throttle_count AS kept (key, tries, ends_at)
SELECT key, tries, clock_timestamp() + make_interval(secs => seconds)
FROM unnest(CAST(:keys AS text[]), CAST(:tries AS bigint[]), CAST(:seconds AS float8[])) AS told (key, tries, seconds)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET
    tries = CASE WHEN kept.ends_at <= clock_timestamp() THEN excluded.tries ELSE kept.tries + excluded.tries END,
    ends_at = CASE WHEN kept.ends_at <= clock_timestamp() THEN excluded.ends_at ELSE kept.ends_at END
RETURNING key, tries, CAST(extract(epoch FROM ends_at - clock_timestamp()) AS float8) AS seconds
""")
)

log = structlog.get_logger()


@dataclass(slots=True)
class _Count:
    """One window of somebody's requests."""

    ends_at: float
    told: int = 0  # of all processes, as the database last said
    untold: int = 0  # of this one, since then


class ApiQuota:
    """Counts requests and refuses those over the limit, without asking anybody; `clock` counts seconds."""

    def __init__(self, reader: Reader, limit: RateLimitItem, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader, self._limit, self._clock = reader, limit, clock
        self._most, self._window = limit.amount, limit.get_expiry()
        self._kept_back = limit.amount // KEPT_BACK
        self._counts: dict[Hashable, _Count] = {}  # in the order in which their windows began
        self._to_tell: dict[Hashable, _Count] = {}
        self._is_alone = False

    def count(self, who: Hashable) -> None:
        """Count one request; raises Throttled when it is one too many, as far as this process knows."""
        now = self._clock()
        count = self._counts.get(who)
        if count is None or count.ends_at <= now:
            count = self._begin(who, now)
        total = count.told + count.untold
        if total >= self._most:
            raise rate_limits.refusal(self._limit, POLICY, count.ends_at - now)
        count.untold += 1
        if total >= self._kept_back:
            self._to_tell[who] = count

    @asynccontextmanager
    async def exchanging(self) -> AsyncIterator[None]:
        """Exchange counts with the other processes for as long as the block lasts."""
        task = asyncio.create_task(self._exchange_for_ever())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def exchange(self) -> None:
        """Tell what was counted here and learn what all counted, in one statement.

        Without a database each process goes on counting for itself, and tells later.
        """
        self._forget()
        now = self._clock()
        telling, self._to_tell = {who: count for who, count in self._to_tell.items() if count.ends_at > now}, {}
        if not telling:
            return
        try:
            await self._told(telling)
        except (DBAPIError, PoolTimeoutError) as error:
            self._to_tell = telling | self._to_tell
            if not self._is_alone:
                log.warning("each process counts requests for itself", reason=type(error).__name__)
            self._is_alone = True
        else:
            self._is_alone = False

    async def _exchange_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            await self.exchange()

    async def _told(self, telling: dict[Hashable, _Count]) -> None:
        now = self._clock()
        counts = {rate_limits.digest(f"{POLICY}/{who}"): count for who, count in telling.items()}
        tries = [count.untold for count in counts.values()]
        seconds = [count.ends_at - now for count in counts.values()]
        rows = await self._reader.rows(_EXCHANGED, keys=list(counts), tries=tries, seconds=seconds)
        for count, told in zip(counts.values(), tries, strict=True):
            count.untold -= told
        now = self._clock()
        for row in rows:
            counts[row.key].told, counts[row.key].ends_at = row.tries, now + row.seconds

    def _begin(self, who: Hashable, now: float) -> _Count:
        self._counts.pop(who, None)
        if len(self._counts) >= COUNTS_AT_MOST:
            del self._counts[next(iter(self._counts))]
        count = self._counts[who] = _Count(now + self._window)
        return count

    def _forget(self) -> None:
        """Leave out the oldest windows, as far as they are over."""
        now = self._clock()
        while self._counts and (oldest := next(iter(self._counts.items())))[1].ends_at <= now:
            del self._counts[oldest[0]]
