"""Reports: a member says that a post may breach a rule, or worse."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Integer,
    UniqueConstraint,
    case,
    exists,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import SHOWN, Post, PostRevision
from forum.content.threads.actions import lock_posts_of_thread
from forum.core.database import Moment, Query, new_id, query
from forum.core.errors import Conflict, Invalid
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation import cases, rules
from moderation.cases import Case, Category
from moderation.measures.catalogue import has_measure_in_force

REPORTABLE = (
    Category.RULE,
    Category.PERSONAL_INFORMATION,
    Category.RISK,
    Category.ILLEGAL,
    Category.INTIMATE_IMAGE,
    Category.SPAM,
    Category.OTHER,
)
# What must be looked at even where the same words were decided on as something milder.
GRAVE = (Category.RISK, Category.INTIMATE_IMAGE, Category.ILLEGAL, Category.PERSONAL_INFORMATION)
NOTE_MAX = 2000


class Outcome(StrEnum):
    """What a reporter is told in the end: whether something was done, never what or to whom."""

    UPHELD = "upheld"
    DISMISSED = "dismissed"


class Report(SQLModel, table=True):
    """What one member said of one revision of a post."""

    __table_args__ = (
        UniqueConstraint("post_id", "revision", "reporter_id"),
        CheckConstraint(f"category IN ({', '.join(repr(str(c)) for c in REPORTABLE)})", name="category"),
        CheckConstraint("outcome IN ('upheld', 'dismissed')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name="settled"),
        CheckConstraint("category <> 'rule' OR cardinality(rules) > 0", name="rules"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", index=True)
    post_id: int = Field(sa_type=BigInteger, foreign_key="post.id")
    revision: int
    reporter_id: UUID = Field(foreign_key="member.id", index=True)
    category: str
    rules: list[int] = Field(sa_type=ARRAY(Integer))
    note: str
    filed_at: datetime = Field(sa_type=Moment)
    outcome: str | None = None
    settled_at: datetime | None = Field(default=None, sa_type=Moment)


@dataclass(frozen=True)
class Complaint:
    """What a reporter says."""

    category: Category
    revision: int
    rules: Sequence[int] = ()
    note: str = ""


# Predicates


def reported_by(post_id: int, reporter_id: Any) -> ColumnElement[bool]:
    """The condition that somebody reported this post."""
    return exists().where(col(Report.post_id) == post_id, col(Report.reporter_id) == reporter_id)


# Queries

# Where a member's own reports go on: the id of the last one.
BY_ID = TypeAdapter(tuple[UUID])

# Built once: building a select costs more than sending it.
_MINE = (
    query(
        col(Report.id),
        col(Report.post_id),
        col(Post.thread_id),
        col(Post.number),
        col(Report.revision),
        col(Report.category),
        col(Report.rules),
        col(Report.note),
        col(Report.filed_at),
        col(Report.outcome),
        col(Report.settled_at),
        col(Report.case_id),
    )
    .join(Post, col(Post.id) == col(Report.post_id))
    .order_by(col(Report.id).desc())
)


def of_post(post_id: int) -> Query:
    """The reports of a post, oldest first, with who made them: for moderators only."""
    return (
        query(
            col(Report.id),
            col(Report.revision),
            col(Report.category),
            col(Report.rules),
            col(Report.note),
            col(Report.filed_at),
            col(Report.outcome),
            col(Member.handle).label("reporter_handle"),
            col(Member.name).label("reporter_name"),
            col(Member.title).label("reporter_title"),
        )
        .join(Member, col(Member.id) == col(Report.reporter_id))
        .where(col(Report.post_id) == post_id)
        .order_by(col(Report.filed_at), col(Report.id))
    )


def mine(viewer: Viewer, before: tuple[UUID] | None, limit: int) -> Query:
    """A page of the viewer's own reports, newest first; it never says who else reported."""
    page = _MINE.where(col(Report.reporter_id) == viewer.id)
    if before:
        page = page.where(col(Report.id) < before[0])
    return page.limit(limit)


# Verbs


