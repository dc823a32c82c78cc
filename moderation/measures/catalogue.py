"""Every kind of measure in one table: what it does to a post, a thread or a member, and how it is undone."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import roles
from forum.authentication import sessions
from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import lock_thread_row, move, rename, set_state
from forum.content.threads.tables import ThreadState
from forum.core.errors import Conflict, Invalid
from forum.members.standing import add_sanction, lift_sanction
from forum.members.tables import Standing
from moderation.measures import text_changes
from moderation.measures.notices import has_another_removal, notice_of, refresh_notice
from moderation.measures.tables import AppliedMeasure, Kind, MeasureContext, MeasureInput, Target, UndoData


@dataclass(frozen=True)
class Measure:
    """What there is to know of a kind of measure."""

    acts_on: Target
    carries: frozenset[str]
    needs_rule: bool
    tells: bool  # its author, with a statement of reasons
    apply: Callable[[AsyncSession, MeasureContext, MeasureInput], Awaitable[UndoData]]
    undo: Callable[[AsyncSession, MeasureContext, AppliedMeasure], Awaitable[None]]
    notice: str | None = None  # how its notice to readers begins


NO_ACTION = (Kind.DISMISS, Kind.PUBLISH)  # with nothing else, no report was right


async def apply_measure(
    session: AsyncSession, decision_id: UUID, context: MeasureContext, wanted: MeasureInput
) -> AppliedMeasure:
    """Take a measure and remember how to undo it. Raises Invalid or Conflict where it makes no sense."""
    measure = MEASURES[wanted.kind]
    memory = await measure.apply(session, context, wanted)
    applied = AppliedMeasure(
        decision_id=decision_id,
        kind=wanted.kind,
        post_id=context.post.id,
        thread_id=context.post.thread_id,
        member_id=context.post.author_id,
        until=wanted.until,
        memory=memory,
        notice=notice_of(measure.notice, context) if measure.notice else None,
        applied_at=context.now,
    )
    session.add(applied)
    await session.flush()
    await refresh_notice(session, context.post)
    return applied


async def undo_measure(
    session: AsyncSession, decision_id: UUID, context: MeasureContext, applied: AppliedMeasure
) -> None:
    """Undo a measure that stands, by the decision that overturns it; those that were taken later stand as they did."""
    applied.undone_at, applied.undone_by = context.now, decision_id
    await session.flush()
    await MEASURES[Kind(applied.kind)].undo(session, context, applied)
    await refresh_notice(session, context.post)


async def has_measure_in_force(session: AsyncSession, post_id: int, since: datetime) -> bool:
    """Whether anything was done about a post since then, other than to let it be, that was not undone."""
    done = exists().where(
        col(AppliedMeasure.post_id) == post_id,
        col(AppliedMeasure.kind).not_in(NO_ACTION),
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.applied_at) >= since,
    )
    return bool((await session.execute(select(done))).scalar_one())


def refuse_impossible_measures(wanted: Sequence[MeasureInput], now: datetime, *, grounded: bool) -> None:
    """Raise Invalid unless these measures make sense together, carry what they need and have a rule or law to them."""
    kinds = [measure.kind for measure in wanted]
    if not kinds or len(set(kinds)) < len(kinds):
        raise Invalid("A decision has at least one measure, and each kind once.", "#/measures")
    if Kind.DISMISS in kinds and len(kinds) > 1:
        raise Invalid("To dismiss is to do nothing else.", "#/measures")
    if Kind.PUBLISH in kinds and Kind.REMOVE in kinds:
        raise Invalid("A post cannot be published and removed at once.", "#/measures")
    if {Kind.EDIT, Kind.REDACT} <= set(kinds):
        raise Invalid("Edit the words or redact them: spans count what was on the screen.", "#/measures")
    for index, measure in enumerate(wanted):
        pointer = f"#/measures/{index}"
        if MEASURES[measure.kind].needs_rule and not grounded:
            raise Invalid(f"To {measure.kind} somebody's words or standing, name the rule that was broken.", "#/rules")
        _refuse_wrong_load(measure, pointer)
        if measure.until is not None and measure.until <= now:
            raise Invalid("`until` must lie ahead.", f"{pointer}/until")


def _refuse_wrong_load(measure: MeasureInput, pointer: str) -> None:
    carried = {name for name in ("spans", "body_markdown", "title", "board", "until") if getattr(measure, name)}
    carries = MEASURES[measure.kind].carries
    for name in sorted(carried - carries):
        raise Invalid(f"To {measure.kind} takes no `{name}`.", f"{pointer}/{name}")
    for name in sorted(carries - carried):
        raise Invalid(f"To {measure.kind} needs `{name}`.", f"{pointer}/{name}")


# Posts


async def _publish(session: AsyncSession, context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    if context.post.visibility != Visibility.HELD:
        raise Conflict("This post is not held.")
    memory = {"held_because": context.post.held_because}
    await set_visibility(session, context.post, Visibility.VISIBLE)
    return memory


async def _hold_again(session: AsyncSession, context: MeasureContext, applied: AppliedMeasure) -> None:
    if context.post.visibility == Visibility.VISIBLE:
        await set_visibility(session, context.post, Visibility.HELD, held_because=applied.memory["held_because"])


async def _remove(session: AsyncSession, context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    if context.post.visibility != Visibility.REMOVED:
        await set_visibility(session, context.post, Visibility.REMOVED)
    return await text_changes.redact_repeats(session, context)


async def _show_again(session: AsyncSession, context: MeasureContext, applied: AppliedMeasure) -> None:
    if context.post.visibility == Visibility.REMOVED and not await has_another_removal(session, applied):
        await set_visibility(session, context.post, Visibility.VISIBLE)
    await text_changes.restore(session, context, applied)


# Threads


async def _retitle(session: AsyncSession, context: MeasureContext, wanted: MeasureInput) -> UndoData:
    thread = await lock_thread_row(session, context.post.thread_id)
    memory = {"was": thread.title, "became": wanted.title}
    await rename(session, context.moderator, thread, wanted.title or "", context.now)
    return memory


async def _title_again(session: AsyncSession, context: MeasureContext, applied: AppliedMeasure) -> None:
    thread = await lock_thread_row(session, applied.thread_id)
    if not await _hand_on(session, applied) and thread.title == applied.memory["became"]:
        await rename(session, context.moderator, thread, applied.memory["was"], context.now)


async def _lock(session: AsyncSession, context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    thread = await lock_thread_row(session, context.post.thread_id)
    memory = {"was": thread.state, "became": ThreadState.LOCKED}
    await set_state(session, context.moderator, thread.id, ThreadState.LOCKED, context.now)
    return memory


async def _unlock(session: AsyncSession, context: MeasureContext, applied: AppliedMeasure) -> None:
    if not await _hand_on(session, applied) and applied.memory["was"] == ThreadState.OPEN:
        await set_state(session, context.moderator, applied.thread_id, ThreadState.OPEN, context.now)


async def _move(session: AsyncSession, context: MeasureContext, wanted: MeasureInput) -> UndoData:
    board = await boards.find_board(session, wanted.board or "")
    if board is None or not context.moderator.moderates(board.id):
        raise Invalid("You moderate no such board.", "#/measures")
    thread = await lock_thread_row(session, context.post.thread_id)
    memory = {"was": thread.board_id, "became": board.id}
    await move(session, context.moderator, thread.id, thread.version, board, context.now)
    return memory


async def _move_back(session: AsyncSession, context: MeasureContext, applied: AppliedMeasure) -> None:
    thread = await lock_thread_row(session, applied.thread_id)
    board = await session.get_one(Board, applied.memory["was"])
    if not await _hand_on(session, applied) and thread.board_id == applied.memory["became"]:
        await move(session, context.moderator, thread.id, thread.version, board, context.now)


async def _hand_on(session: AsyncSession, applied: AppliedMeasure) -> bool:
    """Whether a later measure of this kind stands on what this one left; its undo leads back to before this one."""
    later = select(AppliedMeasure).where(
        col(AppliedMeasure.thread_id) == applied.thread_id,
        col(AppliedMeasure.kind) == applied.kind,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.id) > applied.id,
    )
    found = (await session.execute(later.order_by(col(AppliedMeasure.id)).limit(1))).scalar_one_or_none()
    if found is None or found.memory["was"] != applied.memory["became"]:
        return False
    found.memory = {**found.memory, "was": applied.memory["was"]}
    return True


# Authors


def _sanction(standing: Standing) -> Callable[[AsyncSession, MeasureContext, MeasureInput], Awaitable[UndoData]]:
    async def give(session: AsyncSession, context: MeasureContext, wanted: MeasureInput) -> UndoData:
        await roles.refuse_last_administrator(session, context.post.author_id)
        given = await add_sanction(session, context.post.author_id, standing, context.now, wanted.until)
        if standing == Standing.BANNED:
            await sessions.end_all(session, context.post.author_id)
        return {"sanction": str(given.id)}

    return give


async def _lift(session: AsyncSession, _scene: MeasureContext, applied: AppliedMeasure) -> None:
    await lift_sanction(session, UUID(applied.memory["sanction"]))


async def _no_effect(_session: AsyncSession, _scene: MeasureContext, _wanted: MeasureInput) -> UndoData:
    """A warning is its statement; a dismissal is its case's end."""
    return {}


