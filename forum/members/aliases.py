"""Whose an alias is. Nothing else reads `PersonaOwner`: what does not ask here treats an alias as a stranger."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, CompoundSelect, Select, UniqueConstraint, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col


class PersonaOwner(SQLModel, table=True):
    """The member whose alias a persona is. A member has at most one in a thread."""

    __tablename__ = "persona_owner"
    __table_args__ = (UniqueConstraint("member_id", "thread_id"),)

    persona_id: UUID = Field(primary_key=True, foreign_key="persona.id", ondelete="CASCADE")
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE")
    thread_id: int = Field(sa_type=BigInteger, foreign_key="thread.id", index=True)


def aliases_of(member_id: Any) -> ColumnElement[Any]:
    """Return the expression for a member's aliases, an array of persona ids; null where there are none."""
    owned = select(func.array_agg(col(PersonaOwner.persona_id))).where(col(PersonaOwner.member_id) == member_id)
    return owned.scalar_subquery()


def owner_of(persona_id: Any) -> ColumnElement[UUID]:
    """Return the expression for the member whose persona this is: for notices, sanctions, limits and erasure only."""
    owner = select(col(PersonaOwner.member_id)).where(col(PersonaOwner.persona_id) == persona_id)
    return func.coalesce(owner.correlate_except(PersonaOwner).scalar_subquery(), persona_id)


def personas_of(member_ids: Select[UUID]) -> CompoundSelect[UUID]:
    """Return a select of all personas of these members: their own, which has the member's id, and their aliases."""
    aliases = select(col(PersonaOwner.persona_id)).where(col(PersonaOwner.member_id).in_(member_ids))
    return union_all(member_ids, aliases)


async def get_owner(session: AsyncSession, persona_id: UUID) -> UUID:
    """Return the id of the member whose persona this is: for notices, sanctions, limits and erasure only."""
    return (await session.execute(select(owner_of(persona_id)))).scalar_one()
