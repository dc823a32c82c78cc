"""Complaints about how the forum keeps its duties, from anybody; somebody who did not decide it answers.

Which complaints a service must take, and from whom: Online Safety Act 2023, s.21. A complaint about one's own words or
account is answered like any other; besides, its member can ask for a second look at what was decided.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint, delete, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.crisis_help import Help, also_when_refused, find_help
from forum.core import audit
from forum.core.database import Moment, Query, Record, check_one_of, new_id, query
from forum.core.errors import Conflict, Invalid, NotFound, NotSignedIn
from forum.core.export_section import ExportSection, items_of
from forum.core.gate import ACUTE
from forum.core.rate_limits import network
from forum.core.work import Work
from forum.mail import outbox
from forum.mail.tables import Mail, MailKind
from forum.members.queries import named_columns
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from forum.permissions import Refusal
from moderation.decisions import Decision
from moderation.permissions import ModerationAct, allow, refusal
from moderation.public_reports import actions as public_reports
from moderation.public_reports.actions import digest, refuse_another, request_digest, token_of
from moderation.public_reports.queries import Progress, count_question, find_progress, find_report, unknown_code
from moderation.public_reports.tables import PublicReport
from moderation.reports import Report, ReportOutcome

TEXT_MAX = 5000
ANSWER_MAX = 5000
ANSWERED_WITHIN = timedelta(days=14)
KEPT_FOR = timedelta(days=730)  # once answered: the report of their year counts them
MOST_LISTED = 100
# Held until the commit, for the same reason as that of public reports.
_LOCK = 0x636F6D70


class ComplaintAbout(StrEnum):
    """What somebody complains of."""

    NOT_DEALT_WITH = "not_dealt_with"
    DUTIES = "duties"
    OWN_CONTENT = "own_content"
    SCREENING = "screening"


# What whoever complains is told at once, besides by when they are answered.
ADVICE: Mapping[ComplaintAbout, str] = {
    ComplaintAbout.NOT_DEALT_WITH: "If somebody is in danger now, do not wait for the answer: ring 999.",
    ComplaintAbout.DUTIES: "You can also write to Ofcom, which looks at whether services keep the law.",
    ComplaintAbout.OWN_CONTENT: (
        "Of a decision about your words or your account you can also ask for a second look: sign in, and open what was "
        "decided about you. That is quicker, and can undo it."
    ),
    ComplaintAbout.SCREENING: "What a computer looks for here, and what that can lead to, is said to everybody.",
}


class ServiceComplaint(SQLModel, table=True):
    """A complaint of somebody with an account or without. It goes with its member, and two years after the answer."""

    __tablename__ = "service_complaint"
    __table_args__ = (
        check_one_of("about", ComplaintAbout),
        check_one_of("outcome", ReportOutcome),
        CheckConstraint("num_nulls(outcome, answer, answered_at, answered_by) IN (0, 4)", name="answered"),
        UniqueConstraint("token_digest", name="uq_service_complaint_token_digest"),
        Index("ix_service_complaint_waiting", "due_at", "id", postgresql_where=text("answered_at IS NULL")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    token_digest: bytes = Field(sa_type=LargeBinary, description="Of the code with which the answer can be read")
    request_digest: bytes = Field(sa_type=LargeBinary, description="Of all that was sent: a key is for one complaint")
    member_id: UUID | None = Field(default=None, foreign_key="member.id", ondelete="CASCADE", index=True)
    report_id: UUID | None = Field(default=None, foreign_key="report.id", description="That it is about, if one is")
    public_report_id: UUID | None = Field(default=None, foreign_key="public_report.id", ondelete="SET NULL")
    about: str
    text: str
    email: str | None = Field(default=None, description="Where news is wanted; gone once it is answered")
    is_urgent: bool = Field(description="Whether screening found words of acute danger")
    made_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    outcome: str | None = None
    answer: str | None = None
    answered_at: datetime | None = Field(default=None, sa_type=Moment)
    answered_by: UUID | None = Field(default=None, foreign_key="member.id")


@dataclass(frozen=True)
class ServiceComplaintDraft:
    """A complaint as it is written. `report_code` is of a report without an account, `report_id` of one's own."""

    about: ComplaintAbout
    text: str
    email: str | None
    address: str
    report_code: str | None = None
    report_id: UUID | None = None
    key: str | None = None


@dataclass(frozen=True)
class ComplaintReceipt:
    """What whoever complains gets: the code with which to read the answer, by when, advice, and help in danger."""

    token: str
    due_at: datetime
    advice: str
    help: Help | None


