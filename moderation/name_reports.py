"""Reports of names: a member says that somebody's display name or handle may breach a rule, or gives somebody away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.core.work import Work
from forum.members.queries import get_member
from forum.members.standing import standing_of
from forum.members.tables import FORMER, Member, Role, Standing
from forum.members.viewer import Viewer
from moderation import cases, reports
from moderation.case_priority import Category
from moderation.cases import Case, CaseKind, CaseState
from moderation.measures.catalogue import has_measure_without_post_in_force
from moderation.permissions import ModerationAct, allow
from moderation.reports import Report, ReportOutcome


@dataclass(frozen=True)
class NameComplaint:
    """What somebody reports about a name: why, and under which rules."""

    category: Category
    rules: Sequence[int] = ()
    note: str = ""


@dataclass(frozen=True)
class ReportedMember:
    """Whose name is reported, and the standing of whoever reports it."""

    id: UUID
    standing: Standing


async def report_name(work: Work, reporter: Viewer, handle: str, complaint: NameComplaint) -> Report:
    """Report the display name and the handle of a member as they are now, and open the case about the member or join
    it.

    A repeat returns the first report, unless the name or the handle is another by now, or this is graver. What was
    decided about the same name stands, as for a post. Raises Throttled, NotFound for an unknown handle, Forbidden for
    one's own name, and Invalid for a rule that does not exist or a rule breach without a rule.
    """
    await work.count_try("report", "reports", reporter.id)
    member = await get_member(work.session, handle)
    subject = await get_reported_member(work, reporter, member)
    is_risk = complaint.category == Category.RISK
    allow(ModerationAct.REPORT_NAME_RISK if is_risk else ModerationAct.REPORT_NAME, reporter, subject)
    await reports.refuse_wrong_rules(work.session, complaint.category, complaint.rules)
    # One report of a name at a time, and none while it is decided: the second of two sees what the first did.
    await cases.lock_open_case_of_member(work.session, member.id)
    if earlier := await _find_earlier(work.session, reporter, member, complaint.category):
        return earlier
    return await _save(work, reporter, member, complaint)


async def get_reported_member(work: Work, reporter: Viewer, member: Member) -> ReportedMember:
    """Return a member whose name is reported, as the conditions of permissions want it."""
    return ReportedMember(member.id, await standing_of(work.session, reporter.member_id, work.now))


async def _save(work: Work, reporter: Viewer, member: Member, complaint: NameComplaint) -> Report:
    case = await _open_or_join_case(work, reporter, member, complaint.category)
    report = Report(
        case_id=case.id,
        reporter_id=reporter.member_id,
        category=complaint.category,
        rules=sorted(set(complaint.rules)),
        note=complaint.note,
        filed_at=work.now,
        reported_handle=member.handle,
        reported_name=member.name,
    )
    if case.state == CaseState.DECIDED:
        in_force = await has_measure_without_post_in_force(work.session, member.id, case.opened_at)
        report.outcome, report.settled_at = ReportOutcome.UPHELD if in_force else ReportOutcome.DISMISSED, work.now
    work.session.add(report)
    await work.session.flush()
    await reports.confirm_receipt(work, report)
    return report


async def _find_earlier(session: AsyncSession, reporter: Viewer, member: Member, category: Category) -> Report | None:
    own = _select_same(member).where(col(Report.reporter_id) == reporter.id)
    filed = (await session.execute(own.order_by(col(Report.id)))).scalars().all()
    return reports.find_as_grave(filed, category)


async def _open_or_join_case(work: Work, reporter: Viewer, member: Member, category: Category) -> Case:
    """Return the case that this report belongs to: the open one; else the one in which this name was decided on,
    unless this is graver; else a new one.
    """
    session = work.session
    is_open = await cases.lock_open_case_of_member(session, member.id)
    decided = None if is_open else await _get_decided_case(session, member)
    if decided and not reports.is_graver(category, Category(decided.category)):
        return decided
    case, _ = await cases.open_on_member(session, member.id, category, work.now)
    # Members count, not reports: one who says that it is graver is counted already.
    if not await _is_waiting(session, reporter, case):
        score = await reports.get_reporter_score(session, reporter)
        cases.count_report(case, score, is_flagged=Role.TRUSTED_FLAGGER in reporter.roles)
        await session.flush()
    return case


async def _get_decided_case(session: AsyncSession, member: Member) -> Case | None:
    latest = _select_same(member).where(col(Report.outcome).is_not(None)).order_by(col(Report.settled_at).desc())
    report = (await session.execute(latest.limit(1))).scalar_one_or_none()
    return await session.get_one(Case, report.case_id) if report else None


async def _is_waiting(session: AsyncSession, reporter: Viewer, case: Case) -> bool:
    """Whether a report by the same member waits in this case."""
    own = exists().where(
        col(Report.case_id) == case.id, col(Report.reporter_id) == reporter.id, col(Report.outcome).is_(None)
    )
    return bool((await session.execute(select(own))).scalar_one())


def _select_same(member: Member) -> Select[Report]:
    """Return a select of the reports of a member's present name."""
    return (
        select(Report)
        .join(Case, col(Case.id) == col(Report.case_id))
        .where(
            col(Case.subject_persona_id) == member.id,
            col(Report.reported_handle) == member.handle,
            col(Report.reported_name) == member.name,
        )
    )


# Forgetting

_FORGOTTEN = {"reported_handle": None, "reported_name": FORMER}


async def forget_given_up_names(session: AsyncSession, _now: datetime) -> None:
    """Forget reported handles that their members gave up, once nobody has to decide about them any more.

    A display name stays, as the reporter's note does. Of a member who left a moment ago, both go.
    """
    about = (col(Report.case_id) == col(Case.id), col(Member.id) == col(Case.subject_persona_id))
    hearing = aliased(Case)
    is_heard = exists().where(
        col(hearing.subject_persona_id) == col(Case.subject_persona_id),
        col(hearing.kind) == CaseKind.APPEAL,
        col(hearing.state) == CaseState.OPEN,
    )
    is_needed = or_(col(Report.outcome).is_(None), is_heard)
    is_past = col(Report.reported_handle) != col(Member.handle)
    await session.execute(update(Report).where(*about, is_past, ~is_needed).values(reported_handle=None))
    has_left = (col(Member.left_at).is_not(None), col(Report.reported_handle).is_not(None))
    await session.execute(update(Report).where(*about, *has_left).values(**_FORGOTTEN))


async def forget_names_of(session: AsyncSession, member_id: UUID) -> None:
    """Forget what was reported as the name of a member who leaves."""
    theirs = select(col(Case.id)).where(col(Case.subject_persona_id) == member_id)
    named = (col(Report.post_id).is_(None), col(Report.case_id).in_(theirs))
    await session.execute(update(Report).where(*named).values(**_FORGOTTEN))
