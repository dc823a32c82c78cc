"""What screening found in a post, as spans of one of its revisions; the words are not kept here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Query, check_one_of, columns, query
from moderation.case_priority import Category
from moderation.screening.finding import Finding, FindingKind


class TextPart(StrEnum):
    """Which of a post's texts a span counts in."""

    TITLE = "title"
    BODY = "body"
    WARNING = "warning"


# The category of a case that was opened for a finding of this kind alone.
CATEGORIES: Mapping[FindingKind, Category] = {
    FindingKind.CRISIS: Category.RISK,
    FindingKind.PERSONAL_INFORMATION: Category.PERSONAL_INFORMATION,
}


class RecordedFinding(SQLModel, table=True):
    """Something that screening found in one revision of a case's post."""

    __tablename__ = "finding"
    __table_args__ = (
        check_one_of("kind", FindingKind),
        check_one_of("part", TextPart),
        CheckConstraint("0 <= starts AND starts < ends", name="span"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    case_id: UUID = Field(foreign_key="moderation_case.id", ondelete="CASCADE", index=True)
    revision: int
    kind: str
    recogniser: str
    part: str
    starts: int
    ends: int


@dataclass(frozen=True)
class LocatedFinding:
    """A finding, and in which text of a submission it is."""

    part: TextPart
    finding: Finding


def select_for_case(case_id: UUID, revision: int) -> Query:
    """Return a select of what was found in this revision of a case's post, in the order of its words."""
    same = (col(RecordedFinding.case_id) == case_id, col(RecordedFinding.revision) == revision)
    order = (col(RecordedFinding.part), col(RecordedFinding.starts), col(RecordedFinding.id))
    return query(*columns(RecordedFinding)).where(*same).order_by(*order)


async def save_findings(session: AsyncSession, case_id: UUID, revision: int, found: Sequence[LocatedFinding]) -> None:
    """Save what was found, for whoever decides the case."""
    session.add_all(
        RecordedFinding(
            case_id=case_id,
            revision=revision,
            kind=located.finding.kind,
            recogniser=located.finding.recogniser,
            part=located.part,
            starts=located.finding.start,
            ends=located.finding.end,
        )
        for located in found
    )
    await session.flush()
