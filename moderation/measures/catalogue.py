"""Every kind of measure in one table, MEASURES: what it does to a post, a thread or a member, and its undo."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import roles
from forum.authentication import handles, sessions
from forum.authentication.profiles import let_name_follow, rename_member
from forum.content import boards
from forum.content.boards import Board
from forum.content.posts import held_edits
from forum.content.posts.revisions import get_words, replace_body_by_moderator
from forum.content.posts.tables import HeldState, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import lock_thread_row, move, retitle, set_state
from forum.content.threads.tables import Thread, ThreadState
from forum.content.threads.titles import get_title, list_earlier_titles, replace_title, seal_titles
from forum.core import audit
from forum.core.errors import Conflict, Invalid
from forum.members import names
from forum.members.queries import lock_member_row
from forum.members.standing import add_sanction, lift_sanction
from forum.members.tables import Role, Standing
from moderation import cases
from moderation.measures import text_changes
from moderation.measures.post_notices import has_another_removal, notice_of, refresh_notice
from moderation.measures.tables import (
    AppliedMeasure,
    MeasureContext,
    MeasureInput,
    MeasureKind,
    MeasureTarget,
    UndoData,
)
from moderation.repeated_words import bring_back, gone

Apply = Callable[[MeasureContext, MeasureInput], Awaitable[UndoData]]
Undo = Callable[[MeasureContext, AppliedMeasure], Awaitable[None]]


@dataclass(frozen=True)
class Measure:
    """What a kind of measure does, how it is undone, and what it asks for."""

    acts_on: MeasureTarget
    apply: Apply
    undo: Undo
    fields: frozenset[str] = frozenset()  # of MeasureInput that it needs, and takes
    one_field_is_enough: bool = False
    needs_rule: bool = False  # or a law
    tells_author: bool = False  # with a statement of reasons
    notice: str | None = None  # how its notice to readers begins


HANDLE_KEPT = "handle_kept"  # in the undo data: that the handle could not be given back
WITHOUT_POST = (MeasureTarget.AUTHOR, MeasureTarget.CASE)  # what a measure about a member without a post acts on
# A decision with no other measure dismisses the reports: it leaves the words as they were reported.
NO_ACTION = (MeasureKind.DISMISS, MeasureKind.PUBLISH, MeasureKind.REFUSE)


async def apply_measure(context: MeasureContext, wanted: MeasureInput) -> AppliedMeasure:
    """Take a measure and save how to undo it. Raises Invalid or Conflict where it makes no sense."""
    measure = MEASURES[wanted.kind]
    undo_data = await measure.apply(context, wanted)
    applied = AppliedMeasure(
        decision_id=context.decision_id,
        kind=wanted.kind,
        post_id=context.held_post.id if context.held_post else None,
        thread_id=context.held_post.thread_id if context.held_post else None,
        member_id=context.member_id,
        until=wanted.until,
        memory=undo_data,
        notice=notice_of(measure.notice, context) if measure.notice else None,
        applied_at=context.now,
    )
    context.session.add(applied)
    await context.session.flush()
    if context.held_post:
        await refresh_notice(context.session, context.held_post)
    return applied


async def undo_measure(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Undo a measure that is in force, by the decision that overturns it; later measures stay in force."""
    applied.undone_at, applied.undone_by = context.now, context.decision_id
    await context.session.flush()
    await MEASURES[MeasureKind(applied.kind)].undo(context, applied)
    if context.held_post:
        await refresh_notice(context.session, context.held_post)


async def has_measure_in_force(session: AsyncSession, case_id: UUID, post_id: int, since: datetime) -> bool:
    """Whether a measure against a post of this case, or against its author because of the case, is in force.

    Only those count that were taken since then. What was decided about many posts has one measure against the author.
    """
    on_author = [kind for kind, measure in MEASURES.items() if measure.acts_on == MeasureTarget.AUTHOR]
    against_author = and_(
        col(AppliedMeasure.post_id).in_(cases.posts_of(case_id)), col(AppliedMeasure.kind).in_(on_author)
    )
    done = exists().where(
        or_(col(AppliedMeasure.post_id) == post_id, against_author),
        col(AppliedMeasure.kind).not_in(NO_ACTION),
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.applied_at) >= since,
    )
    return bool((await session.execute(select(done))).scalar_one())