async def file(session: AsyncSession, reporter: Viewer, post: Post, complaint: Complaint, now: datetime) -> Report:
    """Report a post as the reporter saw it, and open its case or join it.

    A second report on the same revision is answered with the first. Raises Invalid for a rule or a revision that
    there never was, or a rule breach without a rule, and Conflict for a post that was taken away meanwhile.
    """
    # One report of a post at a time, and none while it is decided: the second of two sees what the first did.
    await lock_posts_of_thread(session, post.thread_id)
    post = await lock_post_row(session, post.id)
    if earlier := await _earlier(session, reporter, post, complaint.revision):
        return earlier
    if complaint.category == Category.RULE and not complaint.rules:
        raise Invalid("Say which rule it breaches.", "#/rules")
    if complaint.revision > post.revision:
        raise Invalid(f"This post has only {post.revision} revisions.", "#/revision")
    if post.visibility not in SHOWN:
        raise Conflict("This post was taken away already.")
    await rules.cited(session, complaint.rules)
    case_now = await _case(session, reporter, post, complaint, now)
    report = Report(
        case_id=case_now.id,
        post_id=post.id,
        revision=complaint.revision,
        reporter_id=reporter.member_id,
        category=complaint.category,
        rules=sorted(set(complaint.rules)),
        note=complaint.note,
        filed_at=now,
    )
    if case_now.state == cases.State.DECIDED:
        report.outcome, report.settled_at = await _outcome_that_stands(session, post, complaint.revision), now
    session.add(report)
    await session.flush()
    received = inbox.NotificationKind.REPORT_RECEIVED
    inbox.notify(session, reporter.member_id, received, now, post_id=post.id, subject_id=report.id)
    return report


async def settle(session: AsyncSession, settled: Case, outcome: Outcome, now: datetime) -> None:
    """Every report of the case that still waits has its outcome now, and its reporter is told that it has one."""
    waiting = select(Report).where(col(Report.case_id) == settled.id, col(Report.outcome).is_(None))
    for report in (await session.execute(waiting)).scalars().all():
        report.outcome, report.settled_at = outcome, now
        done = inbox.NotificationKind.REPORT_SETTLED
        inbox.notify(session, report.reporter_id, done, now, post_id=report.post_id, subject_id=report.id)
    await session.flush()


async def _earlier(session: AsyncSession, reporter: Viewer, post: Post, revision: int) -> Report | None:
    same = (col(Report.post_id) == post.id, col(Report.revision) == revision, col(Report.reporter_id) == reporter.id)
    return (await session.execute(select(Report).where(*same))).scalar_one_or_none()


async def _case(session: AsyncSession, reporter: Viewer, post: Post, complaint: Complaint, now: datetime) -> Case:
    """The case that this report belongs to: a decided one stays decided unless the post changed since, or this is
    worse than what it was decided as.
    """
    known = await cases.get_case_of_post(session, post.id)
    if known and known.state == cases.State.DECIDED and not _is_news(complaint, known):
        return known
    record = await _record(session, reporter)
    return await cases.open_on_post(session, post.id, complaint.category, now, reports=1, record=record)


def _is_news(complaint: Complaint, known: Case) -> bool:
    """Whether nobody has decided on these words, or not on anything as grave as this."""
    gravity, decided_as = cases.GRAVITY[complaint.category], cases.GRAVITY[Category(known.category)]
    is_graver = complaint.category in GRAVE and gravity > decided_as
    return is_graver or complaint.revision > (known.decided_revision or 0)


async def _record(session: AsyncSession, reporter: Viewer) -> int:
    """How often this member's reports were upheld, minus how often they were dismissed."""
    worth = case((col(Report.outcome) == Outcome.UPHELD, 1), (col(Report.outcome) == Outcome.DISMISSED, -1), else_=0)
    total = select(func.coalesce(func.sum(worth), 0)).where(col(Report.reporter_id) == reporter.id)
    return int((await session.execute(total)).scalar_one())


async def _outcome_that_stands(session: AsyncSession, post: Post, revision: int) -> Outcome:
    """Whether anything that was done since these words were written still stands; what an appeal undid does not."""
    this = (col(PostRevision.post_id) == post.id, col(PostRevision.number) == revision)
    written = (await session.execute(select(col(PostRevision.written_at)).where(*this))).scalar()
    stands = await has_measure_in_force(session, post.id, written or post.edited_at or post.created_at)
    return Outcome.UPHELD if stands else Outcome.DISMISSED
