"""Appeals: somebody else looks at a decision again, and may undo all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts.tables import Post
from forum.core import audit
from forum.core.database import Moment, new_id
from forum.core.errors import Conflict, Forbidden, Invalid, NotFound
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation import cases, decisions, reports, rules
from moderation.cases import GRAVITY, Case, Category
from moderation.decisions import Decided, Decision, DecisionInput, DecisionPolicy
from moderation.measures.catalogue import refuse_impossible_measures, undo_measure
from moderation.measures.tables import AppliedMeasure, MeasureInput
from moderation.reports import Report
from moderation.statements import Statement

TEXT_MAX = 5000


class Outcome(StrEnum):
    """What can come of an appeal."""

    UPHOLD = "uphold"
    CHANGE = "change"
    OVERTURN = "overturn"


@dataclass(frozen=True)
class Hearing:
    """What the permission to hear an appeal is asked about."""

    board_id: int
    hearers: str


class Appeal(SQLModel, table=True):
    """Why somebody thinks that a decision was wrong: its author's, or the reporter's of a dismissal."""

    __table_args__ = (
        UniqueConstraint("statement_id"),
        UniqueConstraint("report_id"),
        UniqueConstraint("case_id"),
        CheckConstraint("num_nonnulls(statement_id, report_id) = 1", name="subject"),
        CheckConstraint("outcome IN ('uphold', 'change', 'overturn')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (heard_at IS NULL)", name="heard"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    statement_id: UUID | None = Field(default=None, foreign_key="statement.id")
    report_id: UUID | None = Field(default=None, foreign_key="report.id")
    decision_id: UUID = Field(foreign_key="decision.id", description="The decision that is to be heard again")
    case_id: UUID = Field(foreign_key="moderation_case.id")
    appellant_id: UUID = Field(foreign_key="member.id")
    text: str
    lodged_at: datetime = Field(sa_type=Moment)
    outcome: str | None = None
    message: str | None = Field(default=None, description="Told to the appellant")
    heard_at: datetime | None = Field(default=None, sa_type=Moment)


# Queries


async def of_statement(session: AsyncSession, statement_id: UUID) -> Appeal | None:
    """The appeal against a statement, if there is one."""
    found = await session.execute(select(Appeal).where(col(Appeal.statement_id) == statement_id))
    return found.scalar_one_or_none()


async def of_reports(session: AsyncSession, report_ids: Sequence[UUID]) -> dict[UUID | None, Appeal]:
    """The appeals against the dismissal of these reports, by report."""
    found = await session.execute(select(Appeal).where(col(Appeal.report_id).in_(report_ids)))
    return {appeal.report_id: appeal for appeal in found.scalars()}


async def of_case(session: AsyncSession, case_id: UUID) -> Appeal:
    """The appeal that a case of the kind `appeal` is about."""
    return (await session.execute(select(Appeal).where(col(Appeal.case_id) == case_id))).scalar_one()


async def appeal_deciders(session: AsyncSession, appeal: Appeal) -> str:
    """Who can hear an appeal now: "moderator", "administrator" where there is no other moderator, or "nobody"."""
    decision = await session.get_one(Decision, appeal.decision_id)
    return await decisions.remaining_deciders(session, appeal.case_id, {decision.decided_by, appeal.appellant_id})


# Verbs


async def submit(session: AsyncSession, author: Viewer, statement_id: UUID, words: str, now: datetime) -> Appeal:
    """Appeal against a decision about one's own words or standing.

    Raises NotFound for a statement to somebody else, Conflict when it was appealed already or the time is over.
    """
    # Held until the commit: of two appeals at once, the second sees the first.
    statement = await session.get(Statement, statement_id, with_for_update={"key_share": True})
    if statement is None or statement.member_id != author.id:
        raise NotFound("There is no such statement.")
    if now > statement.appeal_until:
        raise Conflict(f"The time to appeal ended on {statement.appeal_until:%d %B %Y}.")
    if await of_statement(session, statement_id):
        raise Conflict("You have appealed against this already. There is one appeal to each statement.")
    return await _open(session, author, statement.decision_id, words, now, statement_id=statement_id)


async def submit_for_report(
    session: AsyncSession, reporter: Viewer, report_id: UUID, words: str, now: datetime
) -> Appeal:
    """Appeal against the dismissal of one's own report; NotFound for another's, Conflict unless it was dismissed."""
    report = await session.get(Report, report_id, with_for_update={"key_share": True})
    if report is None or report.reporter_id != reporter.id:
        raise NotFound("There is no such report.")
    if report.outcome != reports.Outcome.DISMISSED:
        raise Conflict("Only the dismissal of a report can be appealed.")
    if (await session.execute(select(exists().where(col(Appeal.report_id) == report_id)))).scalar_one():
        raise Conflict("You have appealed against this already.")
    # The one that settled it, or the hearing that undid that one: the case may have been decided again since.
    hearings = select(col(AppliedMeasure.undone_by)).where(col(AppliedMeasure.post_id) == report.post_id)
    about = or_(col(Decision.case_id) == report.case_id, col(Decision.id).in_(hearings))
    latest = (
        select(col(Decision.id))
        .where(about, col(Decision.decided_at) <= report.settled_at)
        .order_by(col(Decision.decided_at).desc())
        .limit(1)
    )
    decision_id = (await session.execute(latest)).scalar_one()
    return await _open(session, reporter, decision_id, words, now, report_id=report_id)


async def refuse_own_interest(
    session: AsyncSession, hearer: Viewer, appeal: Appeal, post: Post, measures: tuple[MeasureInput, ...]
) -> None:
    """Raise Forbidden for one's own decision or appeal, and where one could not decide about the post."""
    original = await session.get_one(Decision, appeal.decision_id)
    if hearer.id in {original.decided_by, appeal.appellant_id}:
        raise Forbidden("This is about your own decision or appeal: somebody else hears it.")
    await decisions.refuse_own_interest(session, hearer, post, measures)


