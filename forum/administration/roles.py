"""Giving and taking roles. Whoever's power changes signs in anew: a session lasts as long as its power allows."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import sessions
from forum.core import audit
from forum.core.errors import Conflict, Forbidden, Invalid, NotFound
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.passwords import hashing

# One number for the whole database: of two administrators who go at once, the second sees that the first is gone.
_ADMINISTRATORS_LOCK = 0x61646D73


async def refuse_last_administrator(session: AsyncSession, member_id: UUID) -> None:
    """Raise Conflict for an administrator without whom there would be none in good standing.

    Until the commit, no other administrator is asked about: call it in the transaction in which they go.
    """
    administrators = (
        select(col(Member.id))
        .join(RoleGrant, col(RoleGrant.member_id) == col(Member.id))
        .where(col(RoleGrant.role) == Role.ADMINISTRATOR)
    )
    is_one = administrators.where(col(Member.id) == member_id)
    others = administrators.where(col(Member.id) != member_id, standing_at(func.now()) == Standing.ACTIVE)
    if not (await session.execute(select(is_one.exists()))).scalar_one():
        return
    await session.execute(select(func.pg_advisory_xact_lock(_ADMINISTRATORS_LOCK)))
    if not (await session.execute(select(others.exists()))).scalar_one():
        raise Conflict("There would be no administrator left. Name another one first.")


async def grant(
    session: AsyncSession,
    member: Member,
    role: Role,
    now: datetime,
    *,
    board_id: int | None = None,
    by: UUID | None = None,
) -> None:
    """Give a role, of the whole forum or (a moderator's) of one board, and end the member's sessions.

    Raises Conflict when the member has it, Forbidden when the password is shorter than staff's must be, and
    Invalid for a board with another role than moderator.
    """
    if board_id is not None and role != Role.MODERATOR:
        raise Invalid("Only a moderator's role can be for one board.", "#/board")
    # Held until the commit: meanwhile nobody takes a shorter password.
    await session.refresh(member, ["staff_password"], with_for_update={"read": True})
    if not member.staff_password:
        raise Forbidden(
            f"{member.handle} needs a password of at least {hashing.STAFF_MIN} characters before they can be {role}."
        )
    handle = member.handle  # a failed flush forgets it
    session.add(RoleGrant(member_id=member.id, role=role, board_id=board_id, given_by=by, given_at=now))
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict(f"{handle} is {role} already.") from error
    await _change(session, "role.granted", member, role, now, board_id, by)


async def revoke(
    session: AsyncSession,
    member: Member,
    role: Role,
    now: datetime,
    *,
    board_id: int | None = None,
    by: UUID | None = None,
) -> None:
    """Take a role away, and end the member's sessions.

    Raises NotFound when the member does not have it, and Conflict for the last administrator.
    """
    if role == Role.ADMINISTRATOR:
        await refuse_last_administrator(session, member.id)
    same_board = col(RoleGrant.board_id).is_not_distinct_from(board_id)
    gone = await session.execute(
        delete(RoleGrant)
        .where(col(RoleGrant.member_id) == member.id, col(RoleGrant.role) == role, same_board)
        .returning(col(RoleGrant.id))
    )
    if gone.first() is None:
        raise NotFound(f"{member.handle} is not {role}.")
    await _change(session, "role.revoked", member, role, now, board_id, by)


async def _change(
    session: AsyncSession, act: str, member: Member, role: Role, now: datetime, board_id: int | None, by: UUID | None
) -> None:
    await sessions.end_all(session, member.id)
    await audit.record(
        session,
        actor_id=by,
        act=act,
        subject=("member", member.id),
        now=now,
        details={"role": role, "board": board_id},
    )
