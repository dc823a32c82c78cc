"""Who is called to a case that cannot wait: the first on call, after ten minutes the next, then everybody.

To take the case is to answer. Each call is kept with the case. A job makes each call and commits it with its own end,
so a worker that dies loses none and makes none twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import jobs
from forum.core.database import Moment, Query, check_one_of, new_id, query
from forum.core.export_section import ExportSection, items_of
from forum.core.figures import figure
from forum.core.jobs import Job, Payload
from forum.mail import outbox
from forum.mail.tables import MailKind
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from moderation import on_call
from moderation.case_deciders import list_deciders, list_leads, list_told_that_nobody_decides
from moderation.cases import Case, CaseClaim, CaseState, lock_case_row

CALL_NEXT = Job("call_next")
ANSWERED_WITHIN = timedelta(minutes=10)
SHOWN_MAX = 100


class CallReason(StrEnum):
    """Why somebody is called."""

    ON_CALL = "on_call"
    EVERYBODY = "everybody"  # nobody is on call, or nobody who is answered
    NOBODY_ANSWERED = "nobody_answered"  # safeguarding leads and administrators
    HANDED_OVER = "handed_over"
    OVERDUE = "overdue"


class CallWay(StrEnum):
    """How somebody is called: with a mail there is a notification, too."""

    NOTIFICATION = "notification"
    MAIL = "mail"


class CaseCall(SQLModel, table=True):
    """That somebody was called to a case. The calls of one alarm follow each other until somebody answers."""

    __tablename__ = "case_call"
    __table_args__ = (check_one_of("because", CallReason), check_one_of("how", CallWay))

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", ondelete="CASCADE", index=True)
    alarm_id: UUID
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    because: str
    how: str
    at: datetime = Field(sa_type=Moment)
    acknowledged_at: datetime | None = Field(default=None, sa_type=Moment, description="They took the case")


FIGURES = (
    figure(
        "forum_calls_unanswered",
        "Cases to which somebody was called more than ten minutes ago, and which nobody has taken",
        "count(DISTINCT case_id)",
        "FROM case_call JOIN moderation_case ON moderation_case.id = case_id AND state = 'open' "
        "WHERE at <= now() - interval '10 minutes' "
        "AND NOT EXISTS (SELECT FROM case_call AS other "
        "WHERE other.alarm_id = case_call.alarm_id AND other.acknowledged_at IS NOT NULL) "
        "AND NOT EXISTS (SELECT FROM case_claim WHERE case_claim.case_id = case_call.case_id AND until > now())",
    ),
)


@dataclass(frozen=True)
class Alarm:
    """One alarm about a case, whose row is locked, at this step of it."""

    case: Case
    id: UUID
    now: datetime


async def raise_alarm(
    session: AsyncSession, case: Case, now: datetime, *, but_not: Collection[UUID | None] = ()
) -> Collection[UUID]:
    """Call the first on call to a case, whose row the caller has locked; without any, everybody who may decide it.

    Return who was called.
    """
    return await _call_next(session, Alarm(case, new_id(), now), but_not)


async def call_next(session: AsyncSession, payload: Payload, now: datetime) -> None:
    """Job handler: call the next to a case, unless somebody took it, or another alarm was raised since."""
    case = await lock_case_row(session, UUID(payload["case"]))
    alarm = Alarm(case, UUID(payload["alarm"]), now)
    if case.state == CaseState.OPEN and not await _is_answered(session, alarm):
        await _call_next(session, alarm)


async def note_calls(
    session: AsyncSession,
    case: Case,
    now: datetime,
    because: CallReason,
    *,
    called: Collection[UUID],
    mailed: Collection[UUID],
) -> None:
    """Keep that all of these were called to a case at once. What is handed over is an alarm of its own."""
    newest = await _get_newest(session, case.id)
    is_new = because == CallReason.HANDED_OVER or newest is None
    alarm = Alarm(case, newest if newest and not is_new else new_id(), now)
    await _keep(session, alarm, because, called=called, mailed=mailed)
    if is_new and called:
        await _enqueue(session, alarm)


async def acknowledge(session: AsyncSession, case_id: UUID, member_id: UUID, now: datetime) -> None:
    """Note that whoever took a case answered, if they were called."""
    own = (col(CaseCall.case_id) == case_id, col(CaseCall.member_id) == member_id)
    unanswered = update(CaseCall).where(*own, col(CaseCall.acknowledged_at).is_(None))
    await session.execute(unanswered.values(acknowledged_at=now))


def select_calls(case_id: UUID) -> Query:
    """Return a select of who was called to a case, and when, oldest first."""
    return (
        query(
            *(col(CaseCall.because), col(CaseCall.how), col(CaseCall.at), col(CaseCall.acknowledged_at)),
            *named_columns(Member, "called"),
        )
        .join(Member, col(Member.id) == col(CaseCall.member_id))
        .where(col(CaseCall.case_id) == case_id)
        .order_by(col(CaseCall.at), col(CaseCall.id))
        .limit(SHOWN_MAX)
    )


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return when the viewer was called, and when they answered."""
    own = query(*(col(CaseCall.at), col(CaseCall.because), col(CaseCall.how), col(CaseCall.acknowledged_at)))
    rows = (await session.execute(own.where(col(CaseCall.member_id) == viewer.id).order_by(col(CaseCall.at)))).all()
    return (ExportSection("calls", "When you were called", items_of(rows)),)


