"""Announcements: a few words of the charity that stand above all boards until a time, such as "closed on Monday"."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, bindparam, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Prepared, Reader, columns, new_id, query
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

TEXT_MAX = 500
MOST = 5  # at once: who must scroll past more reads none
LONGEST = timedelta(days=366)  # what stays longer belongs to the texts of the pages
# Held until the commit by whoever writes one: two at once would each see room for one more.
_ONE_AT_A_TIME = text("LOCK TABLE announcement IN SHARE ROW EXCLUSIVE MODE")


class Announcement(SQLModel, table=True):
    """What the charity says above all boards, until when."""

    __table_args__ = (CheckConstraint("until > since", name="until"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    text: str
    since: datetime = Field(sa_type=Moment)
    until: datetime = Field(sa_type=Moment, index=True)
    written_by: UUID = Field(foreign_key="member.id")


@dataclass(frozen=True)
class AnnouncementDraft:
    """What an announcement shall say, and until when."""

    text: str
    until: datetime


# Those that stand there at the time `now`, newest first.
_CURRENT = Prepared(
    query(*columns(Announcement))
    .where(col(Announcement.until) > bindparam("now", type_=DateTime(timezone=True)))
    .order_by(col(Announcement.since).desc(), col(Announcement.id).desc())
)


async def list_announcements(reader: Reader, now: datetime) -> Sequence[Any]:
    """Return the announcements that have not ended, newest first: for everybody."""
    return await reader.rows(_CURRENT, now=now)


async def list_to_write(reader: Reader, administrator: Viewer, now: datetime) -> Sequence[Any]:
    """Return the same for whoever writes them. Raises Forbidden for others."""
    allow(Act.ANNOUNCE, administrator)
    return await list_announcements(reader, now)


async def announce(
    work: Work, administrator: Viewer, draft: AnnouncementDraft, *, repeat: Repeat | None = None
) -> Announcement:
    """Write an announcement. A `repeat` of an earlier request returns the one of that.

    Raises Forbidden, Invalid for an end that has passed or is more than a year away, Conflict when five stand there
    already, and what `Repeat.earlier` raises.
    """
    allow(Act.ANNOUNCE, administrator)
    if repeat and (earlier := await repeat.earlier(work)):
        return await _get(work, UUID(earlier))
    _check_end(work, draft.until)
    await work.session.execute(_ONE_AT_A_TIME)
    standing = select(func.count()).select_from(Announcement).where(col(Announcement.until) > work.now)
    if (await work.session.execute(standing)).scalar_one() >= MOST:
        raise Conflict(f"There are {MOST} announcements already. End one first.", code="too_many_announcements")
    made = Announcement(text=draft.text, since=work.now, until=draft.until, written_by=administrator.member_id)
    work.session.add(made)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, made.id)
    await _record(work, administrator, "announcement.written", made.id)
    return made


async def end_announcement(work: Work, administrator: Viewer, announcement_id: UUID) -> None:
    """Take an announcement away before its end. Raises Forbidden, and NotFound when it is not there (any more)."""
    allow(Act.ANNOUNCE, administrator)
    this = delete(Announcement).where(col(Announcement.id) == announcement_id).returning(col(Announcement.id))
    if (await work.session.execute(this)).first() is None:
        raise NotFound("There is no such announcement.", code="announcement_not_found")
    await _record(work, administrator, "announcement.ended", announcement_id)


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the announcements that have ended."""
    await session.execute(delete(Announcement).where(col(Announcement.until) <= now))


async def _get(work: Work, announcement_id: UUID) -> Announcement:
    found = await work.session.get(Announcement, announcement_id)
    if found is None:
        raise NotFound("There is no such announcement.", code="announcement_not_found")
    return found


def _check_end(work: Work, until: datetime) -> None:
    if until <= work.now:
        raise Invalid("must be in the future", "#/until", code="time_not_in_future")
    if until > work.now + LONGEST:
        raise Invalid("must be within a year", "#/until", code="time_too_far")


async def _record(work: Work, administrator: Viewer, act: str, announcement_id: UUID) -> None:
    subject = ("announcement", str(announcement_id))
    await audit.record(work.session, actor_id=administrator.id, act=act, subject=subject, now=work.now)