async def has_measure_without_post_in_force(session: AsyncSession, member_id: UUID, since: datetime) -> bool:
    """Whether a measure against a member that was taken since then, about no post of theirs, is in force."""
    done = exists().where(
        col(AppliedMeasure.member_id) == member_id,
        col(AppliedMeasure.post_id).is_(None),
        col(AppliedMeasure.kind).not_in(NO_ACTION),
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.applied_at) >= since,
    )
    return bool((await session.execute(select(done))).scalar_one())


def refuse_impossible_measures(wanted: Sequence[MeasureInput], now: datetime, *, grounded: bool) -> None:
    """Return when these measures go together and have what they need. Raises Invalid otherwise.

    `grounded` says whether the decision names a rule or a law that was broken.
    """
    _refuse_impossible_combination([measure.kind for measure in wanted])
    for index, measure in enumerate(wanted):
        pointer = f"#/measures/{index}"
        if MEASURES[measure.kind].needs_rule and not grounded:
            detail = f"To {measure.kind}, name the rule or the law that was broken."
            raise Invalid(detail, "#/rules", code="rule_or_law_missing")
        _refuse_wrong_fields(measure, pointer)
        if measure.until is not None and measure.until <= now:
            raise Invalid("`until` must be in the future.", f"{pointer}/until", code="time_not_in_future")


def refuse_misplaced_measures(wanted: Sequence[MeasureInput], posts: int) -> None:
    """Return when these measures can be taken about so many posts, or without any. Raises Invalid otherwise."""
    pointer = "#/measures"
    for measure in wanted:
        about = MEASURES[measure.kind]
        if posts == 0 and about.acts_on not in WITHOUT_POST:
            detail = f"This case is about a member, not a post: there is nothing to {measure.kind}."
            raise Invalid(detail, pointer, code="measure_needs_post")
        if posts > 1 and about.acts_on != MeasureTarget.AUTHOR and about.fields:
            detail = f"To {measure.kind}, decide about one post alone."
            raise Invalid(detail, pointer, code="measure_needs_one_post")


def _refuse_impossible_combination(kinds: Sequence[MeasureKind]) -> None:
    pointer = "#/measures"
    if not kinds:
        raise Invalid("A decision needs at least one measure.", pointer, code="measure_missing")
    if len(set(kinds)) < len(kinds):
        raise Invalid("A decision takes each kind of measure once.", pointer, code="measure_repeated")
    if MeasureKind.DISMISS in kinds and len(kinds) > 1:
        raise Invalid("Dismiss cannot be combined with other measures.", pointer, code="dismiss_and_other_measures")
    if MeasureKind.PUBLISH in kinds and MeasureKind.REMOVE in kinds:
        raise Invalid("A post cannot be published and removed at once.", pointer, code="publish_and_remove")
    if {MeasureKind.REMOVE, MeasureKind.REFUSE} <= set(kinds):
        detail = "With a post that is removed, the edits that wait go too: leave `refuse` out."
        raise Invalid(detail, pointer, code="remove_and_refuse")
    if {MeasureKind.PUBLISH, MeasureKind.REFUSE} <= set(kinds):
        raise Invalid("Publish what waits, or refuse it.", pointer, code="publish_and_refuse")
    if {MeasureKind.EDIT, MeasureKind.REDACT} <= set(kinds):
        detail = "Edit the post or redact words of it, not both: the spans count the words as you saw them."
        raise Invalid(detail, pointer, code="edit_and_redact")


def _refuse_wrong_fields(measure: MeasureInput, pointer: str) -> None:
    names_of_fields = ("spans", "body_markdown", "title", "board", "name", "handle", "until")
    given = {name for name in names_of_fields if getattr(measure, name)}
    fields = MEASURES[measure.kind].fields
    for name in sorted(given - fields):
        detail = f"The measure `{measure.kind}` does not take `{name}`."
        raise Invalid(detail, f"{pointer}/{name}", code="measure_field_not_taken")
    if given and MEASURES[measure.kind].one_field_is_enough:
        return
    for name in sorted(fields - given):
        detail = f"The measure `{measure.kind}` needs `{name}`."
        raise Invalid(detail, f"{pointer}/{name}", code="measure_field_missing")


# Posts


