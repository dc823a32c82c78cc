"""Links that travel by mail: each does one thing, once, for a limited time. Only a digest of its token is stored."""

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
from forum.mail.tables import MailedLink, MailKind
from forum.members.queries import lock_member_row
from forum.members.tables import Member

LIFETIMES: Mapping[MailKind, timedelta] = {
    MailKind.VERIFY_ADDRESS: timedelta(hours=24),
    MailKind.ADDRESS_CHANGE: timedelta(days=7),
    MailKind.PASSWORD_RESET: timedelta(hours=6),
    MailKind.LOST_MAILBOX: timedelta(hours=72),  # as long as there is something to refuse
    MailKind.DEPARTURE: timedelta(days=14),
    MailKind.INVITATION: timedelta(days=7),  # its member is the administrator who sent it
}

_OWNER = Prepared(
    query(col(Member.id), col(Member.handle), col(Member.name), col(Member.email))
    .join(MailedLink, col(MailedLink.member_id) == col(Member.id))
    .where(
        col(MailedLink.token_digest) == bindparam("token_digest", type_=LargeBinary()),
        col(MailedLink.kind) == bindparam("kind", type_=Text()),
        col(MailedLink.expires_at) > bindparam("now", type_=Moment()),
    )
)


@dataclass(frozen=True)
class UsedLink:
    """A link that was just used up: its member's row, locked, the address it was sent to, and when it was requested."""

    member: Member
    email: str
    asked_at: datetime


def link_expired() -> NotFound:
    """Return the error for a link that is wrong, expired or used."""
    return NotFound("This link no longer works. Ask for a new one.", code="link_expired")


async def create_link(
    session: AsyncSession, kind: MailKind, now: datetime, *, member_id: UUID, email: str, asked_at: datetime
) -> str:
    """Store a new link and return its token, which is not stored."""
    token = secrets.token_urlsafe(32)
    about: dict[str, Any] = {"kind": kind, "member_id": member_id, "email": email, "asked_at": asked_at}
    session.add(MailedLink(**about, token_digest=digest(token), expires_at=now + LIFETIMES[kind]))
    await session.flush()
    return token


async def get_link_owner(reader: Reader, token: str, kind: MailKind, now: datetime) -> Any:
    """Return id, handle, name and address of the link's member. Raises NotFound when the link no longer works."""
    row = await reader.row(_OWNER, token_digest=digest(token), kind=kind, now=now)
    if row is None:
        raise link_expired()
    return row


async def use_link(session: AsyncSession, token: str, kind: MailKind, now: datetime) -> UsedLink:
    """Use a link up and lock its member's row. Raises NotFound when the link no longer works."""
    values = {"token_digest": digest(token), "kind": kind, "now": now}
    found = (await session.execute(_OWNER.query, values)).first()
    if found is None:
        raise link_expired()
    # Lock the member first, as every other action does: two links of one member may be followed at once.
    member = await lock_member_row(session, found.id)
    this = delete(MailedLink).where(col(MailedLink.token_digest) == digest(token))
    used = (await session.execute(this.returning(col(MailedLink.email), col(MailedLink.asked_at)))).one_or_none()
    if used is None:
        raise link_expired()
    return UsedLink(member, used.email, used.asked_at)


async def invalidate_links(session: AsyncSession, member_id: UUID, *kinds: MailKind, email: str | None = None) -> None:
    """Delete the member's links of these kinds: those to this address, or all."""
    theirs = [col(MailedLink.member_id) == member_id, col(MailedLink.kind).in_(kinds)]
    theirs += [col(MailedLink.email) == email] if email else []
    await session.execute(delete(MailedLink).where(*theirs))


def digest(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
