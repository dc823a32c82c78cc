"""Every kind of measure in one table: what it does to a post, a thread or a member, and how it is undone."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import roles
from forum.authentication import sessions
from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.actions import lock_thread_row, move, rename, set_state
from forum.content.threads.tables import ThreadState
from forum.core.errors import Conflict, Invalid
from forum.members.standing import add_sanction, lift_sanction
from forum.members.tables import Standing
from moderation import redaction
from moderation.enforcement import wording
from moderation.enforcement.tables import SOMEBODY, TEXTUAL, AppliedMeasure, Kind, Memory, Scene, Target, Wanted


@dataclass(frozen=True)
class Measure:
    """What there is to know of a kind of measure."""

    acts_on: Target
    carries: frozenset[str]
    needs_rule: bool
    tells: bool  # its author, with a statement of reasons
    apply: Callable[[AsyncSession, Scene, Wanted], Awaitable[Memory]]
    undo: Callable[[AsyncSession, Scene, AppliedMeasure], Awaitable[None]]
    notice: str | None = None  # how its notice to readers begins


IDLE = (Kind.DISMISS, Kind.PUBLISH)  # with nothing else, no report was right


async def apply(session: AsyncSession, decision_id: UUID, scene: Scene, wanted: Wanted) -> AppliedMeasure:
    """Take a measure and remember how to undo it. Raises Invalid or Conflict where it makes no sense."""
    measure = MEASURES[wanted.kind]
    memory = await measure.apply(session, scene, wanted)
    applied = AppliedMeasure(
        decision_id=decision_id,
        kind=wanted.kind,
        post_id=scene.post.id,
        thread_id=scene.post.thread_id,
        member_id=scene.post.author_id,
        until=wanted.until,
        memory=memory,
        notice=_notice(measure.notice, scene) if measure.notice else None,
        applied_at=scene.now,
    )
    session.add(applied)
    await session.flush()
    await _show_notice(session, scene.post)
    return applied


async def undo(session: AsyncSession, decision_id: UUID, scene: Scene, applied: AppliedMeasure) -> None:
    """Undo a measure that stands, by the decision that overturns it; those that were taken later stand as they did."""
    applied.undone_at, applied.undone_by = scene.now, decision_id
    await session.flush()
    await MEASURES[Kind(applied.kind)].undo(session, scene, applied)
    await _show_notice(session, scene.post)


async def something_stands(session: AsyncSession, post_id: int, since: datetime) -> bool:
    """Whether anything was done about a post since then, other than to let it be, that was not undone."""
    done = exists().where(
        col(AppliedMeasure.post_id) == post_id,
        col(AppliedMeasure.kind).not_in(IDLE),
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.applied_at) >= since,
    )
    return bool((await session.execute(select(done))).scalar_one())


async def ended_later(session: AsyncSession, applied: AppliedMeasure, now: datetime) -> bool:
    """Whether another measure that stands against the member ran longer than this one, and is over too."""
    longer = exists().where(
        col(AppliedMeasure.member_id) == applied.member_id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.until) <= now,
        tuple_(col(AppliedMeasure.until), col(AppliedMeasure.id)) > (applied.until, applied.id),
    )
    return bool((await session.execute(select(longer))).scalar_one())


async def forget_byline(session: AsyncSession, applied: AppliedMeasure, post: Post) -> None:
    """Let the notice of a measure name nobody: who took it has left. The caller holds the row of its post."""
    if applied.notice:
        by = applied.notice["by"]
        said = applied.notice["text"].replace(f"by {by}", f"by {SOMEBODY}", 1)
        applied.notice = {**applied.notice, "by": SOMEBODY, "text": said}
        await session.flush()
        await _show_notice(session, post)


def refuse_nonsense(wanted: Sequence[Wanted], now: datetime, *, grounded: bool) -> None:
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


def _refuse_wrong_load(measure: Wanted, pointer: str) -> None:
    carried = {name for name in ("spans", "body_markdown", "title", "board", "until") if getattr(measure, name)}
    carries = MEASURES[measure.kind].carries
    for name in sorted(carried - carries):
        raise Invalid(f"To {measure.kind} takes no `{name}`.", f"{pointer}/{name}")
    for name in sorted(carries - carried):
        raise Invalid(f"To {measure.kind} needs `{name}`.", f"{pointer}/{name}")


# Posts


async def _publish(session: AsyncSession, scene: Scene, _wanted: Wanted) -> Memory:
    if scene.post.visibility != Visibility.HELD:
        raise Conflict("This post is not held.")
    memory = {"held_because": scene.post.held_because}
    await set_visibility(session, scene.post, Visibility.VISIBLE)
    return memory


async def _hold_again(session: AsyncSession, scene: Scene, applied: AppliedMeasure) -> None:
    if scene.post.visibility == Visibility.VISIBLE:
        await set_visibility(session, scene.post, Visibility.HELD, held_because=applied.memory["held_because"])


async def _remove(session: AsyncSession, scene: Scene, _wanted: Wanted) -> Memory:
    if scene.post.visibility != Visibility.REMOVED:
        await set_visibility(session, scene.post, Visibility.REMOVED)
    return await wording.silence(session, scene)


async def _show_again(session: AsyncSession, scene: Scene, applied: AppliedMeasure) -> None:
    if scene.post.visibility == Visibility.REMOVED and not await _is_removed_still(session, applied):
        await set_visibility(session, scene.post, Visibility.VISIBLE)
    await wording.restore(session, scene, applied)


# Threads


async def _retitle(session: AsyncSession, scene: Scene, wanted: Wanted) -> Memory:
    thread = await lock_thread_row(session, scene.post.thread_id)
    memory = {"was": thread.title, "became": wanted.title}
    await rename(session, scene.moderator, thread, wanted.title or "", scene.now)
    return memory


async def _title_again(session: AsyncSession, scene: Scene, applied: AppliedMeasure) -> None:
    thread = await lock_thread_row(session, applied.thread_id)
    if not await _hand_on(session, applied) and thread.title == applied.memory["became"]:
        await rename(session, scene.moderator, thread, applied.memory["was"], scene.now)


async def _lock(session: AsyncSession, scene: Scene, _wanted: Wanted) -> Memory:
    thread = await lock_thread_row(session, scene.post.thread_id)
    memory = {"was": thread.state, "became": ThreadState.LOCKED}
    await set_state(session, scene.moderator, thread.id, ThreadState.LOCKED, scene.now)
    return memory


async def _unlock(session: AsyncSession, scene: Scene, applied: AppliedMeasure) -> None:
    if not await _hand_on(session, applied) and applied.memory["was"] == ThreadState.OPEN:
        await set_state(session, scene.moderator, applied.thread_id, ThreadState.OPEN, scene.now)


async def _move(session: AsyncSession, scene: Scene, wanted: Wanted) -> Memory:
    board = await boards.find(session, wanted.board or "")
    if board is None or not scene.moderator.moderates(board.id):
        raise Invalid("You moderate no such board.", "#/measures")
    thread = await lock_thread_row(session, scene.post.thread_id)
    memory = {"was": thread.board_id, "became": board.id}
    await move(session, scene.moderator, thread.id, thread.version, board, scene.now)
    return memory


async def _move_back(session: AsyncSession, scene: Scene, applied: AppliedMeasure) -> None:
    thread = await lock_thread_row(session, applied.thread_id)
    board = await session.get_one(Board, applied.memory["was"])
    if not await _hand_on(session, applied) and thread.board_id == applied.memory["became"]:
        await move(session, scene.moderator, thread.id, thread.version, board, scene.now)


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


def _sanction(standing: Standing) -> Callable[[AsyncSession, Scene, Wanted], Awaitable[Memory]]:
    async def give(session: AsyncSession, scene: Scene, wanted: Wanted) -> Memory:
        await roles.refuse_last_administrator(session, scene.post.author_id)
        given = await add_sanction(session, scene.post.author_id, standing, scene.now, wanted.until)
        if standing == Standing.BANNED:
            await sessions.end_all(session, scene.post.author_id)
        return {"sanction": str(given.id)}

    return give


async def _lift(session: AsyncSession, _scene: Scene, applied: AppliedMeasure) -> None:
    await lift_sanction(session, UUID(applied.memory["sanction"]))


async def _say_only(_session: AsyncSession, _scene: Scene, _wanted: Wanted) -> Memory:
    """A warning is its statement; a dismissal is its case's end."""
    return {}


