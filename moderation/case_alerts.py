"""Who is told that a case waits: those who may decide it, each once, and again when its time is over.

When as much time has passed once more, they are told a second and last time, and so is every administrator whom the
case is not about.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Interval, and_, literal, or_, select
from sqlalchemy import case as case_when
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.administration.webhooks import actions as webhooks
from forum.administration.webhooks.tables import Severity, WebhookEvent
from forum.core import jobs
from forum.core.database import Moment
from forum.core.jobs import Job, Payload
from forum.mail import outbox
from forum.mail.tables import Mail, MailKind
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from moderation import case_calls
from moderation.case_calls import CallReason
from moderation.case_deciders import list_deciders, list_leads, list_told_that_nobody_decides
from moderation.case_priority import GRAVITY, Category
from moderation.cases import ALERT, Case, CaseClaim, CaseState, lock_case_row

# What cannot wait until somebody looks: they get a mail, too, without a word of what it is.
MAILED = (Category.RISK, Category.ENCOURAGEMENT, Category.ILLEGAL, Category.INTIMATE_IMAGE)
WATCH = Job("watch_cases")
REASONS = {
    NotificationKind.CASE_HANDED_OVER: CallReason.HANDED_OVER,
    NotificationKind.CASE_OVERDUE: CallReason.OVERDUE,
    NotificationKind.CASE_WITHOUT_DECIDER: CallReason.NOBODY_ANSWERED,
}
# How long a case has from the beginning, and once more until it is told again.
_SPAN = case_when(
    {category: literal(span, Interval()) for category, (_, span) in GRAVITY.items()}, value=col(Case.category)
)
# From which gravity on a case has which severity; a trigger gives it to each new case.
SEVERITIES = ((80, Severity.CRITICAL), (60, Severity.HIGH), (30, Severity.NORMAL), (0, Severity.LOW))
BATCH = 200  # cases in one look; the rest a minute later


class CaseAlarm(SQLModel, table=True):
    """What was told of a case: the due time that passed, and the claim that ran out."""

    __tablename__ = "case_alarm"

    case_id: UUID = Field(primary_key=True, foreign_key="moderation_case.id")
    due_at: datetime | None = Field(default=None, sa_type=Moment)
    again_due_at: datetime | None = Field(default=None, sa_type=Moment, description="The due time that was told again")
    claim_until: datetime | None = Field(default=None, sa_type=Moment)


async def alert(session: AsyncSession, payload: Payload, now: datetime) -> None:
    """Job handler: tell those who may decide a case that it waits, or that somebody handed it over (`by`)."""
    case = await lock_case_row(session, UUID(payload["case"]))  # a decision withdraws what was told
    if case.state != CaseState.OPEN:
        return
    by = UUID(payload["by"]) if "by" in payload else None
    claim = await session.get(CaseClaim, case.id, populate_existing=True)
    at_work = claim.moderator_id if claim and claim.until > now else None
    is_grave = _is_grave(case)
    if at_work and not is_grave:
        return  # somebody reads it at this moment
    kind = NotificationKind.CASE_URGENT if is_grave else NotificationKind.CASE_WAITING
    if by:
        kind = NotificationKind.CASE_HANDED_OVER
        await inbox.withdraw(session, [kind], case.id)  # each time is news
    elif "anew" in payload:
        await inbox.withdraw(session, [kind], case.id)
    if is_grave and not by and await list_deciders(session, case.id, now):
        await _raise_alarm(session, case, now, at_work)
    else:
        await _tell(session, case, kind, now, but_not={by, at_work})


async def watch(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler, each minute: tell of claims that ran out, and of open cases whose due time has passed."""
    for claim in await _list_lapsed_claims(session, now):
        await _note(session, claim.case_id, claim_until=claim.until)
        await jobs.enqueue(session, ALERT, {"case": str(claim.case_id), "by": str(claim.moderator_id)})
    for case in await _list_overdue(session, now):
        is_again = _again_at(case) <= now
        await _note(session, case.id, due_at=case.due_at, **({"again_due_at": case.due_at} if is_again else {}))
        await inbox.withdraw(session, [NotificationKind.CASE_OVERDUE], case.id)
        await _tell(session, case, NotificationKind.CASE_OVERDUE, now, and_administrators=is_again)
        severity = severity_of(Category(case.category))
        await webhooks.announce(session, WebhookEvent.CASE_WAITING, now, severity=severity)


def severity_of(category: Category) -> Severity:
    """Return how grave a case is, as another service is told: nothing of what it is about."""
    gravity, _ = GRAVITY[category]
    return next(severity for least, severity in SEVERITIES if gravity >= least)


