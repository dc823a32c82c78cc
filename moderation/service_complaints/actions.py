"""Complaints about how the forum keeps its duties, from anybody; somebody who did not decide it answers.

Which complaints a service must take, and from whom: Online Safety Act 2023, s.21. A complaint about one's own words or
account is answered like any other; besides, its member can ask for a second look at what was decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.crisis_help import Help, also_when_refused, find_help
from forum.core import audit
from forum.core.database import new_id
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.gate import ACUTE
from forum.core.rate_limits import network
from forum.core.work import Work
from forum.mail import outbox
from forum.mail.tables import MailKind
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from moderation.permissions import ModerationAct, allow
from moderation.public_reports.actions import digest, refuse_another, request_digest, token_of
from moderation.public_reports.queries import find_report
from moderation.public_reports.tables import PublicReport
from moderation.reports import Report, ReportOutcome
from moderation.service_complaints import telling
from moderation.service_complaints.tables import ComplaintAbout, ServiceComplaint
from moderation.service_complaints.visibility import find_parts

TEXT_MAX = 5000
ANSWER_MAX = 5000
ANSWERED_WITHIN = timedelta(days=14)


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
    """What whoever complains gets: the code with which to read the answer, by when, advice, and help in danger.

    `outside_contact` is whom else they can turn to, where nobody here may answer.
    """

    token: str
    due_at: datetime
    advice: str
    help: Help | None
    outside_contact: str | None


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
    complaint = await _find_earlier(work.session, token, request)
    if complaint is None:
        # Before anything is locked: it is counted on another connection.
        await work.count_try("public_report", "complaints", network(draft.address))
        is_urgent = help_ is not None and help_.level == ACUTE
        row = {"token_digest": digest(token), "request_digest": request, "is_urgent": is_urgent}
        complaint = await _add(work, viewer, draft, row) or await _find_earlier(work.session, token, request)
    if complaint is None:
        raise RuntimeError("A complaint was neither added nor there before.")
    this = col(ServiceComplaint.id) == complaint.id
    is_heard = complaint.answered_at or await telling.list_free_for(work.session, this, work.now)
    outside_contact = None if is_heard else work.settings.outside_contact
    return ComplaintReceipt(token, complaint.due_at, ADVICE[draft.about], help_, outside_contact)


async def _add(
    work: Work, viewer: Viewer, draft: ServiceComplaintDraft, row: Mapping[str, Any]
) -> ServiceComplaint | None:
    """Add a complaint, and tell of it. Return None where the same one is there by now: of two taps, the second."""
    public_report = await _find_public_report(work.session, draft.report_code)
    # Members are told where they read it: only of somebody without an account, an address is kept.
    email = draft.email if viewer.id is None else None
    values = {
        **row,
        "id": new_id(),
        "member_id": viewer.id,
        "report_id": await _find_own_report(work.session, viewer, draft.report_id),
        "public_report_id": public_report and public_report.id,
        "about": draft.about,
        "text": draft.text,
        "email": email,
        "made_at": work.now,
        "due_at": work.now + ANSWERED_WITHIN,
    }
    await telling.let_one_at_a_time(work.session)
    same = [col(ServiceComplaint.token_digest)]
    added = insert(ServiceComplaint).values(values).on_conflict_do_nothing(index_elements=same)
    if (await work.session.execute(added.returning(col(ServiceComplaint.id)))).first() is None:
        return None
    complaint = await work.session.get_one(ServiceComplaint, values["id"])
    if email:
        await outbox.enqueue(work.session, MailKind.RECEIPT, work.now, member_id=None, email=email)
    part = (await find_parts(work.session, col(ServiceComplaint.id) == complaint.id))[complaint.id]
    await telling.tell_of(work.session, complaint.id, part, work.now)
    if complaint.is_urgent:
        told = await telling.list_to_alarm(work.session, part, work.now)
        subject = outbox.MailSubject(complaint.id, viewer.id)
        await outbox.enqueue_to_each(work.session, MailKind.MESSAGE_URGENT, told, work.now, subject)
    return complaint


async def _find_earlier(session: AsyncSession, token: str, request: bytes) -> ServiceComplaint | None:
    """Return what was sent before with this code. Raises Invalid where something else came with its key."""
    known = select(ServiceComplaint).where(col(ServiceComplaint.token_digest) == digest(token))
    found = (await session.execute(known)).scalar_one_or_none()
    if found:
        refuse_another(found.request_digest, request)
    return found


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


# To answer


async def answer_complaint(work: Work, hearer: Viewer, complaint_id: UUID, outcome: ReportOutcome, answer: str) -> None:
    """Answer a complaint, in words that whoever made it reads.

    Raises NotFound, also for one about a report on the hearer; Forbidden for whoever made it or decided what it is
    about; and Conflict where it is answered.
    """
    allow(ModerationAct.HEAR_COMPLAINTS, hearer)
    await telling.let_one_at_a_time(work.session)
    complaint = await work.session.get(ServiceComplaint, complaint_id, with_for_update=True, populate_existing=True)
    part = (await find_parts(work.session, col(ServiceComplaint.id) == complaint_id)).get(complaint_id)
    if complaint is None or part is None or part.accused_id == hearer.id:
        raise NotFound("There is no such complaint.", code="complaint_not_found")
    allow(ModerationAct.ANSWER_COMPLAINT, hearer, part)
    if complaint.answered_at:
        raise Conflict("Somebody has answered this complaint already.", code="complaint_answered")
    complaint.outcome, complaint.answer = outcome, answer
    complaint.answered_at, complaint.answered_by = work.now, hearer.member_id
    await _tell_answered(work, complaint)
    await telling.withdraw_what_is_over(work.session)
    await audit.record(
        work.session,
        actor_id=hearer.id,
        act="service_complaint.answered",
        subject=("service_complaint", str(complaint_id)),
        now=work.now,
        details={"outcome": outcome},
    )


async def _tell_answered(work: Work, complaint: ServiceComplaint) -> None:
    """Tell whoever complained that there is an answer: a member by a notice, others by mail if they gave an address."""
    answered = NotificationKind.SERVICE_COMPLAINT_ANSWERED
    if complaint.member_id:
        await inbox.notify(work.session, complaint.member_id, answered, work.now, subject_id=complaint.id)
    elif complaint.email:
        await outbox.enqueue(work.session, MailKind.ANSWER_READY, work.now, member_id=None, email=complaint.email)
    complaint.email = None
    await work.session.flush()
