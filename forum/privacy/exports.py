"""Copies: asked for, made by a job, kept for two days in the database for whoever is signed in as their owner."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, and_, bindparam, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import jobs
from forum.core.database import Moment, Prepared, Reader, query
from forum.core.errors import NotFound
from forum.core.jobs import Handler, Job, Payload
from forum.mail import outbox
from forum.mail.tables import Kind
from forum.members.tables import Member
from forum.members.viewer import Viewer, viewer_of, viewers
from forum.notifications import inbox
from forum.privacy import archive, export_contents
from forum.privacy.personal_data_source import PersonalDataSource
from forum.privacy.tables import Export, ExportPart

KEPT_FOR = timedelta(hours=48)
GIVEN_UP_AFTER = timedelta(days=1)  # the job's last try came long before
PART = 1024 * 1024  # bytes of a row: what a reader has in memory
MAKE = Job("make_export")

_MINE = Prepared(
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


async def get_export(reader: Reader, viewer: Viewer, export_id: UUID, now: datetime) -> Any:
    """The viewer's own copy; NotFound for another's, or one whose time is over."""
    row = await reader.row(_MINE, export_id=export_id, owner=viewer.member_id, now=now)
    if row is None:
        raise NotFound("There is no such copy. Ask for a new one.")
    return row


async def read_archive(reader: Reader, export_id: UUID) -> AsyncIterator[bytes]:
    """The ZIP of a copy, piece by piece."""
    number = 0
    while part := await reader.row(_PART, export_id=export_id, number=number):
        yield part.content
        number += 1


async def get_pending(session: AsyncSession, member: Member) -> Export | None:
    """The copy that is being made for a member, if there is one."""
    unmade = (col(Export.member_id) == member.id, col(Export.made_at).is_(None))
    return (await session.execute(select(Export).where(*unmade))).scalar_one_or_none()


async def request_export(session: AsyncSession, member: Member, now: datetime) -> Export:
    """Have a copy made for a member, whose row the caller holds and for whom none is being made."""
    asked = Export(member_id=member.id, asked_at=now)
    session.add(asked)
    await session.flush()
    await jobs.enqueue(session, MAKE, {"export": str(asked.id)})
    return asked


def making(keeper: PersonalDataSource) -> Handler:
    """What makes a copy, which takes the place of the one before, and tells its owner."""

    async def make(session: AsyncSession, payload: Payload, now: datetime) -> None:
        asked = await session.get(Export, UUID(payload["export"]), with_for_update={"key_share": True})
        if asked is None or asked.made_at:
            return
        row = (await session.execute(viewers().where(col(Member.id) == asked.member_id))).one()
        viewer = viewer_of(row)
        told = [*await export_contents.sections_of_forum(session, viewer, now), *await keeper.chapters(session, viewer)]
        packed = await asyncio.to_thread(archive.packed, told, now)
        for number, start in enumerate(range(0, len(packed), PART)):
            session.add(ExportPart(export_id=asked.id, number=number, content=packed[start : start + PART]))
        others = (col(Export.member_id) == asked.member_id, col(Export.id) != asked.id)
        await session.execute(delete(Export).where(*others))
        asked.made_at, asked.expires_at, asked.size = now, now + KEPT_FOR, len(packed)
        ready = inbox.Kind.EXPORT_READY
        inbox.notify(session, asked.member_id, ready, now, subject_id=asked.id)
        email = (await session.get_one(Member, asked.member_id)).email
        await outbox.enqueue(session, Kind.EXPORT_READY, now, member_id=asked.member_id, email=email)

    return make


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete copies whose time is over, and those that could not be made."""
    never_made = and_(col(Export.made_at).is_(None), col(Export.asked_at) <= now - GIVEN_UP_AFTER)
    await session.execute(delete(Export).where(or_(col(Export.expires_at) <= now, never_made)))