async def _publish(context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    session, post = context.session, context.post
    waiting, is_held = await held_edits.list_waiting(session, [post.id]), post.visibility == Visibility.HELD
    if not (waiting or is_held):
        raise Conflict("Neither this post nor an edit of it is held.", code="post_not_held")
    undo_data: UndoData = {"held_because": post.held_because, "edits": []}
    for edit in waiting:
        done = await held_edits.publish(session, post, edit, context.now)
        change = {"before": done.before, "after": done.after, "held_because": edit.held_because}
        undo_data["edits"].append({"part": "body" if edit.title is None else "title", **change})
    if is_held:
        await set_visibility(session, post, Visibility.VISIBLE, context.now)
    return undo_data


async def _undo_publish(context: MeasureContext, applied: AppliedMeasure) -> None:
    for change in applied.memory.get("edits", ()):
        await (_hold_title_again if change["part"] == "title" else _hold_body_again)(context, change)
    reason = applied.memory["held_because"]
    if reason and context.post.visibility == Visibility.VISIBLE:
        await set_visibility(context.session, context.post, Visibility.HELD, context.now, held_because=reason)


async def _hold_body_again(context: MeasureContext, change: UndoData) -> None:
    """Give a post its words from before an edit was published, and let the edit wait; not where they changed since."""
    session, post = context.session, context.post
    if post.revision != change["after"] or not post.is_shown:
        return
    words = (post.body_markdown, post.body_html, post.content_warning)
    edit = held_edits.held_body(post, words, change["held_because"], context.now)
    before = await get_words(session, post, change["before"])
    await replace_body_by_moderator(session, context.moderator, post, before, now=context.now, sealed=False)
    await held_edits.hold(session, edit)


async def _hold_title_again(context: MeasureContext, change: UndoData) -> None:
    """Give a thread its title from before an edit was published, and let that wait; not where it changed since."""
    session, post = context.session, context.post
    thread = await lock_thread_row(session, post.thread_id)
    if thread.title_revision != change["after"]:
        return
    edit = held_edits.held_title(post, thread.title, thread.author_id, change["held_because"], context.now)
    await _give_title(context, thread, await get_title(session, thread, change["before"]))
    await held_edits.hold(session, edit)


async def _refuse(context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    session, post = context.session, context.post
    refused = await held_edits.refuse(session, post.id)
    if not refused:
        raise Conflict("No edit of this post waits.", code="no_edit_waits")
    thread = await session.get_one(Thread, post.thread_id)
    at = {"revision": post.revision, "title_revision": thread.title_revision}
    return {"edits": [edit.id for edit in refused], **at}


async def _undo_refuse(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Publish what was refused, as the undo of a removal does: it was right after all. What changed since stays."""
    session, post = context.session, context.post
    thread = await lock_thread_row(session, post.thread_id)
    for edit in await held_edits.list_all(session, [post.id]):
        is_title = edit.title is not None
        now, then = (thread if is_title else post), "title_revision" if is_title else "revision"
        is_current = getattr(now, then) == applied.memory[then] and post.is_shown
        if edit.id in applied.memory["edits"] and edit.state == HeldState.REFUSED and is_current:
            await held_edits.publish(session, post, edit, context.now)


async def _remove(context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    if context.post.visibility != Visibility.REMOVED:
        await set_visibility(context.session, context.post, Visibility.REMOVED, context.now)
    await held_edits.drop_all(context.session, context.post.id)
    return await text_changes.redact_repeats(context)


async def _undo_remove(context: MeasureContext, applied: AppliedMeasure) -> None:
    is_removed = context.post.visibility == Visibility.REMOVED
    if is_removed and not await has_another_removal(context.session, applied):
        await set_visibility(context.session, context.post, Visibility.VISIBLE, context.now)
    await text_changes.restore(context, applied)


# Threads


async def _retitle(context: MeasureContext, wanted: MeasureInput) -> UndoData:
    session, title = context.session, wanted.title or ""
    thread = await lock_thread_row(session, context.post.thread_id)
    was, before = thread.title_revision, thread.title
    await retitle(session, context.moderator, thread, title, context.now)
    await _record_renaming(context, thread)
    # An earlier title with the same words goes too.
    taken, earlier = [before, *gone(before, title)], await list_earlier_titles(session, thread.id)
    sealed = [old.number for old in earlier if not old.sealed and bring_back(taken, [old.title], title)]
    await seal_titles(session, thread.id, sealed, sealed=True)
    return {"was": was, "became": thread.title_revision, "sealed": sorted({was, *sealed})}


async def _undo_retitle(context: MeasureContext, applied: AppliedMeasure) -> None:
    session, undo_data = context.session, applied.memory
    thread = await lock_thread_row(session, applied.in_thread)
    became = await _title_of(session, thread, undo_data["became"])
    if not await _hand_on(session, applied) and thread.title == became:
        await _give_title(context, thread, await _title_of(session, thread, undo_data["was"]))
        await _record_renaming(context, thread)
    others = await _retitles_in_force(session, thread.id)
    still_sealed = {number for other in others for number in other.memory.get("sealed", ())}
    await seal_titles(session, thread.id, {*undo_data.get("sealed", ())} - still_sealed, sealed=False)


async def _give_title(context: MeasureContext, thread: Thread, title: str) -> None:
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


async def _lock(context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    thread = await lock_thread_row(context.session, context.post.thread_id)
    undo_data = {"was": thread.state, "became": ThreadState.LOCKED}
    await set_state(context.session, context.moderator, thread.id, ThreadState.LOCKED, context.now)
    return undo_data


async def _undo_lock(context: MeasureContext, applied: AppliedMeasure) -> None:
    if not await _hand_on(context.session, applied) and applied.memory["was"] == ThreadState.OPEN:
        await set_state(context.session, context.moderator, applied.in_thread, ThreadState.OPEN, context.now)


async def _move(context: MeasureContext, wanted: MeasureInput) -> UndoData:
    board = await boards.find_board(context.session, wanted.board or "")
    is_administrator = Role.ADMINISTRATOR in context.moderator.roles  # who decides where no moderator can
    if board is None or not (is_administrator or context.moderator.moderates(board.id)):
        raise Invalid("You do not moderate a board of this name.", "#/measures", code="board_not_found")
    thread = await lock_thread_row(context.session, context.post.thread_id)
    undo_data = {"was": thread.board_id, "became": board.id}
    await move(context.session, context.moderator, thread.id, board, version=thread.version, now=context.now)
    return undo_data


async def _undo_move(context: MeasureContext, applied: AppliedMeasure) -> None:
    thread = await lock_thread_row(context.session, applied.in_thread)
    board = await context.session.get_one(Board, applied.memory["was"])
    if not await _hand_on(context.session, applied) and thread.board_id == applied.memory["became"]:
        await move(context.session, context.moderator, thread.id, board, version=thread.version, now=context.now)


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


# Authors


def _sanction(standing: Standing, fields: frozenset[str] = frozenset()) -> Measure:
    """Return the measure that changes the author's standing."""

    async def give(context: MeasureContext, wanted: MeasureInput) -> UndoData:
        await roles.refuse_last_administrator(context.session, context.member_id)
        sanction = await add_sanction(context.session, context.member_id, standing, context.now, wanted.until)
        if standing == Standing.BANNED:
            await sessions.end_all(context.session, context.member_id)
        return {"sanction": str(sanction.id)}

    return Measure(MeasureTarget.AUTHOR, give, _undo_sanction, fields=fields, needs_rule=True, tells_author=True)


async def _undo_sanction(context: MeasureContext, applied: AppliedMeasure) -> None:
    await lift_sanction(context.session, UUID(applied.memory["sanction"]))


async def _rename(context: MeasureContext, wanted: MeasureInput) -> UndoData:
    """Give the author another display name, another handle, or both.

    The gate keeps an old display name from coming back by their own hand. Nobody can take the old handle, until the
    decision is overturned. Raises Conflict when they have left.
    """
    member = await lock_member_row(context.session, context.member_id)
    if member.left_at:
        raise Conflict("This member has left: they have no name here any more.", code="member_left")
    undo_data: UndoData = {}
    if wanted.name:
        undo_data["was"] = member.name
        await rename_member(context.session, member, wanted.name)
        undo_data["became"] = member.name
    if wanted.handle:
        undo_data["handle_was"] = member.handle
        await handles.give_neutral_handle(context.work, member)
        undo_data["handle_became"] = member.handle
    return undo_data


async def _undo_rename(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Give name and handle back; not where the member has chosen another since, or the handle looks like somebody's."""
    member = await lock_member_row(context.session, applied.member_id)
    if member.left_at:
        return
    undo_data, later = applied.memory, await _list_later_renames(context.session, applied)
    if _is_to_restore(later, undo_data, "", member.name):
        member.name, member.name_skeleton = undo_data["was"], names.skeleton(undo_data["was"])
        await let_name_follow(context.session, member)
    is_theirs = _is_to_restore(later, undo_data, "handle_", member.handle)
    if is_theirs and not await handles.give_handle_back(context.work, member, undo_data["handle_was"]):
        applied.memory = {**undo_data, HANDLE_KEPT: True}
    await context.session.flush()


async def _list_later_renames(session: AsyncSession, applied: AppliedMeasure) -> Sequence[AppliedMeasure]:
    later = select(AppliedMeasure).where(
        col(AppliedMeasure.member_id) == applied.member_id,
        col(AppliedMeasure.kind) == MeasureKind.RENAME,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.id) > applied.id,
    )
    return (await session.execute(later.order_by(col(AppliedMeasure.id)))).scalars().all()


def _is_to_restore(later: Sequence[AppliedMeasure], undo_data: UndoData, prefix: str, present: str) -> bool:
    """Whether a name, or with the prefix a handle, is as the undone measure left it.

    If a later measure rests on that one, its undo shall restore what was before both.
    """
    was, became = f"{prefix}was", f"{prefix}became"
    if was not in undo_data:
        return False
    following = next((applied for applied in later if was in applied.memory), None)
    if following and following.memory[was] == undo_data[became]:
        following.memory = {**following.memory, was: undo_data[was]}
        return False
    return bool(present == undo_data[became])


async def _no_effect(_context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    """Change nothing: a warning is only told in its statement, a dismissal only closes its case."""
    return {}


async def _nothing_to_undo(_context: MeasureContext, _applied: AppliedMeasure) -> None:
    """Change nothing: that the measure is no longer in force is all there is to undo."""


_UNTIL = frozenset({"until"})

MEASURES: Mapping[MeasureKind, Measure] = {
    MeasureKind.PUBLISH: Measure(MeasureTarget.POST, _publish, _undo_publish),
    MeasureKind.REFUSE: Measure(MeasureTarget.POST, _refuse, _undo_refuse, needs_rule=True, tells_author=True),
    MeasureKind.EDIT: Measure(
        MeasureTarget.POST,
        text_changes.edit,
        text_changes.restore,
        fields=frozenset({"body_markdown"}),
        tells_author=True,
        notice="Edited",
    ),
    MeasureKind.REDACT: Measure(
        MeasureTarget.POST,
        text_changes.redact,
        text_changes.restore,
        fields=frozenset({"spans"}),
        needs_rule=True,
        tells_author=True,
        notice="Edited",
    ),
    MeasureKind.REMOVE: Measure(
        MeasureTarget.POST, _remove, _undo_remove, needs_rule=True, tells_author=True, notice="Removed"
    ),
    MeasureKind.RETITLE: Measure(
        MeasureTarget.THREAD, _retitle, _undo_retitle, fields=frozenset({"title"}), tells_author=True
    ),
    MeasureKind.LOCK: Measure(MeasureTarget.THREAD, _lock, _undo_lock, tells_author=True),
    MeasureKind.MOVE: Measure(MeasureTarget.THREAD, _move, _undo_move, fields=frozenset({"board"})),
    MeasureKind.RENAME: Measure(
        MeasureTarget.AUTHOR,
        _rename,
        _undo_rename,
        fields=frozenset({"name", "handle"}),
        one_field_is_enough=True,
        needs_rule=True,
        tells_author=True,
    ),
    MeasureKind.WARN: Measure(MeasureTarget.AUTHOR, _no_effect, _nothing_to_undo, needs_rule=True, tells_author=True),
    MeasureKind.SILENCE: _sanction(Standing.SILENCED, _UNTIL),
    MeasureKind.SUSPEND: _sanction(Standing.SUSPENDED, _UNTIL),
    MeasureKind.BAN: _sanction(Standing.BANNED),
    MeasureKind.DISMISS: Measure(MeasureTarget.CASE, _no_effect, _nothing_to_undo),
}
