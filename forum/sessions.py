"""Signing in and out: opaque tokens, kept as digests, revocable at once."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from limits import RateLimitItem
from sqlalchemy import CheckConstraint, LargeBinary, Text, UniqueConstraint, Uuid, bindparam, delete, func, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum import mailer, members, names, passwords, throttle
from forum.database import Database, Moment, Prepared, Query, Reader, new_id, query
from forum.errors import Invalid, NotFound, NotSignedIn
from forum.members import Member, Viewer

LASTS = timedelta(days=30)
NO_PASSWORD = ""  # a hash that is none: every password is wrong
DEVICE_LASTS = timedelta(days=180)
NOT_YOURS = "This is not your present password."
CACHED_FOR = 5.0  # seconds a revoked session may live on in another process (DESIGN §4)
CACHED_AT_MOST = 10_000


class Transport(StrEnum):
    """How the token travels."""

    BEARER = "bearer"
    COOKIE = "cookie"


class MemberSession(SQLModel, table=True):
    """One signed-in client of one member."""

    __tablename__ = "member_session"
    __table_args__ = (
        UniqueConstraint("token_digest"),
        CheckConstraint(f"transport IN ({', '.join(repr(str(t)) for t in Transport)})", name="transport"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    token_digest: bytes
    transport: str
    client: str | None = Field(default=None, description="What the client calls itself, for its owner to recognise")
    created_at: datetime = Field(sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment, index=True)


class Device(SQLModel, table=True):
    """A device from which this member signed in before: nobody else's failures lock it out."""

    token_digest: bytes = Field(primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    expires_at: datetime = Field(sa_type=Moment, index=True)


@dataclass(frozen=True)
class SignIn:
    """What somebody shows to sign in."""

    login: str
    password: str
    address: str
    device: str | None = None
    transport: Transport = Transport.BEARER
    client: str | None = None


@dataclass(frozen=True)
class SignedIn:
    """A new session: its token and its device's are told once and never kept."""

    token: str
    device: str
    session: MemberSession
    member: Member


def mine(viewer: Viewer, now: datetime) -> Query:
    """The viewer's own live sessions, newest first."""
    return (
        query(
            MemberSession.id,
            MemberSession.transport,
            MemberSession.client,
            MemberSession.created_at,
            MemberSession.expires_at,
        )
        .where(col(MemberSession.member_id) == viewer.id, col(MemberSession.expires_at) > now)
        .order_by(col(MemberSession.created_at).desc())
    )


_LOGIN, _NOW = bindparam("login", type_=Text()), bindparam("now", type_=Moment())
_CLAIMED = query(Member.id, Member.email, Member.password_hash).limit(1)

# The member behind a handle or an e-mail address in its normal form: of several who claim an address, the one who
# verified it, else the first.
_BY_HANDLE = Prepared(_CLAIMED.where(col(Member.handle) == _LOGIN))
_BY_ADDRESS = Prepared(
    _CLAIMED.where(func.lower(col(Member.email)) == _LOGIN).order_by(
        col(Member.email_verified_at).nulls_last(), col(Member.joined_at)
    )
)
# The device `device_digest`, if its owner signed in from it before.
_THEIRS = query(Device.token_digest).where(
    col(Device.token_digest) == bindparam("device_digest", type_=LargeBinary()),
    col(Device.member_id) == bindparam("owner", type_=Uuid()),
    col(Device.expires_at) > _NOW,
)
_REMEMBERED = Prepared(_THEIRS)
_SIGNED_IN = Prepared(
    members.viewers()
    .add_columns(col(MemberSession.id).label("session_id"))
    .join(MemberSession, col(MemberSession.member_id) == col(Member.id))
    .where(
        col(MemberSession.token_digest) == bindparam("token_digest", type_=LargeBinary()),
        col(MemberSession.expires_at) > _NOW,
    )
)


def normal(login: str) -> str:
    """A handle or an address as it is sought: however it was typed, it is one login."""
    return login.strip().lower() if "@" in login else names.folded(login.strip())


async def claimant(reader: Reader, login: str) -> Any:
    """Id, address and hash of the member behind a login, or None."""
    login = normal(login)
    return await reader.row(_BY_ADDRESS if "@" in login else _BY_HANDLE, login=login)


async def sign_in(
    forum: Database, shown: SignIn, guard: throttle.Throttle, limit: RateLimitItem, now: datetime
) -> SignedIn:
    """Open a session. It takes the database and no session of it: while the one thread that hashes has others to
    serve, nobody here holds a connection that a reader waits for.

    Raises NotSignedIn in the same words and time whether the login or the password is wrong, and
    Throttled over the limit per login and per network, the right password included. A device that
    signed in before is counted by itself, so that nobody can lock a member out of their own phone.
    """
    login = normal(shown.login)
    who = await claimant(forum.reader, login)
    known = shown.device and await forum.reader.row(
        _REMEMBERED,
        device_digest=_digest(shown.device),
        owner=who.id if who else UUID(int=0),  # asked for all the same: it takes as long as for somebody
        now=now,
    )
    if known:
        await guard.hit(limit, "sign-in", "device", shown.device)
    else:
        await guard.hit(limit, "sign-in", "address", throttle.network(shown.address))
        # Not by the account: tries with a handle that used up those with an address would tell whose it is.
        await guard.hit(limit, "sign-in", "login", login)
    kept = who.password_hash if who else None
    while True:
        right, renewed = await passwords.check(shown.password, kept)
        if who is None or not right:
            raise NotSignedIn("The login or the password is wrong.")
        async with forum.work() as session:
            # From here on nobody else changes it: a new password ends what the old one opened, so the old must
            # open nothing.
            member = await members.hold(session, who.id)
            if member.password_hash == kept:
                member.password_hash = renewed or kept
                await mailer.end_resets(session, member.id)  # it is not lost
                return await _open(session, member, shown, now)
        kept = member.password_hash  # it was changed meanwhile, and counts


async def end(session: AsyncSession, viewer: Viewer, session_id: UUID) -> None:
    """End one of the viewer's own sessions; NotFound when there is none such."""
    gone = await session.execute(
        delete(MemberSession)
        .where(col(MemberSession.id) == session_id, col(MemberSession.member_id) == viewer.id)
        .returning(col(MemberSession.id))
    )
    if gone.first() is None:
        raise NotFound("You have no such session.")


async def end_all(session: AsyncSession, member_id: UUID) -> None:
    """End every session of a member, and know none of their devices."""
    await session.execute(delete(MemberSession).where(col(MemberSession.member_id) == member_id))
    await session.execute(delete(Device).where(col(Device.member_id) == member_id))


async def proven(forum: Database, viewer: Viewer, current: str) -> str:
    """The hash that is kept of `current`, the viewer's password; Invalid when it is not. It takes the database as
    `sign_in` does: look again with `refuse_stale` when the account is held.
    """
    async with forum.work() as session:
        kept = (await session.get_one(Member, viewer.member_id)).password_hash
    right, _ = await passwords.check(current, kept)
    if not right:
        raise Invalid(NOT_YOURS, "#/current")
    return kept


def refuse_stale(member: Member, kept: str) -> None:
    """Raise Invalid when the password was changed since it was proven."""
    if member.password_hash != kept:
        raise Invalid(NOT_YOURS, "#/current")


async def change_password(forum: Database, viewer: Viewer, current: str, new: str) -> None:
    """Take a new password and end every other session of this member; it takes the database as `sign_in` does.

    Raises Invalid when `current` is not the password, or `new` is too short or too easily guessed.
    """
    async with forum.work() as session:
        member = await session.get_one(Member, viewer.member_id)
    while True:
        kept = member.password_hash
        right, _ = await passwords.check(current, kept)
        if not right:
            raise Invalid(NOT_YOURS, "#/current")
        about = (member.handle, member.name, member.email)
        hashed = await passwords.hash_new(new, about=about, pointer="#/new")
        async with forum.work() as session:
            member = await members.hold(session, viewer.member_id)
            if member.password_hash == kept:
                # Asked now: a role that was given a second ago counts.
                passwords.measure(new, staff=await members.is_staff(session, member.id), pointer="#/new")
                member.password_hash, member.staff_password = hashed, len(new) >= passwords.STAFF_MIN
                await mailer.end_resets(session, member.id)
                await _end_others(session, viewer)
                return


class Doorkeeper:
    """Knows, for a few seconds, whom a token belongs to; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[bytes, tuple[float, Viewer]] = {}
        self._changed: dict[UUID | None, float] = {}

    def recall(self, token: str) -> Viewer | None:
        """The viewer behind the token, if asked within the last five seconds."""
        read_at, viewer = self._seen.get(_digest(token), (0.0, members.GUEST))
        return viewer if viewer.id and self._is_recent(read_at) else None

    async def recognise(self, reader: Reader, token: str, now: datetime) -> Viewer:
        """The viewer behind the token: a guest when it is not, or no longer, a session's."""
        read_at = self._clock()
        row = await reader.row(_SIGNED_IN, token_digest=_digest(token), now=now)
        if row is None:
            return members.GUEST
        viewer = members.viewer_of(row, row.session_id)
        if viewer.id not in self._changed or not self._is_recent(self._changed[viewer.id]):
            if len(self._seen) >= CACHED_AT_MOST:
                self._seen.clear()
            self._seen[_digest(token)] = (read_at, viewer)
        return viewer

    def forget(self, member_id: UUID | None) -> None:
        """Read this member anew every time for a while: something about them or their sessions changes.

        What was read before the change is committed, here or in a request that is under way, must not stay.
        """
        self._seen = {digest: seen for digest, seen in self._seen.items() if seen[1].id != member_id}
        self._changed = {id_: at for id_, at in self._changed.items() if self._is_recent(at)}
        self._changed[member_id] = self._clock()

    def _is_recent(self, at: float) -> bool:
        return self._clock() - at < CACHED_FOR


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete sessions and devices that ran out."""
    await session.execute(delete(MemberSession).where(col(MemberSession.expires_at) <= now))
    await session.execute(delete(Device).where(col(Device.expires_at) <= now))


async def _open(session: AsyncSession, member: Member, shown: SignIn, now: datetime) -> SignedIn:
    token = secrets.token_urlsafe(32)
    opened = MemberSession(
        member_id=member.id,
        token_digest=_digest(token),
        transport=shown.transport,
        client=shown.client,
        created_at=now,
        expires_at=now + LASTS,
    )
    session.add(opened)
    await session.flush()
    device = await _remember(session, member, shown.device, now)
    return SignedIn(token=token, device=device, session=opened, member=member)


async def _remember(session: AsyncSession, member: Member, device: str | None, now: datetime) -> str:
    """Know this member's device the next time: the one they showed, if it is theirs, else a new one."""
    until = now + DEVICE_LASTS
    if device:
        theirs = {"device_digest": _digest(device), "owner": member.id, "now": now}
        seen = update(Device).values(expires_at=until).where(col(Device.token_digest).in_(_THEIRS))
        if (await session.execute(seen.returning(col(Device.token_digest)), theirs)).first():
            return device
    device = secrets.token_urlsafe(32)
    session.add(Device(token_digest=_digest(device), member_id=member.id, expires_at=until))
    await session.flush()
    return device


async def _end_others(session: AsyncSession, viewer: Viewer) -> None:
    """End every session of the viewer but this one, and forget their devices."""
    others = col(MemberSession.id) != viewer.session_id
    await session.execute(delete(MemberSession).where(col(MemberSession.member_id) == viewer.id, others))
    await session.execute(delete(Device).where(col(Device.member_id) == viewer.id))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