async def _nothing_to_undo(_session: AsyncSession, _scene: MeasureContext, _applied: AppliedMeasure) -> None:
    """That the measure no longer stands is all there is to undo."""


NOTHING: frozenset[str] = frozenset()


UNTIL = frozenset({"until"})


MEASURES: Mapping[Kind, Measure] = {
    Kind.PUBLISH: Measure(Target.POST, NOTHING, False, False, _publish, _hold_again),
    Kind.EDIT: Measure(
        Target.POST, frozenset({"body_markdown"}), False, True, text_changes.edit, text_changes.restore, "Edited"
    ),
    Kind.REDACT: Measure(
        Target.POST, frozenset({"spans"}), True, True, text_changes.redact, text_changes.restore, "Edited"
    ),
    Kind.REMOVE: Measure(Target.POST, NOTHING, True, True, _remove, _show_again, "Removed"),
    Kind.RETITLE: Measure(Target.THREAD, frozenset({"title"}), False, True, _retitle, _title_again),
    Kind.LOCK: Measure(Target.THREAD, NOTHING, False, True, _lock, _unlock),
    Kind.MOVE: Measure(Target.THREAD, frozenset({"board"}), False, False, _move, _move_back),
    Kind.WARN: Measure(Target.AUTHOR, NOTHING, True, True, _no_effect, _nothing_to_undo),
    Kind.SILENCE: Measure(Target.AUTHOR, UNTIL, True, True, _sanction(Standing.SILENCED), _lift),
    Kind.SUSPEND: Measure(Target.AUTHOR, UNTIL, True, True, _sanction(Standing.SUSPENDED), _lift),
    Kind.BAN: Measure(Target.AUTHOR, NOTHING, True, True, _sanction(Standing.BANNED), _lift),
    Kind.DISMISS: Measure(Target.CASE, NOTHING, False, False, _no_effect, _nothing_to_undo),
}
