"""Every kind of measure in one table, MEASURES: what it does to a post, a thread or a member, and its undo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.errors import Invalid
from forum.members.tables import Standing
from moderation import cases
from moderation.measures import member_measures, post_measures, text_changes, thread_measures
from moderation.measures.post_notices import notice_of, refresh_notice
from moderation.measures.tables import (
    AppliedMeasure,
    Apply,
    MeasureContext,
    MeasureInput,
    MeasureKind,
    MeasureTarget,
    Undo,
    UndoData,
)


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


async def _no_effect(_context: MeasureContext, _wanted: MeasureInput) -> UndoData:
    """Change nothing: a warning is only told in its statement, a dismissal only closes its case."""
    return {}


async def _nothing_to_undo(_context: MeasureContext, _applied: AppliedMeasure) -> None:
    """Change nothing: that the measure is no longer in force is all there is to undo."""


def _sanction(standing: Standing, fields: frozenset[str] = frozenset()) -> Measure:
    """Return the measure that changes the author's standing."""
    give, undo = member_measures.make_sanction(standing), member_measures.undo_sanction
    return Measure(MeasureTarget.AUTHOR, give, undo, fields=fields, needs_rule=True, tells_author=True)


_UNTIL = frozenset({"until"})

MEASURES: Mapping[MeasureKind, Measure] = {
    MeasureKind.PUBLISH: Measure(MeasureTarget.POST, post_measures.publish, post_measures.undo_publish),
    MeasureKind.REFUSE: Measure(
        MeasureTarget.POST, post_measures.refuse, post_measures.undo_refuse, needs_rule=True, tells_author=True
    ),
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
        MeasureTarget.POST,
        post_measures.remove,
        post_measures.undo_remove,
        needs_rule=True,
        tells_author=True,
        notice="Removed",
    ),
    MeasureKind.RETITLE: Measure(
        MeasureTarget.THREAD,
        thread_measures.retitle,
        thread_measures.undo_retitle,
        fields=frozenset({"title"}),
        tells_author=True,
    ),
    MeasureKind.LOCK: Measure(MeasureTarget.THREAD, thread_measures.lock, thread_measures.undo_lock, tells_author=True),
    MeasureKind.MOVE: Measure(
        MeasureTarget.THREAD, thread_measures.move, thread_measures.undo_move, fields=frozenset({"board"})
    ),
    MeasureKind.RENAME: Measure(
        MeasureTarget.AUTHOR,
        member_measures.rename,
        member_measures.undo_rename,
        fields=frozenset({"name", "handle"}),
        one_field_is_enough=True,
        needs_rule=True,
        tells_author=True,
    ),
    MeasureKind.WARN: Measure(MeasureTarget.AUTHOR, _no_effect, _nothing_to_undo, needs_rule=True, tells_author=True),
    MeasureKind.REVIEW: _sanction(Standing.REVIEWED, _UNTIL),
    MeasureKind.SILENCE: _sanction(Standing.SILENCED, _UNTIL),
    MeasureKind.SUSPEND: _sanction(Standing.SUSPENDED, _UNTIL),
    MeasureKind.BAN: _sanction(Standing.BANNED),
    MeasureKind.DISMISS: Measure(MeasureTarget.CASE, _no_effect, _nothing_to_undo),
}