@dataclass(frozen=True)
class HeardComplaint:
    """A complaint as those who answer read it, with why this one may not."""

    row: Any
    reason: Refusal | None

    @property
    def because(self) -> str | None:
        """The reason as a sentence."""
        return self.reason.detail if self.reason else None


@dataclass(frozen=True)
class _ComplaintPart:
    """Who made a complaint, and who decided what it is about."""

    member_id: UUID | None
    decider_ids: Collection[UUID]


# To complain


async def complain(work: Work, viewer: Viewer, draft: ServiceComplaintDraft) -> ComplaintReceipt:
    """Keep a complaint of anybody, in any standing; the same one sent again with its key is the same.

    Raises Throttled over the limit per network, and Invalid for a report that is not theirs, or for a key that came
    with another complaint.
    """
    async with also_when_refused(work, viewer, "complaint", [draft.text]):
        return await _complain(work, viewer, draft)


async def _complain(work: Work, viewer: Viewer, draft: ServiceComplaintDraft) -> ComplaintReceipt:
    help_ = await find_help(work, viewer, [draft.text])
    token, request = token_of(work.settings, "service_complaint", draft.key), request_digest(work.settings, draft)
    receipt = ComplaintReceipt(token, work.now + ANSWERED_WITHIN, ADVICE[draft.about], help_)
    if await _is_known(work.session, token, request):
        return receipt
    # Before anything is locked: it is counted on another connection.
    await work.count_try("public_report", "complaints", network(draft.address))
    public_report = await _find_public_report(work.session, draft.report_code)
    complaint_id, is_urgent = new_id(), help_ is not None and help_.level == ACUTE
    row = {
        "id": complaint_id,
        "token_digest": digest(token),
        "request_digest": request,
        "member_id": viewer.id,
        "report_id": await _find_own_report(work.session, viewer, draft.report_id)
        or (public_report and public_report.report_id),
        "public_report_id": public_report and public_report.id,
        "about": draft.about,
        "text": draft.text,
        "email": draft.email,
        "is_urgent": is_urgent,
        "made_at": work.now,
        "due_at": receipt.due_at,
    }
    await _let_one_at_a_time(work.session)
    same = [col(ServiceComplaint.token_digest)]
    added = insert(ServiceComplaint).values(row).on_conflict_do_nothing(index_elements=same)
    if (await work.session.execute(added.returning(col(ServiceComplaint.id)))).first() is None:
        await _is_known(work.session, token, request)
        return receipt
    if draft.email and viewer.id is None:
        await outbox.enqueue(work.session, MailKind.RECEIPT, work.now, member_id=None, email=draft.email)
    told = [member_id for member_id in await _list_hearers(work.session, work.now) if member_id != viewer.id]
    await inbox.notify_each(work.session, told, NotificationKind.SERVICE_COMPLAINT_WAITING, work.now)
    if is_urgent:
        subject = outbox.MailSubject(complaint_id, viewer.id)
        await outbox.enqueue_to_each(work.session, MailKind.MESSAGE_URGENT, told, work.now, subject)
    return receipt


async def _is_known(session: AsyncSession, token: str, request: bytes) -> bool:
    """Return whether this was sent before. Raises Invalid where something else came with its key."""
    known = select(col(ServiceComplaint.request_digest)).where(col(ServiceComplaint.token_digest) == digest(token))
    found = (await session.execute(known)).scalar_one_or_none()
    if found is None:
        return False
    refuse_another(found, request)
    return True


async def _find_public_report(session: AsyncSession, code: str | None) -> PublicReport | None:
    if code is None:
        return None
    found = await find_report(session, code)
    if found is None:
        raise Invalid("No report has this code.", "#/report_code", code="code_not_known")
    return found


async def _find_own_report(session: AsyncSession, viewer: Viewer, report_id: UUID | None) -> UUID | None:
    if report_id is None:
        return None
    report = await session.get(Report, report_id)
    if report is None or viewer.id is None or report.reporter_id != viewer.id:
        raise Invalid("You made no such report.", "#/report_id", code="report_not_found")
    return report_id


# To follow


async def follow_complaint(work: Work, _viewer: Viewer, token: str, address: str) -> Progress:
    """Return what was answered. Raises Throttled over the limit per network, and NotFound for an unknown code."""
    await count_question(work, address)
    found = await _find_answer(work.session, token)
    if found is None:
        raise unknown_code()
    return found


async def follow(work: Work, _viewer: Viewer, token: str, address: str) -> Progress:
    """Return what came of a report or a complaint, whichever has this code. Raises as `follow_complaint` does."""
    await count_question(work, address)
    found = await find_progress(work.session, token) or await _find_answer(work.session, token)
    if found is None:
        raise unknown_code()
    return found


