"""Notifications: each tells one member one thing, and never quotes anybody."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Index, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts.tables import Post
from forum.core import pagination
from forum.core.database import Moment, Query, check_one_of, new_id, query
from forum.core.work import Work
from forum.members.viewer import Viewer


class NotificationKind(StrEnum):
    """What happened."""

    POST_HELD = "post_held"
    POST_PUBLISHED = "post_published"
    POST_EDITED = "post_edited"
    POST_REMOVED = "post_removed"
    STATEMENT_ISSUED = "statement_issued"
    APPEAL_HEARD = "appeal_heard"
    REPORT_RECEIVED = "report_received"
    REPORT_SETTLED = "report_settled"
    STANDING_ENDED = "standing_ended"
    DEPARTURE_WAITS = "departure_waits"
    EXPORT_READY = "export_ready"


# Of these kinds, at most one about each subject.
ONCE = "kind = 'standing_ended'"


class Notification(SQLModel, table=True):
    """Something that a member should know: what it is about, and no text of it."""

    __table_args__ = (
        check_one_of("kind", NotificationKind),
        Index("ix_notification_unread", "member_id", postgresql_where=text("read_at IS NULL")),
        Index("ix_notification_page", "member_id", "id"),
        Index("uq_notification_standing_ended", "subject_id", unique=True, postgresql_where=text(ONCE)),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE")
    kind: str
    post_id: int | None = Field(default=None, sa_type=BigInteger, foreign_key="post.id")
    subject_id: UUID | None = Field(default=None, description="Of the statement, report, appeal or export")
    at: datetime = Field(sa_type=Moment)
    read_at: datetime | None = Field(default=None, sa_type=Moment)


BY_ID = TypeAdapter(tuple[UUID])


class NotificationPage(NamedTuple):
    """Some notifications, the cursor of the next page, and how many are unread in all."""

    rows: Sequence[Any]
    next: str | None
    unread: int


def select_notifications(viewer: Viewer, after: tuple[UUID] | None, limit: int) -> Query:
    """Return a select of the viewer's notifications, newest first, with the thread and number of each one's post."""
    page = (
        query(
            col(Notification.id),
            col(Notification.kind),
            col(Notification.post_id),
            col(Post.thread_id),
            col(Post.number),
            col(Notification.subject_id),
            col(Notification.at),
            col(Notification.read_at),
        )
        .outerjoin(Post, col(Post.id) == col(Notification.post_id))
        .where(col(Notification.member_id) == viewer.id)
    )
    if after:
        page = page.where(col(Notification.id) < after[0])
    return page.order_by(col(Notification.id).desc()).limit(limit)


async def list_notifications(work: Work, viewer: Viewer, after: str | None, limit: int) -> NotificationPage:
    """Return a page of the viewer's notifications, newest first. Raises Invalid for a cursor of another list."""
    place = pagination.decode(after, BY_ID) if after is not None else None
    rows = (await work.session.execute(select_notifications(viewer, place, limit + 1))).all()
    page = pagination.page_of(rows, limit, lambda row: (str(row.id),))
    unread = query(func.count()).where(col(Notification.member_id) == viewer.id, col(Notification.read_at).is_(None))
    return NotificationPage(*page, unread=(await work.session.execute(unread)).scalar_one())


def notify(
    session: AsyncSession,
    member_id: UUID,
    kind: NotificationKind,
    now: datetime,
    *,
    post_id: int | None = None,
    subject_id: UUID | None = None,
) -> None:
    """Notify a member, in the transaction in which it happens."""
    session.add(Notification(member_id=member_id, kind=kind, post_id=post_id, subject_id=subject_id, at=now))


async def notify_once(
    session: AsyncSession,
    member_id: UUID,
    kind: NotificationKind,
    now: datetime,
    *,
    post_id: int | None,
    subject_id: UUID,
) -> None:
    """Notify a member, unless there is such a notification about the same subject already; for the kinds of `ONCE`."""
    values = {"id": new_id(), "member_id": member_id, "kind": kind, "post_id": post_id, "subject_id": subject_id}
    added = (
        insert(Notification)
        .values(**values, at=now)
        .on_conflict_do_nothing(index_elements=[col(Notification.subject_id)], index_where=text(ONCE))
    )
    await session.execute(added)


async def mark_read(work: Work, viewer: Viewer, up_to: UUID) -> None:
    """Mark a notification and all before it as read. Idempotent."""
    own = (col(Notification.member_id) == viewer.id, col(Notification.id) <= up_to)
    unread = col(Notification.read_at).is_(None)
    await work.session.execute(update(Notification).where(*own, unread).values(read_at=work.now))
