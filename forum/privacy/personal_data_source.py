"""What else stores personal data. The forum asks; who composes it answers (`app.py`, `worker.py`)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from forum.members.tables import Member
from forum.members.viewer import Viewer


class SafeHtml(str):
    """HTML that is safe to show as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class ExportSection:
    """One part of a copy of personal data: things of one kind, in order."""

    name: str
    title: str
    items: Sequence[dict[str, Any]]


class PersonalDataSource(Protocol):
    """Exports the personal data that it stores, and erases what need not be kept."""

    async def export_sections(self, session: AsyncSession, viewer: Viewer) -> Sequence[ExportSection]:
        """Return what is stored about the viewer, as they may read it."""

    async def remove_name(self, session: AsyncSession, member: Member) -> None:
        """Remove a member's name and handle from what is stored. Their row still has both."""

    async def list_needed_posts(self, session: AsyncSession, member_id: UUID) -> Collection[int]:
        """Return the member's posts whose text is still needed, for something that is not decided yet."""

    async def erase_texts(self, session: AsyncSession, member_id: UUID, now: datetime) -> bool:
        """Erase the member's texts that are no longer needed, and return whether none is left."""

    def make_quote_eraser(self, texts: Collection[str]) -> Callable[[str], str]:
        """Return a function that replaces each character of quotes of these texts in another text."""


class NoPersonalData:
    """The source of a forum without moderation."""

    async def export_sections(self, session: AsyncSession, viewer: Viewer) -> Sequence[ExportSection]:
        """Return nothing."""
        return ()

    async def remove_name(self, session: AsyncSession, member: Member) -> None:
        """Do nothing."""

    async def list_needed_posts(self, session: AsyncSession, member_id: UUID) -> Collection[int]:
        """Return nothing."""
        return ()

    async def erase_texts(self, session: AsyncSession, member_id: UUID, now: datetime) -> bool:
        """Return True: there is nothing to erase."""
        return True

    def make_quote_eraser(self, texts: Collection[str]) -> Callable[[str], str]:
        """Return a function that changes nothing."""
        return str
