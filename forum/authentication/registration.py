"""Joining under a pseudonym that holds, and taking another name: nobody looks like somebody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.database import broken_constraint
from forum.core.errors import Conflict, Invalid
from forum.members import names
from forum.members.departure import is_handle_spent
from forum.members.roles import has_role
from forum.members.tables import Member
from forum.passwords import hashing
from forum.passwords.breached_passwords import BreachedPasswords


@dataclass(frozen=True)
class Newcomer:
    """What somebody says of themselves when they join; of their password, only the hash."""

    handle: str
    name: str
    email: str
    password_hash: str
    staff_password: bool
    rules_version: int | None = None


async def prepare_newcomer(
    handle: str,
    name: str,
    email: str,
    password: str,
    rules_version: int | None = None,
    *,
    staff: bool = False,
    breaches: BreachedPasswords | None = None,
) -> Newcomer:
    """Somebody who is ready to join; Invalid (handle, name, password) when they cannot be.

    A step of its own, before the transaction: nobody holds a connection while a password waits to be hashed.
    """
    handle, name = names.handle(handle), names.display_name(name)
    about = (handle, name, email)
    hashed = await hashing.hash_new(password, about=about, staff=staff, breaches=breaches, pointer="#/password")
    return Newcomer(handle, name, email, hashed, len(password) >= hashing.STAFF_MIN, rules_version)


async def register(session: AsyncSession, newcomer: Newcomer, now: datetime) -> Member:
    """Make an account.

    Raises Invalid (handle, name, rules_version) and Conflict for a handle that is taken or
    looks like another's. An address that has an account is no obstacle and no difference: whether it has
    one is nobody's business, and only the one who can verify it will sign in with it.
    """
    member = Member(
        handle=newcomer.handle,
        skeleton=names.skeleton(newcomer.handle),
        name=newcomer.name,
        name_skeleton=names.skeleton(newcomer.name),
        email=newcomer.email,
        password_hash=newcomer.password_hash,
        staff_password=newcomer.staff_password,
        rules_version=newcomer.rules_version,
        joined_at=now,
    )
    await _refuse_look_alikes(session, member)
    session.add(member)
    try:
        await session.flush()
    except IntegrityError as error:
        raise _refusal(error, member) from error
    if await is_handle_spent(session, member.skeleton):  # asked now: its last bearer may have left a moment ago
        raise _is_taken(member.handle)
    return member


async def rename_member(session: AsyncSession, member: Member, name: str) -> None:
    """Give a member another display name; Invalid when it cannot be read or looks like staff's."""
    member.name = names.display_name(name)
    member.name_skeleton = names.skeleton(member.name)
    await _refuse_look_alikes(session, member, pointers=("#/name",))
    await session.flush()


async def _refuse_look_alikes(
    session: AsyncSession, member: Member, pointers: Sequence[str] = ("#/handle", "#/name")
) -> None:
    """A handle may look like no other handle; neither handle nor name may look like staff or the house."""
    worn = {"#/handle": frozenset({member.skeleton}), "#/name": names.looks(member.name)}
    for pointer in pointers:
        if worn[pointer] & names.reserved():
            raise Invalid("This name is kept for the people who run the forum. Please choose another.", pointer)
    alike = worn["#/handle"] | worn["#/name"]
    staff = select(col(Member.skeleton), col(Member.name_skeleton), col(Member.handle)).where(
        has_role(),
        col(Member.id) != member.id,
        or_(col(Member.skeleton).in_(alike), col(Member.name_skeleton).in_(alike)),
    )
    for *taken, handle in (await session.execute(staff)).all():
        if handle == member.handle:
            raise _is_taken(handle)
        for pointer in pointers:
            if worn[pointer].intersection(taken):
                raise Invalid("This looks like the name of somebody who works here. Please choose another.", pointer)


def _refusal(error: IntegrityError, member: Member) -> Exception:
    match broken_constraint(error):
        case "uq_member_handle":
            return _is_taken(member.handle)
        case "uq_member_skeleton":
            return Conflict(
                f"The handle {member.handle} looks like another member's. Please choose another.",
                pointer="#/handle",
            )
        case "fk_member_rules_version":
            return Invalid("There is no such version of the rules. Read them again at /rules.", "#/rules_version")
        case _:
            return error


def _is_taken(handle: str) -> Conflict:
    return Conflict(f"The handle {handle} is taken. Please choose another.", pointer="#/handle")
