"""Which cases somebody is told of while their queue is open: those that they would find there now."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, or_
from sqlmodel import col

from forum.core.work import Transactions
from forum.members.viewer import Viewer
from moderation import own_safety
from moderation.case_deciders import is_for_another, list_visible
from moderation.case_queue import ALL_CASES, sees_queue
from moderation.cases import Case

_SOUGHT = ALL_CASES.where(
    col(Case.id) == any_(bindparam("case_ids", type_=ARRAY(Uuid()))),
    or_(
        ~own_safety.VIEWER_LEAVES_IT_OUT,
        ~is_for_another(lambda member_id: own_safety.leaves_out(member_id, col(Case.category))),
    ),
).with_only_columns(col(Case.id), maintain_column_froms=True)


async def find_told_cases(transactions: Transactions, viewer: Viewer, case_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these cases that exist for the viewer and that they do not leave to others.

    A case about the viewer is none of them: it does not exist for them.
    """
    if viewer.id is None or not sees_queue(viewer):
        return set()
    async with transactions.begin() as work:
        return {row.id for row in await list_visible(work, viewer, _SOUGHT, case_ids=list(case_ids))}
