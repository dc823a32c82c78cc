"""Copies of personal data: requested, made by a job, and stored for two days for their signed-in owner."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, and_, bindparam, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import jobs
from forum.core.database import Moment, Prepared, Reader, query
from forum.core.errors import NotFound
from forum.core.export_section import ExportSection
from forum.core.idempotency import Repeat
from forum.core.jobs import Handler, Job, Payload
from forum.core.work import Work
from forum.mail import outbox
from forum.mail.tables import MailKind
from forum.members.queries import lock_own_row
from forum.members.tables import Member
from forum.members.viewer import Viewer, viewer_of, viewers
from forum.notifications import inbox
from forum.permissions import require_recent_sign_in
from forum.privacy import archive
from forum.privacy.tables import Export, ExportPart

KEPT_FOR = timedelta(hours=48)
GIVEN_UP_AFTER = timedelta(days=1)  # long after the job's last try
PART = 1024 * 1024  # bytes of a row: what a reader has in memory
MAKE = Job("make_export")

_OWN = Prepared(
    query(col(Export.id), col(Export.asked_at), col(Export.made_at), col(Export.expires_at), col(Export.size)).where(
        col(Export.id) == bindparam("export_id", type_=Uuid()),
        col(Export.member_id) == bindparam("owner", type_=Uuid()),
        or_(col(Export.expires_at).is_(None), col(Export.expires_at) > bindparam("now", type_=Moment())),
    )
)
_PART = Prepared(
    query(col(ExportPart.content)).where(
        col(ExportPart.export_id) == bindparam("export_id", type_=Uuid()),
        col(ExportPart.number) == bindparam("number", type_=Integer()),
    )
)


async def request_export(work: Work, viewer: Viewer, *, repeat: Repeat | None = None) -> Export:
    """Have a copy made of the viewer's personal data, and return it. While one is being made, return that one.

    A `repeat` returns the copy that it asked for. Raises SignInAgain, Throttled, NotFound for a repeat whose copy has
    expired, and what `Repeat.earlier` raises.
    """
    require_recent_sign_in(viewer, work.now)
    if repeat and (earlier := await repeat.earlier(work)):
        kept = await work.session.get(Export, UUID(earlier))
        if kept is None:
            raise _not_found()
        return kept
    export = await _request_export(work, viewer)
    if repeat:
        await repeat.keep(work, export.id)
    return export


async def _request_export(work: Work, viewer: Viewer) -> Export:
    member = await lock_own_row(work.session, viewer)
    unmade = select(Export).where(col(Export.member_id) == member.id, col(Export.made_at).is_(None))
    if pending := (await work.session.execute(unmade)).scalar_one_or_none():
        return pending
    await work.count_try("export", "exports", viewer.id)
    export = Export(member_id=member.id, asked_at=work.now)
    work.session.add(export)
    await work.session.flush()
    await jobs.enqueue(work.session, MAKE, {"export": str(export.id)})
    return export


async def find_newest_export(work: Work, viewer: Viewer) -> Export | None:
    """Return the newest of the viewer's own copies that has not expired, if there is one."""
    is_alive = or_(col(Export.expires_at).is_(None), col(Export.expires_at) > work.now)
    own = select(Export).where(col(Export.member_id) == viewer.member_id, is_alive)
    return (await work.session.execute(own.order_by(col(Export.asked_at).desc()).limit(1))).scalar_one_or_none()


async def get_export(reader: Reader, viewer: Viewer, export_id: UUID, now: datetime) -> Any:
    """Return one of the viewer's own copies. Raises NotFound for another member's, and when it has expired."""
    row = await reader.row(_OWN, export_id=export_id, owner=viewer.member_id, now=now)
    if row is None:
        raise _not_found()
    return row


def _not_found() -> NotFound:
    return NotFound("There is no such copy. Ask for a new one.", code="export_not_found")


async def get_ready_export(reader: Reader, viewer: Viewer, export_id: UUID, now: datetime) -> Any:
    """Return one of the viewer's own copies. Raises NotFound as `get_export` does, and when it is not ready yet."""
    export = await get_export(reader, viewer, export_id, now)
    if export.size is None:
        raise NotFound("This copy is not ready yet.", code="export_not_ready")
    return export


async def read_archive(reader: Reader, export_id: UUID) -> AsyncIterator[bytes]:
    """Give the ZIP of a copy, part by part."""
    number = 0
    while part := await reader.row(_PART, export_id=export_id, number=number):
        yield part.content
        number += 1


# What a feature stores about a member, as they may read it.
ExportHook = Callable[[AsyncSession, Viewer, datetime], Awaitable[Sequence[ExportSection]]]


def make_exporter(hooks: Sequence[ExportHook]) -> Handler:
    """Return the job handler that makes a copy, deletes the one before, and tells the owner."""

    async def export(session: AsyncSession, payload: Payload, now: datetime) -> None:
        asked = await session.get(Export, UUID(payload["export"]), with_for_update={"key_share": True})
        if asked is None or asked.made_at:
            return
        viewer = viewer_of((await session.execute(viewers().where(col(Member.id) == asked.member_id))).one())
        with archive.Archive(now) as made:
            for hook in hooks:
                await asyncio.to_thread(made.add, await hook(session, viewer, now))
            size = await _store(session, asked.id, made)
        others = (col(Export.member_id) == asked.member_id, col(Export.id) != asked.id)
        await session.execute(delete(Export).where(*others))
        asked.made_at, asked.expires_at, asked.size = now, now + KEPT_FOR, size
        await inbox.notify(session, asked.member_id, inbox.NotificationKind.EXPORT_READY, now, subject_id=asked.id)
        email = (await session.get_one(Member, asked.member_id)).email
        await outbox.enqueue(session, MailKind.EXPORT_READY, now, member_id=asked.member_id, email=email)

    return export


async def _store(session: AsyncSession, export_id: UUID, made: archive.Archive) -> int:
    """Store a copy in parts, one of which is in memory at a time, and return its size."""
    parts, size, number = made.parts(PART), 0, 0
    while content := await asyncio.to_thread(next, parts, b""):
        await session.execute(insert(ExportPart).values(export_id=export_id, number=number, content=content))
        size, number = size + len(content), number + 1
    return size


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete expired copies, and those that could not be made."""
    never_made = and_(col(Export.made_at).is_(None), col(Export.asked_at) <= now - GIVEN_UP_AFTER)
    await session.execute(delete(Export).where(or_(col(Export.expires_at) <= now, never_made)))
