"""What screening found in a post, as spans of one of its revisions; the words are not kept here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    and_,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Query, Record, check_one_of, columns, query
from forum.members.aliases import is_persona_of
from forum.members.viewer import Viewer
from moderation import finding_tallies
from moderation.case_priority import Category
from moderation.cases import Case, CaseDanger, CasePost, posts_of
from moderation.finding_tallies import Tally
from moderation.screening.finding import CrisisKind, Finding, FindingKind, Level, SignEffect


class TextPart(StrEnum):
    """Which of a post's texts a span counts in."""

    TITLE = "title"
    BODY = "body"
    WARNING = "warning"


# Within what time somebody should decide about acute danger of each kind.
WITHIN: Mapping[str, timedelta] = {
    CrisisKind.ATTEMPT: timedelta(minutes=10),
    CrisisKind.CHILD_IN_DANGER: timedelta(minutes=10),
    CrisisKind.DANGER: timedelta(minutes=10),
    CrisisKind.ENCOURAGEMENT: timedelta(hours=1),
    CrisisKind.CARER: timedelta(hours=1),
    CrisisKind.DISCLOSURE: timedelta(hours=4),
    CrisisKind.SUICIDE: timedelta(hours=1),
    CrisisKind.SELF_HARM: timedelta(hours=1),
}
# What is held waits for somebody to read it; what a term only points out can wait longest.
CATEGORY_OF_TERM: Mapping[SignEffect, Category] = {
    SignEffect.HOLD: Category.HELD,
    SignEffect.CASE: Category.RULE,
    SignEffect.POINT_OUT: Category.OTHER,
}
GRAVEST_FIRST: Sequence[str] = tuple(CrisisKind)
WITHIN_WORRY = timedelta(hours=4)
KEPT_FOR = timedelta(days=90)  # after the case is decided: they are data about somebody's health


