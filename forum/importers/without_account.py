"""Who came with an old board and never had an account here: its guests, and members who were gone there already."""

from typing import Any

from sqlalchemy import ColumnElement, exists
from sqlmodel import col

from forum.importers.tables import ImportRun, MovedItem, MovedKind
from forum.members.tables import Member


def came_without_account(member_id: Any) -> ColumnElement[bool]:
    """Return the condition that this member came as somebody who has left: who leaves here does so later."""
    return exists().where(
        col(Member.id) == member_id,
        col(MovedItem.member_id) == col(Member.id),
        col(MovedItem.kind) == MovedKind.PERSON,
        col(ImportRun.id) == col(MovedItem.run_id),
        col(ImportRun.started_at) == col(Member.left_at),
    )
