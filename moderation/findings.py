"""What screening found in a post, as spans of one of its revisions; the words are not kept here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, and_, case, func, or_
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
    title_revision: int | None = Field(default=None, description="Of a finding in a title")
    held_edit_id: int | None = Field(
        default=None,
        sa_type=BigInteger,
        foreign_key="held_edit.id",
        ondelete="SET NULL",
        index=True,
        description="Of one in an edit that was held: `revision` is the one that it makes when it is published",
    )
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


@dataclass(frozen=True)
class Place:
    """Which words were screened: of a post at a revision, with its thread's title, or of an edit that is held."""

    revision: int
    title_revision: int | None = None
    held_edit_id: int | None = None


def select_for_case(case_id: UUID, present: Place, held_edits: Collection[int]) -> Query:
    """Return a select of what was found in the present words of a case's post, its title and these held edits."""
    is_title = col(RecordedFinding.part) == TextPart.TITLE
    # Findings in titles that are older than the revisions of titles have no number of one.
    title = func.coalesce(RecordedFinding.title_revision, 1) == present.title_revision
    shown = case((is_title, title), else_=col(RecordedFinding.revision) == present.revision)
    is_there = or_(
        and_(col(RecordedFinding.held_edit_id).is_(None), shown), col(RecordedFinding.held_edit_id).in_(held_edits)
    )
    order = (col(RecordedFinding.part), col(RecordedFinding.starts), col(RecordedFinding.id))
    return query(*columns(RecordedFinding)).where(col(RecordedFinding.case_id) == case_id, is_there).order_by(*order)


async def save_findings(session: AsyncSession, case_id: UUID, place: Place, found: Sequence[LocatedFinding]) -> None:
    """Save what was found, for whoever decides the case."""
    session.add_all(
        RecordedFinding(
            case_id=case_id,
            revision=place.revision,
            title_revision=place.title_revision if located.part == TextPart.TITLE else None,
            held_edit_id=place.held_edit_id,
            kind=located.finding.kind,
            recogniser=located.finding.recogniser,
            part=located.part,
            starts=located.finding.start,
            ends=located.finding.end,
        )
        for located in found
    )
    await session.flush()


@dataclass(frozen=True)
class Passage:
    """A piece of a text, and what screening found it to be, if anything."""

    text: str
    kind: str | None = None


def passages(text: str, found: Sequence[Any]) -> list[Passage]:
    """Return a text in pieces, in order: those between the findings, and the findings; of two that overlap, the first.

    `found` are findings in this text.
    """
    pieces, reached = list[Passage](), 0
    for finding in sorted(found, key=lambda row: (row.starts, -row.ends)):
        if reached <= finding.starts < finding.ends <= len(text):
            pieces += [
                Passage(text[reached : finding.starts]),
                Passage(text[finding.starts : finding.ends], finding.kind),
            ]
            reached = finding.ends
    return [piece for piece in [*pieces, Passage(text[reached:])] if piece.text]
