"""Measures about a thread: retitle, lock, move; and the undo of each, whatever was decided since."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.threads import changes
from forum.content.threads.changes import lock_thread_row
from forum.content.threads.tables import Thread, ThreadState
from forum.content.threads.titles import get_title, list_earlier_titles, replace_title, seal_titles
from forum.core import audit
from forum.core.errors import Invalid
from forum.members.tables import Role
from moderation.measures.tables import AppliedMeasure, MeasureContext, MeasureInput, MeasureKind, UndoData
from moderation.repeated_words import bring_back, gone


async def retitle(context: MeasureContext, wanted: MeasureInput) -> UndoData:
    """Give a thread another title, and seal the earlier ones that have the words that went."""
    session, title = context.session, wanted.title or ""
    thread = await lock_thread_row(session, context.post.thread_id)
    was, before = thread.title_revision, thread.title
    await changes.retitle(session, context.moderator, thread, title, context.now)
    await _record_renaming(context, thread)
    # An earlier title with the same words goes too.
    taken, earlier = [before, *gone(before, title)], await list_earlier_titles(session, thread.id)
    sealed = [old.number for old in earlier if not old.sealed and bring_back(taken, [old.title], title)]
    await seal_titles(session, thread.id, sealed, sealed=True)
    return {"was": was, "became": thread.title_revision, "sealed": sorted({was, *sealed})}


async def undo_retitle(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Give a thread its title back where nobody changed it since, and unseal what no other measure seals."""
    session, undo_data = context.session, applied.memory
    thread = await lock_thread_row(session, applied.in_thread)
    became = await _title_of(session, thread, undo_data["became"])
    if not await _hand_on(session, applied) and thread.title == became:
        await give_title(context, thread, await _title_of(session, thread, undo_data["was"]))
        await _record_renaming(context, thread)
    others = await _retitles_in_force(session, thread.id)
    still_sealed = {number for other in others for number in other.memory.get("sealed", ())}
    await seal_titles(session, thread.id, {*undo_data.get("sealed", ())} - still_sealed, sealed=False)


async def give_title(context: MeasureContext, thread: Thread, title: str) -> None:
    """Give a thread an earlier title back; the one that goes is nothing that its author must not see."""
    await replace_title(context.session, thread, title, context.moderator.member_id, context.now)


async def _record_renaming(context: MeasureContext, thread: Thread) -> None:
    subject, moderator = ("thread", thread.id), context.moderator
    await audit.record(context.session, actor_id=moderator.id, act="thread.renamed", subject=subject, now=context.now)


async def _title_of(session: AsyncSession, thread: Thread, recorded: int | str) -> str:
    """Return the title that a measure recorded: by its revision; by its words before there were revisions."""
    return recorded if isinstance(recorded, str) else await get_title(session, thread, recorded)


async def _retitles_in_force(session: AsyncSession, thread_id: int) -> Sequence[AppliedMeasure]:
    found = select(AppliedMeasure).where(
        col(AppliedMeasure.thread_id) == thread_id,
        col(AppliedMeasure.kind) == MeasureKind.RETITLE,
        col(AppliedMeasure.undone_at).is_(None),
    )
    return (await session.execute(found)).scalars().all()


async def lock(context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    """Lock a thread."""
    thread = await lock_thread_row(context.session, context.post.thread_id)
    undo_data = {"was": thread.state, "became": ThreadState.LOCKED}
    await changes.set_state(context.session, context.moderator, thread.id, ThreadState.LOCKED, context.now)
    return undo_data


async def undo_lock(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Unlock a thread that was open before."""
    if not await _hand_on(context.session, applied) and applied.memory["was"] == ThreadState.OPEN:
        await changes.set_state(context.session, context.moderator, applied.in_thread, ThreadState.OPEN, context.now)


async def move(context: MeasureContext, wanted: MeasureInput) -> UndoData:
    """Move a thread to another board. Raises Invalid where the moderator does not moderate that."""
    board = await boards.find_board(context.session, wanted.board or "")
    is_administrator = Role.ADMINISTRATOR in context.moderator.roles  # who decides where no moderator can
    if board is None or not (is_administrator or context.moderator.moderates(board.id)):
        raise Invalid("You do not moderate a board of this name.", "#/measures", code="board_not_found")
    thread = await lock_thread_row(context.session, context.post.thread_id)
    undo_data = {"was": thread.board_id, "became": board.id}
    await changes.move(context.session, context.moderator, thread.id, board, version=thread.version, now=context.now)
    return undo_data


async def undo_move(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Move a thread back where nobody moved it since."""
    thread = await lock_thread_row(context.session, applied.in_thread)
    board = await context.session.get_one(Board, applied.memory["was"])
    if not await _hand_on(context.session, applied) and thread.board_id == applied.memory["became"]:
        await changes.move(
            context.session, context.moderator, thread.id, board, version=thread.version, now=context.now
        )


async def _hand_on(session: AsyncSession, undone: AppliedMeasure) -> bool:
    """Whether a later measure of this kind rests on what the undone one left.

    If so, that one's undo shall restore what was there before both, and there is nothing more to do now.
    """
    later = select(AppliedMeasure).where(
        col(AppliedMeasure.thread_id) == undone.thread_id,
        col(AppliedMeasure.kind) == undone.kind,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.id) > undone.id,
    )
    found = (await session.execute(later.order_by(col(AppliedMeasure.id)).limit(1))).scalar_one_or_none()
    if found is None or found.memory["was"] != undone.memory["became"]:
        return False
    found.memory = {**found.memory, "was": undone.memory["was"]}
    return True
