"""Bring the stored skeletons of members up to date, after a release that sees more look-alikes than the one before."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.jobs import Job, Payload
from forum.members import names
from forum.members.tables import Member

RENEW = Job("renew_skeletons")


async def renew_skeletons(session: AsyncSession, _payload: Payload, _now: datetime) -> None:
    """Store what each member's handle and name look like now. Idempotent.

    A migration cannot do it: it must not change when the code changes. Where two members look alike by now, both keep
    their handles, the one who joined first gets the new skeleton, and the other keeps the old one.
    """
    rows = select(
        col(Member.id), col(Member.handle), col(Member.name), col(Member.skeleton), col(Member.name_skeleton)
    ).where(col(Member.left_at).is_(None))
    members = (await session.execute(rows.order_by(col(Member.joined_at), col(Member.id)))).all()
    taken = {row.skeleton for row in members}
    for row in members:
        looks, name_looks = names.skeleton(row.handle), names.skeleton(row.name)
        if name_looks != row.name_skeleton:
            await session.execute(update(Member).where(col(Member.id) == row.id).values(name_skeleton=name_looks))
        if looks not in taken and await _store(session, row.handle, looks):
            taken.add(looks)


async def _store(session: AsyncSession, handle: str, looks: str) -> bool:
    """Return whether the skeleton was free: somebody may have joined a moment ago."""
    try:
        async with session.begin_nested():
            await session.execute(update(Member).where(col(Member.handle) == handle).values(skeleton=looks))
    except IntegrityError:
        return False
    return True
