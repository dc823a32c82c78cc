"""Sessions: opaque tokens, stored as digests, which can be ended at once."""

import hashlib
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    LargeBinary,
    UniqueConstraint,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Prepared, Query, Reader, check_one_of, new_id, query
from forum.core.errors import NotFound
from forum.core.page_versions import VIEWERS_VERSION
from forum.core.shared_question import SharedQuestion
from forum.core.work import Work
from forum.members.roles import is_staff
from forum.members.tables import Member
from forum.members.viewer import GUEST, Viewer, ViewerSession, viewer_of, viewers

# OWASP ASVS 5.0, 7.3: a session ends when it is not used, and after a fixed time in any case. Staff, who have power
# over other people's posts, sign in every day.
IDLE_TIMEOUT = timedelta(days=30)
MEMBERS_LAST, STAFF_LAST = timedelta(days=90), timedelta(hours=12)
DEVICE_LASTS = timedelta(days=180)
USE_RECORDED_EVERY = timedelta(minutes=10)  # how exactly the last use of a session is known
CACHED_FOR = 5.0  # seconds: what ends with time alone, such as a suspension, is noticed so late
CACHED_AT_MOST = 10_000


class Transport(StrEnum):
    """How a client sends the token."""

    BEARER = "bearer"
    COOKIE = "cookie"


