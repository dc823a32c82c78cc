"""Findings: what screening found in a post, as spans of one of its revisions; never the words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Query, columns, query
from moderation import screening
from moderation.cases import Category
from moderation.screening.finding import Kind


class Part(StrEnum):
    """Which of a post's texts a span counts in."""

    TITLE = "title"
    BODY = "body"
    WARNING = "warning"


# Why somebody should look, when a finding of this kind is all there is.
CATEGORIES: Mapping[Kind, Category] = {
    Kind.CRISIS: Category.RISK,
    Kind.PERSONAL_INFORMATION: Category.PERSONAL_INFORMATION,
}


class Finding(SQLModel, table=True):
    """One thing that was found in one revision of a case's post."""

    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(str(k)) for k in Kind)})", name="kind"),
        CheckConstraint(f"part IN ({', '.join(repr(str(p)) for p in Part)})", name="part"),
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
class Found:
    """A finding, and in which text of a submission it is."""

    part: Part
    finding: screening.Finding


# Queries


def of_case(case_id: UUID, revision: int) -> Query:
    """What was found in this revision of a case's post, in the order of its words."""
    same = (col(Finding.case_id) == case_id, col(Finding.revision) == revision)
    return query(*columns(Finding)).where(*same).order_by(col(Finding.part), col(Finding.starts), col(Finding.id))


# Verbs


def look(texts: Iterable[tuple[Part, str]], region: str) -> tuple[Found, ...]:
    """Screen these texts."""
    return tuple(Found(part, finding) for part, text in texts for finding in screening.screen(text, region))


async def keep(session: AsyncSession, case_id: UUID, revision: int, found: Sequence[Found]) -> None:
    """Keep what was found, for whoever decides the case."""
    session.add_all(
        Finding(
            case_id=case_id,
            revision=revision,
            kind=one.finding.kind,
            recogniser=one.finding.recogniser,
            part=one.part,
            starts=one.finding.start,
            ends=one.finding.end,
        )
        for one in found
    )
    await session.flush()
