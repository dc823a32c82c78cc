"""What changes reports that need no account: to file one, to find its post, and to settle it.

Whether the post exists, can be seen, or was never there, filing does the same and takes as long: a job looks for the
post afterwards. Where it finds none, somebody reads the report and answers it.
"""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.crisis_help import Help, also_when_refused, find_help
from forum.content.posts.context import context_of_post
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.tables import Post
from forum.core import audit, jobs
from forum.core.database import new_id
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.gate import ACUTE
from forum.core.jobs import Handler, Job, Payload
from forum.core.rate_limits import network
from forum.core.secret_key import keyed_digest
from forum.core.settings import Settings
from forum.core.work import Work
from forum.mail import outbox
from forum.mail.outbox import MailSubject
from forum.mail.tables import Mail, MailKind
from forum.members.tables import Role
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from moderation import contact
from moderation.case_priority import Category, graver, start_of
from moderation.cases import CaseRecusal
from moderation.permissions import ModerationAct, allow
from moderation.public_reports.post_links import find_post, place_of
from moderation.public_reports.tables import CASE_CATEGORIES, PublicCategory, PublicReport
from moderation.reports import (
    Capacity,
    Complaint,
    FromOutside,
    IllegalKind,
    Report,
    ReportOutcome,
    save_report_from_outside,
)

MATCH = Job("match_public_report")
REMIND = Job("remind_of_public_reports")
TEXT_MAX = 2000
ANSWER_MAX = 2000
KEPT_FOR = timedelta(days=180)  # once settled: so long its reporter can read it back, and complain
# What cannot wait until somebody looks: they get a mail, too.
_MAILED = (Category.RISK, Category.ILLEGAL, Category.INTIMATE_IMAGE)
# One transaction at a time has a report wait or settles it: one that comes while the last one is settled would be told
# of by a notification that is being taken away. It is held until the commit.
_LOCK = 0x70726570


@dataclass(frozen=True)
class PublicReportDraft:
    """A report as it is written: which post, who says so, what is wrong, and from which address it comes.

    `key` is of one sending: the same report with it is the same.
    """

    post: str
    capacity: Capacity
    category: PublicCategory
    illegal_kind: IllegalKind | None
    text: str
    email: str | None
    address: str
    key: str | None = None


@dataclass(frozen=True)
class Receipt:
    """What whoever filed gets: the code with which to follow it, by when somebody looks, and help in danger.

    `outside_contact` is whom else they can turn to, where one person alone looks at reports: it may be about them.
    """

    token: str
    due_at: datetime
    help: Help | None
    outside_contact: str | None


# Filing


async def file_report(work: Work, reporter: Viewer, draft: PublicReportDraft) -> Receipt:
    """Keep a report of anybody, in any standing; the same one sent again with its key is the same.

    It says nothing of the post. Raises Throttled over the limit per network, and Invalid for a key that came with
    another report.
    """
    async with also_when_refused(work, reporter, "report", [draft.text]):
        return await _file(work, reporter, draft)


