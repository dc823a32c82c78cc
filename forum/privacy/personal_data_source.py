"""What stores personal data beside the forum's own tables. Moderation implements it; `features.py` hands it over."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from forum.members.tables import Member


class LegalDuty(NamedTuple):
    """A duty to keep a member's data for now."""

    may_be_told: bool  # the member may know that something is kept for a legal reason


class PersonalDataSource(Protocol):
    """Erases the personal data that it stores, but for what must be kept."""

    async def remove_name(self, session: AsyncSession, member: Member) -> None:
        """Remove a member's name and handle from what is stored. Their row still has both."""

    async def remove_handle(self, session: AsyncSession, handle: str) -> None:
        """Put marks in the place of a handle that its member gave up, in what is stored."""

    async def has_positions(self, session: AsyncSession, post_id: int) -> bool:
        """Return whether something stored refers to positions in the texts of a post."""

    async def list_needed_posts(self, session: AsyncSession, member_id: UUID) -> Collection[int]:
        """Return the member's posts whose text is still needed, for something that is not decided yet."""

    async def find_duty(self, session: AsyncSession, member_id: UUID) -> LegalDuty | None:
        """Return the duty to keep a member's data that something stored brings, beside administrators' holds."""

    async def erase_texts(self, session: AsyncSession, member_id: UUID, now: datetime) -> bool:
        """Erase the member's texts that are no longer needed, and return whether none is left."""
