"""Give and take roles. The member's sessions end each time, because staff's sessions are shorter."""

from dataclasses import dataclass
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
from forum.passwords.policy import STAFF_MIN

# One number for the whole database: of two administrators who leave at once, the second sees that the first is gone.
_ADMINISTRATORS_LOCK = 0x61646D73


@dataclass(frozen=True)
class Offer:
    """A role that somebody gets or is invited to: for one board only, or as an adviser of an organisation."""

    role: Role
    board_id: int | None = None
    title: str | None = None
    organisation: str | None = None


@dataclass(frozen=True)
class RoleChange:
    """A role that was given or taken: for which board, by whom, and when."""

    role: Role
    board_id: int | None
    by: UUID | None
    at: datetime


async def refuse_last_administrator(session: AsyncSession, member_id: UUID) -> None:
    """Keep the forum from being left without an active administrator. Raises Conflict where this member is the last.

    Call it in the transaction in which they leave: it lets only one such transaction run at a time.
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
        raise Conflict("There would be no administrator left. Appoint another one first.", code="last_administrator")


async def grant(
    session: AsyncSession,
    member: Member,
    role: Role,
    now: datetime,
    *,
    board_id: int | None = None,
    by: UUID | None = None,
) -> None:
    """Give a role, of the whole forum or (to a moderator) of one board, and end the member's sessions.

    Raises Conflict when the member has it already, Forbidden when their password is too short for staff, and Invalid
    for a board with another role than moderator.
    """
    if board_id is not None and role != Role.MODERATOR:
        raise Invalid("Only a moderator's role can be for one board.", "#/board", code="role_not_for_one_board")
    # Locked until the commit: meanwhile the member cannot take a shorter password.
    await session.refresh(member, ["staff_password"], with_for_update={"read": True})
    if not member.staff_password:
        raise Forbidden(
            f"{member.handle} needs a password of at least {STAFF_MIN} characters to become {role_text(role)}.",
            code="password_too_short_for_staff",
        )
    handle = member.handle  # a failed flush forgets it
    session.add(RoleGrant(member_id=member.id, role=role, board_id=board_id, given_by=by, given_at=now))
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict(f"{handle} is {role_text(role)} already.", code="already_has_role") from error
    await _end_sessions_and_record(session, "role.granted", member, RoleChange(role, board_id, by, now))


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
        raise NotFound(f"{member.handle} is not {role_text(role)}.", code="role_not_held")
    await _end_sessions_and_record(session, "role.revoked", member, RoleChange(role, board_id, by, now))


async def _end_sessions_and_record(session: AsyncSession, act: str, member: Member, change: RoleChange) -> None:
    await sessions.end_all(session, member.id)
    await audit.record(
        session,
        actor_id=change.by,
        act=act,
        subject=("member", member.id),
        now=change.at,
        details={"role": change.role, "board": change.board_id},
    )


def role_text(role: Role) -> str:
    """Return a role as people write it."""
    return role.replace("_", " ")
