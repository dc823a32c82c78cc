"""A member's standing: the gravest sanction in force at a time."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.members.tables import Member, Sanction, Standing

# Who can sign in, but reads as a guest does and writes nothing. Their own account, statements and appeals stay open.
SHUT_OUT = {Standing.SUSPENDED, Standing.BANNED, Standing.LEFT}
# Who may write; of them, what whoever is reviewed writes waits for a moderator.
MAY_WRITE = {Standing.ACTIVE, Standing.REVIEWED}
# The greater, the graver.
GRAVITY = case({standing: place for place, standing in enumerate(Standing)}, value=col(Sanction.standing))


def is_in_force_at(moment: Any) -> ColumnElement[bool]:
    """Return the condition that a sanction is in force at a time. Expiry is this comparison and nothing else."""
    return or_(col(Sanction.until).is_(None), col(Sanction.until) > moment)


def standing_at(moment: Any) -> ColumnElement[str]:
    """Return the standing of Member at a time: the gravest in force then, unless they have left."""
    gravest = (
        select(col(Sanction.standing))
        .where(col(Sanction.member_id) == col(Member.id), is_in_force_at(moment))
        .order_by(GRAVITY.desc())
        .limit(1)
    )
    stands = func.coalesce(gravest.scalar_subquery(), Standing.ACTIVE.value)
    return case((col(Member.left_at).is_not(None), Standing.LEFT.value), else_=stands)


async def standing_of(session: AsyncSession, member_id: UUID, now: datetime) -> Standing:
    """Return a member's standing at `now`."""
    found = await session.execute(select(standing_at(now)).where(col(Member.id) == member_id))
    return Standing(found.scalar_one())


async def add_sanction(
    session: AsyncSession, member_id: UUID, standing: Standing, now: datetime, until: datetime | None
) -> Sanction:
    """Give a member a standing, until a time or for good. Moderation decides, and stores the reasons."""
    given = Sanction(member_id=member_id, standing=standing, since=now, until=until)
    session.add(given)
    await session.flush()
    return given


async def lift_sanction(session: AsyncSession, sanction_id: UUID) -> None:
    """Delete a sanction, as if it had never been given."""
    await session.execute(delete(Sanction).where(col(Sanction.id) == sanction_id))
