"""Administrators are told that a backup failed, or is not good."""

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.jobs import Payload
from forum.members.roles import has_role
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, Standing
from forum.notifications.inbox import Notification, NotificationKind, notify_each


async def tell_administrators(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: tell each administrator that a backup failed, if they have read the last such notice."""
    unread = exists().where(
        col(Notification.member_id) == col(Member.id),
        col(Notification.kind) == NotificationKind.BACKUP_FAILED,
        col(Notification.read_at).is_(None),
    )
    told = select(col(Member.id)).where(
        has_role(None, Role.ADMINISTRATOR), standing_at(now) == Standing.ACTIVE, ~unread
    )
    await notify_each(session, (await session.execute(told)).scalars().all(), NotificationKind.BACKUP_FAILED, now)
