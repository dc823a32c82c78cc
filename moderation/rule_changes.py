"""Members are told when the rules have changed since they accepted them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import jobs
from forum.members.tables import Member
from forum.notifications.inbox import NotificationKind, notify_each
from moderation.rules import RULES_CHANGED

BATCH = 1_000  # members told in one transaction


async def tell_members(session: AsyncSession, payload: jobs.Payload, now: datetime) -> None:
    """Job handler: tell members of an edition of the rules that they have not accepted, until none remain.

    Whoever has not read of an earlier edition yet is not told again.
    """
    edition, after = int(payload["edition"]), UUID(payload["after"])
    others = select(col(Member.id)).where(
        col(Member.id) > after,
        col(Member.left_at).is_(None),
        func.coalesce(col(Member.rules_version), 0) < edition,
    )
    members = (await session.execute(others.order_by(col(Member.id)).limit(BATCH))).scalars().all()
    await notify_each(session, members, NotificationKind.RULES_CHANGED, now)
    if len(members) == BATCH:
        await jobs.enqueue(session, RULES_CHANGED, {**payload, "after": str(members[-1])})
