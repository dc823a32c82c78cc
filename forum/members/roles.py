"""Roles: who has one, who gave it, who took it away."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum import audit, passwords
from forum.errors import Conflict, Forbidden, Invalid, NotFound
from forum.members.tables import Member, Role, RoleGrant


def has_a_role(member_id: Any = None) -> ColumnElement[bool]:
    """The condition that a member is staff."""
    return exists().where(col(RoleGrant.member_id) == (col(Member.id) if member_id is None else member_id))


async def is_staff(session: AsyncSession, member_id: UUID) -> bool:
    """Whether a member has a role."""
    return bool((await session.execute(select(has_a_role(member_id)))).scalar_one())


async def grant(
    session: AsyncSession,
    member: Member,
    role: Role,
    now: datetime,
    *,
    board_id: int | None = None,
    by: UUID | None = None,
) -> None:
    """Give a role, of the whole forum or (a moderator's) of one board.

    Raises Conflict when the member has it, Forbidden when the password is shorter than staff's must be, and
    Invalid for a board with another role than moderator.
    """
    if board_id is not None and role != Role.MODERATOR:
        raise Invalid("Only a moderator's role can be for one board.", "#/board")
    # Held until the commit: meanwhile nobody takes a shorter password.
    await session.refresh(member, ["staff_password"], with_for_update={"read": True})
    if not member.staff_password:
        raise Forbidden(
            f"{member.handle} needs a password of at least {passwords.STAFF_MIN} characters before they can be {role}."
        )
    handle = member.handle  # a failed flush forgets it
    session.add(RoleGrant(member_id=member.id, role=role, board_id=board_id, given_by=by, given_at=now))
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict(f"{handle} is {role} already.") from error
    await audit.record(
        session,
        actor_id=by,
        act="role.granted",
        subject=("member", member.id),
        now=now,
        details={"role": role, "board": board_id},
    )


async def revoke(
    session: AsyncSession,
    member: Member,
    role: Role,
    now: datetime,
    *,
    board_id: int | None = None,
    by: UUID | None = None,
) -> None:
    """Take a role away; NotFound when the member does not have it."""
    same_board = col(RoleGrant.board_id).is_not_distinct_from(board_id)
    gone = await session.execute(
        delete(RoleGrant)
        .where(col(RoleGrant.member_id) == member.id, col(RoleGrant.role) == role, same_board)
        .returning(col(RoleGrant.id))
    )
    if gone.first() is None:
        raise NotFound(f"{member.handle} is not {role}.")
    await audit.record(
        session,
        actor_id=by,
        act="role.revoked",
        subject=("member", member.id),
        now=now,
        details={"role": role, "board": board_id},
    )
