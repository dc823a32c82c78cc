"""Notifications: each tells one member one thing, and never repeats anybody's words."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, CheckConstraint, Index, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts.tables import Post
from forum.core.database import Moment, Query, new_id, query
from forum.members.viewer import Viewer


class Kind(StrEnum):
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


# Of these, one about each subject.
ONCE = "kind = 'standing_ended'"


class Notification(SQLModel, table=True):
    """Something that a member should know: which thing it is about, and no word of it."""

    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(str(kind)) for kind in Kind)})", name="kind"),
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


def select_for(viewer: Viewer, after: tuple[UUID] | None, limit: int) -> Query:
    """A page of the viewer's notifications, newest first, with the place of the post each is about."""
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


def count_unread(viewer: Viewer) -> Query:
    """How many notifications the viewer has not read."""
    return query(func.count().label("unread")).where(
        col(Notification.member_id) == viewer.id, col(Notification.read_at).is_(None)
    )


def notify(
    session: AsyncSession,
    member_id: UUID,
    kind: Kind,
    now: datetime,
    *,
    post_id: int | None = None,
    subject_id: UUID | None = None,
) -> None:
    """Let a member know, in the transaction in which it happens."""
    session.add(Notification(member_id=member_id, kind=kind, post_id=post_id, subject_id=subject_id, at=now))


async def notify_once(
    session: AsyncSession, member_id: UUID, kind: Kind, now: datetime, *, post_id: int, subject_id: UUID
) -> None:
    """Let a member know, unless this was told about the same subject already; for the kinds of `ONCE`."""
    told = {"id": new_id(), "member_id": member_id, "kind": kind, "post_id": post_id, "subject_id": subject_id}
    first = (
        insert(Notification)
        .values(**told, at=now)
        .on_conflict_do_nothing(index_elements=[col(Notification.subject_id)], index_where=text(ONCE))
    )
    await session.execute(first)


async def mark_read(session: AsyncSession, viewer: Viewer, up_to: UUID, now: datetime) -> None:
    """Mark a notification and all before it read; done twice, it is as done once."""
    seen = (col(Notification.member_id) == viewer.id, col(Notification.id) <= up_to)
    fresh = col(Notification.read_at).is_(None)
    await session.execute(update(Notification).where(*seen, fresh).values(read_at=now))
