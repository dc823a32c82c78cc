"""Appeals: somebody else looks at a decision again, and may undo all of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, check_one_of, new_id
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation import case_deciders, cases, decisions
from moderation.case_priority import GRAVITY, Category, priority
from moderation.cases import Case, CaseKind
from moderation.decisions import AppealOutcome, Decided, Decision, DecisionInput, Ruling
from moderation.measures import renamings
from moderation.measures.catalogue import (
    refuse_impossible_measures,
    refuse_misplaced_measures,
    undo_measure,
)
from moderation.measures.member_measures import HANDLE_KEPT
from moderation.measures.tables import AppliedMeasure, MeasureContext
from moderation.permissions import refuse
from moderation.reports import Report, ReportOutcome
from moderation.rules import get_cited_rules
from moderation.statements import Statement

TEXT_MAX = 5000
# Told to the appellant below what whoever decided says.
HANDLE_NOT_BACK = (
    "From the forum: your earlier handle cannot be given back, because it looks like somebody else's by now. You can "
    "choose another at any time."
)


class Appeal(SQLModel, table=True):
    """An appeal: of an author against a statement, or of a reporter against the dismissal of their report."""

    __table_args__ = (
        UniqueConstraint("statement_id"),
        UniqueConstraint("report_id"),
        UniqueConstraint("case_id"),
        CheckConstraint("num_nonnulls(statement_id, report_id) = 1", name="subject"),
        check_one_of("outcome", AppealOutcome),
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


@dataclass(frozen=True)
class AppealSubject:
    """What an appeal is against: a decision, through the statement or the report that told of it."""

    decision_id: UUID
    statement_id: UUID | None = None
    report_id: UUID | None = None


@dataclass(frozen=True)
class AppealState:
    """An appeal, and who can decide it now, as `case_deciders.who_decides` says; None once it is decided."""

    appeal: Appeal
    deciders: str | None


# Queries


async def get_for_statement(session: AsyncSession, statement_id: UUID) -> Appeal | None:
    """Return the appeal against a statement, if there is one."""
    found = await session.execute(select(Appeal).where(col(Appeal.statement_id) == statement_id))
    return found.scalar_one_or_none()


async def get_for_reports(session: AsyncSession, report_ids: Sequence[UUID]) -> dict[UUID | None, Appeal]:
    """Return the appeals against the dismissal of these reports, by report."""
    found = await session.execute(select(Appeal).where(col(Appeal.report_id).in_(report_ids)))
    return {appeal.report_id: appeal for appeal in found.scalars()}


async def get_for_case(session: AsyncSession, case_id: UUID) -> Appeal:
    """Return the appeal that a case of the kind `appeal` is about."""
    return (await session.execute(select(Appeal).where(col(Appeal.case_id) == case_id))).scalar_one()


async def state_of_appeal(work: Work, appeal: Appeal) -> AppealState:
    """Return an appeal as whoever appealed sees it."""
    waits = appeal.outcome is None
    return AppealState(appeal, await case_deciders.who_decides(work, appeal.case_id) if waits else None)


async def get_own_appeal(work: Work, viewer: Viewer, appeal_id: UUID) -> Appeal:
    """Return one of the viewer's own appeals. Raises NotFound for any other."""
    appeal = await work.session.get(Appeal, appeal_id)
    if appeal is None or appeal.appellant_id != viewer.id:
        raise NotFound("There is no such appeal.", code="appeal_not_found")
    return appeal


# Actions


async def submit(
    work: Work, author: Viewer, statement_id: UUID, words: str, *, repeat: Repeat | None = None
) -> AppealState:
    """Appeal against a decision about one's own words or standing. A `repeat` returns the appeal that it made.

    Raises NotFound for a statement to somebody else, Conflict when it was appealed already or the time is over, and
    what `Repeat.earlier` raises.
    """
    if repeat and (earlier := await repeat.earlier(work)):
        return await _get_state(work, earlier)
    # Locked until the commit: of two appeals at once, the second sees the first.
    statement = await work.session.get(Statement, statement_id, with_for_update={"key_share": True})
    if statement is None or statement.member_id != author.id:
        raise NotFound("There is no such statement.", code="statement_not_found")
    if work.now > statement.appeal_until:
        detail = f"The time to appeal ended on {statement.appeal_until:%d %B %Y}."
        raise Conflict(detail, code="appeal_time_over")
    if await get_for_statement(work.session, statement_id):
        detail = "You have appealed against this already. There is one appeal to each statement."
        raise Conflict(detail, code="already_appealed")
    subject = AppealSubject(statement.decision_id, statement_id=statement_id)
    return await _open(work, author, subject, words, repeat)