async def decide_appeal(
    session: AsyncSession,
    hearer: Viewer,
    case_id: UUID,
    verdict: DecisionInput,
    outcome: Outcome,
    policy: DecisionPolicy,
    now: datetime,
) -> Decided:
    """Decide an appeal: uphold the decision, overturn it and undo all that it did, or change it for `verdict.measures`.

    Raises as `decisions.decide` does, and Forbidden for the one whose decision it is about.
    """
    post, case = await decisions.lock_case_and_post(session, case_id)
    appeal = await of_case(session, case_id)
    original = await session.get_one(Decision, appeal.decision_id)
    await refuse_own_interest(session, hearer, appeal, post, verdict.measures)
    await cases.refuse_unless_free(session, hearer, case, now)
    await decisions.refuse_stale(session, case, post, verdict)
    if bool(verdict.measures) != (outcome == Outcome.CHANGE):
        raise Invalid("Only `change` takes other measures, and at least one.", "#/measures")
    if verdict.measures:
        refuse_impossible_measures(verdict.measures, now, grounded=verdict.is_grounded)
    cited = await rules.cited(session, verdict.rules)

    decision = await decisions.save_decision(session, hearer, case, post, verdict, cited, now, hears=original)
    if outcome != Outcome.UPHOLD:
        await _undo(session, hearer, post, original, decision, policy, now)
        await _settle_anew(session, appeal, outcome, post, original, now)
    statement = None
    if outcome == Outcome.CHANGE:
        about = await cases.get_case_of_post(session, post.id) or case
        statement = await decisions.enforce(session, hearer, about, post, decision, verdict, cited, policy, now)

    appeal.outcome, appeal.message, appeal.heard_at = outcome, verdict.reason, now
    await cases.close(session, hearer, case, post.revision, now)
    inbox.notify(
        session, appeal.appellant_id, inbox.NotificationKind.APPEAL_HEARD, now, post_id=post.id, subject_id=appeal.id
    )
    await audit.record(
        session,
        actor_id=hearer.id,
        act="appeal.heard",
        subject=("case", case.id),
        now=now,
        details={"decision": str(decision.id), "hears": str(original.id), "outcome": outcome},
    )
    return Decided(decision, statement, post.author_id)


async def _open(
    session: AsyncSession,
    appellant: Viewer,
    decision_id: UUID,
    words: str,
    now: datetime,
    *,
    statement_id: UUID | None = None,
    report_id: UUID | None = None,
) -> Appeal:
    decided = await session.get_one(Decision, decision_id)
    about = await session.get_one(Case, decided.case_id)
    case = Case(
        kind=cases.Kind.APPEAL,
        post_id=about.post_id,
        category=Category.APPEAL,
        priority=cases.priority(Category.APPEAL, 0),
        opened_at=now,
        due_at=now + GRAVITY[Category.APPEAL][1],
        changed_at=now,
    )
    session.add(case)
    await session.flush()
    appeal = Appeal(
        case_id=case.id,
        decision_id=decision_id,
        appellant_id=appellant.member_id,
        text=words,
        lodged_at=now,
        statement_id=statement_id,
        report_id=report_id,
    )
    session.add(appeal)
    await session.flush()
    await audit.record(session, actor_id=appellant.id, act="appeal.lodged", subject=("case", case.id), now=now)
    return appeal


async def _undo(
    session: AsyncSession,
    hearer: Viewer,
    post: Post,
    original: Decision,
    decision: Decision,
    policy: DecisionPolicy,
    now: datetime,
) -> None:
    """Undo every measure of the original decision that still stands, the last one first."""
    standing = (
        select(AppliedMeasure)
        .where(col(AppliedMeasure.decision_id) == original.id, col(AppliedMeasure.undone_at).is_(None))
        .order_by(col(AppliedMeasure.id).desc())
    )
    context = decisions.measure_context(hearer, post, (), policy, now)
    for applied in (await session.execute(standing)).scalars().all():
        await undo_measure(session, decision.id, context, applied)


async def _settle_anew(
    session: AsyncSession, appeal: Appeal, outcome: Outcome, post: Post, original: Decision, now: datetime
) -> None:
    """A report that should not have been dismissed is upheld by other measures, or opens its case again.

    Whoever dismissed it does not decide it a second time: their mind is known.
    """
    if appeal.report_id is None:
        return
    report = await session.get_one(Report, appeal.report_id)
    if outcome == Outcome.CHANGE:
        report.outcome, report.settled_at = reports.Outcome.UPHELD, now
        return
    report.outcome, report.settled_at = None, None
    reopened = await cases.open_on_post(session, post.id, Category(report.category), now, reports=1)
    reopened.barred_id = original.decided_by
    await session.flush()
