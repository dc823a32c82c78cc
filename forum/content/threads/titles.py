"""The title of a thread and its revisions: the earlier titles, kept as those of a post are."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, exists, false, func, inspect, or_, select, text, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.markup import without_handle
from forum.content.threads.tables import ERASED_TITLE, LOCK_REASON_MAX, TITLE_MAX, Thread, ThreadTitleRevision, can_name
from forum.core import audit
from forum.core.database import Query, Record, columns, query
from forum.core.errors import NotFound
from forum.members.viewer import Viewer


def select_titles(thread_id: int) -> Query:
    """Return a query of every title of a thread, the present one last; sealed ones come without text."""
    earlier: Query = query(
        col(ThreadTitleRevision.number),
        col(ThreadTitleRevision.sealed),
        case((col(ThreadTitleRevision.sealed), None), else_=col(ThreadTitleRevision.title)).label("title"),
        col(ThreadTitleRevision.written_at),
    ).where(col(ThreadTitleRevision.thread_id) == thread_id)
    present: Query = query(
        col(Thread.title_revision).label("number"),
        false().label("sealed"),
        col(Thread.title),
        func.coalesce(Thread.titled_at, Thread.opened_at).label("written_at"),
    ).where(col(Thread.id) == thread_id)
    both = union_all(earlier, present).subquery()
    return query(both).order_by(both.c.number)


async def read_sealed_title(
    session: AsyncSession, moderator: Viewer, thread_id: int, number: int, now: datetime
) -> Record:
    """Return a title that a moderator took away, and record that it was read. Raises NotFound."""
    same = (col(ThreadTitleRevision.thread_id) == thread_id, col(ThreadTitleRevision.number) == number)
    sealed = query(*columns(ThreadTitleRevision)).where(*same, col(ThreadTitleRevision.sealed))
    row = (await session.execute(sealed)).one_or_none()
    if row is None:
        raise NotFound("There is no such sealed revision.", code="revision_not_found")
    details: audit.Details = {"revision": number}
    await audit.record(
        session, actor_id=moderator.id, act="title.read", subject=("thread", thread_id), now=now, details=details
    )
    return row


async def list_earlier_titles(session: AsyncSession, thread_id: int) -> Sequence[ThreadTitleRevision]:
    """Return the earlier titles of a thread, oldest first, sealed ones with their text: for moderation's own checks."""
    earlier = select(ThreadTitleRevision).where(col(ThreadTitleRevision.thread_id) == thread_id)
    return (await session.execute(earlier.order_by(col(ThreadTitleRevision.number)))).scalars().all()


async def get_title(session: AsyncSession, thread: Thread, number: int) -> str:
    """Return one title of a thread; the present one counts too."""
    if number == thread.title_revision:
        return thread.title
    return (await session.get_one(ThreadTitleRevision, (thread.id, number))).title


async def replace_title(
    session: AsyncSession, thread: Thread, title: str, by: UUID, now: datetime, *, sealed: bool = False
) -> None:
    """Replace the title of a thread, whose row the caller has locked, and keep the earlier one as a revision.

    `by` is the persona under whose name it is changed. Only moderators can read a `sealed` revision.
    """
    session.add(
        ThreadTitleRevision(
            thread_id=thread.id,
            number=thread.title_revision,
            title=thread.title,
            sealed=sealed,
            written_at=thread.titled_at or thread.opened_at,
            written_by=thread.titled_by or thread.author_id,
        )
    )
    thread.title, thread.titled_at, thread.titled_by = title, now, by
    thread.title_revision += 1
    thread.version += 1
    thread.changed_at, thread.changed_by = now, by
    await session.flush()


async def seal_titles(session: AsyncSession, thread_id: int, numbers: Collection[int], *, sealed: bool) -> None:
    """Let only moderators read these earlier titles, or let those who opened the thread read them again."""
    these = (col(ThreadTitleRevision.thread_id) == thread_id, col(ThreadTitleRevision.number).in_(numbers))
    await session.execute(update(ThreadTitleRevision).where(*these).values(sealed=sealed))


def has_title_words() -> ColumnElement[bool]:
    """Return the condition that the title of a thread, or an earlier one, was not erased."""
    earlier = exists().where(
        col(ThreadTitleRevision.thread_id) == col(Thread.id), col(ThreadTitleRevision.title) != ERASED_TITLE
    )
    return or_(col(Thread.title) != ERASED_TITLE, earlier)


async def erase_titles(session: AsyncSession, thread: Thread, now: datetime) -> None:
    """Replace every title of a thread, whose row the caller has locked, when its author has their words erased."""
    this = col(ThreadTitleRevision.thread_id) == thread.id
    await session.execute(update(ThreadTitleRevision).where(this).values(title=ERASED_TITLE))
    if thread.title != ERASED_TITLE:
        thread.title, thread.version = ERASED_TITLE, thread.version + 1
        thread.changed_at, thread.changed_by = now, thread.author_id
        await session.flush()


async def replace_handle_in_titles(session: AsyncSession, handle: str, new: str | None = None) -> None:
    """Replace a handle in every title that mentions it, or did, and every reason of a lock: by a new one or marks."""
    texts: list[tuple[Any, str, int]] = [
        (Thread, "title", TITLE_MAX),
        (Thread, "lock_reason", LOCK_REASON_MAX),
        (ThreadTitleRevision, "title", TITLE_MAX),
    ]
    for table, field, longest in texts:
        # The first condition is in the index: other titles are not read.
        is_named = col(getattr(table, field)).icontains(f"@{handle}", autoescape=True)
        naming = select(table).where(text(can_name(field)), is_named)
        in_order = naming.order_by(*inspect(table).primary_key).with_for_update(key_share=True)
        for row in (await session.execute(in_order)).scalars().all():
            written = getattr(row, field)
            renamed = without_handle(written, handle, new)
            setattr(row, field, renamed if len(renamed) <= longest else without_handle(written, handle))
        await session.flush()
