"""What moderators know of a member: each moderator sees what concerns their own boards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import col

from forum.content.posts.tallies import WRITTEN
from forum.core.database import Query, Record, query
from forum.core.errors import Invalid, NotFound
from forum.core.work import Work
from forum.members.queries import get_member, named_columns
from forum.members.standing import GRAVITY, is_in_force_at
from forum.members.tables import Member, Sanction, Standing
from forum.members.viewer import Viewer
from moderation import case_queue, cases, past_warnings
from moderation.case_deciders import list_visible
from moderation.cases import Case
from moderation.decisions import Decision, DecisionRule
from moderation.measures.catalogue import MEASURES
from moderation.measures.tables import AppliedMeasure
from moderation.permissions import ModerationAct, allow
from moderation.reports import Report, ReportOutcome
from moderation.statements import Statement

SHOWN_MAX = 100  # on one screen: the newest measures, the worst cases
AGAINST_AUTHOR = [kind for kind, measure in MEASURES.items() if measure.tells_author]


@dataclass(frozen=True)
class MemberSummary:
    """What is known of a member, in short."""

    joined_at: datetime
    posts: int
    standing: Standing
    standing_until: datetime | None
    measures: dict[str, int]


@dataclass(frozen=True)
class MemberHistory:
    """All that a moderator may know of a member."""

    member: Member
    summary: MemberSummary
    sanctions: Sequence[Record]
    measures: Sequence[Record]
    open_cases: Sequence[Record]
    reports: Record
    past_warnings: Sequence[datetime]  # of the old board, the newest first


# Built once: building a select costs more than sending it.
_MEMBER_ID = bindparam("member_id", type_=Uuid())
_AGAINST = (col(AppliedMeasure.member_id) == _MEMBER_ID, col(AppliedMeasure.kind).in_(AGAINST_AUTHOR))
_CITED = (
    select(func.array_agg(aggregate_order_by(col(DecisionRule.number), col(DecisionRule.number))))
    .where(col(DecisionRule.decision_id) == col(Decision.id))
    .scalar_subquery()
)
_MEASURES = cases.with_board_of_case(
    query(
        col(AppliedMeasure.kind),
        _CITED.label("rules"),
        col(AppliedMeasure.applied_at).label("at"),
        col(AppliedMeasure.until),
        col(AppliedMeasure.undone_at),
        col(AppliedMeasure.post_id),
        col(Decision.case_id),
        col(Decision.id).label("decision_id"),
        col(Statement.id).label("statement_id"),
        *named_columns(Member, "decider"),
    )
    .join(Decision, col(Decision.id) == col(AppliedMeasure.decision_id))
    .outerjoin(Member, col(Member.id) == col(Decision.decided_by))
    .outerjoin(Statement, col(Statement.decision_id) == col(Decision.id))
    .join(Case, col(Case.id) == col(Decision.case_id))
    .where(*_AGAINST)
    .order_by(col(AppliedMeasure.id).desc())
    .limit(SHOWN_MAX)
)
_COUNTS = cases.with_board_of_case(
    query(col(AppliedMeasure.kind), func.count().label("times"))
    .join(Decision, col(Decision.id) == col(AppliedMeasure.decision_id))
    .join(Case, col(Case.id) == col(Decision.case_id))
    .where(*_AGAINST, col(AppliedMeasure.undone_at).is_(None))
    .group_by(col(AppliedMeasure.kind))
)
_REPORTS = cases.with_board_of_case(
    query(
        *(func.count().filter(col(Report.outcome) == outcome).label(outcome) for outcome in ReportOutcome),
        func.count().filter(col(Report.outcome).is_(None)).label("waiting"),
    )
    .select_from(Report)
    .join(Case, col(Case.id) == col(Report.case_id))
    .where(col(Report.reporter_id) == _MEMBER_ID)
)
_OPEN_CASES = case_queue.OPEN_CASES.where(col(Case.subject_persona_id) == _MEMBER_ID)


async def find_member(work: Work, moderator: Viewer, typed: str) -> str:
    """Return the handle of the member that somebody typed, with an @ or without. Raises Forbidden, and Invalid when
    nobody has it.
    """
    allow(ModerationAct.SEE_RECORD, moderator)
    try:
        return (await get_member(work.session, typed.strip().removeprefix("@"))).handle
    except NotFound as error:
        raise Invalid(error.detail, "#/handle", code=error.code) from None


async def get_member_history(work: Work, moderator: Viewer, handle: str) -> MemberHistory:
    """Return all that a moderator may know of a member. Raises Forbidden, and NotFound when there is no such member."""
    allow(ModerationAct.SEE_RECORD, moderator)
    member = await get_member(work.session, handle)
    [reported] = await list_visible(work, moderator, _REPORTS, member_id=member.id)
    return MemberHistory(
        member,
        await summarise(work, moderator, member),
        (await work.session.execute(_select_sanctions(member.id, work.now))).all(),
        await list_visible(work, moderator, _MEASURES, member_id=member.id),
        await list_visible(work, moderator, _OPEN_CASES, member_id=member.id, limit=SHOWN_MAX),
        reported,
        await past_warnings.list_of(work.session, member.id),
    )


async def summarise(work: Work, viewer: Viewer, member: Member) -> MemberSummary:
    """Return what the viewer may know of a member, in short."""
    session = work.session
    written = (
        await session.execute(WRITTEN.query, {**viewer.query_parameters, "member_ids": [member.id]})
    ).one_or_none()
    gravest = (await session.execute(_select_sanctions(member.id, work.now).limit(1))).one_or_none()
    counts = await list_visible(work, viewer, _COUNTS, member_id=member.id)
    return MemberSummary(
        joined_at=member.joined_at,
        posts=written.posts if written else 0,
        standing=_standing(member, gravest),
        standing_until=gravest.until if gravest else None,
        measures={row.kind: row.times for row in counts},
    )


def _select_sanctions(member_id: UUID, now: datetime) -> Query:
    """Return a select of the sanctions in force, gravest first. They hold on every board: all moderators see them."""
    return (
        query(col(Sanction.standing), col(Sanction.since), col(Sanction.until))
        .where(col(Sanction.member_id) == member_id, is_in_force_at(now))
        .order_by(GRAVITY.desc(), col(Sanction.until).desc().nulls_first())
    )


def _standing(member: Member, gravest: Any) -> Standing:
    if member.left_at:
        return Standing.LEFT
    return Standing(gravest.standing) if gravest else Standing.ACTIVE
