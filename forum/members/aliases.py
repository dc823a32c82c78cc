"""Whose an alias is. Nothing else reads `PersonaOwner`: what does not ask here treats an alias as a stranger."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    UniqueConstraint,
    delete,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col


class PersonaOwner(SQLModel, table=True):
    """The member whose alias a persona is. A member has at most one in a thread.

    Not ON DELETE CASCADE: when they leave, what they wrote under an alias must still be found to be erased.
    """

    __tablename__ = "persona_owner"
    __table_args__ = (UniqueConstraint("member_id", "thread_id"),)

    persona_id: UUID = Field(primary_key=True, foreign_key="persona.id", ondelete="CASCADE")
    member_id: UUID = Field(foreign_key="member.id")
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


def is_persona_of(persona_id: Any, member_id: Any) -> ColumnElement[bool]:
    """Return the condition that a persona is this member's: for erasure, limits and what stands in their way."""
    aliases = select(col(PersonaOwner.persona_id)).where(col(PersonaOwner.member_id) == member_id)
    return or_(persona_id == member_id, persona_id.in_(aliases))


async def forget_aliases(session: AsyncSession, member_id: UUID) -> None:
    """Forget whose a member's aliases were: they have left, and nothing of theirs is to be erased any more."""
    await session.execute(delete(PersonaOwner).where(col(PersonaOwner.member_id) == member_id))


async def get_owner(session: AsyncSession, persona_id: UUID) -> UUID:
    """Return the id of the member whose persona this is: for notices, sanctions, limits and erasure only."""
    return (await session.execute(select(owner_of(persona_id)))).scalar_one()
