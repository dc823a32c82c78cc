"""Administrators are told that a webhook was turned off because nothing reached it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.jobs import Payload
from forum.members.roles import has_role
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, Standing
from forum.notifications.inbox import NotificationKind, notify_each


async def tell_administrators(session: AsyncSession, payload: Payload, now: datetime) -> None:
    """Job handler: tell every administrator in good standing that a webhook is off."""
    told = select(col(Member.id)).where(has_role(None, Role.ADMINISTRATOR), standing_at(now) == Standing.ACTIVE)
    members = (await session.execute(told)).scalars().all()
    await notify_each(session, members, NotificationKind.WEBHOOK_OFF, now, subject_id=UUID(payload["webhook"]))
