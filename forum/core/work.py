"""What an action needs: a transaction, the time, the settings, the limits and the gate."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core.database import Database, Reader
from forum.core.errors import ForumError
from forum.core.gate import Detail, Gate, RefusedText
from forum.core.moving_day import limit_at_address
from forum.core.rate_limits import RateLimits
from forum.core.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True)
class Work:
    """One transaction of one request, job or command. An action never commits: the code that began it does."""

    session: AsyncSession
    now: datetime
    settings: Settings
    rate_limits: RateLimits
    gate: Gate
    changed_members: set[UUID] = field(default_factory=set)
    refused: list[RefusedText] = field(default_factory=list)  # to be read by somebody, though all else is undone
    details: list[Detail] = field(default_factory=list)  # that the author of a text is told of

    async def count_try(self, limit: str, policy: str, *who: object) -> None:
        """Count one try against the setting `FORUM_<LIMIT>_LIMIT`. Raises Throttled over the limit."""
        await self.rate_limits.hit(self.settings.limit(limit), policy, *who)

    def at(self, moment: datetime) -> "Work":
        """Return the same transaction at another time: for the demonstration, whose posts seem to be older."""
        return replace(self, now=moment)

    def forget_sessions_of(self, member_id: UUID) -> None:
        """Have this process read a member's roles, standing and sessions again after the commit."""
        self.changed_members.add(member_id)


@dataclass(frozen=True)
class Transactions:
    """Begins transactions: for an action that must not keep a connection while it hashes or waits for a server."""

    database: Database
    now: datetime
    settings: Settings
    rate_limits: RateLimits
    gate: Gate
    on_member_change: Callable[[UUID], None]

    @property
    def reader(self) -> Reader:
        """The reader, outside any transaction."""
        return self.database.reader

    async def count_try(self, limit: str, policy: str, *who: object) -> None:
        """Count one try against the setting `FORUM_<LIMIT>_LIMIT`. Raises Throttled over the limit."""
        await self.rate_limits.hit(self.settings.limit(limit), policy, *who)

    async def count_try_at_address(self, limit: str, policy: str, *who: object) -> None:
        """Count one try at an internet address, which many may share: on the moving day, more is allowed."""
        await self.rate_limits.hit(limit_at_address(self.settings, limit, self.now), policy, *who)

    def reserve_try_at_address(
        self, limit: str, policy: str, *who: object, counts: Callable[[Exception | None], bool]
    ) -> AbstractAsyncContextManager[None]:
        """Count one try there while a block runs, and afterwards as `counts` says; see `RateLimits.reserve`."""
        allowed = limit_at_address(self.settings, limit, self.now)
        return self.rate_limits.reserve(allowed, policy, *who, counts=counts)

    def reserve_try(
        self, limit: str, policy: str, *who: object, counts: Callable[[Exception | None], bool]
    ) -> AbstractAsyncContextManager[None]:
        """Count one try while a block runs, and afterwards as `counts` says; see `RateLimits.reserve`."""
        return self.rate_limits.reserve(self.settings.limit(limit), policy, *who, counts=counts)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Work]:
        """Begin a transaction: committed when the block ends, rolled back when it raises."""
        refused = list[RefusedText]()
        try:
            async with self.database.work() as session:
                work = Work(session, self.now, self.settings, self.rate_limits, self.gate, refused=refused)
                yield work
        except ForumError:
            await self._record_refused(refused)
            raise
        # After the commit: a request that reads before it gets the old state, and would cache that again.
        for member_id in work.changed_members:
            self.on_member_change(member_id)

    async def _record_refused(self, refused: Sequence[RefusedText]) -> None:
        """Have somebody read the words of danger that were refused. Its own failure keeps the help from nobody."""
        try:
            for text in refused:
                async with self.database.work() as session:
                    await self.gate.record_refused(session, text, self.now)
        except (SQLAlchemyError, OSError) as error:
            log.error("refused_text_lost", kind=type(error).__name__)
