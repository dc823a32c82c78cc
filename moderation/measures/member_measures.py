"""Measures about a member: a sanction, another name or handle; and the undo of each."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import roles
from forum.authentication import handles, sessions
from forum.authentication.profiles import let_name_follow, rename_member
from forum.core.errors import Conflict
from forum.members import names
from forum.members.queries import lock_member_row
from forum.members.standing import add_sanction, lift_sanction
from forum.members.tables import Standing
from moderation.measures.tables import AppliedMeasure, Apply, MeasureContext, MeasureInput, MeasureKind, UndoData

HANDLE_KEPT = "handle_kept"  # in the undo data: that the handle could not be given back


def make_sanction(standing: Standing) -> Apply:
    """Return what changes the author's standing."""

    async def give(context: MeasureContext, wanted: MeasureInput) -> UndoData:
        await roles.refuse_last_administrator(context.session, context.member_id)
        sanction = await add_sanction(context.session, context.member_id, standing, context.now, wanted.until)
        if standing == Standing.BANNED:
            await sessions.end_all(context.session, context.member_id)
        return {"sanction": str(sanction.id)}

    return give


async def undo_sanction(context: MeasureContext, applied: AppliedMeasure) -> None:
    """Lift the sanction: the author has the standing that the others leave."""
    await lift_sanction(context.session, UUID(applied.memory["sanction"]))


async def rename(context: MeasureContext, wanted: MeasureInput) -> UndoData:
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


async def undo_rename(context: MeasureContext, applied: AppliedMeasure) -> None:
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
