"""Who has a role."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.members.tables import Member, Role, RoleGrant


def has_role(member_id: Any = None, role: Role | None = None) -> ColumnElement[bool]:
    """Return the condition that a member has any role, or this role."""
    held = exists().where(col(RoleGrant.member_id) == (col(Member.id) if member_id is None else member_id))
    return held.where(col(RoleGrant.role) == role) if role else held


async def is_staff(session: AsyncSession, member_id: UUID) -> bool:
    """Return whether a member has any role."""
    return bool((await session.execute(select(has_role(member_id)))).scalar_one())
