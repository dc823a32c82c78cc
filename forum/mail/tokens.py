"""Links that travel by mail: each does one thing, once, for a limited time. Only a digest of its token is stored."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Text, bindparam, delete, select
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
# A password reset is no such link: whoever finds it in the mailbox later must not learn that it worked.
REPEATABLE = frozenset({MailKind.VERIFY_ADDRESS})

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
    """A link that was just used: its member's row, locked, the address it was sent to, and when it was requested."""

    member: Member
    email: str
    asked_at: datetime
    is_repeat: bool = False


def link_expired() -> NotFound:
    """Return the error for a link that is wrong, expired or used."""
    return NotFound("This link no longer works. Ask for a new one.", code="link_expired")


async def create_link(
    session: AsyncSession, kind: MailKind, now: datetime, *, member_id: UUID, email: str, asked_at: datetime
) -> str:
    """Store a new link and return its token, which is not stored. Commit before you give it to anybody."""
    token = secrets.token_urlsafe(32)
    about: dict[str, Any] = {"kind": kind, "member_id": member_id, "email": email, "asked_at": asked_at}
    session.add(MailedLink(**about, token_digest=digest(token), expires_at=now + LIFETIMES[kind]))
    await session.flush()
    return token


async def discard_link(session: AsyncSession, token: str) -> None:
    """Delete a link whose mail was not sent."""
    await session.execute(delete(MailedLink).where(col(MailedLink.token_digest) == digest(token)))


async def get_link_owner(reader: Reader, token: str, kind: MailKind, now: datetime) -> Any:
    """Return id, handle, name and address of the link's member. Raises NotFound when the link no longer works."""
    row = await reader.row(_OWNER, token_digest=digest(token), kind=kind, now=now)
    if row is None:
        raise link_expired()
    return row


async def use_link(session: AsyncSession, token: str, kind: MailKind, now: datetime) -> UsedLink:
    """Use a link up and lock its member's row. Raises NotFound when the link no longer works.

    A link to verify an address can be used again within its life: a phone may lose the answer to the first time.
    """
    values = {"token_digest": digest(token), "kind": kind, "now": now}
    found = (await session.execute(_OWNER.query, values)).first()
    if found is None:
        raise link_expired()
    # Lock the member first, as every other action does: two links of one member may be followed at once.
    member = await lock_member_row(session, found.id)
    this = col(MailedLink.token_digest) == digest(token)
    link = (await session.execute(select(MailedLink).where(this).with_for_update())).scalar_one_or_none()
    if link is None:
        raise link_expired()
    used = UsedLink(member, link.email, link.asked_at, is_repeat=link.used_at is not None)
    if kind in REPEATABLE:
        link.used_at = link.used_at or now
    else:
        await session.delete(link)
    await session.flush()
    return used


async def invalidate_links(session: AsyncSession, member_id: UUID, *kinds: MailKind, email: str | None = None) -> None:
    """Delete the member's unused links of these kinds: those to this address, or all."""
    theirs = [
        col(MailedLink.member_id) == member_id,
        col(MailedLink.kind).in_(kinds),
        col(MailedLink.used_at).is_(None),
    ]
    theirs += [col(MailedLink.email) == email] if email else []
    await session.execute(delete(MailedLink).where(*theirs))


def digest(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