async def submit_for_report(
    work: Work, reporter: Viewer, report_id: UUID, words: str, *, repeat: Repeat | None = None
) -> AppealState:
    """Appeal against the dismissal of one's own report. A `repeat` returns the appeal that it made.

    Raises NotFound for another's report, Conflict unless it was dismissed and not appealed yet, and what
    `Repeat.earlier` raises.
    """
    if repeat and (earlier := await repeat.earlier(work)):
        return await _get_state(work, earlier)
    report = await work.session.get(Report, report_id, with_for_update={"key_share": True})
    if report is None or report.reporter_id != reporter.id:
        raise NotFound("There is no such report.", code="report_not_found")
    if report.outcome != ReportOutcome.DISMISSED:
        raise Conflict("You can appeal only when your report was dismissed.", code="report_not_dismissed")
    if (await work.session.execute(select(exists().where(col(Appeal.report_id) == report_id)))).scalar_one():
        raise Conflict("You have appealed against this already.", code="already_appealed")
    decision_id = await _dismissal_of(work.session, report)
    return await _open(work, reporter, AppealSubject(decision_id, report_id=report_id), words, repeat)


async def decide_appeal(work: Work, decider: Viewer, case_id: UUID, wanted: DecisionInput) -> Decided:
    """Decide an appeal, which the decider may work on (`case_actions.decide` asks that first).

    To uphold leaves the decision as it is, to overturn undoes all that it did, and to change does so and takes
    `wanted.measures` instead. Raises as `decisions.decide` does, and Forbidden for whoever decided or appealed.
    """
    outcome = _single_outcome(wanted)
    session = work.session
    renames = wanted.renames or await _is_about_names(session, case_id)
    locked = await decisions.lock_case_and_posts(session, case_id, and_member=renames)
    appeal = await get_for_case(session, case_id)
    original = await session.get_one(Decision, appeal.decision_id)
    refuse(await case_deciders.why_not_decide(work, decider, case_id, sanctions=wanted.acts_on_author))
    await cases.refuse_unless_free(work, decider, locked.case)
    await decisions.refuse_stale(session, locked, wanted)
    _refuse_wrong_measures(work, wanted, outcome, len(locked.posts))
    rules = await get_cited_rules(session, wanted.rules)

    ruling = await decisions.save_decision(work, decider, locked, wanted, rules, hears=original)
    appeal.outcome, appeal.message, appeal.heard_at = outcome, wanted.reason, work.now
    statement = await _carry_out(work, decider, appeal, outcome, ruling)

    await cases.close(work, decider, locked.case, ruling.decision.revision)
    heard = inbox.NotificationKind.APPEAL_HEARD
    await inbox.notify(session, appeal.appellant_id, heard, work.now, post_id=locked.case.post_id, subject_id=appeal.id)
    await audit.record(
        session,
        actor_id=decider.id,
        act="appeal.heard",
        subject=("case", case_id),
        now=work.now,
        details={"decision": str(ruling.decision.id), "hears": str(original.id), "outcome": outcome},
    )
    work.forget_sessions_of(locked.member_id)
    return Decided(ruling.decision, statement)


async def _is_about_names(session: AsyncSession, case_id: UUID) -> bool:
    """Return whether the decision that is appealed took a name: to undo it gives one back."""
    decision_ids = select(col(Appeal.decision_id)).where(col(Appeal.case_id) == case_id)
    return bool(await renamings.list_of(session, (await session.execute(decision_ids)).scalars().all()))


async def _dismissal_of(session: AsyncSession, report: Report) -> UUID:
    """Return the decision that dismissed a report.

    It is the one that settled the report, or the decision of an appeal that undid that one: the case may have been
    decided again since.
    """
    undone = col(AppliedMeasure.post_id) == report.post_id
    if report.post_id is None:
        own_decisions = select(col(Decision.id)).where(col(Decision.case_id) == report.case_id)
        undone = col(AppliedMeasure.decision_id).in_(own_decisions)
    appeal_decisions = select(col(AppliedMeasure.undone_by)).where(undone)
    about = or_(col(Decision.case_id) == report.case_id, col(Decision.id).in_(appeal_decisions))
    latest = (
        select(col(Decision.id))
        .where(about, col(Decision.decided_at) <= report.settled_at)
        .order_by(col(Decision.decided_at).desc())
        .limit(1)
    )
    return (await session.execute(latest)).scalar_one()


async def _get_state(work: Work, appeal_id: str) -> AppealState:
    return await state_of_appeal(work, await work.session.get_one(Appeal, UUID(appeal_id)))


