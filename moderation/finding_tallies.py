"""How often each recogniser and each watched term is right: counts by day, without anybody's words or name.

Rows are only added: two who count at once never wait for each other.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import BigInteger, Identity, delete, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import check_one_of, query
from forum.core.work import Work
from moderation.screening.finding import FindingKind

COUNTED = timedelta(days=90)
ENOUGH = 20  # decisions, before a share says anything
TOO_FEW = 0.3  # of these upheld: then people are troubled for nothing more often than not


class Tally(StrEnum):
    """What is counted of a recogniser."""

    FOUND = "found"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class FindingTally(SQLModel, table=True):
    """That something was found in a case once, or that a case in which it was found was decided."""

    __tablename__ = "finding_tally"
    __table_args__ = (check_one_of("what", Tally),)

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    day: date = Field(index=True)
    kind: str
    recogniser: str
    what: str


class Precision(NamedTuple):
    """How often a recogniser found something in the last 90 days, and what came of it."""

    kind: str
    recogniser: str
    found: int = 0
    upheld: int = 0
    dismissed: int = 0

    @property
    def share(self) -> float | None:
        """Return which share of what was decided was upheld; None before anything was."""
        decided = self.upheld + self.dismissed
        return self.upheld / decided if decided else None

    @property
    def is_doubtful(self) -> bool:
        """Whether it is wrong so often that it should perhaps go.

        Never of words of danger: to have looked was right there, also where nothing had to be done.
        """
        return (
            self.kind != FindingKind.CRISIS and self.upheld + self.dismissed >= ENOUGH and (self.share or 0) < TOO_FEW
        )


async def count(session: AsyncSession, recognisers: Collection[tuple[str, str]], what: Tally, now: datetime) -> None:
    """Count each of these kinds and recognisers once."""
    session.add_all(
        FindingTally(day=now.date(), kind=kind, recogniser=recogniser, what=what)
        for kind, recogniser in sorted(recognisers)
    )
    await session.flush()


async def get_precision(work: Work) -> Mapping[tuple[str, str], Precision]:
    """Return how often each recogniser was right in the last 90 days, by kind and name."""
    per_kind = [func.count().filter(col(FindingTally.what) == what).label(what) for what in Tally]
    counted = (
        query(col(FindingTally.kind), col(FindingTally.recogniser), *per_kind)
        .where(col(FindingTally.day) >= (work.now - COUNTED).date())
        .group_by(col(FindingTally.kind), col(FindingTally.recogniser))
    )
    rows: Sequence[Precision] = [Precision(*row) for row in (await work.session.execute(counted)).all()]
    return {(row.kind, row.recogniser): row for row in rows}


async def delete_old(session: AsyncSession, now: datetime) -> None:
    """Delete what is no longer counted."""
    await session.execute(delete(FindingTally).where(col(FindingTally.day) < (now - COUNTED).date()))
