"""Whoever else keeps something of members. The forum asks; whoever composes it answers (`app.py`, `worker.py`)."""

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
    """One part of a copy of what is kept: of the same kind, in order."""

    name: str
    title: str
    items: Sequence[dict[str, Any]]


class PersonalDataSource(Protocol):
    """Gives a member a copy of what it keeps of them, and lets go of what need not be kept."""

    async def chapters(self, session: AsyncSession, viewer: Viewer) -> Sequence[ExportSection]:
        """What is kept of the viewer, as they may read it."""

    async def forget_name(self, session: AsyncSession, member: Member) -> None:
        """Take a member's name and handle out of what is kept; their row has both still."""

    async def needed(self, session: AsyncSession, member_id: UUID) -> Collection[int]:
        """The posts of a member whose words are needed still, for what is not decided yet."""

    async def erase(self, session: AsyncSession, member_id: UUID, now: datetime) -> bool:
        """Take out of what is kept the words of a member that are not needed any more; whether none is left."""

    def unquoting(self, said: Collection[str]) -> Callable[[str], str]:
        """What puts marks in the place of each character of a text's quotes of what somebody said themselves."""


class NoPersonalData:
    """The keeper of a forum without moderation."""

    async def chapters(self, session: AsyncSession, viewer: Viewer) -> Sequence[ExportSection]:
        """There is nothing."""
        return ()

    async def forget_name(self, session: AsyncSession, member: Member) -> None:
        """There is nothing."""

    async def needed(self, session: AsyncSession, member_id: UUID) -> Collection[int]:
        """Nothing is decided here."""
        return ()

    async def erase(self, session: AsyncSession, member_id: UUID, now: datetime) -> bool:
        """There is nothing."""
        return True

    def unquoting(self, said: Collection[str]) -> Callable[[str], str]:
        """Quotes stay."""
        return str
