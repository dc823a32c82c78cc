"""Remove a member's personal data when they leave; their row stays, without name and address."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from forum.core.database import rows_of
from forum.members.tables import FORMER, NO_PASSWORD, Member, SpentHandle


async def is_handle_spent(session: AsyncSession, *skeletons: str) -> bool:
    """Return whether somebody had a handle that looks like one of these, and left or took another."""
    found = exists().where(col(SpentHandle.digest).in_([digest_of(skeleton) for skeleton in skeletons]))
    return bool((await session.execute(select(found))).scalar_one())


async def spend_handle(session: AsyncSession, skeleton: str) -> None:
    """Let nobody take a handle again that looks like this. Idempotent."""
    spent = insert(SpentHandle).values(digest=digest_of(skeleton))
    await session.execute(spent.on_conflict_do_nothing())


async def anonymise_member(session: AsyncSession, member: Member, now: datetime) -> None:
    """Remove name, handle and address from a member's row, which the caller has locked, and delete their belongings.

    Their posts and the decisions about them still point to the row. Nobody else can take the handle.
    """
    await spend_handle(session, member.skeleton)
    await delete_belongings(session, member.id)
    names = ("handle", "skeleton", "title", "handle_changed_at")
    addresses = ("email", "email_verified_at", "wanted_email", "rules_version", "least_age")
    left: dict[str, Any] = {
        **dict.fromkeys(names + addresses),
        "name": FORMER,
        "name_skeleton": "",
        "password_hash": NO_PASSWORD,
        "staff_password": False,
        # To the month: the exact time would identify them.
        "joined_at": member.joined_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0),
        "left_at": now,
    }
    await session.execute(update(Member).where(col(Member.id) == member.id).values(**left))
    session.expire(member)


async def delete_belongings(session: AsyncSession, member_id: UUID) -> None:
    """Delete every row that belongs to the member alone: sessions, devices, links, mails, roles and the like."""
    for table, owner in belongings():
        await session.execute(delete(table).where(owner == member_id))


async def delete_leftovers(session: AsyncSession, _now: datetime) -> None:
    """Delete what was written for members after they left, such as the notification that an appeal was decided."""
    left = select(col(Member.id)).where(col(Member.left_at).is_not(None))
    for table, owner in belongings():
        await session.execute(delete(table).where(owner.in_(left)))


def belongings() -> Iterator[tuple[Table, Column[Any]]]:
    """Give the tables whose rows are deleted with a member (ON DELETE CASCADE), each with the column of its owner."""
    for table in SQLModel.metadata.sorted_tables:
        for reference in table.foreign_keys:
            if reference.column is rows_of(Member).c.id and reference.ondelete == "CASCADE":
                yield table, reference.parent


def digest_of(skeleton: str) -> bytes:
    """Return what is kept of a spent handle, by what it looked like."""
    return hashlib.sha256(skeleton.encode()).digest()
