"""What every text passes before others read it. The forum asks; whoever composes it answers (`app.py`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True)
class Author:
    """Who wants others to read their words, as they are in this transaction."""

    id: UUID
    is_staff: bool
    published: int  # their visible posts, where the board's policy asks, up to `settings.FIRST_POSTS_MAX`


@dataclass(frozen=True)
class Submission:
    """Words that somebody wants others to read: a post with its title, a title, a display name."""

    author: Author | None  # none for a display name
    texts: tuple[str, ...]
    publication: str | None = None  # the policy of the board on which they would appear, if any


@dataclass(frozen=True)
class GateResult:
    """What the gate says: publish, or hold for a human, and why, in words for the author."""

    held_because: str | None = None
    findings: tuple[Any, ...] = ()


class Gate(Protocol):
    """Judges before the row is written, and records its verdict once the row has an id, in one transaction."""

    async def judge(self, session: AsyncSession, submission: Submission) -> GateResult:
        """Publish or hold."""

    async def record(
        self, session: AsyncSession, subject: tuple[str, object], verdict: GateResult, now: datetime
    ) -> None:
        """Keep what was found about `subject` (a kind and an id)."""


class PublishAtOnce:
    """The gate of a forum without moderation."""

    async def judge(self, session: AsyncSession, submission: Submission) -> GateResult:
        """Publish."""
        return GateResult()

    async def record(
        self, session: AsyncSession, subject: tuple[str, object], verdict: GateResult, now: datetime
    ) -> None:
        """There is nothing to keep."""
