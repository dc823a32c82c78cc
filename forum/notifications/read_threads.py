"""Who reads a thread has read what they were told of it."""

from uuid import UUID

from sqlalchemy import ColumnElement, Integer, case, func, select, update
from sqlmodel import col

from forum.content import read_marks
from forum.core.database import rows_of
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.notifications.inbox import Notification


async def mark_thread_read(work: Work, viewer: Viewer, thread_id: int, number: int, *, back: bool = False) -> None:
    """Remember up to which number the viewer has read a thread: what they were told of these posts is read, too.

    Idempotent. Raises as `read_marks.mark_read` does.
    """
    await read_marks.mark_read(work, viewer, thread_id, number, back=back)
    told = rows_of(Notification).c
    each = func.unnest(told.numbers, type_=Integer()).column_valued("told_number")
    left = select(func.array_agg(each)).where(each > number).correlate(rows_of(Notification))
    numbers = left.scalar_subquery()
    await work.session.execute(
        update(rows_of(Notification))
        .where(*_unread_of(viewer.member_id), told.thread_id == thread_id)
        .values(read_at=case((numbers.is_(None), work.now)), numbers=func.coalesce(numbers, told.numbers))
    )


async def mark_all_read(work: Work, viewer: Viewer) -> None:
    """Have the viewer read everything that there is by now, and with it what they were told of it. Idempotent."""
    await read_marks.mark_all_read(work, viewer)
    of_threads = col(Notification.thread_id).is_not(None)
    await work.session.execute(
        update(Notification).where(*_unread_of(viewer.member_id), of_threads).values(read_at=work.now)
    )


def _unread_of(member_id: UUID) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(Notification.member_id) == member_id, col(Notification.read_at).is_(None)