async def _file(work: Work, reporter: Viewer, draft: PublicReportDraft) -> Receipt:
    help_ = await find_help(work, reporter, [draft.text])
    filed_by = reporter.member_id if reporter.is_staff else None
    outside = await find_outside_contact(work, filed_by)
    token, request = token_of(work.settings, "public_report", draft.key), request_digest(work.settings, draft)
    if due_at := await _find_earlier(work.session, token, request):
        return Receipt(token, due_at, help_, outside)
    # Before anything is locked: it is counted on another connection.
    await work.count_try("public_report", "public_reports", network(draft.address))
    is_flagged = Role.TRUSTED_FLAGGER in reporter.roles
    is_urgent = help_ is not None and help_.level == ACUTE
    _, within = start_of(_category(draft.category, is_urgent=is_urgent), is_flagged=is_flagged)
    row = {
        "id": new_id(),
        "token_digest": digest(token),
        "request_digest": request,
        "post": draft.post,
        "capacity": draft.capacity,
        "category": draft.category,
        "illegal_kind": draft.illegal_kind if draft.category == PublicCategory.ILLEGAL else None,
        "text": draft.text,
        "email": draft.email,
        "is_urgent": is_urgent,
        "is_flagged": is_flagged,
        "is_waiting": False,
        "filed_at": work.now,
        "due_at": work.now + within,
        "filed_by": filed_by,
    }
    added = insert(PublicReport).values(row).on_conflict_do_nothing(index_elements=[col(PublicReport.token_digest)])
    if (await work.session.execute(added.returning(col(PublicReport.id)))).first() is None:  # of two taps, the second
        due_at = await _find_earlier(work.session, token, request) or work.now + within
        return Receipt(token, due_at, help_, outside)
    if draft.email:
        await outbox.enqueue(work.session, MailKind.RECEIPT, work.now, member_id=None, email=draft.email)
    await jobs.enqueue(work.session, MATCH, {"report": str(row["id"])})
    return Receipt(token, work.now + within, help_, outside)


async def find_outside_contact(work: Work, filed_by: UUID | None) -> str | None:
    """Return whom a reporter can turn to outside, where one person at most, but for whoever filed, looks at reports.

    It says nothing of the post: whoever that person is, the report may be about them.
    """
    if work.settings.outside_contact is None:
        return None
    readers = set(await contact.list_readers(work.session, work.now)) - {filed_by}
    return work.settings.outside_contact if len(readers) <= 1 else None


async def _find_earlier(session: AsyncSession, token: str, request: bytes) -> datetime | None:
    """Return when a report that was sent before is due, if it was. Raises Invalid where another came with its key."""
    known = select(col(PublicReport.request_digest), col(PublicReport.due_at)).where(
        col(PublicReport.token_digest) == digest(token)
    )
    row = (await session.execute(known)).one_or_none()
    if row is None:
        return None
    refuse_another(row.request_digest, request)
    due_at: datetime = row.due_at
    return due_at


def _category(category: str, *, is_urgent: bool) -> Category:
    """Return as what a case takes a report; whose own words sound like acute danger is in danger."""
    taken = CASE_CATEGORIES[PublicCategory(category)]
    return graver(taken, Category.RISK) if is_urgent else taken


# Codes: shown once, never stored, and the same for what is sent again with its key


# Without letters that look like digits. 20 of these are 100 bits: short enough to be written down, in groups of four.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011", "- ")


def token_of(settings: Settings, purpose: str, key: str | None) -> str:
    """Return the code of something that is sent: computed from its key, or a random one."""
    content = secrets.token_bytes(20) if key is None else keyed_digest(settings, purpose, key.encode())
    letters = "".join(_LETTERS[byte % len(_LETTERS)] for byte in content[:20])
    return "-".join(letters[start : start + 4] for start in range(0, 20, 4))


def digest(token: str) -> bytes:
    """Return what is stored of a code, however it is written: in small letters, or without its dashes."""
    return hashlib.sha256(token.upper().translate(_MISREAD).encode()).digest()


def request_digest(settings: Settings, draft: Any) -> bytes:
    """Return a digest of what was sent, from wherever it came."""
    said = {name: value for name, value in asdict(draft).items() if name not in {"address", "key"}}
    return keyed_digest(settings, "request", json.dumps(said, default=str).encode())


def refuse_another(known: bytes, request: bytes) -> None:
    """Raise Invalid where a key came with something else before."""
    if known != request:
        raise Invalid(
            "This key was already used with another request. Use a new key for each thing that you create.",
            "header/Idempotency-Key",
            code="idempotency_key_reused",
        )


# Finding the post


