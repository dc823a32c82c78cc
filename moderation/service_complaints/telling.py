"""Tell those who may hear a complaint that it waits; and administrators that nobody may, or that it is late.

A job looks once a day, so that whoever is named later hears of what waited.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.jobs import Job, Payload
from forum.mail.tables import Mail
from forum.notifications import inbox
from forum.notifications.inbox import Notification, NotificationKind
from moderation.public_reports import actions as public_reports
from moderation.service_complaints.tables import ServiceComplaint
from moderation.service_complaints.visibility import ComplaintPart, find_parts, list_administrators, list_hearers

REMIND = Job("remind_of_complaints")
KEPT_FOR = timedelta(days=730)  # once answered: the report of their year counts them
TO_ADMINISTRATORS = (
    NotificationKind.SERVICE_COMPLAINT_OVERDUE,
    NotificationKind.SERVICE_COMPLAINT_WITHOUT_HEARER,
)
_WAITS = (col(ServiceComplaint.answered_at).is_(None),)
# One transaction at a time makes a complaint or answers one: one that comes while the last one is answered would be
# told of by a notification that is being taken away. It is held until the commit.
_LOCK = 0x636F6D70


async def let_one_at_a_time(session: AsyncSession) -> None:
    """Wait until no other transaction makes or answers a complaint."""
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def list_free(session: AsyncSession, part: ComplaintPart, now: datetime) -> Sequence[UUID]:
    """Return who may hear a complaint and has no part in it."""
    return [member_id for member_id in await list_hearers(session, now) if part.lets_hear(member_id)]


async def list_free_for(session: AsyncSession, this: ColumnElement[bool], now: datetime) -> Sequence[UUID]:
    """Return who may hear the complaint under this condition and has no part in it."""
    [part] = (await find_parts(session, this)).values()
    return await list_free(session, part, now)


async def list_to_alarm(session: AsyncSession, part: ComplaintPart, now: datetime) -> Sequence[UUID]:
    """Return whom words of danger call: whoever hears complaints, also those who may not answer this one."""
    return [member_id for member_id in await list_hearers(session, now) if part.lets_know(member_id)]


async def tell_of(session: AsyncSession, complaint_id: UUID, part: ComplaintPart, now: datetime) -> None:
    """Tell whoever may hear a complaint, or else that nobody may."""
    free = await list_free(session, part, now)
    await inbox.notify_each(session, free, NotificationKind.SERVICE_COMPLAINT_WAITING, now)
    if not free:
        without = NotificationKind.SERVICE_COMPLAINT_WITHOUT_HEARER
        await _tell_administrators(session, without, {complaint_id: part}, now)


async def remind(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: tell administrators, once, of each complaint that is late, and hearers who were not told yet."""
    await let_one_at_a_time(session)
    late = await session.execute(select(col(ServiceComplaint.id)).where(*_WAITS, col(ServiceComplaint.due_at) <= now))
    overdue = set(late.scalars())
    kind = NotificationKind.SERVICE_COMPLAINT_WAITING
    told = set(
        (await session.execute(select(col(Notification.member_id)).where(col(Notification.kind) == kind))).scalars()
    )
    parts, hearers = await find_parts(session, *_WAITS), await list_hearers(session, now)
    heard = {complaint_id: set(filter(part.lets_hear, hearers)) for complaint_id, part in parts.items()}
    unheard = [complaint_id for complaint_id, free in heard.items() if not free]  # whoever could hear them is gone
    await inbox.withdraw_but_about(session, (NotificationKind.SERVICE_COMPLAINT_WITHOUT_HEARER,), unheard)
    await inbox.notify_each(session, sorted(set[UUID]().union(*heard.values()) - told), kind, now)
    without = {complaint_id: parts[complaint_id] for complaint_id in unheard}
    await _tell_administrators(session, NotificationKind.SERVICE_COMPLAINT_WITHOUT_HEARER, without, now)
    is_late = {complaint_id: parts[complaint_id] for complaint_id in overdue & parts.keys()}
    await _tell_administrators(session, NotificationKind.SERVICE_COMPLAINT_OVERDUE, is_late, now)


async def _tell_administrators(
    session: AsyncSession, kind: NotificationKind, parts: Mapping[UUID, ComplaintPart], now: datetime
) -> None:
    """Tell administrators of these complaints, but of those of which somebody was told already."""
    new = parts.keys() - await inbox.list_told_of(session, kind, parts.keys())
    administrators = await list_administrators(session, now) if new else ()
    for complaint_id in sorted(new):
        told = [member_id for member_id in administrators if parts[complaint_id].lets_know(member_id)]
        await inbox.notify_each(session, told, kind, now, subject_id=complaint_id)


async def withdraw_what_is_over(session: AsyncSession) -> None:
    """Withdraw what was told of complaints that were answered, or went with their member."""
    if not (await session.execute(select(exists().where(*_WAITS)))).scalar_one():
        await inbox.withdraw(session, (NotificationKind.SERVICE_COMPLAINT_WAITING,), None)
    waiting = select(col(ServiceComplaint.id)).where(*_WAITS)
    await inbox.withdraw_but_about(session, TO_ADMINISTRATORS, waiting)


async def is_still_urgent(session: AsyncSession, mail: Mail, now: datetime) -> bool:
    """Return whether a mail is still to call its member: to a complaint that waits, a report or a message."""
    complaint = await session.get(ServiceComplaint, mail.subject_id)
    if complaint is None:
        return await public_reports.is_still_urgent(session, mail, now)
    parts = await find_parts(session, *_WAITS, col(ServiceComplaint.id) == complaint.id)
    return complaint.id in parts and mail.member_id in await list_to_alarm(session, parts[complaint.id], now)


async def delete_old(session: AsyncSession, now: datetime) -> None:
    """Delete the complaints that were answered two years ago, and what was told of those whose member has left."""
    await session.execute(delete(ServiceComplaint).where(col(ServiceComplaint.answered_at) <= now - KEPT_FOR))
    await let_one_at_a_time(session)
    await withdraw_what_is_over(session)
