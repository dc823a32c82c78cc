"""Signing in and out: opaque tokens, kept as digests, revocable at once."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from limits import RateLimitItem
from sqlalchemy import CheckConstraint, UniqueConstraint, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum import members, names, passwords, throttle
from forum.database import Moment, Query, Reader, new_id, query
from forum.errors import Invalid, NotFound, NotSignedIn
from forum.members import Member, Viewer

LASTS = timedelta(days=30)
DEVICE_LASTS = timedelta(days=180)
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


async def sign_in(
    session: AsyncSession, shown: SignIn, guard: throttle.Throttle, limit: RateLimitItem, now: datetime
) -> SignedIn:
    """Open a session.

    Raises NotSignedIn in the same words and time whether the login or the password is wrong, and
    Throttled over the limit per login and per network, the right password included. A device that
    signed in before is counted by itself, so that nobody can lock a member out of their own phone.
    """
    login = _normal(shown.login)
    member = await _who(session, login)
    known = await _is_known(session, member, shown.device, now)
    if known:
        await guard.hit(limit, "sign-in", "device", shown.device)
    else:
        await guard.hit(limit, "sign-in", "address", throttle.network(shown.address))
        # Not by the account: tries with a handle that used up those with an address would tell whose it is.
        await guard.hit(limit, "sign-in", "login", login)
    right = await _is_password(session, member, shown.password)
    if member is None or not right:
        raise NotSignedIn("The login or the password is wrong.")
    return await _open(session, member, shown, known, now)


async def end(session: AsyncSession, viewer: Viewer, session_id: UUID) -> None:
    """End one of the viewer's own sessions; NotFound when there is none such."""
    gone = await session.execute(
        delete(MemberSession)
        .where(col(MemberSession.id) == session_id, col(MemberSession.member_id) == viewer.id)
        .returning(col(MemberSession.id))
    )
    if gone.first() is None:
        raise NotFound("You have no such session.")


async def change_password(session: AsyncSession, viewer: Viewer, current: str, new: str) -> None:
    """Take a new password and end every other session of this member.

    Raises Invalid when `current` is not the password, or `new` is too short or too easily guessed.
    """
    member = await members.hold(session, viewer.member_id)
    right, _ = await passwords.check(current, member.password_hash)
    if not right:
        raise Invalid("This is not your present password.", "#/current")
    about = (member.handle, member.name, member.email)
    # Read now: a role that was given a second ago counts.
    is_staff = await members.is_staff(session, member.id)
    member.password_hash = await passwords.hash_new(new, about=about, staff=is_staff, pointer="#/new")
    member.staff_password = len(new) >= passwords.STAFF_MIN
    others = col(MemberSession.id) != viewer.session_id
    await session.execute(delete(MemberSession).where(col(MemberSession.member_id) == member.id, others))
    await session.execute(delete(Device).where(col(Device.member_id) == member.id))


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
        query = (
            members.viewers()
            .add_columns(col(MemberSession.id).label("session_id"))
            .join(MemberSession, col(MemberSession.member_id) == col(Member.id))
        )
        read_at = self._clock()
        row = await reader.row(
            query.where(col(MemberSession.token_digest) == _digest(token), col(MemberSession.expires_at) > now)
        )
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


def _normal(login: str) -> str:
    return login.strip().lower() if "@" in login else names.folded(login.strip())


async def _who(session: AsyncSession, login: str) -> Member | None:
    """The member behind a handle or an e-mail address in its normal form: of several who claim an address, the one
    who verified it, else the first."""
    if "@" not in login:
        found = select(Member).where(col(Member.handle) == login)
    else:
        found = (
            select(Member)
            .where(func.lower(col(Member.email)) == login)
            .order_by(col(Member.email_verified_at).nulls_last(), col(Member.joined_at))
        )
    return (await session.execute(found.limit(1))).scalar_one_or_none()


async def _is_known(session: AsyncSession, member: Member | None, device: str | None, now: datetime) -> bool:
    if not device:
        return False
    nobody = UUID(int=0)  # asked for all the same: it takes as long as for somebody
    seen = (
        update(Device)
        .values(expires_at=now + DEVICE_LASTS)
        .where(
            col(Device.token_digest) == _digest(device),
            col(Device.member_id) == (member.id if member else nobody),
            col(Device.expires_at) > now,
        )
    )
    return (await session.execute(seen.returning(col(Device.member_id)))).first() is not None


async def _is_password(session: AsyncSession, member: Member | None, password: str) -> bool:
    """Whether it is the member's password at this moment; a hash of an old kind is replaced."""
    checked = member.password_hash if member else None
    right, renewed = await passwords.check(password, checked)
    if member is None or not right:
        return False
    # From here on nobody else changes it: a new password ends what the old one opened, so the old must open nothing.
    await session.refresh(member, ["password_hash"], with_for_update={"key_share": True})
    if member.password_hash != checked:
        right, renewed = await passwords.check(password, member.password_hash)
    if right and renewed:
        member.password_hash = renewed
    return right


async def _open(session: AsyncSession, member: Member, shown: SignIn, known: bool, now: datetime) -> SignedIn:
    token = secrets.token_urlsafe(32)
    device = shown.device if known and shown.device else secrets.token_urlsafe(32)
    opened = MemberSession(
        member_id=member.id,
        token_digest=_digest(token),
        transport=shown.transport,
        client=shown.client,
        created_at=now,
        expires_at=now + LASTS,
    )
    session.add(opened)
    if not known:
        session.add(Device(token_digest=_digest(device), member_id=member.id, expires_at=now + DEVICE_LASTS))
    await session.flush()
    return SignedIn(token=token, device=device, session=opened, member=member)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