async def _call_next(session: AsyncSession, alarm: Alarm, but_not: Collection[UUID | None] = ()) -> Collection[UUID]:
    case_id, now = alarm.case.id, alarm.now
    calls = select(CaseCall).where(col(CaseCall.alarm_id) == alarm.id)
    earlier = (await session.execute(calls)).scalars().all()
    called = {call.member_id for call in earlier}
    were_all_called = any(call.because in {CallReason.EVERYBODY, CallReason.HANDED_OVER} for call in earlier)
    free = [one for one in await list_deciders(session, case_id, now) if one not in called and one not in but_not]
    on_duty = await on_call.list_on_call(session, await _get_board_id(session, alarm.case), now)
    first = next((person.member_id for person in on_duty if person.member_id in free), None)
    if first and not were_all_called:
        chosen, because = [first], CallReason.ON_CALL
    elif not called:
        chosen, because = free, CallReason.EVERYBODY
    else:
        others = [*await list_leads(session, case_id, now), *await list_told_that_nobody_decides(session, case_id, now)]
        late = [one for one in others if one not in called and one not in but_not]
        chosen, because = [*dict.fromkeys([*free, *late])], CallReason.NOBODY_ANSWERED
    if chosen:
        await _call(session, alarm, because, chosen)
        await _enqueue(session, alarm)
    return chosen


async def _call(session: AsyncSession, alarm: Alarm, because: CallReason, chosen: Sequence[UUID]) -> None:
    case, now = alarm.case, alarm.now
    await inbox.notify_each(session, chosen, NotificationKind.CASE_URGENT, now, subject_id=case.id)
    subject = outbox.MailSubject(case.id, case.subject_persona_id)
    mailed = await outbox.enqueue_to_each(session, MailKind.CASE_URGENT, chosen, now, subject)
    await _keep(session, alarm, because, called=chosen, mailed=mailed)


async def _keep(
    session: AsyncSession, alarm: Alarm, because: CallReason, *, called: Collection[UUID], mailed: Collection[UUID]
) -> None:
    for member_id in called:
        how = CallWay.MAIL if member_id in mailed else CallWay.NOTIFICATION
        row = CaseCall(
            case_id=alarm.case.id,
            alarm_id=alarm.id,
            member_id=member_id,
            because=because,
            how=how,
            at=alarm.now,
        )
        session.add(row)
    await session.flush()


async def _is_answered(session: AsyncSession, alarm: Alarm) -> bool:
    """Return whether nobody is to be called any more: somebody took the case, or a newer alarm calls."""
    if await _get_newest(session, alarm.case.id) != alarm.id:
        return True
    since = select(func.min(col(CaseCall.at))).where(col(CaseCall.alarm_id) == alarm.id).scalar_subquery()
    # A claim that ran out meanwhile is handed on by `case_alerts`, in an alarm of its own.
    taken = exists().where(
        col(CaseClaim.case_id) == alarm.case.id,
        or_(col(CaseClaim.until) > alarm.now, col(CaseClaim.claimed_at) >= since),
    )
    return bool((await session.execute(select(taken))).scalar_one())


async def _get_newest(session: AsyncSession, case_id: UUID) -> UUID | None:
    """Return the newest alarm of a case, if there was any."""
    newest = select(col(CaseCall.alarm_id)).where(col(CaseCall.case_id) == case_id)
    found = await session.execute(newest.order_by(col(CaseCall.alarm_id).desc()).limit(1))
    return found.scalar_one_or_none()


async def _get_board_id(session: AsyncSession, case: Case) -> int | None:
    """Return the board of a case's first post; None for a case that holds none."""
    board = select(col(Thread.board_id)).join(Post, col(Post.thread_id) == col(Thread.id))
    return (await session.execute(board.where(col(Post.id) == case.post_id))).scalar_one_or_none()


async def _enqueue(session: AsyncSession, alarm: Alarm) -> None:
    payload = {"case": str(alarm.case.id), "alarm": str(alarm.id)}
    await jobs.enqueue(session, CALL_NEXT, payload, at=alarm.now + ANSWERED_WITHIN)
