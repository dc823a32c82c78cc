"""Links that travel by mail: each opens one thing, once, for a while. Only a digest of its token is kept."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Text, bindparam, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.database import Moment, Prepared, Reader, query
from forum.core.errors import NotFound
from forum.mail.tables import Kind, Link
from forum.members.queries import lock_member_row
from forum.members.tables import Member

LASTS: Mapping[Kind, timedelta] = {
    Kind.VERIFY_ADDRESS: timedelta(hours=24),
    Kind.ADDRESS_CHANGE: timedelta(days=7),
    Kind.PASSWORD_RESET: timedelta(hours=6),
    Kind.DEPARTURE: timedelta(days=14),
    Kind.INVITATION: timedelta(days=7),  # its member is who sent it
}
DEAD = "This link no longer works. Ask for a new one."

_OWNER = Prepared(
    query(col(Member.id), col(Member.handle), col(Member.name), col(Member.email))
    .join(Link, col(Link.member_id) == col(Member.id))
    .where(
        col(Link.token_digest) == bindparam("token_digest", type_=LargeBinary()),
        col(Link.kind) == bindparam("kind", type_=Text()),
        col(Link.expires_at) > bindparam("now", type_=Moment()),
    )
)


@dataclass(frozen=True)
class Opened:
    """What a link opened: its member's own row, held until the commit, the address that it was sent to, and when it
    was asked for."""

    member: Member
    email: str
    asked_at: datetime


async def make(
    session: AsyncSession, kind: Kind, member_id: UUID, email: str, asked_at: datetime, now: datetime
) -> str:
    """The token of a new link, to be told once."""
    token = secrets.token_urlsafe(32)
    about: dict[str, Any] = {"kind": kind, "member_id": member_id, "email": email, "asked_at": asked_at}
    session.add(Link(**about, token_digest=digest(token), expires_at=now + LASTS[kind]))
    await session.flush()
    return token


async def owner(reader: Reader, token: str, kind: Kind, now: datetime) -> Any:
    """Id, handle, name and address of the member whose link this is; NotFound when it is none, or no longer one."""
    row = await reader.row(_OWNER, token_digest=digest(token), kind=kind, now=now)
    if row is None:
        raise NotFound(DEAD)
    return row


async def opened(session: AsyncSession, token: str, kind: Kind, now: datetime) -> Opened:
    """Use a link up; NotFound when it is none, or no longer one."""
    asked = {"token_digest": digest(token), "kind": kind, "now": now}
    found = (await session.execute(_OWNER.query, asked)).first()
    if found is None:
        raise NotFound(DEAD)
    # The member first, as everybody does: two links of one member may be followed at once.
    member = await lock_member_row(session, found.id)
    mine = delete(Link).where(col(Link.token_digest) == digest(token))
    used = (await session.execute(mine.returning(col(Link.email), col(Link.asked_at)))).one_or_none()
    if used is None:
        raise NotFound(DEAD)
    return Opened(member, used.email, used.asked_at)


async def invalidate(session: AsyncSession, member_id: UUID, *kinds: Kind, email: str | None = None) -> None:
    """Let the member's links of these kinds open nothing any more, those to this address or all."""
    theirs = [col(Link.member_id) == member_id, col(Link.kind).in_(kinds)]
    theirs += [col(Link.email) == email] if email else []
    await session.execute(delete(Link).where(*theirs))


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
