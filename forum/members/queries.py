"""Members as others find them, and as they find themselves."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.database import Query, query
from forum.core.errors import NotFound
from forum.members import names
from forum.members.standing import standing_of
from forum.members.tables import Member, Standing
from forum.members.viewer import viewers


@dataclass(frozen=True)
class Account:
    """A member's own row, held until the commit, and where they stand while it changes."""

    member: Member
    standing: Standing


def public_cards() -> Query:
    """What everybody may know of the members `handles` (in their normal form): those who exist and have not left."""
    return (
        query(
            col(Member.id),
            col(Member.handle),
            col(Member.name),
            col(Member.title),
            col(Member.joined_at),
        )
        .where(col(Member.handle) == any_(bindparam("handles", type_=ARRAY(Text()))))
        .order_by(col(Member.handle))
    )


def profiles() -> Query:
    """One row a member with what only they may read of themselves; add a condition on Member."""
    return viewers().add_columns(
        col(Member.email), col(Member.email_verified_at), col(Member.wanted_email), col(Member.rules_version)
    )


async def get_member(session: AsyncSession, handle: str) -> Member:
    """The member with this handle; NotFound when there is none."""
    found = await session.execute(select(Member).where(col(Member.handle) == names.folded(handle)))
    member = found.scalar_one_or_none()
    if member is None:
        raise NotFound(f"There is no member called {handle}.")
    return member


async def lock_account_row(session: AsyncSession, member_id: UUID, now: datetime) -> Account:
    """The account of a member who is about to change it."""
    return Account(await lock_member_row(session, member_id), await standing_of(session, member_id, now))


async def lock_member_row(session: AsyncSession, member_id: UUID) -> Member:
    """A member's own row, held until the commit."""
    # Only against other changes of it: what they write meanwhile points to the row, and must not wait.
    found = select(Member).where(col(Member.id) == member_id).with_for_update(key_share=True)
    return (await session.execute(found.execution_options(populate_existing=True))).scalar_one()