async def _find_answer(session: AsyncSession, token: str) -> Progress | None:
    this = col(ServiceComplaint.token_digest) == digest(token)
    row = (await session.execute(_SELECT_OWN.where(this))).one_or_none()
    return _progress(row) if row else None


_SELECT_OWN: Query = query(
    col(ServiceComplaint.about),
    col(ServiceComplaint.text),
    col(ServiceComplaint.made_at),
    col(ServiceComplaint.due_at),
    col(ServiceComplaint.outcome),
    col(ServiceComplaint.answer),
    col(ServiceComplaint.answered_at),
)


def _progress(row: Record) -> Progress:
    outcome = ReportOutcome(row.outcome) if row.outcome else None
    return Progress(row.made_at, row.due_at, outcome, row.answer, row.answered_at)


@dataclass(frozen=True)
class OwnComplaint:
    """A complaint as its member reads it."""

    about: ComplaintAbout
    text: str
    progress: Progress


async def list_own(work: Work, viewer: Viewer) -> Sequence[OwnComplaint]:
    """Return the viewer's own complaints about the service, newest first: 100 at most. Raises NotSignedIn."""
    if viewer.id is None:
        raise NotSignedIn("Sign in to see your complaints.")
    return await read_own(work, viewer)


async def read_own(work: Work, viewer: Viewer) -> Sequence[OwnComplaint]:
    """Return the viewer's own complaints about the service as `list_own` does; a guest has none."""
    own = _SELECT_OWN.where(col(ServiceComplaint.member_id) == viewer.id, col(ServiceComplaint.member_id).is_not(None))
    rows = (await work.session.execute(own.order_by(col(ServiceComplaint.id).desc()).limit(MOST_LISTED))).all()
    return [OwnComplaint(ComplaintAbout(row.about), row.text, _progress(row)) for row in rows]


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the viewer's complaints about the service, with the answers."""
    own = _SELECT_OWN.where(col(ServiceComplaint.member_id) == viewer.id).order_by(col(ServiceComplaint.id))
    rows = items_of((await session.execute(own)).all())
    return (ExportSection("service_complaints", "What you complained of about the service", rows),)


# To hear


async def list_complaints(work: Work, hearer: Viewer) -> Sequence[HeardComplaint]:
    """Return the complaints that wait, those due first come first: 100 at most. Raises Forbidden."""
    allow(ModerationAct.HEAR_COMPLAINTS, hearer)
    waiting = (
        query(
            col(ServiceComplaint.id),
            col(ServiceComplaint.about),
            col(ServiceComplaint.text),
            col(ServiceComplaint.email),
            col(ServiceComplaint.is_urgent),
            col(ServiceComplaint.made_at),
            col(ServiceComplaint.due_at),
            col(ServiceComplaint.member_id),
            col(ServiceComplaint.report_id),
            col(Report.case_id),
            col(PublicReport.settled_by),
            *named_columns(Member, "author"),
        )
        .outerjoin(Member, col(Member.id) == col(ServiceComplaint.member_id))
        .outerjoin(Report, col(Report.id) == col(ServiceComplaint.report_id))
        .outerjoin(PublicReport, col(PublicReport.id) == col(ServiceComplaint.public_report_id))
        .where(col(ServiceComplaint.answered_at).is_(None))
        .order_by(col(ServiceComplaint.is_urgent).desc(), col(ServiceComplaint.due_at), col(ServiceComplaint.id))
        .limit(MOST_LISTED)
    )
    rows = (await work.session.execute(waiting)).all()
    deciders = await _list_deciders(work.session, {row.case_id for row in rows if row.case_id})
    found = []
    for row in rows:
        part = _part(row.member_id, row.made_at, row.settled_by, deciders.get(row.case_id, ()))
        found.append(HeardComplaint(row, refusal(ModerationAct.ANSWER_COMPLAINT, hearer, part)))
    return found


async def get_complaint(work: Work, hearer: Viewer, complaint_id: UUID) -> HeardComplaint:
    """Return one of the complaints that `list_complaints` lists. Raises Forbidden, and NotFound for any other."""
    found = next((heard for heard in await list_complaints(work, hearer) if heard.row.id == complaint_id), None)
    if found is None:
        raise NotFound("There is no such complaint.", code="complaint_not_found")
    return found