async def _unsay(_session: AsyncSession, _scene: Scene, _applied: AppliedMeasure) -> None:
    """That the measure no longer stands is all there is to undo."""


NOTHING: frozenset[str] = frozenset()
UNTIL = frozenset({"until"})

MEASURES: Mapping[Kind, Measure] = {
    Kind.PUBLISH: Measure(Target.POST, NOTHING, False, False, _publish, _hold_again),
    Kind.EDIT: Measure(Target.POST, frozenset({"body_markdown"}), False, True, wording.edit, wording.restore, "Edited"),
    Kind.REDACT: Measure(Target.POST, frozenset({"spans"}), True, True, wording.redact, wording.restore, "Edited"),
    Kind.REMOVE: Measure(Target.POST, NOTHING, True, True, _remove, _show_again, "Removed"),
    Kind.RETITLE: Measure(Target.THREAD, frozenset({"title"}), False, True, _retitle, _title_again),
    Kind.LOCK: Measure(Target.THREAD, NOTHING, False, True, _lock, _unlock),
    Kind.MOVE: Measure(Target.THREAD, frozenset({"board"}), False, False, _move, _move_back),
    Kind.WARN: Measure(Target.AUTHOR, NOTHING, True, True, _say_only, _unsay),
    Kind.SILENCE: Measure(Target.AUTHOR, UNTIL, True, True, _sanction(Standing.SILENCED), _lift),
    Kind.SUSPEND: Measure(Target.AUTHOR, UNTIL, True, True, _sanction(Standing.SUSPENDED), _lift),
    Kind.BAN: Measure(Target.AUTHOR, NOTHING, True, True, _sanction(Standing.BANNED), _lift),
    Kind.DISMISS: Measure(Target.CASE, NOTHING, False, False, _say_only, _unsay),
}


# What readers are told


def _notice(verb: str, scene: Scene) -> dict[str, Any]:
    reason = f" as breaches {redaction.cited(scene.rules)}" if scene.rules else ""
    said = f"{verb} by {scene.byline}{reason}"
    return {"kind": verb.lower(), "by": scene.byline, "rules": sorted(scene.rules), "text": said}


async def _show_notice(session: AsyncSession, post: Post) -> None:
    """The notice of the newest measure that stands: of a removal while the post is removed, else of an edit."""
    kinds = (Kind.REMOVE,) if post.visibility == Visibility.REMOVED else TEXTUAL
    standing = select(col(AppliedMeasure.notice)).where(
        col(AppliedMeasure.post_id) == post.id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.kind).in_(kinds),
    )
    post.notice = (await session.execute(standing.order_by(col(AppliedMeasure.id).desc()).limit(1))).scalar()
    await session.flush()


async def _is_removed_still(session: AsyncSession, applied: AppliedMeasure) -> bool:
    """Whether another removal of the same post stands."""
    other = exists().where(
        col(AppliedMeasure.post_id) == applied.post_id,
        col(AppliedMeasure.kind) == Kind.REMOVE,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.id) != applied.id,
    )
    return bool((await session.execute(select(other))).scalar_one())
