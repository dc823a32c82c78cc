"""The audit record of concerns: each reading and each act, for the leads of the concern only.

It stands apart from the forum's audit record, which moderators read.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import pagination
from forum.core.database import query
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation.concerns.tables import ConcernAudit
from moderation.concerns.visibility import get_concern

BY_ID = TypeAdapter(tuple[UUID])


def record(
    session: AsyncSession, concern_id: UUID, actor_id: UUID | None, act: str, at: datetime, **details: Any
) -> None:
    """Record a reading or an act: ids, dates and words of lists, never what somebody wrote."""
    session.add(ConcernAudit(concern_id=concern_id, actor_id=actor_id, act=act, details=details, at=at))


def record_listing(session: AsyncSession, concern_ids: Collection[UUID], actor_id: UUID, at: datetime) -> None:
    """Record that somebody saw these concerns in a list, which says whom they are about."""
    for concern_id in concern_ids:
        record(session, concern_id, actor_id, "listed", at)


async def list_audit(work: Work, lead: Viewer, concern_id: UUID, after: str | None, limit: int) -> Page:
    """Return a page of who read a concern and what they did, newest first.

    Raises Forbidden, NotFound, and Invalid for a cursor of another list.
    """
    before = pagination.decode(after, BY_ID) if after is not None else None
    await get_concern(work, lead, concern_id)
    rows = (
        query(col(ConcernAudit.id), col(ConcernAudit.act), col(ConcernAudit.details), col(ConcernAudit.at))
        .add_columns(*named_columns(Member, "actor"))
        .outerjoin(Member, col(Member.id) == col(ConcernAudit.actor_id))
        .where(col(ConcernAudit.concern_id) == concern_id)
        .order_by(col(ConcernAudit.id).desc())
        .limit(limit + 1)
    )
    if before:
        rows = rows.where(col(ConcernAudit.id) < before[0])
    found = (await work.session.execute(rows)).all()
    return pagination.page_of(found, limit, lambda row: (str(row.id),))
