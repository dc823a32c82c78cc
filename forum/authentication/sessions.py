"""Who is signed in where: opaque tokens, kept as digests, revocable at once."""

import hashlib
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, UniqueConstraint, Uuid, bindparam, delete, func, or_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Prepared, Query, Reader, new_id, query
from forum.core.errors import NotFound
from forum.members.roles import is_staff
from forum.members.tables import Member
from forum.members.viewer import GUEST, Via, Viewer, viewer_of, viewers

# OWASP ASVS 5.0, 7.3: a session ends when it is not used, and some day in any case. Who has power over others' words
# signs in every day.
IDLE_TIMEOUT = timedelta(days=30)
MEMBERS_LAST, STAFF_LAST = timedelta(days=90), timedelta(hours=12)
DEVICE_LASTS = timedelta(days=180)
NOTED_EVERY = timedelta(minutes=10)  # how exactly the last use of a session is known
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
    client: str | None = Field(default=None, description="A kind of program and of device, for its owner to recognise")
    second_factor: bool = Field(
        default=False,
        description="Whether one was shown: roles count only then",
        sa_column_kwargs={"server_default": "false"},
    )
    created_at: datetime = Field(sa_type=Moment)
    used_at: datetime = Field(
        sa_type=Moment, description="To within ten minutes", sa_column_kwargs={"server_default": func.now()}
    )
    expires_at: datetime = Field(sa_type=Moment, index=True)


class Device(SQLModel, table=True):
    """A device from which this member signed in before: nobody else's failures lock it out."""

    token_digest: bytes = Field(primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    expires_at: datetime = Field(sa_type=Moment, index=True)


def mine(viewer: Viewer, now: datetime) -> Query:
    """The viewer's own live sessions, newest first."""
    return (
        query(
            MemberSession.id,
            MemberSession.transport,
            MemberSession.client,
            MemberSession.created_at,
            MemberSession.used_at,
            MemberSession.expires_at,
        )
        .where(
            col(MemberSession.member_id) == viewer.id,
            col(MemberSession.expires_at) > now,
            col(MemberSession.used_at) > now - IDLE_TIMEOUT,
        )
        .order_by(col(MemberSession.created_at).desc())
    )


_NOW = bindparam("now", type_=Moment())
_TOKEN = col(MemberSession.token_digest) == bindparam("token_digest", type_=LargeBinary())
# The device `device_digest`, if its owner signed in from it before.
_THEIRS = query(Device.token_digest).where(
    col(Device.token_digest) == bindparam("device_digest", type_=LargeBinary()),
    col(Device.member_id) == bindparam("owner", type_=Uuid()),
    col(Device.expires_at) > _NOW,
)
_REMEMBERED = Prepared(_THEIRS)
_SIGNED_IN = Prepared(
    viewers()
    .add_columns(
        col(MemberSession.id).label("session_id"),
        col(MemberSession.created_at).label("signed_in_at"),
        col(MemberSession.used_at),
        col(MemberSession.second_factor),
    )
    .join(MemberSession, col(MemberSession.member_id) == col(Member.id))
    .where(
        _TOKEN,
        col(MemberSession.expires_at) > _NOW,
        col(MemberSession.used_at) > bindparam("idle_since", type_=Moment()),
    )
)
_USED = Prepared(update(MemberSession).where(_TOKEN).values(used_at=_NOW).returning(col(MemberSession.id)))


async def is_known(reader: Reader, device: str, member_id: UUID | None, now: datetime) -> bool:
    """Whether this member signed in from this device before; it takes as long for nobody."""
    owner = member_id or UUID(int=0)
    return await reader.row(_REMEMBERED, device_digest=_digest(device), owner=owner, now=now) is not None


async def open_session(
    session: AsyncSession,
    member: Member,
    transport: Transport,
    now: datetime,
    *,
    client: str | None = None,
    second_factor: bool = False,
) -> tuple[MemberSession, str]:
    """A new session and its token, which is told once and never kept."""
    token = secrets.token_urlsafe(32)
    lasts = STAFF_LAST if await is_staff(session, member.id) else MEMBERS_LAST
    opened = MemberSession(
        member_id=member.id,
        token_digest=_digest(token),
        transport=transport,
        client=client,
        second_factor=second_factor,
        created_at=now,
        used_at=now,
        expires_at=now + lasts,
    )
    session.add(opened)
    await session.flush()
    return opened, token


async def remember(session: AsyncSession, member: Member, device: str | None, now: datetime) -> str:
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


async def mark(session: AsyncSession, viewer: Viewer, *, second_factor: bool) -> None:
    """Note whether this session's second factor counts, from now on."""
    this = update(MemberSession).where(col(MemberSession.id) == viewer.session_id)
    await session.execute(this.values(second_factor=second_factor))


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


async def end_by_order(session: AsyncSession, member_id: UUID | None, now: datetime) -> None:
    """End every session of a member, or everybody's, at the operator's word; it is written into the record."""
    if member_id:
        await end_all(session, member_id)
    else:
        await session.execute(delete(MemberSession))
        await session.execute(delete(Device))
    await audit.record(session, actor_id=None, act="sessions.ended", subject=("member", member_id or "all"), now=now)


async def end_others(session: AsyncSession, viewer: Viewer) -> None:
    """End every session of the viewer but this one, and forget their devices."""
    others = col(MemberSession.id) != viewer.session_id
    await session.execute(delete(MemberSession).where(col(MemberSession.member_id) == viewer.id, others))
    await session.execute(delete(Device).where(col(Device.member_id) == viewer.id))


class SessionCache:
    """Knows, for a few seconds, whom a token belongs to; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[bytes, tuple[float, Viewer]] = {}
        self._changed: dict[UUID | None, float] = {}

    def get(self, token: str) -> Viewer | None:
        """The viewer behind the token, if asked within the last five seconds."""
        read_at, viewer = self._seen.get(_digest(token), (0.0, GUEST))
        return viewer if viewer.id and self._is_recent(read_at) else None

    async def load(self, reader: Reader, token: str, now: datetime) -> Viewer:
        """The viewer behind the token: a guest when it is not, or no longer, a session's."""
        read_at, digest = self._clock(), _digest(token)
        row = await reader.row(_SIGNED_IN, token_digest=digest, now=now, idle_since=now - IDLE_TIMEOUT)
        if row is None:
            self._seen.pop(_digest(token), None)
            return GUEST
        if now - row.used_at >= NOTED_EVERY:
            await reader.rows(_USED, token_digest=digest, now=now)
        viewer = viewer_of(row, _via(row))
        if viewer.id not in self._changed or not self._is_recent(self._changed[viewer.id]):
            if len(self._seen) >= CACHED_AT_MOST:
                self._seen.clear()
            self._seen[digest] = (read_at, viewer)
        return viewer

    def owner(self, token: str) -> UUID | None:
        """Whose the token was when it was last looked up here, however long ago: to count by, never to let in by."""
        seen = self._seen.get(_digest(token))
        return seen[1].id if seen else None

    def invalidate(self, member_id: UUID | None) -> None:
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
    over = or_(col(MemberSession.expires_at) <= now, col(MemberSession.used_at) <= now - IDLE_TIMEOUT)
    await session.execute(delete(MemberSession).where(over))
    await session.execute(delete(Device).where(col(Device.expires_at) <= now))


def _via(row: Any) -> Via:
    return Via(row.session_id, row.signed_in_at, row.second_factor)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
