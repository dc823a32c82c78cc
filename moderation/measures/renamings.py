"""Which names a decision took from a member, and which it gave instead: for its statement and for appeals."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from moderation.measures.tables import AppliedMeasure, MeasureKind, UndoData


class Renaming(NamedTuple):
    """The names before and after a measure. All are None of what it left alone, and once the member has left."""

    name_was: str | None
    name_became: str | None
    handle_was: str | None
    handle_became: str | None


async def list_of(session: AsyncSession, decision_ids: Sequence[UUID]) -> Mapping[UUID, Renaming]:
    """Return the names that each of these decisions took and gave, for those that took any."""
    renamed = (col(AppliedMeasure.decision_id).in_(decision_ids), col(AppliedMeasure.kind) == MeasureKind.RENAME)
    found = select(col(AppliedMeasure.decision_id), col(AppliedMeasure.memory)).where(*renamed)
    return {row.decision_id: _renaming(row.memory) for row in (await session.execute(found)).all()}


def _renaming(undo_data: UndoData) -> Renaming:
    kept = undo_data.get
    return Renaming(kept("was"), kept("became"), kept("handle_was"), kept("handle_became"))