def make_matcher(settings: Settings) -> Handler:
    """Return the job handler that finds the post of a report, and has somebody read it where it finds none."""

    async def match(session: AsyncSession, payload: Payload, now: datetime) -> None:
        report = await _lock_row(session, UUID(payload["report"]))
        if report is None or report.report_id or report.is_waiting or report.settled_at:
            return
        place = place_of(report.post, settings.public_url)
        post = await find_post(session, place) if place else None
        if post is None or not await _attach(session, report, post, now, is_known=False):
            await _have_wait(session, report, now)

    return match


async def _attach(session: AsyncSession, report: PublicReport, post: Post, now: datetime, *, is_known: bool) -> bool:
    """Make it a report on the case of a post. Return False where the post is gone by now.

    False also where the post was decided already, unless a moderator says that it is meant: `is_known`.
    """
    category = _category(report.category, is_urgent=report.is_urgent)
    kind = IllegalKind(report.illegal_kind) if report.illegal_kind else None
    outside = FromOutside(Capacity(report.capacity), kind, report.is_flagged, is_known)
    complaint = Complaint(category, post.revision, note=report.text)
    saved = await save_report_from_outside(session, post, complaint, outside, now)
    if saved is None:
        return False
    report.report_id, report.text, report.is_waiting = saved.id, "", False
    await session.flush()
    if report.filed_by:
        steps_back = insert(CaseRecusal).values(case_id=saved.case_id, moderator_id=report.filed_by, at=now)
        await session.execute(steps_back.on_conflict_do_nothing())
    if saved.outcome:
        await tell_settled(session, saved.case_id, now)
    return True


async def _have_wait(session: AsyncSession, report: PublicReport, now: datetime) -> None:
    """Have somebody find out which post is meant, and tell all who may; what cannot wait by mail, too."""
    await _let_one_at_a_time(session)
    report.is_waiting = True
    await session.flush()
    told = [member_id for member_id in await contact.list_readers(session, now) if member_id != report.filed_by]
    is_grave = _category(report.category, is_urgent=report.is_urgent) in _MAILED
    kind = NotificationKind.PUBLIC_REPORT_URGENT if is_grave else NotificationKind.PUBLIC_REPORT_WAITING
    await inbox.notify_each(session, told, kind, now)
    if is_grave:
        subject = MailSubject(report.id, None)
        await outbox.enqueue_to_each(session, MailKind.MESSAGE_URGENT, told, now, subject)


async def is_still_urgent(session: AsyncSession, mail: Mail, now: datetime) -> bool:
    """Return whether a mail is still to call its member: to a report that waits, or to a message."""
    report = await session.get(PublicReport, mail.subject_id)
    if report is None:
        return await contact.is_still_urgent(session, mail, now)
    return report.is_waiting and mail.member_id in await contact.list_readers(session, now)


# Settling


async def answer_report(work: Work, moderator: Viewer, report_id: UUID, outcome: ReportOutcome, answer: str) -> None:
    """Answer a report of which nobody knows the post, or whose post was decided, in words that its reporter reads.

    Raises Forbidden, also for whoever made it; NotFound where none such waits, and Conflict where somebody else
    answered it meanwhile.
    """
    report = await _lock_waiting(work, moderator, report_id)
    allow(ModerationAct.ANSWER_REPORT, moderator, report)
    report.answer, report.settled_by, report.is_waiting = answer, moderator.member_id, False
    await _settle(work.session, report, outcome, work.now)
    await _withdraw_what_is_over(work.session)
    await _record(work, moderator, "public_report.answered", report)


async def assign_post(work: Work, moderator: Viewer, report_id: UUID, post_id: int) -> None:
    """Say which post a report means: it becomes a report on the case of that post, or has the outcome that stands.

    Whoever made it themselves is kept from deciding the case.

    Raises Forbidden, NotFound where no such report waits or there is no such post for the moderator, and Conflict for a
    post that is gone.
    """
    report = await _lock_waiting(work, moderator, report_id)
    context = await context_of_post(work, moderator, post_id, NO_WORDS)
    if not await _attach(work.session, report, context.post, work.now, is_known=True):
        sentence = "This post is no longer there: it was removed or withdrawn."
        raise Conflict(sentence, code=f"post_{context.post.visibility}")
    await _withdraw_what_is_over(work.session)
    await _record(work, moderator, "public_report.assigned", report)


