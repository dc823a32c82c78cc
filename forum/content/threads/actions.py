"""Changes to threads: title, lock, pin, board."""

from datetime import datetime

from sqlalchemy import (
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board
from forum.content.markup import without_handle
from forum.content.threads.tables import ERASED_TITLE, Thread, ThreadState
from forum.core import audit
from forum.core.errors import Invalid, Stale
from forum.core.gate import Author, Gate, Submission
from forum.members.tables import Member
from forum.members.viewer import Viewer

# The first of an advisory lock's two numbers; the second is the thread's.
_POSTS_LOCK = 0x706F7374


async def lock_thread_row(session: AsyncSession, thread_id: int) -> Thread:
    """The thread as it is now, its row ours until the commit. Take it late: every other reply waits for it."""
    found = select(Thread).where(col(Thread.id) == thread_id).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()


async def lock_posts_of_thread(session: AsyncSession, thread_id: int, *, alone: bool = False) -> None:
    """Whoever changes posts of a thread says so first: authors side by side, a moderator `alone`, until the commit.

    A decision on one post may change all that quote it. Without this, two decisions, or a decision and a
    withdrawal, could each hold a row that the other waits for.
    """
    lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
    await session.execute(select(lock(_POSTS_LOCK, thread_id % 2**31)))


# Verbs


async def retitle(
    session: AsyncSession,
    viewer: Viewer,
    author: Author,
    thread_id: int,
    version: int,
    title: str,
    gate: Gate,
    now: datetime,
) -> None:
    """Give a thread another title; `author` is what the gate knows of the viewer.

    Raises Stale when it changed since the `version` on the screen, and Invalid when the gate would not
    publish the new title: a title cannot be half visible.
    """
    thread = await lock_thread_row(session, thread_id)
    await refuse_stale_thread(session, thread, version)
    board = await session.get_one(Board, thread.board_id)
    submission = Submission(author, (title,), board.publication)
    verdict = await gate.judge(session, submission)
    if verdict.held_because:
        raise Invalid(verdict.held_because, "#/title")
    thread.title = title
    await _changed(session, thread, viewer, now, "thread.retitled")
    await gate.record(session, ("thread", thread.id), verdict, now)


async def rename(session: AsyncSession, moderator: Viewer, thread: Thread, title: str, now: datetime) -> None:
    """Give a thread, whose row the caller holds, another title on the house's behalf."""
    thread.title = title
    await _changed(session, thread, moderator, now, "thread.renamed")


async def set_state(session: AsyncSession, viewer: Viewer, thread_id: int, state: ThreadState, now: datetime) -> None:
    """Lock a thread ("comments are closed") or open it again; done twice, it is as done once."""
    thread = await lock_thread_row(session, thread_id)
    if thread.state != state:
        thread.state = state
        await _changed(session, thread, viewer, now, f"thread.{state}")


async def set_pinned(session: AsyncSession, viewer: Viewer, thread_id: int, pinned: bool, now: datetime) -> None:
    """Keep a thread at the top of its board, or let it go; done twice, it is as done once."""
    thread = await lock_thread_row(session, thread_id)
    if thread.pinned != pinned:
        thread.pinned = pinned
        await _changed(session, thread, viewer, now, "thread.pinned" if pinned else "thread.unpinned")


async def move(
    session: AsyncSession, viewer: Viewer, thread_id: int, version: int, board: Board, now: datetime
) -> None:
    """Move a thread to another board; Stale when it changed since the `version` on the screen."""
    thread = await lock_thread_row(session, thread_id)
    await refuse_stale_thread(session, thread, version)
    if thread.board_id != board.id:
        details: audit.Details = {"from": thread.board_id, "to": board.id}
        thread.board_id = board.id
        await _changed(session, thread, viewer, now, "thread.moved", details)


async def replace_handle_in_titles(session: AsyncSession, handle: str) -> None:
    """Take a handle out of every title that mentions it."""
    naming = select(Thread).where(col(Thread.title).icontains(f"@{handle}", autoescape=True)).order_by(col(Thread.id))
    for thread in (await session.execute(naming.with_for_update(key_share=True))).scalars().all():
        thread.title = without_handle(thread.title, handle)
    await session.flush()


async def erase_title(session: AsyncSession, thread: Thread, now: datetime) -> None:
    """Give a thread, whose row the caller holds, a title that says nothing: whoever opened it erased their words."""
    if thread.title != ERASED_TITLE:
        thread.title, thread.version = ERASED_TITLE, thread.version + 1
        thread.changed_at, thread.changed_by = now, thread.author_id
        await session.flush()


async def refuse_stale_thread(session: AsyncSession, thread: Thread, version: int) -> None:
    """Raise Stale, with who changed the thread and when, unless `version` is the one it has."""
    if thread.version == version:
        return
    changer = await session.get(Member, thread.changed_by) if thread.changed_by else None
    raise Stale(
        "This thread was changed while you were looking at it. Read it again.",
        current=thread.version,
        changed_by=changer.name if changer else None,
        changed_at=thread.changed_at,
    )


async def _changed(
    session: AsyncSession,
    thread: Thread,
    viewer: Viewer,
    now: datetime,
    act: str,
    details: audit.Details | None = None,
) -> None:
    thread.version += 1
    thread.changed_at, thread.changed_by = now, viewer.id
    await session.flush()
    if viewer.id != thread.author_id or act != "thread.retitled":
        await audit.record(
            session, actor_id=viewer.id, act=act, subject=("thread", thread.id), now=now, details=details
        )