async def is_still_urgent(session: AsyncSession, mail: Mail, now: datetime) -> bool:
    """Return whether a mail is still to call its member to a case: it is open, and they are among those who are told.

    One that was queued before mails knew their case is sent.
    """
    if mail.subject_id is None:
        return True
    case = await session.get_one(Case, mail.subject_id)
    told = [
        *await list_deciders(session, case.id, now),
        *await list_told_that_nobody_decides(session, case.id, now),
        *await list_leads(session, case.id, now),
    ]
    return case.state == CaseState.OPEN and mail.member_id in told


async def _raise_alarm(session: AsyncSession, case: Case, now: datetime, at_work: UUID | None) -> None:
    """Call whoever is first; the others who may decide the case read in their notices that it waits."""
    if await inbox.is_told(session, NotificationKind.CASE_URGENT, case.id):
        return  # the same alarm again
    called = await case_calls.raise_alarm(session, case, now, but_not={at_work})
    deciders = await list_deciders(session, case.id, now)
    leads = await list_leads(session, case.id, now)
    await inbox.withdraw(session, inbox.OF_CASES, case.id, but_of=[*deciders, *leads, *called])
    others = [one for one in deciders if one not in called and one != at_work]
    await inbox.notify_each(session, others, NotificationKind.CASE_WAITING, now, subject_id=case.id)


async def _tell(
    session: AsyncSession,
    case: Case,
    kind: NotificationKind,
    now: datetime,
    *,
    but_not: Collection[UUID | None] = (),
    and_administrators: bool = False,
) -> None:
    """Tell whoever may decide the case now; where nobody may, the administrators whom it is not about."""
    deciders = await list_deciders(session, case.id, now)
    told = [member_id for member_id in deciders if member_id not in but_not]
    if and_administrators or not deciders:
        told = [*dict.fromkeys([*told, *await list_told_that_nobody_decides(session, case.id, now)])]
    kind = kind if deciders else NotificationKind.CASE_WITHOUT_DECIDER
    # Whoever reported it, stepped back or lost their role meanwhile need not look at it any more.
    leads = await list_leads(session, case.id, now)
    await inbox.withdraw(session, inbox.OF_CASES, case.id, but_of=[*deciders, *told, *leads])
    news = await inbox.notify_each(session, told, kind, now, subject_id=case.id)
    if _is_grave(case):
        subject = outbox.MailSubject(case.id, case.subject_persona_id)
        mailed = await outbox.enqueue_to_each(session, MailKind.CASE_URGENT, news, now, subject)
        because = REASONS.get(kind, CallReason.EVERYBODY)
        await case_calls.note_calls(session, case, now, because, called=news, mailed=mailed)


def _is_grave(case: Case) -> bool:
    """Whether a case calls people; one of a worry waits in the queue, however grave its category is."""
    return case.calls and Category(case.category) in MAILED


async def _list_lapsed_claims(session: AsyncSession, now: datetime) -> Sequence[CaseClaim]:
    lapsed = (
        select(CaseClaim)
        .join(Case, col(Case.id) == col(CaseClaim.case_id))
        .outerjoin(CaseAlarm, col(CaseAlarm.case_id) == col(CaseClaim.case_id))
        .where(
            col(CaseClaim.until) <= now,
            col(Case.state) == CaseState.OPEN,
            col(CaseAlarm.claim_until).is_distinct_from(col(CaseClaim.until)),
        )
        .limit(BATCH)
    )
    return (await session.execute(lapsed)).scalars().all()


async def _list_overdue(session: AsyncSession, now: datetime) -> Sequence[Case]:
    """Return open cases whose due time has passed untold, or has to be told again, locked.

    What somebody decides at this moment is left out.
    """
    overdue = (
        select(Case)
        .outerjoin(CaseAlarm, col(CaseAlarm.case_id) == col(Case.id))
        .where(
            col(Case.state) == CaseState.OPEN,
            col(Case.due_at) <= now,
            or_(
                col(CaseAlarm.due_at).is_distinct_from(col(Case.due_at)),
                and_(col(Case.due_at) + _SPAN <= now, col(CaseAlarm.again_due_at).is_distinct_from(col(Case.due_at))),
            ),
        )
        .order_by(col(Case.priority), col(Case.due_at), col(Case.id))
        .limit(BATCH)
        .with_for_update(of=Case, key_share=True, skip_locked=True)
    )
    return (await session.execute(overdue)).scalars().all()


def _again_at(case: Case) -> datetime:
    return case.due_at + GRAVITY[Category(case.category)][1]


async def _note(session: AsyncSession, case_id: UUID, **told: datetime) -> None:
    row = insert(CaseAlarm).values(case_id=case_id, **told)
    await session.execute(row.on_conflict_do_update(index_elements=[col(CaseAlarm.case_id)], set_=told))
