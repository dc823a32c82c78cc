"""Changes to a thread that several actions share: its row lock, title, lock, pin and board."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board
from forum.content.threads.tables import Thread, ThreadRow, ThreadState
from forum.content.threads.titles import replace_title
from forum.core import audit, jobs
from forum.core.database import Prepared, query, rows_of
from forum.core.in_transaction import row_in
from forum.core.jobs import Job
from forum.members.queries import changed_since
from forum.members.viewer import Viewer

# The first number of an advisory lock; the second is the thread's id.
_POSTS_LOCK = 0x706F7374

# Of each change that whoever opened the thread is told of: the job that tells them, if somebody else made it.
THREAD_CHANGED = {
    "thread.locked": Job("tell_thread_locked"),
    "thread.open": Job("tell_thread_unlocked"),
    "thread.moved": Job("tell_thread_moved"),
    "thread.retitled": Job("tell_thread_retitled"),
}


_threads = rows_of(Thread).c
_LOCKED = Prepared(
    query(*_threads)
    .where(_threads.id == bindparam("thread_id", type_=_threads.id.type))
    .with_for_update(key_share=True),
    ThreadRow,
)


async def lock_thread_row(session: AsyncSession, thread_id: int) -> Thread:
    """Lock a thread's row until the transaction ends, and return the thread. Lock it late: all replies wait for it."""
    found = select(Thread).where(col(Thread.id) == thread_id).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()


async def lock_for_reply(session: AsyncSession, thread_id: int) -> Any:
    """Lock a thread's row as `lock_thread_row` does, and return it as a `ThreadRow`. Raises NoResultFound.

    It costs a fifth, and other replies wait meanwhile.
    """
    thread = await row_in(session, _LOCKED, thread_id=thread_id)
    if thread is None:
        raise NoResultFound
    return thread


async def lock_posts_of_thread(session: AsyncSession, thread_id: int, *, alone: bool = False) -> None:
    """Lock the posts of a thread against other changes until the transaction ends: a moderator `alone`, authors shared.

    A moderator's decision on one post may change every post that quotes it. Without this lock, two decisions, or a
    decision and a withdrawal, could lock rows in different order and deadlock.
    """
    lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
    await session.execute(select(lock(_POSTS_LOCK, thread_id % 2**31)))


async def retitle(session: AsyncSession, by: Viewer, thread: Thread, title: str, now: datetime) -> None:
    """Change the title of a thread, whose row the caller has locked. Whoever calls it records it in the audit record.

    A title that somebody else than its author changes is sealed.
    """
    is_own = thread.author_id in by.personas
    persona_id = thread.author_id if is_own else by.member_id
    await replace_title(session, thread, title, persona_id, now, sealed=not is_own)
    await tell_author(session, by, thread, "thread.retitled")


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


async def refuse_stale_thread(session: AsyncSession, thread: Thread, version: int) -> None:
    """Raise Stale, with who changed the thread and when, unless it is still at this version."""
    if thread.version != version:
        detail = "This thread was changed while you were looking at it. Please read it again."
        by, at = thread.changed_by, thread.changed_at
        raise await changed_since(session, detail, code="thread_changed", current=thread.version, by=by, at=at)


async def refuse_stale_title(session: AsyncSession, thread: Thread, title_revision: int) -> None:
    """Raise Stale, with who changed the title and when, unless it is still at this revision."""
    if thread.title_revision != title_revision:
        detail = "The title was changed while you were looking at it. Please read it again."
        by, at = thread.titled_by or thread.author_id, thread.titled_at or thread.opened_at
        raise await changed_since(session, detail, code="title_changed", current=thread.title_revision, by=by, at=at)


async def record_change(
    session: AsyncSession,
    viewer: Viewer,
    thread: Thread,
    act: str,
    now: datetime,
    *,
    details: audit.Details | None = None,
) -> None:
    """Raise a thread's version, record the change, and tell whoever opened the thread of it."""
    thread.version += 1
    thread.changed_at, thread.changed_by = now, viewer.persona_for(thread.author_id)
    await session.flush()
    await tell_author(session, viewer, thread, act)
    await audit.record(session, actor_id=viewer.id, act=act, subject=("thread", thread.id), now=now, details=details)


async def tell_author(session: AsyncSession, viewer: Viewer, thread: Thread, act: str) -> None:
    """Have whoever opened the thread be told of what somebody else did to it, if that is among `THREAD_CHANGED`."""
    if act in THREAD_CHANGED and thread.author_id not in viewer.personas:
        await jobs.enqueue(session, THREAD_CHANGED[act], {"thread": str(thread.id), "by": str(viewer.id)})
