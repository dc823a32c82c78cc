"""Advisers: people of an organisation whose answers stand out, under the title that they have."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum import members, roles
from forum.core import audit
from forum.core.database import Moment, Prepared, query
from forum.core.errors import Conflict
from forum.members.tables import Member, Role


class Adviser(SQLModel, table=True):
    """Whom an adviser speaks for. A post keeps a copy of it as it was when the post was written."""

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    title: str
    organisation: str
    since: datetime = Field(sa_type=Moment)


@dataclass(frozen=True, slots=True)
class Badge:
    """What a reader sees beside an adviser's words."""

    name: str
    title: str
    organisation: str


# The advisers of today, by name.
CURRENT = Prepared(
    query(Member.handle, Member.name, Adviser.title, Adviser.organisation, Adviser.since)
    .join(Member, col(Member.id) == col(Adviser.member_id))
    .order_by(col(Member.name), col(Member.id))
)

# The public cards of the members `handles`, with the title and organisation of those who are advisers.
CARDS = Prepared(
    members.public_cards()
    .add_columns(col(Adviser.title).label("adviser_title"), col(Adviser.organisation).label("adviser_organisation"))
    .outerjoin(Adviser, col(Adviser.member_id) == col(Member.id))
)


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

    Raises Forbidden when the member's password is shorter than staff's must be.
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
    """Take the role and the profile away; posts keep what they carried. NotFound for one who is no adviser."""
    await roles.revoke(session, member, Role.ADVISER, now, by=by)
    await session.execute(delete(Adviser).where(col(Adviser.member_id) == member.id))
