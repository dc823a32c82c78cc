"""Records: what moderators know of a member, each of what concerns their own boards."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board
from forum.content.posts.queries import WRITTEN
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core.database import Query, query
from forum.members.standing import GRAVITY, is_in_force_at
from forum.members.tables import Member, Sanction, Standing
from forum.members.viewer import Viewer
from moderation import cases
from moderation.cases import Case
from moderation.decisions import Decision, DecisionRule
from moderation.measures.catalogue import MEASURES
from moderation.measures.tables import AppliedMeasure
from moderation.reports import Outcome, Report
from moderation.statements import Statement

MOST = 100  # of each kind on one screen: the newest measures, the worst cases
AGAINST = [kind for kind, measure in MEASURES.items() if measure.tells]


@dataclass(frozen=True)
class MemberRecord:
    """What is known of a member, in short."""

    joined_at: datetime
    posts: int
    standing: Standing
    standing_until: datetime | None
    measures: dict[str, int]


# Queries


def _on_its_board(of_cases: Query) -> Query:
    """The same, joined with the board on which each case's post stands."""
    return (
        of_cases.join(Post, col(Post.id) == col(Case.post_id))
        .join(Thread, col(Thread.id) == col(Post.thread_id))
        .join(Board, col(Board.id) == col(Thread.board_id))
    )


# Built once: building a select costs more than sending it.
_CITED = (
    select(func.array_agg(aggregate_order_by(col(DecisionRule.number), col(DecisionRule.number))))
    .where(col(DecisionRule.decision_id) == col(Decision.id))
    .scalar_subquery()
)
_MEASURES = _on_its_board(
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
        col(Member.handle).label("decider_handle"),
        col(Member.name).label("decider_name"),
        col(Member.title).label("decider_title"),
    )
    .join(Decision, col(Decision.id) == col(AppliedMeasure.decision_id))
    .join(Member, col(Member.id) == col(Decision.decided_by))
    .outerjoin(Statement, col(Statement.decision_id) == col(Decision.id))
    .join(Case, col(Case.id) == col(Decision.case_id))
    .order_by(col(AppliedMeasure.id).desc())
)
_COUNTS = _on_its_board(
    query(col(AppliedMeasure.kind), func.count().label("times"))
    .join(Decision, col(Decision.id) == col(AppliedMeasure.decision_id))
    .join(Case, col(Case.id) == col(Decision.case_id))
    .where(col(AppliedMeasure.undone_at).is_(None))
    .group_by(col(AppliedMeasure.kind))
)
_REPORTS = _on_its_board(
    query(
        *(func.count().filter(col(Report.outcome) == outcome).label(outcome) for outcome in Outcome),
        func.count().filter(col(Report.outcome).is_(None)).label("waiting"),
    )
    .select_from(Report)
    .join(Case, col(Case.id) == col(Report.case_id))
)


def measures(viewer: Viewer, member_id: UUID) -> Query:
    """What was decided against a member on the viewer's boards, newest first, undone or not."""
    return _MEASURES.where(*_against(member_id), cases.visible_to(viewer)).limit(MOST)


def open_cases(viewer: Viewer, member_id: UUID, now: datetime) -> Query:
    """The open cases about a member's posts that exist for the viewer, worst first."""
    return cases.select_queue(viewer, now, None, MOST).where(col(Post.author_id) == member_id)


def reports(viewer: Viewer, member_id: UUID) -> Query:
    """How many of a member's reports were upheld, were dismissed, or wait.

    Those about the viewer's own posts are left out: nobody learns who reported themselves.
    """
    others = col(Post.author_id) != viewer.id
    return _REPORTS.where(col(Report.reporter_id) == member_id, others, cases.visible_to(viewer))


def sanctions(member_id: UUID, now: datetime) -> Query:
    """What holds a member's standing down now, gravest first: it holds on every board, so every moderator knows."""
    return (
        query(col(Sanction.standing), col(Sanction.since), col(Sanction.until))
        .where(col(Sanction.member_id) == member_id, is_in_force_at(now))
        .order_by(GRAVITY.desc(), col(Sanction.until).desc().nulls_first())
    )


async def of_member(session: AsyncSession, viewer: Viewer, member: Member, now: datetime) -> MemberRecord:
    """What the viewer may know of a member, in short."""
    values = {**viewer.sight, "member_ids": [member.id]}
    written = (await session.execute(WRITTEN.query, values)).one_or_none()
    gravest = (await session.execute(sanctions(member.id, now).limit(1))).one_or_none()
    counts = await session.execute(_COUNTS.where(*_against(member.id), cases.visible_to(viewer)))
    return MemberRecord(
        joined_at=member.joined_at,
        posts=written.posts if written else 0,
        standing=_standing(member, gravest),
        standing_until=gravest.until if gravest else None,
        measures={row.kind: row.times for row in counts.all()},
    )


def _standing(member: Member, gravest: Any) -> Standing:
    if member.left_at:
        return Standing.LEFT
    return Standing(gravest.standing) if gravest else Standing.ACTIVE


def _against(member_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return col(AppliedMeasure.member_id) == member_id, col(AppliedMeasure.kind).in_(AGAINST)