async def _open(
    work: Work, appellant: Viewer, subject: AppealSubject, words: str, repeat: Repeat | None
) -> AppealState:
    """Save an appeal with a case of its own, which somebody else decides."""
    session, now = work.session, work.now
    decision = await session.get_one(Decision, subject.decision_id)
    about = await session.get_one(Case, decision.case_id)
    case = Case(
        kind=CaseKind.APPEAL,
        post_id=about.post_id,
        subject_persona_id=about.subject_persona_id,
        category=Category.APPEAL,
        priority=priority(Category.APPEAL, 0),
        opened_at=now,
        due_at=now + GRAVITY[Category.APPEAL][1],
        changed_at=now,
        # Of what the old board decided, its case knows who that was, where they came too.
        barred_id=decision.decided_by or about.barred_id,
    )
    session.add(case)
    await session.flush()
    await cases.hold_posts(session, case, cases.posts_of(about.id))
    appeal = Appeal(
        **asdict(subject),
        case_id=case.id,
        appellant_id=appellant.member_id,
        text=words,
        lodged_at=now,
    )
    session.add(appeal)
    await session.flush()
    await cases.enqueue_alert(session, case.id)
    if repeat:
        await repeat.keep(work, appeal.id)
    await audit.record(session, actor_id=appellant.id, act="appeal.lodged", subject=("case", case.id), now=now)
    return await state_of_appeal(work, appeal)


def _single_outcome(wanted: DecisionInput) -> AppealOutcome:
    if len(wanted.outcomes) != 1:
        detail = "An appeal is decided with one of `uphold`, `change` and `overturn`."
        raise Invalid(detail, "#/measures", code="appeal_outcome_missing")
    return wanted.outcomes[0]


def _refuse_wrong_measures(work: Work, wanted: DecisionInput, outcome: AppealOutcome, posts: int) -> None:
    if bool(wanted.measures) != (outcome == AppealOutcome.CHANGE):
        detail = "`change` needs at least one other measure; `uphold` and `overturn` take none."
        raise Invalid(detail, "#/measures", code="appeal_measures_wrong")
    if wanted.measures:
        refuse_impossible_measures(wanted.measures, work.now, grounded=wanted.is_grounded)
        refuse_misplaced_measures(wanted.measures, posts)


async def _carry_out(
    work: Work, decider: Viewer, appeal: Appeal, outcome: AppealOutcome, ruling: Ruling
) -> Statement | None:
    if outcome == AppealOutcome.UPHOLD:
        return None
    if await _undo_all(work, decider, appeal, ruling):
        appeal.message = f"{ruling.input.reason}\n\n{HANDLE_NOT_BACK}"
    await _settle_again(work, appeal, outcome)
    if outcome == AppealOutcome.OVERTURN:
        return None
    case = await _case_of_appealed(work.session, appeal)
    return await decisions.enforce(work, decider, replace(ruling, locked=ruling.locked._replace(case=case)))


async def _case_of_appealed(session: AsyncSession, appeal: Appeal) -> Case:
    """Return the case that an appeal comes from: where its decision was taken on an appeal too, that one's."""
    decision = await session.get_one(Decision, appeal.decision_id)
    case = await session.get_one(Case, decision.case_id)
    if case.kind != CaseKind.APPEAL:
        return case
    return await _case_of_appealed(session, await get_for_case(session, case.id))


async def _undo_all(work: Work, decider: Viewer, appeal: Appeal, ruling: Ruling) -> bool:
    """Undo every measure of the original decision that is in force, the last one first.

    Return whether a handle that was taken could not be given back.
    """
    in_force = (
        select(AppliedMeasure)
        .where(col(AppliedMeasure.decision_id) == appeal.decision_id, col(AppliedMeasure.undone_at).is_(None))
        .order_by(col(AppliedMeasure.id).desc())
    )
    posts = {post.id: post for post in ruling.locked.posts}
    measures = (await work.session.execute(in_force)).scalars().all()
    for applied in measures:
        post = posts[applied.on_post] if applied.post_id else None
        context = MeasureContext(work, decider, post, ruling.decision.id, applied.member_id)
        await undo_measure(context, applied)
    return any(HANDLE_KEPT in applied.memory for applied in measures)


async def _settle_again(work: Work, appeal: Appeal, outcome: AppealOutcome) -> None:
    """Uphold a report that should not have been dismissed, or open its case again.

    Whoever dismissed it does not decide it a second time: they have made up their mind.
    """
    if appeal.report_id is None:
        return
    report = await work.session.get_one(Report, appeal.report_id)
    if outcome == AppealOutcome.CHANGE:
        report.outcome, report.settled_at = ReportOutcome.UPHELD, work.now
        return
    report.outcome, report.settled_at = None, None
    original = await work.session.get_one(Decision, appeal.decision_id)
    reopened = await _reopen(work, appeal, report)
    reopened.barred_id = original.decided_by
    await work.session.flush()


async def _reopen(work: Work, appeal: Appeal, report: Report) -> Case:
    """Return the open case of what was reported. A name's is another one than before: the report moves there."""
    category = Category(report.category)
    if report.post_id is not None:
        return await cases.open_on_post(work.session, report.post_id, category, work.now, reports=1)
    heard = await work.session.get_one(Case, appeal.case_id)
    case, _ = await cases.open_on_member(work.session, heard.subject_persona_id, category, work.now)
    cases.count_report(case, 0)
    report.case_id = case.id
    return case