async def tell_settled(session: AsyncSession, case_id: UUID, now: datetime) -> None:
    """Tell those without an account that their reports of a case were settled, if they left an address."""
    settled = (
        select(PublicReport, col(Report.outcome))
        .join(Report, col(Report.id) == col(PublicReport.report_id))
        .where(col(Report.case_id) == case_id, col(Report.outcome).is_not(None), col(PublicReport.settled_at).is_(None))
        .order_by(col(PublicReport.id))
        .with_for_update(of=PublicReport)
    )
    for report, outcome in (await session.execute(settled)).all():
        await _settle(session, report, ReportOutcome(str(outcome)), now)


async def _settle(session: AsyncSession, report: PublicReport, outcome: ReportOutcome, now: datetime) -> None:
    report.outcome, report.settled_at, report.filed_by = outcome, now, None
    if report.email:
        await outbox.enqueue(session, MailKind.ANSWER_READY, now, member_id=None, email=report.email)
        report.email = None
    await session.flush()


async def _lock_waiting(work: Work, moderator: Viewer, report_id: UUID) -> PublicReport:
    allow(ModerationAct.READ_MESSAGES, moderator)
    await _let_one_at_a_time(work.session)
    report = await _lock_row(work.session, report_id)
    if report is None or not (report.is_waiting or report.answer):
        raise NotFound("No such report waits.", code="report_not_found")
    if report.answer:
        raise Conflict("Somebody has answered this report already.", code="public_report_answered")
    return report


async def _lock_row(session: AsyncSession, report_id: UUID) -> PublicReport | None:
    return await session.get(PublicReport, report_id, with_for_update=True, populate_existing=True)


async def _let_one_at_a_time(session: AsyncSession) -> None:
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def _withdraw_what_is_over(session: AsyncSession) -> None:
    """Withdraw what was told of reports, if none waits any more."""
    waits = exists().where(col(PublicReport.is_waiting))
    if not (await session.execute(select(waits))).scalar_one():
        over = (NotificationKind.PUBLIC_REPORT_WAITING, NotificationKind.PUBLIC_REPORT_URGENT)
        await inbox.withdraw(session, over, None)
    waiting = select(col(PublicReport.id)).where(col(PublicReport.is_waiting))
    await inbox.withdraw_but_about(session, (NotificationKind.PUBLIC_REPORT_OVERDUE,), waiting)


async def remind(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: tell administrators, once, of each report that waits longer than was promised."""
    await _let_one_at_a_time(session)
    late = select(col(PublicReport.id)).where(col(PublicReport.is_waiting), col(PublicReport.due_at) <= now)
    found, kind = set((await session.execute(late)).scalars()), NotificationKind.PUBLIC_REPORT_OVERDUE
    new = found - await inbox.list_told_of(session, kind, found)
    told = await contact.list_administrators(session, now) if new else ()
    for report_id in sorted(new):
        await inbox.notify_each(session, told, kind, now, subject_id=report_id)


async def _record(work: Work, moderator: Viewer, act: str, report: PublicReport) -> None:
    subject = ("public_report", str(report.id))
    await audit.record(work.session, actor_id=moderator.id, act=act, subject=subject, now=work.now)


async def delete_old(session: AsyncSession, now: datetime) -> None:
    """Delete the reports that were settled 180 days ago, and their words on the cases."""
    is_old = col(PublicReport.settled_at) <= now - KEPT_FOR
    theirs = select(col(PublicReport.report_id)).where(is_old, col(PublicReport.report_id).is_not(None))
    await session.execute(update(Report).where(col(Report.id).in_(theirs)).values(note=""))
    await session.execute(delete(PublicReport).where(is_old))