class MemberSession(SQLModel, table=True):
    """One signed-in client of one member."""

    __tablename__ = "member_session"
    __table_args__ = (
        UniqueConstraint("token_digest"),
        check_one_of("transport", Transport),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    token_digest: bytes
    transport: str
    client: str | None = Field(default=None, description="A kind of program and of device, for its owner to recognise")
    second_factor: bool = Field(
        default=False,
        description="Whether one was shown: otherwise roles do not count",
        sa_column_kwargs={"server_default": "false"},
    )
    created_at: datetime = Field(sa_type=Moment)
    used_at: datetime = Field(
        sa_type=Moment, description="To within ten minutes", sa_column_kwargs={"server_default": func.now()}
    )
    expires_at: datetime = Field(sa_type=Moment, index=True)


class Device(SQLModel, table=True):
    """A device on which this member signed in before: failures of other devices do not lock it out."""

    token_digest: bytes = Field(primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    expires_at: datetime = Field(sa_type=Moment, index=True)


def count_sessions(member_id: Any, now: datetime) -> Any:
    """Return a scalar subquery of how many sessions of a member have not ended."""
    lasting = (col(MemberSession.expires_at) > now, col(MemberSession.used_at) > now - IDLE_TIMEOUT)
    counted = select(func.count()).select_from(MemberSession)
    return counted.where(col(MemberSession.member_id) == member_id, *lasting).scalar_subquery()


def select_sessions(viewer: Viewer, now: datetime) -> Query:
    """Return a select of the viewer's own sessions that have not ended, newest first."""
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
# The device `device_digest`, if its owner signed in on it before.
_OWN_DEVICE = query(Device.token_digest).where(
    col(Device.token_digest) == bindparam("device_digest", type_=LargeBinary()),
    col(Device.member_id) == bindparam("owner", type_=Uuid()),
    col(Device.expires_at) > _NOW,
)
_KNOWN_DEVICE = Prepared(_OWN_DEVICE)
_ALL_SIGNED_IN = (
    viewers()
    .add_columns(
        col(MemberSession.id).label("session_id"),
        col(MemberSession.token_digest),
        col(MemberSession.created_at).label("signed_in_at"),
        col(MemberSession.used_at),
        col(MemberSession.second_factor),
        literal_column(VIEWERS_VERSION).label("version"),
    )
    .join(MemberSession, col(MemberSession.member_id) == col(Member.id))
    .where(col(MemberSession.expires_at) > _NOW, col(MemberSession.used_at) > bindparam("idle_since", type_=Moment()))
)
_SIGNED_IN = Prepared(
    _ALL_SIGNED_IN.where(
        col(MemberSession.token_digest) == any_(bindparam("token_digests", type_=ARRAY(LargeBinary())))
    )
)
_STILL_SIGNED_IN = Prepared(
    _ALL_SIGNED_IN.where(col(MemberSession.id) == any_(bindparam("session_ids", type_=ARRAY(Uuid()))))
)
_USED = Prepared(update(MemberSession).where(_TOKEN).values(used_at=_NOW).returning(col(MemberSession.id)))


async def list_signed_in(reader: Reader, session_ids: Collection[UUID], now: datetime) -> Mapping[UUID, Viewer]:
    """Return who is in these sessions, with the roles and the standing that they have now; ended ones are left out."""
    rows = await reader.rows(_STILL_SIGNED_IN, session_ids=list(session_ids), now=now, idle_since=now - IDLE_TIMEOUT)
    return {row.session_id: _viewer_in_session(row) for row in rows}


def _viewer_in_session(row: Any) -> Viewer:
    return viewer_of(row, ViewerSession(row.session_id, row.signed_in_at, row.second_factor))


async def is_known_device(reader: Reader, device: str, member_id: UUID | None, now: datetime) -> bool:
    """Return whether this member signed in on this device before. For nobody (None) it takes as long."""
    owner = member_id or UUID(int=0)
    return await reader.row(_KNOWN_DEVICE, device_digest=_digest(device), owner=owner, now=now) is not None


async def open_session(
    session: AsyncSession,
    member: Member,
    transport: Transport,
    now: datetime,
    *,
    client: str | None = None,
    second_factor: bool = False,
) -> tuple[MemberSession, str]:
    """Open a session, and return it with its token, which is not stored."""
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


async def remember_device(session: AsyncSession, member: Member, device: str | None, now: datetime) -> str:
    """Store this member's device, and return its token: the token they sent, if it is theirs, else a new one."""
    until = now + DEVICE_LASTS
    if device:
        values = {"device_digest": _digest(device), "owner": member.id, "now": now}
        renewed = update(Device).values(expires_at=until).where(col(Device.token_digest).in_(_OWN_DEVICE))
        if (await session.execute(renewed.returning(col(Device.token_digest)), values)).first():
            return device
    device = secrets.token_urlsafe(32)
    session.add(Device(token_digest=_digest(device), member_id=member.id, expires_at=until))
    await session.flush()
    return device


async def set_second_factor(session: AsyncSession, viewer: Viewer, *, second_factor: bool) -> None:
    """Store whether the viewer's session has shown a second factor."""
    this = update(MemberSession).where(col(MemberSession.id) == viewer.session_id)
    await session.execute(this.values(second_factor=second_factor))


async def delete_session(session: AsyncSession, viewer: Viewer, session_id: UUID) -> None:
    """Delete one of the viewer's own sessions. Raises NotFound when there is none such."""
    gone = await session.execute(
        delete(MemberSession)
        .where(col(MemberSession.id) == session_id, col(MemberSession.member_id) == viewer.id)
        .returning(col(MemberSession.id))
    )
    if gone.first() is None:
        raise NotFound("You have no such session.", code="session_not_found")


async def end_all(session: AsyncSession, member_id: UUID) -> None:
    """Delete every session and device of a member."""
    await session.execute(delete(MemberSession).where(col(MemberSession.member_id) == member_id))
    await session.execute(delete(Device).where(col(Device.member_id) == member_id))


async def end_by_order(session: AsyncSession, member_id: UUID | None, now: datetime, *, by: UUID | None = None) -> None:
    """Delete all sessions and devices of a member, or of everybody, and record it in the audit.

    It is for administrators, and for the operator (by None).
    """
    if member_id:
        await end_all(session, member_id)
    else:
        await session.execute(delete(MemberSession))
        await session.execute(delete(Device))
    await audit.record(session, actor_id=by, act="sessions.ended", subject=("member", member_id or "all"), now=now)


async def end_others(session: AsyncSession, viewer: Viewer) -> None:
    """Delete every session of the viewer but this one, and all their devices."""
    others = col(MemberSession.id) != viewer.session_id
    await session.execute(delete(MemberSession).where(col(MemberSession.member_id) == viewer.id, others))
    await session.execute(delete(Device).where(col(Device.member_id) == viewer.id))


# What a route does with sessions


async def list_sessions(work: Work, viewer: Viewer) -> Sequence[Any]:
    """Return the viewer's own sessions that have not ended, newest first."""
    return (await work.session.execute(select_sessions(viewer, work.now))).all()


async def sign_out(work: Work, viewer: Viewer) -> None:
    """End the session in which this is asked. Idempotent."""
    if viewer.session_id is None:
        return
    with suppress(NotFound):  # it ended elsewhere a moment ago
        await delete_session(work.session, viewer, viewer.session_id)
    work.forget_sessions_of(viewer.member_id)


async def end_session(work: Work, viewer: Viewer, session_id: UUID) -> None:
    """End one of the viewer's own sessions. Raises NotFound when there is none such."""
    await delete_session(work.session, viewer, session_id)
    work.forget_sessions_of(viewer.member_id)


async def end_all_sessions(work: Work, viewer: Viewer) -> None:
    """End every session of the viewer, this one too, and forget all their devices."""
    await end_all(work.session, viewer.member_id)
    work.forget_sessions_of(viewer.member_id)


class _Asked(NamedTuple):
    """Whose session a token is that has this digest, by whom and when it is asked."""

    reader: Reader
    digest: bytes
    now: datetime


async def _read_signed_in(asked: Collection[_Asked]) -> Mapping[bytes, Any]:
    """Return who is signed in, by the digests of their tokens."""
    now, reader = max(one.now for one in asked), next(iter(asked)).reader
    digests = [one.digest for one in asked]
    rows = await reader.rows(_SIGNED_IN, token_digests=digests, now=now, idle_since=now - IDLE_TIMEOUT)
    return {row.token_digest: row for row in rows}


class KnownViewer(NamedTuple):
    """Whose session a token was, when that was read by a clock that counts seconds, and the version of then."""

    viewer: Viewer
    read_at: float
    version: str


class SessionCache:
    """Remembers for a few seconds whose session a token is; `clock` counts seconds.

    It is true as long as the version of all viewers is the same, which triggers raise when a session ends or roles or
    standing change (`migrations/versions/0065b_viewer_versions.py`): so in every process, at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[bytes, KnownViewer] = {}
        self._shared = SharedQuestion(_read_signed_in)

    def get(self, token: str) -> KnownViewer | None:
        """Return whose token it was within the last five seconds. Compare the version before it is believed."""
        known = self._known.get(_digest(token))
        return known if known and self._is_recent(known.read_at) else None

    async def load(self, reader: Reader, token: str, now: datetime) -> Viewer:
        """Look up the viewer of this token: a guest when there is no such session, or no longer."""
        read_at, digest = self._clock(), _digest(token)
        row = (await self._shared.ask(_Asked(reader, digest, now))).get(digest)
        if row is None:
            self._known.pop(digest, None)
            return GUEST
        if now - row.used_at >= USE_RECORDED_EVERY:
            await reader.rows(_USED, token_digest=digest, now=now)
        if len(self._known) >= CACHED_AT_MOST:
            self._known.clear()
        self._known[digest] = KnownViewer(_viewer_in_session(row), read_at, row.version)
        return self._known[digest].viewer

    def owner(self, token: str) -> UUID | None:
        """Return whose token it was at the last look-up here, however long ago: to count requests, never to sign in."""
        known = self._known.get(_digest(token))
        return known.viewer.id if known else None

    def invalidate(self, member_id: UUID | None) -> None:
        """Forget what is known of this member: their next request need not find out that it is no longer so."""
        self._known = {digest: known for digest, known in self._known.items() if known.viewer.id != member_id}

    def _is_recent(self, at: float) -> bool:
        return self._clock() - at < CACHED_FOR


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete expired sessions and devices."""
    over = or_(col(MemberSession.expires_at) <= now, col(MemberSession.used_at) <= now - IDLE_TIMEOUT)
    await session.execute(delete(MemberSession).where(over))
    await session.execute(delete(Device).where(col(Device.expires_at) <= now))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
