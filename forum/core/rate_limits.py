"""Limits that count across processes and outlive a rollback: the `limits` library over PostgreSQL."""

import asyncio
import hashlib
import ipaddress
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

from limits import RateLimitItem
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from sqlalchemy import BigInteger, String, bindparam, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Prepared, Reader
from forum.core.errors import Throttled
from forum.core.jobs import Job, Payload
from forum.core.shared_question import SharedQuestion


class ThrottleCount(SQLModel, table=True):
    """How often something was tried in the window that ends at `ends_at`."""

    __tablename__ = "throttle_count"

    key: str = Field(primary_key=True, description="A digest: the table does not show who tried what")
    tries: int = Field(sa_type=BigInteger)
    ends_at: datetime = Field(sa_type=Moment, index=True)


_KEY, _NOW = bindparam("key", type_=String()), func.clock_timestamp()
_OVER = col(ThrottleCount.ends_at) <= _NOW
# One statement counts and answers: two requests at the same moment cannot both be the last that is allowed. The keys
# are always in the same order: two processes that lock the same rows cannot deadlock.
COUNT_MANY = Prepared(
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
_WINDOW = Prepared(
    select(col(ThrottleCount.tries), col(ThrottleCount.ends_at), _OVER.label("over")).where(
        col(ThrottleCount.key) == _KEY
    )
)
_TAKE_BACK = Prepared(
    update(ThrottleCount)
    .values(tries=col(ThrottleCount.tries) - 1)
    .where(col(ThrottleCount.key) == bindparam("counted", type_=String()), col(ThrottleCount.tries) > 0, ~_OVER)
)
_DELETE = Prepared(delete(ThrottleCount).where(col(ThrottleCount.key) == _KEY))
_DELETE_ALL = Prepared(delete(ThrottleCount).returning(col(ThrottleCount.key)))


@dataclass(frozen=True, eq=False)  # two tries of the same are two
class _Try:
    key: str
    seconds: int
    amount: int


class PostgresStorage(Storage):
    """Counters in PostgreSQL, changed outside any transaction. Those that count at the same time share a statement.

    No long transaction may lock one of these keys, and `count_in` none: all who count would wait for its end, and it
    may be waiting for them.
    """

    STORAGE_SCHEME = None

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        self._shared = SharedQuestion(self._count)

    @property
    def base_exceptions(self) -> type[Exception]:
        """The class of errors when the database does not answer."""
        return DBAPIError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` more tries in the window of `expiry` seconds, and return how many it has."""
        tried = _Try(digest(key), expiry, amount)
        return (await self._shared.ask(tried))[tried]

    async def take_back(self, key: str) -> None:
        """Count one try less, if its window is not over."""
        await self._reader.rows(_TAKE_BACK, counted=digest(key))

    async def get(self, key: str) -> int:
        """Return how many tries the present window has."""
        row = await self._reader.row(_WINDOW, key=digest(key))
        return 0 if row is None or row.over else int(row.tries)

    async def get_expiry(self, key: str) -> float:
        """Return when the present window ends, in seconds since 1970."""
        row = await self._reader.row(_WINDOW, key=digest(key))
        return row.ends_at.timestamp() if row else time.time()

    async def check(self) -> bool:
        """Return True when the database answers. Raises its error otherwise."""
        await self._reader.rows(_WINDOW, key="")
        return True

    async def reset(self) -> int | None:
        """Delete every count, and return how many there were."""
        return len(await self._reader.rows(_DELETE_ALL))

    async def clear(self, key: str) -> None:
        """Delete one count."""
        await self._reader.rows(_DELETE, key=digest(key))

    async def _count(self, tries: Collection[_Try]) -> Mapping[_Try, int]:
        """Count some tries, and return which of its window each is."""
        amounts, seconds = Counter[str](), dict[str, float]()
        for one in tries:
            amounts[one.key] += one.amount
            seconds[one.key] = one.seconds
        keys = {"keys": [*amounts], "tries": [*amounts.values()], "seconds": [*map(seconds.__getitem__, amounts)]}
        counted = {row.key: int(row.tries) for row in await self._reader.rows(COUNT_MANY, **keys)}
        numbers = dict[_Try, int]()
        for one in tries:
            numbers[one] = counted[one.key]
            counted[one.key] -= one.amount
        return numbers


class RateLimits:
    """Counts tries, and refuses those over a limit."""

    def __init__(self, reader: Reader) -> None:
        self._storage = PostgresStorage(reader)
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._under_way: dict[str, set[asyncio.Future[None]]] = {}

    async def hit(self, limit: RateLimitItem, policy: str, *who: object) -> None:
        """Count one try of `policy` by `who`. Raises Throttled when it is over the limit."""
        names = (policy, *map(str, who))
        if not await self._limiter.hit(limit, *names):
            raise await self._refusal(limit, *names)

    async def take_back(self, limit: RateLimitItem, policy: str, *who: object) -> None:
        """Count one try less: nothing came of it."""
        await self._storage.take_back(limit.key_for(policy, *map(str, who)))

    @asynccontextmanager
    async def reserve(
        self, limit: RateLimitItem, policy: str, *who: object, counts: Callable[[Exception | None], bool]
    ) -> AsyncIterator[None]:
        """Count one try while the block runs, and afterwards only if `counts` of how it ended: an error or None.

        It counts from the beginning, so that a thousand tries at once are no more than the limit. Where the limit is
        reached only because of tries that are under way in this process, it waits for them to end: people who sign in
        at the same moment must not refuse each other. Raises Throttled when it is over the limit.
        """
        names = (policy, *map(str, who))
        key = limit.key_for(*names)
        while not await self._limiter.hit(limit, *names):
            await self._storage.take_back(key)
            if key not in self._under_way:
                raise await self._refusal(limit, *names)
            await asyncio.wait(self._under_way[key], return_when=asyncio.FIRST_COMPLETED)
        with self._one_under_way(key):
            is_counted = True  # also where the block is cancelled
            try:
                yield
                is_counted = counts(None)
            except Exception as error:
                is_counted = counts(error)
                raise
            finally:
                if not is_counted:
                    await self._storage.take_back(key)

    @contextmanager
    def _one_under_way(self, key: str) -> Iterator[None]:
        ended = asyncio.get_running_loop().create_future()
        self._under_way.setdefault(key, set()).add(ended)
        try:
            yield
        finally:
            ended.set_result(None)
            self._under_way[key].discard(ended)
            if not self._under_way[key]:
                del self._under_way[key]

    async def _refusal(self, limit: RateLimitItem, policy: str, *who: str) -> Throttled:
        window = await self._limiter.get_window_stats(limit, policy, *who)
        return refusal(limit, policy, window.reset_time - time.time())


def refusal(limit: RateLimitItem, policy: str, seconds: float) -> Throttled:
    """Return the error for a limit that is reached for so many more seconds."""
    # The database's clock may differ from this machine's: never less than a second, nor more than the window.
    wait = min(max(1, math.ceil(seconds)), limit.get_expiry())
    return Throttled(
        f"Too often. Please wait {_duration(wait)} and try again.",
        policy=policy,
        quota=limit.amount,
        window=limit.get_expiry(),
        retry_after=wait,
    )


async def count_in(session: AsyncSession, limit: RateLimitItem, policy: str, *who: object) -> None:
    """Count one try in this transaction: a rollback takes it back. Raises Throttled when it is over the limit."""
    key = digest(limit.key_for(policy, *map(str, who)))
    values = {"keys": [key], "tries": [1], "seconds": [float(limit.get_expiry())]}
    counted = (await session.execute(COUNT_MANY.query, values)).one()
    if counted.tries > limit.amount:
        raise refusal(limit, policy, counted.seconds)


async def take_back_in(session: AsyncSession, limit: RateLimitItem, policy: str, *who: object) -> None:
    """Count one try less, if its window is not over: what was counted earlier did not happen."""
    await session.execute(_TAKE_BACK.query, {"counted": digest(limit.key_for(policy, *map(str, who)))})


FORGET_COUNTS = Job("forget_counts")


async def delete_expired(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Delete the counts of windows that are over.

    A job by itself: whoever counts waits for the end of its transaction. It waits for nobody: who counts has the row.
    """
    is_over = col(ThrottleCount.ends_at) <= now
    over = select(col(ThrottleCount.key)).where(is_over).with_for_update(skip_locked=True)
    await session.execute(delete(ThrottleCount).where(col(ThrottleCount.key).in_(over)))


def network(address: str) -> str:
    """Return the part of an internet address that one household has: all of an IPv4 address, the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def digest(key: str) -> str:
    """Return the digest under which a count is stored: who tried what cannot be read from it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _duration(seconds: int) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{seconds} seconds" if seconds < 120 else f"{minutes} minutes"