class RecordedFinding(SQLModel, table=True):
    """Something that screening found in one revision of a case's post."""

    __tablename__ = "finding"
    __table_args__ = (
        check_one_of("kind", FindingKind),
        check_one_of("level", Level),
        check_one_of("part", TextPart),
        CheckConstraint("0 <= starts AND starts < ends", name="span"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    case_id: UUID = Field(foreign_key="moderation_case.id", ondelete="CASCADE", index=True)
    post_id: int | None = Field(
        default=None,
        sa_type=BigInteger,
        foreign_key="post.id",
        index=True,
        description="Null for the first post of the case: so it was before a case could hold several",
    )
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
    version: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    level: str | None = None
    part: str
    starts: int
    ends: int
    is_tallied: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": text("false")},
        description="Whether a decision was counted for its recogniser",
    )


@dataclass(frozen=True)
class LocatedFinding:
    """A finding, and in which text of a submission it is."""

    part: TextPart
    finding: Finding
    copies: tuple[int, ...] = ()  # the ids of the posts that say the same


@dataclass(frozen=True)
class Place:
    """Which words were screened: of a post at a revision, with its thread's title, or of an edit that is held."""

    revision: int
    title_revision: int | None = None
    held_edit_id: int | None = None
    post_id: int | None = None


def category_of(finding: Finding) -> Category:
    """Return the category of a case that was opened for this finding alone."""
    if finding.kind == FindingKind.PERSONAL_INFORMATION:
        return Category.PERSONAL_INFORMATION
    if finding.kind == FindingKind.SPAM:
        return Category.SPAM
    if finding.kind == FindingKind.WATCHED_TERM:
        return CATEGORY_OF_TERM[finding.effect or SignEffect.POINT_OUT]
    return Category.ENCOURAGEMENT if finding.recogniser == CrisisKind.ENCOURAGEMENT else Category.RISK


def danger_in(found: Sequence[LocatedFinding]) -> CaseDanger | None:
    """Return what danger was found, if any."""
    crisis = [located.finding for located in found if located.finding.kind == FindingKind.CRISIS]
    if not crisis:
        return None
    kinds = frozenset(finding.recogniser for finding in crisis if finding.is_acute)
    return CaseDanger(kinds, min((WITHIN[kind] for kind in kinds), default=WITHIN_WORRY))


def tells_to_harm(found: Sequence[LocatedFinding]) -> bool:
    """Return whether somebody is told in a text to harm themselves."""
    return any(one.finding.recogniser == CrisisKind.ENCOURAGEMENT for one in found)


async def edit_tells_to_harm(session: AsyncSession, held_edit_id: int) -> bool:
    """Return whether somebody is told in an edit that waits to harm themselves."""
    this = (
        col(RecordedFinding.held_edit_id) == held_edit_id,
        col(RecordedFinding.recogniser) == CrisisKind.ENCOURAGEMENT,
    )
    return (await session.execute(select(exists().where(*this)))).scalar_one()


def is_own_danger(found: Sequence[LocatedFinding]) -> bool:
    """Return whether somebody's words sound like danger to them or theirs: not words that send others into it."""
    crisis = (located.finding for located in found if located.finding.kind == FindingKind.CRISIS)
    return any(finding.recogniser != CrisisKind.ENCOURAGEMENT for finding in crisis)


async def list_own(session: AsyncSession, viewer: Viewer) -> Sequence[Record]:
    """Return the kind, level and date of what was found of danger in the viewer's own words, for their copy."""
    own = _select_own(
        viewer,
        col(RecordedFinding.recogniser).label("kind"),
        col(RecordedFinding.level),
        col(Case.danger_at).label("at"),
    )
    return (await session.execute(own.where(col(RecordedFinding.kind) == FindingKind.CRISIS))).all()


async def list_own_others(session: AsyncSession, viewer: Viewer) -> Sequence[Record]:
    """Return the kind and date of what else was found in the viewer's own words, for their copy: never which term."""
    is_term = col(RecordedFinding.kind) == FindingKind.WATCHED_TERM
    kind: Any = case((is_term, col(RecordedFinding.kind)), else_=col(RecordedFinding.recogniser)).label("kind")
    own = _select_own(viewer, kind, col(Case.opened_at).label("at"))
    return (await session.execute(own.where(col(RecordedFinding.kind) != FindingKind.CRISIS))).all()


def _select_own(viewer: Viewer, *shown: Any) -> Query:
    return (
        query(*shown)
        .select_from(RecordedFinding)
        .join(Case, col(Case.id) == col(RecordedFinding.case_id))
        .where(is_persona_of(col(Case.subject_persona_id), viewer.member_id))
        .order_by(col(RecordedFinding.id))
    )


async def delete_old_findings(session: AsyncSession, now: datetime) -> None:
    """Delete what was found in words whose case was decided 90 days ago."""
    old = select(col(Case.id)).where(col(Case.decided_at) < now - KEPT_FOR)
    await session.execute(delete(RecordedFinding).where(col(RecordedFinding.case_id).in_(old)))


def select_for_case(case_id: UUID, present: Place, held_edits: Collection[int]) -> Query:
    """Return a select of what was found in the present words of a case's post, its title and these held edits."""
    is_title = col(RecordedFinding.part) == TextPart.TITLE
    # Findings in titles that are older than the revisions of titles have no number of one.
    title = func.coalesce(RecordedFinding.title_revision, 1) == present.title_revision
    # Of a further post of the case, all are shown: beside it stands at which revision.
    is_other = col(RecordedFinding.post_id).is_distinct_from(present.post_id)
    is_further = and_(col(RecordedFinding.post_id).is_not(None), is_other)
    shown = case((is_further, true()), (is_title, title), else_=col(RecordedFinding.revision) == present.revision)
    is_there = or_(
        and_(col(RecordedFinding.held_edit_id).is_(None), shown), col(RecordedFinding.held_edit_id).in_(held_edits)
    )
    order = (col(RecordedFinding.part), col(RecordedFinding.starts), col(RecordedFinding.id))
    return query(*columns(RecordedFinding)).where(col(RecordedFinding.case_id) == case_id, is_there).order_by(*order)


async def save_findings(
    session: AsyncSession, case_id: UUID, place: Place, found: Sequence[LocatedFinding], now: datetime
) -> None:
    """Save what was found, for whoever decides the case; what is new in the case is counted for its recogniser."""
    if not found:
        return
    recognisers = {(str(located.finding.kind), located.finding.recogniser) for located in found}
    await finding_tallies.count(session, recognisers - await _list_recognisers(session, case_id), Tally.FOUND, now)
    session.add_all(
        RecordedFinding(
            case_id=case_id,
            post_id=place.post_id,
            revision=place.revision,
            title_revision=place.title_revision if located.part == TextPart.TITLE else None,
            held_edit_id=place.held_edit_id,
            kind=located.finding.kind,
            recogniser=located.finding.recogniser,
            version=located.finding.version,
            level=located.finding.level,
            part=located.part,
            starts=located.finding.start,
            ends=located.finding.end,
        )
        for located in found
    )
    await session.flush()


async def tally_decision(session: AsyncSession, case_id: UUID, outcome: Tally, now: datetime) -> None:
    """Count a decision for each recogniser that found something in what it is about, once for what it found.

    A case that was put together with others is decided with them: so each case of these posts counts.
    """
    same = select(col(CasePost.case_id)).where(col(CasePost.post_id).in_(posts_of(case_id)))
    is_about_it = or_(col(RecordedFinding.case_id) == case_id, col(RecordedFinding.case_id).in_(same))
    decided = (
        update(RecordedFinding)
        .where(is_about_it, col(RecordedFinding.is_tallied).is_(False))
        .values(is_tallied=True)
        .returning(col(RecordedFinding.kind), col(RecordedFinding.recogniser))
    )
    recognisers = {(row.kind, row.recogniser) for row in (await session.execute(decided)).all()}
    await finding_tallies.count(session, recognisers, outcome, now)


async def _list_recognisers(session: AsyncSession, case_id: UUID) -> set[tuple[str, str]]:
    """Return the kinds and names of what found something in a case that no decision was counted for yet."""
    found = select(col(RecordedFinding.kind), col(RecordedFinding.recogniser)).where(
        col(RecordedFinding.case_id) == case_id, col(RecordedFinding.is_tallied).is_(False)
    )
    return {(row.kind, row.recogniser) for row in (await session.execute(found)).all()}


@dataclass(frozen=True)
class Passage:
    """A piece of a text, and what screening found it to be, if anything."""

    text: str
    kind: str | None = None


def passages(words: str, found: Sequence[Any]) -> list[Passage]:
    """Return a text in pieces, in order: those between the findings, and the findings; of two that overlap, the first.

    `found` are findings in this text.
    """
    pieces, reached = list[Passage](), 0
    for finding in sorted(found, key=lambda row: (row.starts, -row.ends)):
        if reached <= finding.starts < finding.ends <= len(words):
            pieces += [
                Passage(words[reached : finding.starts]),
                Passage(words[finding.starts : finding.ends], finding.kind),
            ]
            reached = finding.ends
    return [piece for piece in [*pieces, Passage(words[reached:])] if piece.text]
