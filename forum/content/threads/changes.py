"""Changes to a thread that several actions share: its row lock, title, lock, pin and board."""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board
from forum.content.markup import without_handle
from forum.content.threads.tables import ERASED_TITLE, Thread, ThreadState
from forum.core import audit
from forum.members.queries import changed_since
from forum.members.viewer import Viewer

# The first number of an advisory lock; the second is the thread's id.
_POSTS_LOCK = 0x706F7374


async def lock_thread_row(session: AsyncSession, thread_id: int) -> Thread:
    """Lock a thread's row until the transaction ends, and return the thread. Lock it late: all replies wait for it."""
    found = select(Thread).where(col(Thread.id) == thread_id).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()


async def lock_posts_of_thread(session: AsyncSession, thread_id: int, *, alone: bool = False) -> None:
    """Lock the posts of a thread against other changes until the transaction ends: a moderator `alone`, authors shared.

    A moderator's decision on one post may change every post that quotes it. Without this lock, two decisions, or a
    decision and a withdrawal, could lock rows in different order and deadlock.
    """
    lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
    await session.execute(select(lock(_POSTS_LOCK, thread_id % 2**31)))


async def rename(session: AsyncSession, moderator: Viewer, thread: Thread, title: str, now: datetime) -> None:
    """Change the title of a thread, whose row the caller has locked, by a moderator's decision."""
    thread.title = title
    await record_change(session, moderator, thread, "thread.renamed", now)


async def set_state(
    session: AsyncSession,
    viewer: Viewer,
    thread_id: int,
    state: ThreadState,
    now: datetime,
    *,
    reason: str | None = None,
) -> None:
    """Lock or unlock a thread. Idempotent. A lock without a `reason` keeps the one that there is."""
    thread = await lock_thread_row(session, thread_id)
    wanted = (state, None if state == ThreadState.OPEN else reason or thread.lock_reason)
    if (thread.state, thread.lock_reason) != wanted:
        thread.state, thread.lock_reason = wanted
        await record_change(session, viewer, thread, f"thread.{state}", now)


async def set_pinned(session: AsyncSession, viewer: Viewer, thread_id: int, pinned: bool, now: datetime) -> None:
    """Pin a thread to the top of its board, or unpin it. Idempotent."""
    thread = await lock_thread_row(session, thread_id)
    if thread.pinned != pinned:
        thread.pinned = pinned
        await record_change(session, viewer, thread, "thread.pinned" if pinned else "thread.unpinned", now)


async def move(
    session: AsyncSession, viewer: Viewer, thread_id: int, board: Board, *, version: int, now: datetime
) -> None:
    """Move a thread to another board. Raises Stale when the thread is no longer at `version`."""
    thread = await lock_thread_row(session, thread_id)
    await refuse_stale_thread(session, thread, version)
    if thread.board_id != board.id:
        details: audit.Details = {"from": thread.board_id, "to": board.id}
        thread.board_id = board.id
        await record_change(session, viewer, thread, "thread.moved", now, details=details)


async def replace_handle_in_titles(session: AsyncSession, handle: str) -> None:
    """Replace the handle of a former member in every title, and every reason of a lock, that mentions it."""
    texts = (col(Thread.title), col(Thread.lock_reason))
    naming = select(Thread).where(or_(*(text.icontains(f"@{handle}", autoescape=True) for text in texts)))
    ordered = naming.order_by(col(Thread.id)).with_for_update(key_share=True)
    for thread in (await session.execute(ordered)).scalars().all():
        thread.title = without_handle(thread.title, handle)
        thread.lock_reason = thread.lock_reason and without_handle(thread.lock_reason, handle)
    await session.flush()


async def erase_title(session: AsyncSession, thread: Thread, now: datetime) -> None:
    """Replace the title of a thread, whose row the caller has locked, when its author has their words erased."""
    if thread.title != ERASED_TITLE:
        thread.title, thread.version = ERASED_TITLE, thread.version + 1
        thread.changed_at, thread.changed_by = now, thread.author_id
        await session.flush()


async def refuse_stale_thread(session: AsyncSession, thread: Thread, version: int) -> None:
    """Raise Stale, with who changed the thread and when, unless it is still at this version."""
    if thread.version != version:
        detail = "This thread was changed while you were looking at it. Please read it again."
        by, at = thread.changed_by, thread.changed_at
        raise await changed_since(session, detail, code="thread_changed", current=thread.version, by=by, at=at)


async def record_change(
    session: AsyncSession,
    viewer: Viewer,
    thread: Thread,
    act: str,
    now: datetime,
    *,
    details: audit.Details | None = None,
) -> None:
    """Raise a thread's version, and record the change, unless it is its author's change of the title."""
    thread.version += 1
    thread.changed_at, thread.changed_by = now, viewer.id
    await session.flush()
    if viewer.id != thread.author_id or act != "thread.retitled":
        await audit.record(
            session, actor_id=viewer.id, act=act, subject=("thread", thread.id), now=now, details=details
        )