async def answer_complaint(work: Work, hearer: Viewer, complaint_id: UUID, outcome: ReportOutcome, answer: str) -> None:
    """Answer a complaint, in words that whoever made it reads.

    Raises NotFound, Forbidden for whoever made it or decided what it is about, and Conflict where it is answered.
    """
    allow(ModerationAct.HEAR_COMPLAINTS, hearer)
    await _let_one_at_a_time(work.session)
    complaint = await work.session.get(ServiceComplaint, complaint_id, with_for_update=True, populate_existing=True)
    if complaint is None:
        raise NotFound("There is no such complaint.", code="complaint_not_found")
    allow(ModerationAct.ANSWER_COMPLAINT, hearer, await _part_of(work.session, complaint))
    if complaint.answered_at:
        raise Conflict("Somebody has answered this complaint already.", code="complaint_answered")
    complaint.outcome, complaint.answer = outcome, answer
    complaint.answered_at, complaint.answered_by = work.now, hearer.member_id
    await _tell_answered(work, complaint)
    await _withdraw_what_is_over(work.session)
    subject = ("service_complaint", str(complaint_id))
    await audit.record(
        work.session,
        actor_id=hearer.id,
        act="service_complaint.answered",
        subject=subject,
        now=work.now,
        details={"outcome": outcome},
    )


async def _part_of(session: AsyncSession, complaint: ServiceComplaint) -> _ComplaintPart:
    settled_by = select(col(PublicReport.settled_by)).where(col(PublicReport.id) == complaint.public_report_id)
    case_id = select(col(Report.case_id)).where(col(Report.id) == complaint.report_id)
    row = (await session.execute(select(settled_by.scalar_subquery(), case_id.scalar_subquery()))).one()
    decided = (await _list_deciders(session, {row[1]}))[row[1]] if row[1] else ()
    return _part(complaint.member_id, complaint.made_at, row[0], decided)


async def _list_deciders(session: AsyncSession, case_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Record]]:
    """Return who took a decision on each of these cases, and when."""
    decided = query(col(Decision.case_id), col(Decision.decided_by), col(Decision.decided_at))
    rows = (await session.execute(decided.where(col(Decision.case_id).in_(case_ids)))).all()
    return {case_id: [row for row in rows if row.case_id == case_id] for case_id in case_ids}


def _part(
    member_id: UUID | None, made_at: datetime, settled_by: UUID | None, decided: Sequence[Record]
) -> _ComplaintPart:
    """Return who made a complaint, and who had decided what it is about: not who mended it since."""
    before = {row.decided_by for row in decided if row.decided_at <= made_at}
    return _ComplaintPart(member_id, before | {settled_by} if settled_by else before)


async def _tell_answered(work: Work, complaint: ServiceComplaint) -> None:
    """Tell whoever complained that there is an answer: a member by a notice, others by mail if they gave an address."""
    answered = NotificationKind.SERVICE_COMPLAINT_ANSWERED
    if complaint.member_id:
        await inbox.notify(work.session, complaint.member_id, answered, work.now, subject_id=complaint.id)
    elif complaint.email:
        await outbox.enqueue(work.session, MailKind.ANSWER_READY, work.now, member_id=None, email=complaint.email)
    complaint.email = None
    await work.session.flush()


async def _list_hearers(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    """Return who may hear complaints, as ModerationAct.HEAR_COMPLAINTS says."""
    hearers = (
        select(col(Member.id))
        .join(RoleGrant, col(RoleGrant.member_id) == col(Member.id))
        .where(
            or_(
                col(RoleGrant.role) == Role.ADMINISTRATOR,
                (col(RoleGrant.role) == Role.MODERATOR) & col(RoleGrant.board_id).is_(None),
            ),
            standing_at(now) == Standing.ACTIVE,
        )
        .distinct()
        .order_by(col(Member.id))
    )
    return (await session.execute(hearers)).scalars().all()


async def _let_one_at_a_time(session: AsyncSession) -> None:
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def _withdraw_what_is_over(session: AsyncSession) -> None:
    waits = exists().where(col(ServiceComplaint.answered_at).is_(None))
    if not (await session.execute(select(waits))).scalar_one():
        await inbox.withdraw(session, (NotificationKind.SERVICE_COMPLAINT_WAITING,), None)


async def is_still_urgent(session: AsyncSession, mail: Mail, now: datetime) -> bool:
    """Return whether a mail is still to call its member: to a complaint that waits, a report or a message."""
    complaint = await session.get(ServiceComplaint, mail.subject_id)
    if complaint is None:
        return await public_reports.is_still_urgent(session, mail, now)
    return complaint.answered_at is None and mail.member_id in await _list_hearers(session, now)


async def delete_old(session: AsyncSession, now: datetime) -> None:
    """Delete the complaints that were answered two years ago."""
    await session.execute(delete(ServiceComplaint).where(col(ServiceComplaint.answered_at) <= now - KEPT_FOR))
