"""Appoint advisers, and dismiss them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import roles
from forum.core import audit
from forum.core.database import Reader
from forum.core.errors import Conflict
from forum.members.advisers import Adviser, list_advisers
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from forum.permissions import Act, allow


async def list_appointed(reader: Reader, administrator: Viewer) -> Sequence[Any]:
    """Return the advisers of today, with whom they speak for. Raises Forbidden."""
    allow(Act.ADMINISTER, administrator)
    return await list_advisers(reader)


async def appoint(
    session: AsyncSession,
    member: Member,
    title: str,
    organisation: str,
    now: datetime,
    *,
    by: UUID | None = None,
) -> None:
    """Make a member an adviser, or give an adviser another title or organisation.

    Raises Forbidden when the member's password is too short for staff.
    """
    profile = {"title": title, "organisation": organisation}
    row = insert(Adviser).values(member_id=member.id, since=now, **profile)
    await session.execute(row.on_conflict_do_update(index_elements=["member_id"], set_=profile))
    try:
        async with session.begin_nested():
            await roles.grant(session, member, Role.ADVISER, now, by=by)
    except Conflict:
        await audit.record(session, actor_id=by, act="adviser.changed", subject=("member", member.id), now=now)


async def dismiss(session: AsyncSession, member: Member, now: datetime, *, by: UUID | None = None) -> None:
    """Take the role and the profile away; posts keep their badges. Raises NotFound for a member who is no adviser."""
    await roles.revoke(session, member, Role.ADVISER, now, by=by)
    await session.execute(delete(Adviser).where(col(Adviser.member_id) == member.id))
