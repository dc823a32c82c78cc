"""Reports: somebody says that a post may breach a rule, or worse. Of names, see `name_reports.py`; of people without
an account, `public_reports`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Index,
    Integer,
    and_,
    exists,
    false,
    func,
    or_,
    select,
    text,
)
from sqlalchemy import case as case_when
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts.context import context_of_post
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import Post, PostRevision
from forum.content.threads.changes import lock_posts_of_thread
from forum.content.threads.tables import Thread
from forum.core.database import Moment, Query, check_one_of, new_id, query
from forum.core.errors import Conflict, Invalid
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation import cases, rules
from moderation.case_priority import GRAVITY, Category
from moderation.cases import Case, CaseState, Revisions
from moderation.measures.catalogue import has_measure_in_force
from moderation.permissions import ModerationAct, allow

REPORTABLE = (
    Category.RULE,
    Category.PERSONAL_INFORMATION,
    Category.RISK,
    Category.ILLEGAL,
    Category.INTIMATE_IMAGE,
    Category.SPAM,
    Category.OTHER,
)
# What is looked at again even where the same words were decided on as something milder.
GRAVE = (Category.RISK, Category.INTIMATE_IMAGE, Category.ILLEGAL, Category.PERSONAL_INFORMATION)
NOTE_MAX = 2000


class ReportOutcome(StrEnum):
    """What a reporter is told in the end: whether something was done, but not what, nor to whom."""

    UPHELD = "upheld"
    DISMISSED = "dismissed"


class Capacity(StrEnum):
    """In what capacity somebody reports without an account: as an affected person (Online Safety Act 2023, s.20)."""

    NAMED = "named"
    PARENT_OR_CARER = "parent_or_carer"
    HELPING_AN_ADULT = "helping_an_adult"
    GROUP = "group"
    OTHER = "other"


class IllegalKind(StrEnum):
    """What kind of offence somebody sees in a post, roughly as the Online Safety Act 2023 sorts them (sch.5 to 7)."""

    TERRORISM = "terrorism"
    CHILD_ABUSE = "child_abuse"
    HATE = "hate"
    HARASSMENT = "harassment"
    COERCION = "coercion"
    SEXUAL_EXPLOITATION = "sexual_exploitation"
    SUICIDE = "suicide"
    FRAUD = "fraud"
    DRUGS_OR_WEAPONS = "drugs_or_weapons"
    OTHER = "other"


class Report(SQLModel, table=True):
    """What one person reported: one revision of a post, or a member's name and handle as they were."""

    __table_args__ = (
        # The same words again only as something graver; with a title where the post opens its thread.
        Index(
            "uq_report_of_post",
            "post_id",
            "revision",
            "title_revision",
            "reporter_id",
            "category",
            unique=True,
            postgresql_where=text("post_id IS NOT NULL AND reporter_id IS NOT NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "uq_report_of_name",
            "case_id",
            "reporter_id",
            "category",
            "reported_handle",
            "reported_name",
            unique=True,
            postgresql_where=text("post_id IS NULL"),
        ),
        CheckConstraint(
            "num_nulls(post_id, revision) IN (0, 2) AND (post_id IS NULL) = (reported_name IS NOT NULL)",
            name="subject",
        ),
        check_one_of("category", REPORTABLE),
        check_one_of("outcome", ReportOutcome),
        CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name="settled"),
        CheckConstraint("category <> 'rule' OR capacity IS NOT NULL OR cardinality(rules) > 0", name="rules"),
        check_one_of("capacity", Capacity),
        check_one_of("illegal_kind", IllegalKind),
        CheckConstraint("(reporter_id IS NULL) = (capacity IS NOT NULL)", name="reporter"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", index=True)
    post_id: int | None = Field(default=None, sa_type=BigInteger, foreign_key="post.id")
    revision: int | None = None
    title_revision: int | None = Field(default=None, description="Of the thread's title, for an opening post")
    reporter_id: UUID | None = Field(
        default=None, foreign_key="member.id", index=True, description="Null: it came without an account"
    )
    capacity: str | None = Field(default=None, description="Of somebody without an account")
    illegal_kind: str | None = Field(default=None, description="What offence they see in it, if they said")
    category: str
    rules: list[int] = Field(sa_type=ARRAY(Integer))
    note: str
    filed_at: datetime = Field(sa_type=Moment)
    outcome: str | None = None
    settled_at: datetime | None = Field(default=None, sa_type=Moment)
    on_sight: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": false()},
        description="By somebody who may decide: no report that keeps them from it",
    )
    reported_handle: str | None = Field(default=None, description="Null also once its member gave it up")
    reported_name: str | None = Field(default=None, description="A display name, where no post is reported")


@dataclass(frozen=True)
class Complaint:
    """What somebody reports: why, about which revision, under which rules."""

    category: Category
    revision: int
    rules: Sequence[int] = ()
    note: str = ""
    title_revision: int | None = None  # of an opening post; the present title where nothing else is said


@dataclass(frozen=True)
class FromOutside:
    """What somebody without an account says besides: who they are to it, and what offence they see."""

    capacity: Capacity
    illegal_kind: IllegalKind | None = None
    is_flagged: bool = False  # by a trusted flagger
    post_is_known: bool = False  # a moderator says which post is meant, and can read what was decided about it


# Queries


def reported_by(case_id: Any, reporter_id: Any) -> ColumnElement[bool]:
    """Return the condition that somebody reported a post of this case, or whatever else it is about.

    What moderators reported on sight keeps them from hearing an appeal only.
    """
    counts = or_(~col(Report.on_sight), cases.is_appeal(case_id))
    return exists().where(col(Report.reporter_id) == reporter_id, _is_about(case_id), counts).correlate_except(Report)


def _is_about(case_id: Any) -> ColumnElement[bool]:
    """Return the condition that a report is about what a case is about, also when it belongs to an earlier case."""
    name = and_(col(Report.post_id).is_(None), col(Report.case_id).in_(cases.cases_on_same_member(case_id)))
    return or_(col(Report.case_id) == case_id, col(Report.post_id).in_(cases.posts_of(case_id)), name)


# What a cursor into a member's own reports holds: the id of the last report of the page before.
BY_ID = TypeAdapter(tuple[UUID])

# What was reported, and what came of it.
_REPORTED = (
    col(Report.revision),
    col(Report.title_revision),
    col(Report.category),
    col(Report.rules),
    col(Report.note),
    col(Report.filed_at),
    col(Report.outcome),
    col(Report.reported_handle),
    col(Report.reported_name),
)

# Built once: building a select costs more than sending it.
_OWN = (
    query(
        col(Report.id),
        col(Report.post_id),
        col(Post.thread_id),
        col(Post.number),
        *_REPORTED,
        col(Report.settled_at),
        col(Report.case_id),
    )
    .outerjoin(Post, col(Post.id) == col(Report.post_id))
    .order_by(col(Report.id).desc())
)


def select_for_case(case_id: UUID) -> Query:
    """Return a select of the reports of what a case is about, oldest first, with who made them: for moderators only.

    Those of its posts, or of its member's names, are among them that belong to an earlier case.
    """
    who = (col(Report.capacity), col(Report.illegal_kind), *named_columns(Member, "reporter"))
    return (
        query(col(Report.id), col(Report.post_id), *_REPORTED, *who)
        .outerjoin(Member, col(Member.id) == col(Report.reporter_id))
        .where(_is_about(case_id))
        .order_by(col(Report.filed_at), col(Report.id))
    )


def select_by_reporter(viewer: Viewer, before: tuple[UUID] | None, limit: int) -> Query:
    """Return a select of the viewer's own reports, newest first. It never says who else reported."""
    page = _OWN.where(col(Report.reporter_id) == viewer.id)
    if before:
        page = page.where(col(Report.id) < before[0])
    return page.limit(limit)


# Actions


async def report_post(work: Work, reporter: Viewer, post_id: int, complaint: Complaint) -> Report:
    """Report a post as the reporter saw it, and open its case or join it.

    A repeat returns the first report, unless it is of something graver: that is a report of its own.

    Raises Throttled, NotFound, Forbidden, Invalid for a rule or a revision that does not exist or a rule breach
    without a rule, and Conflict for a post that was removed meanwhile, or withdrawn more than 30 days ago.
    """
    await work.count_try("report", "reports", reporter.id)
    context = await context_of_post(work, reporter, post_id, NO_WORDS)
    is_risk = complaint.category == Category.RISK
    allow(ModerationAct.REPORT_RISK if is_risk else ModerationAct.REPORT_POST, reporter, context)
    return await save_report(work, reporter, context.post, complaint)


async def save_report(work: Work, reporter: Viewer, post: Post, complaint: Complaint) -> Report:
    """Record what a member, who may, reports about a post. Raises Invalid and Conflict as `report_post` does."""
    post, thread = await _lock(work.session, post)
    title_revision = (complaint.title_revision or thread.title_revision) if post.number == 1 else None
    complaint = replace(complaint, title_revision=title_revision)
    if earlier := await _earlier_report(work.session, reporter, post, complaint):
        return earlier
    await _refuse_wrong_complaint(work.session, post, thread, complaint, work.now)
    case = await _open_or_join_case(work.session, reporter, post, complaint, work.now)
    report = Report(
        case_id=case.id,
        post_id=post.id,
        revision=complaint.revision,
        title_revision=complaint.title_revision,
        reporter_id=reporter.member_id,
        category=complaint.category,
        rules=sorted(set(complaint.rules)),
        note=complaint.note,
        filed_at=work.now,
    )
    await _add(work.session, report, case, post, work.now)
    await confirm_receipt(work, report)
    return report


async def save_report_from_outside(
    session: AsyncSession, post: Post, complaint: Complaint, outside: FromOutside, now: datetime
) -> Report | None:
    """Record what somebody without an account reports about a post as it is now; None where it is gone by now.

    None also where the post was decided already and nobody says that it is meant: an outcome at once would tell
    whoever asks that it was decided, and nobody would have looked at what they say.
    """
    post, thread = await _lock(session, post)
    if not post.can_be_reported(now):
        return None
    complaint = replace(
        complaint, revision=post.revision, title_revision=thread.title_revision if post.number == 1 else None
    )
    if not outside.post_is_known and await _find_decided_case(session, post, complaint):
        return None
    case = await _open_or_join_case(session, None, post, complaint, now, is_flagged=outside.is_flagged)
    report = Report(
        case_id=case.id,
        post_id=post.id,
        revision=complaint.revision,
        title_revision=complaint.title_revision,
        capacity=outside.capacity,
        illegal_kind=outside.illegal_kind,
        category=complaint.category,
        rules=[],
        note=complaint.note,
        filed_at=now,
    )
    await _add(session, report, case, post, now)
    return report


async def _lock(session: AsyncSession, post: Post) -> tuple[Post, Thread]:
    """Return a post and its thread, locked.

    One report of a post at a time, and none while it is decided: the second of two sees what the first did.
    """
    await lock_posts_of_thread(session, post.thread_id)
    post = await lock_post_row(session, post.id)
    return post, await session.get_one(Thread, post.thread_id, populate_existing=True)


async def _add(session: AsyncSession, report: Report, case: Case, post: Post, now: datetime) -> None:
    """Add a report; of what was decided already, with the outcome that stands."""
    if case.state == CaseState.DECIDED:
        outcome = await _standing_outcome(session, case, post, report.revision or post.revision)
        report.outcome, report.settled_at = outcome, now
    session.add(report)
    await session.flush()


async def confirm_receipt(work: Work, report: Report) -> None:
    """Tell the reporter that their report arrived."""
    await _tell(work, report, inbox.NotificationKind.REPORT_RECEIVED)


async def _tell(work: Work, report: Report, kind: inbox.NotificationKind) -> None:
    """Tell whoever reported; those without an account are told by `public_reports`."""
    if report.reporter_id:
        await inbox.notify(
            work.session, report.reporter_id, kind, work.now, post_id=report.post_id, subject_id=report.id
        )


async def settle(work: Work, case: Case, outcome: ReportOutcome) -> None:
    """Give every report of the case that still waits its outcome, and tell each reporter that there is one."""
    waiting = select(Report).where(col(Report.case_id) == case.id, col(Report.outcome).is_(None))
    for report in (await work.session.execute(waiting)).scalars().all():
        report.outcome, report.settled_at = outcome, work.now
        await _tell(work, report, inbox.NotificationKind.REPORT_SETTLED)
    await work.session.flush()


async def _earlier_report(session: AsyncSession, reporter: Viewer, post: Post, complaint: Complaint) -> Report | None:
    """Return the reporter's report of the same words, of the same or something graver; None where this is graver."""
    same = select(Report).where(
        col(Report.post_id) == post.id,
        col(Report.revision) == complaint.revision,
        col(Report.title_revision).is_not_distinct_from(complaint.title_revision),
        col(Report.reporter_id) == reporter.id,
    )
    filed = (await session.execute(same.order_by(col(Report.id)))).scalars().all()
    return find_as_grave(filed, complaint.category)


def find_as_grave(filed: Sequence[Report], category: Category) -> Report | None:
    """Return which of these reports is of this category, or else of something graver, if one is."""
    gravity = GRAVITY[category][0]
    as_grave = [report for report in filed if GRAVITY[Category(report.category)][0] >= gravity]
    return next((report for report in as_grave if report.category == category), None) or next(iter(as_grave), None)


async def refuse_wrong_rules(session: AsyncSession, category: Category, cited: Sequence[int]) -> None:
    """Return when these rules can be cited. Raises Invalid otherwise, and for a rule breach without a rule."""
    if category == Category.RULE and not cited:
        raise Invalid("Say which rule it breaches.", "#/rules", code="rule_missing")
    await rules.get_cited_rules(session, cited)


async def _refuse_wrong_complaint(
    session: AsyncSession, post: Post, thread: Thread, complaint: Complaint, now: datetime
) -> None:
    await refuse_wrong_rules(session, complaint.category, complaint.rules)
    if complaint.revision > post.revision:
        detail = f"This post has only {post.revision} revisions."
        raise Invalid(detail, "#/revision", code="revision_not_found")
    if (complaint.title_revision or 0) > thread.title_revision:
        detail = f"The title of this thread has only {thread.title_revision} revisions."
        raise Invalid(detail, "#/title_revision", code="revision_not_found")
    if not post.can_be_reported(now):
        raise Conflict("This post is no longer there: it was removed or withdrawn.", code=f"post_{post.visibility}")


async def _open_or_join_case(
    session: AsyncSession,
    reporter: Viewer | None,
    post: Post,
    complaint: Complaint,
    now: datetime,
    *,
    is_flagged: bool = False,
) -> Case:
    """Return the case that this report belongs to; no reporter is somebody without an account."""
    if case := await _find_decided_case(session, post, complaint):
        return case
    score, reporters = 0, 1
    if reporter:
        score = await get_reporter_score(session, reporter)
        # Members count, not reports: one who says that it is graver is counted already.
        reporters = 0 if await _is_waiting(session, reporter, post) else 1
        is_flagged = Role.TRUSTED_FLAGGER in reporter.roles
    return await cases.open_on_post(
        session,
        post.id,
        complaint.category,
        now,
        reports=reporters,
        reporter_score=score,
        is_flagged=is_flagged,
    )


async def _find_decided_case(session: AsyncSession, post: Post, complaint: Complaint) -> Case | None:
    """Return the case of a post that stays decided: the post did not change since, and this is nothing graver."""
    case = await cases.get_case_of_post(session, post.id)
    if case is None or case.state != CaseState.DECIDED:
        return None
    decided = await cases.get_decided_revisions(session, case.id, post.id)
    return None if _needs_a_decision(complaint, case, decided) else case


async def _is_waiting(session: AsyncSession, reporter: Viewer, post: Post) -> bool:
    """Whether a report of this post by the same member waits to be decided."""
    own = exists().where(
        col(Report.post_id) == post.id, col(Report.reporter_id) == reporter.id, col(Report.outcome).is_(None)
    )
    return bool((await session.execute(select(own))).scalar_one())


def _needs_a_decision(complaint: Complaint, decided: Case, revisions: Revisions) -> bool:
    """Whether nobody has decided on these words or this title yet, but on `revisions`; or on nothing as grave."""
    # What was decided before titles had revisions was decided on the first.
    is_new_title = (complaint.title_revision or 0) > (revisions.title or 1)
    is_new = is_new_title or complaint.revision > (revisions.post or 0)
    return is_new or is_graver(complaint.category, Category(decided.category))


def is_graver(category: Category, decided: Category) -> bool:
    """Whether this is so much graver than what was decided that somebody looks again at the same words."""
    return category in GRAVE and GRAVITY[category] > GRAVITY[decided]


async def get_reporter_score(session: AsyncSession, reporter: Viewer) -> int:
    """Return how often this member's reports were upheld, minus how often they were dismissed."""
    points = case_when(
        (col(Report.outcome) == ReportOutcome.UPHELD, 1), (col(Report.outcome) == ReportOutcome.DISMISSED, -1), else_=0
    )
    total = select(func.coalesce(func.sum(points), 0)).where(col(Report.reporter_id) == reporter.id)
    return int((await session.execute(total)).scalar_one())


async def _standing_outcome(session: AsyncSession, case: Case, post: Post, revision: int) -> ReportOutcome:
    """Return whether any measure since these words were written is in force; what an appeal undid is not."""
    this = (col(PostRevision.post_id) == post.id, col(PostRevision.number) == revision)
    written_at = (await session.execute(select(col(PostRevision.written_at)).where(*this))).scalar()
    since = written_at or post.edited_at or post.created_at
    in_force = await has_measure_in_force(session, case.id, post.id, since)
    return ReportOutcome.UPHELD if in_force else ReportOutcome.DISMISSED
