"""Tell leads that a concern waits, must be looked at again, or needs a decision; and administrators that nobody leads.

A job looks every minute, so that a lead who is named later hears of what waited, and a date that comes is not missed.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.database import query
from forum.core.jobs import Job, Payload
from forum.mail import outbox
from forum.mail.tables import Mail, MailKind
from forum.notifications import inbox
from forum.notifications.inbox import Notification, NotificationKind
from moderation.concerns.tables import Concern, ConcernDisclosure, ConcernHold, ConcernState
from moderation.concerns.visibility import list_leads, list_told_that_nobody_leads

WATCH = Job("watch_concerns")
WARNED = timedelta(days=7)  # before the last day to decide on disclosure
TO_LEADS = (NotificationKind.CONCERN_WAITING, NotificationKind.CONCERN_REVIEW, NotificationKind.CONCERN_DISCLOSURE)


async def watch(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: tell whoever was not told yet, and take back what is over."""
    await _tell(session, now)


async def tell_of(session: AsyncSession, concern_id: UUID, now: datetime) -> None:
    """Tell those whom one concern needs now, and take back what is over for it."""
    await _tell(session, now, col(Concern.id) == concern_id)


async def is_still_waiting(session: AsyncSession, mail: Mail, now: datetime) -> bool:
    """Return whether a mail is still to call a lead: something of the concern waits, and they may read it."""
    this = col(Concern.id) == mail.subject_id
    leads = (await list_leads(session, now, this)).get(mail.subject_id or UUID(int=0), [])
    return mail.member_id in leads and bool((await _needs(session, now, this)).get(mail.subject_id or UUID(int=0)))


async def _tell(session: AsyncSession, now: datetime, *concerns: ColumnElement[bool]) -> None:
    leads, needs = await list_leads(session, now, *concerns), await _needs(session, now, *concerns)
    due = {(concern_id, kind): leads[concern_id] for concern_id, kinds in needs.items() for kind in kinds}
    told = await _list_told(session, list(leads))
    for concern_id, kind in sorted(due.keys() | told.keys()):
        members = due.get((concern_id, kind), [])
        if set(members) != told.get((concern_id, kind), set()):
            await inbox.withdraw(session, [kind], concern_id, but_of=members)
            news = await inbox.notify_each(session, members, kind, now, subject_id=concern_id)
            subject = outbox.MailSubject(concern_id, None)
            await outbox.enqueue_to_each(session, MailKind.CONCERN_WAITING, news, now, subject)
    await _tell_that_nobody_leads(session, now)


async def _list_told(
    session: AsyncSession, concern_ids: Collection[UUID]
) -> Mapping[tuple[UUID, NotificationKind], set[UUID]]:
    """Return who was told what of these concerns: of most, nothing changes from one minute to the next."""
    wanted = query(col(Notification.subject_id), col(Notification.kind), col(Notification.member_id)).where(
        col(Notification.kind).in_(TO_LEADS), col(Notification.subject_id).in_(concern_ids)
    )
    told: dict[tuple[UUID, NotificationKind], set[UUID]] = {}
    for row in (await session.execute(wanted)).all():
        told.setdefault((row.subject_id, NotificationKind(row.kind)), set()).add(row.member_id)
    return told


async def _tell_that_nobody_leads(session: AsyncSession, now: datetime) -> None:
    """Tell administrators that somebody must be named, not of what: once, until there is somebody."""
    is_open = col(Concern.state) == ConcernState.OPEN
    alone = [concern_id for concern_id, members in (await list_leads(session, now, is_open)).items() if not members]
    told: set[UUID] = set()
    if alone:
        found = await list_told_that_nobody_leads(session, now, col(Concern.id).in_(alone))
        told = {member_id for members in found.values() for member_id in members}
    await inbox.withdraw(session, [NotificationKind.CONCERN_WITHOUT_LEAD], None, but_of=told)
    await inbox.notify_each(session, sorted(told), NotificationKind.CONCERN_WITHOUT_LEAD, now)


async def _needs(
    session: AsyncSession, now: datetime, *concerns: ColumnElement[bool]
) -> Mapping[UUID, Collection[NotificationKind]]:
    """Return of which kinds the leads of each concern are told now."""
    today = now.date()
    is_open = col(Concern.state) == ConcernState.OPEN
    held = exists().where(col(ConcernHold.concern_id) == col(Concern.id), col(ConcernHold.review_on) <= today)
    waits = (col(ConcernDisclosure.concern_id) == col(Concern.id), col(ConcernDisclosure.decided_at).is_(None))
    asked, soon = exists().where(*waits), exists().where(*waits, col(ConcernDisclosure.due_on) <= today + WARNED)
    is_due = or_(and_(is_open, col(Concern.review_on) <= today), col(Concern.keep_until) <= today, held, soon)
    rows = query(col(Concern.id), is_open.label("is_open"), is_due.label("is_due"), asked.label("asked"))
    found = (await session.execute(rows.where(col(Concern.state) != ConcernState.ERASED, *concerns))).all()
    return {
        row.id: [kind for kind, is_so in zip(TO_LEADS, (row.is_open, row.is_due, row.asked), strict=True) if is_so]
        for row in found
    }
