"""Legal holds: an administrator sees to it that nothing of a member is deleted for now."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.core import audit
from forum.core.database import Query, query
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.privacy.tables import Departure, LegalHold, Reason

_Administrator = aliased(Member, name="administrator")


def select_holds() -> Query:
    """Every hold, the oldest first, with who is held, by whom, and when they wanted to be gone."""
    return (
        query(
            *(col(getattr(Member, name)).label(f"member_{name}") for name in ("handle", "name", "title")),
            *(col(getattr(_Administrator, name)).label(f"by_{name}") for name in ("handle", "name", "title")),
            col(LegalHold.reason),
            col(LegalHold.placed_at),
            col(Departure.due_at),
        )
        .join(Member, col(Member.id) == col(LegalHold.member_id))
        .join(_Administrator, col(_Administrator.id) == col(LegalHold.placed_by))
        .outerjoin(Departure, col(Departure.member_id) == col(LegalHold.member_id))
        .order_by(col(LegalHold.placed_at), col(LegalHold.member_id))
    )


async def get_hold(session: AsyncSession, member_id: UUID) -> LegalHold | None:
    """The hold on a member, if there is one."""
    return await session.get(LegalHold, member_id, populate_existing=True)


async def place_hold(
    session: AsyncSession, administrator: Viewer, member: Member, reason: Reason, now: datetime
) -> LegalHold:
    """Hold a member, whose row the caller holds; placed again, it has the new reason."""
    said = {"reason": reason, "placed_by": administrator.member_id, "placed_at": now}
    row = insert(LegalHold).values(member_id=member.id, **said)
    await session.execute(row.on_conflict_do_update(index_elements=[col(LegalHold.member_id)], set_=said))
    await _record(session, administrator, "hold.placed", member, now, {"reason": reason})
    return await session.get_one(LegalHold, member.id, populate_existing=True)


async def release_hold(session: AsyncSession, administrator: Viewer, member: Member, now: datetime) -> None:
    """Release a member, whose row the caller holds; done twice, it is as done once."""
    gone = delete(LegalHold).where(col(LegalHold.member_id) == member.id).returning(col(LegalHold.member_id))
    if (await session.execute(gone)).first():
        await _record(session, administrator, "hold.released", member, now)


async def _record(
    session: AsyncSession,
    administrator: Viewer,
    act: str,
    member: Member,
    now: datetime,
    details: audit.Details | None = None,
) -> None:
    about = ("member", member.id)
    await audit.record(session, actor_id=administrator.id, act=act, subject=about, now=now, details=details)
