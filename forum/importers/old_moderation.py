"""What the old board decided about posts and people, handed to whoever moderates here: the forum knows no decisions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class RunTime(NamedTuple):
    """A run, and the time that it gives to what it writes."""

    run_id: UUID
    now: datetime


@dataclass(frozen=True)
class OldRemoval:
    """A post that was removed on the old board, as it came here."""

    post_id: int
    thread_id: int
    number: int
    author_id: UUID
    has_account: bool  # its author can read what they are told
    words: str
    at: datetime  # when it was removed; when it was written, where nobody knows that
    is_dated: bool  # the old board kept when it was removed
    by: str | None  # the handle here of whoever removed it
    by_id: UUID | None  # who they are here; None where nobody knows, or its author took it back
    by_author: bool
    reason: str
    notice: str  # what readers see in its place, as JSON
    revision: int = 1  # of its words
    is_decided: bool = True  # by somebody there; else it is only there no more, and its author may have deleted it

    @property
    def is_told(self) -> bool:
        """Whether its author reads a statement: somebody else decided it, and they can read one."""
        return self.has_account and self.is_decided and not self.by_author


@dataclass(frozen=True)
class OldBan:
    """Somebody who was banned on the old board, and who is here by this sanction."""

    member_id: UUID
    sanction_id: UUID
    since: datetime
    until: datetime  # here
    reason: str  # as they were told it
    note: str  # what the team wrote for itself


class OldWarning(NamedTuple):
    """That somebody who came was warned on the old board."""

    id: UUID  # the same in each run
    member_id: UUID
    given_at: datetime


@dataclass(frozen=True)
class OldReport:
    """A report of a post that came, which nobody has settled."""

    id: UUID  # the same in each run
    post_id: int
    revision: int  # of its words, and of the title above them
    title_revision: int | None
    reporter_id: UUID | None  # None: who reported it did not come
    reported_at: datetime
    reason: str
    title: str = ""  # of the reason that they chose


class OldApproval(NamedTuple):
    """A post that came while it waited for a moderator of the old board, who let it appear since."""

    post_id: int
    revision: int  # of its words, and of the title above them
    title_revision: int | None


class OldTerm(NamedTuple):
    """A word that the old board replaced when it showed a text."""

    words: str
    replacement: str


class OldModeration(Protocol):
    """What a forum with moderation does with these, in the transaction of the batch that brings them."""

    async def keep_removals(self, session: AsyncSession, run: RunTime, removals: Sequence[OldRemoval]) -> None:
        """Let a decision of the old board stand behind each removed post."""

    async def keep_approvals(self, session: AsyncSession, run: RunTime, approvals: Sequence[OldApproval]) -> None:
        """Close the cases of posts that waited for nothing but what the old board decided."""

    async def keep_bans(self, session: AsyncSession, run: RunTime, bans: Sequence[OldBan]) -> None:
        """Say to each why they are banned, and open a case about them."""

    async def keep_warnings(self, session: AsyncSession, run: RunTime, warnings: Sequence[OldWarning]) -> None:
        """Note that people were warned."""

    async def find_known_warnings(self, session: AsyncSession, warnings: Sequence[OldWarning]) -> Collection[UUID]:
        """Return which of these were noted before, by id."""

    async def find_known_reports(self, session: AsyncSession, reports: Sequence[OldReport]) -> Collection[UUID]:
        """Return which of these came before, or were made here too by the same member, by id."""

    async def open_reports(self, session: AsyncSession, run: RunTime, reports: Sequence[OldReport]) -> None:
        """Open the case of each post that somebody reported."""

    async def offer_terms(self, session: AsyncSession, run: RunTime, terms: Sequence[OldTerm]) -> int:
        """Offer words to be watched for. Return how many are new; those that were offered before are left alone."""
