"""Whom a member ignores: their posts fold for this member, and nothing that they write is told to this member.

It works by the name under which somebody writes. Nobody can see that they are ignored: the posts, and all that others
read, stay the same bytes. Staff cannot be ignored, and whoever becomes one of them is read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, bindparam, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Prepared, Reader, query
from forum.core.errors import Invalid, NotFound
from forum.core.work import Work
from forum.members import names
from forum.members.queries import get_member, lock_own_row
from forum.members.tables import Member, RoleGrant
from forum.members.viewer import VIEWER_ID, Viewer
from forum.permissions import Act, Refusal, allow, why_not

MOST = 200


class Ignored(SQLModel, table=True):
    """That a member ignores what is written under a name."""

    __tablename__ = "ignored"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    persona_id: UUID = Field(primary_key=True, foreign_key="persona.id", ondelete="CASCADE", index=True)
    since: datetime = Field(sa_type=Moment)


@dataclass(frozen=True)
class Ignorable:
    """Somebody who may be ignored, as the conditions of permissions want them."""

    works_here: bool


@dataclass(frozen=True)
class IgnoreChoice:
    """What somebody can do about one member: ignore them, stop that, or neither, and why not."""

    handle: str
    name: str
    is_ignored: bool
    refusal: Refusal | None


# Predicates


def ignores(member_id: Any, persona_id: Any) -> ColumnElement[bool]:
    """Return the condition that a member ignores what is written under a name; staff they cannot ignore."""
    row = (col(Ignored.member_id) == member_id, col(Ignored.persona_id) == persona_id)
    return exists().where(*row, ~_works_here(persona_id)).correlate_except(Ignored)


def _works_here(member_id: Any) -> ColumnElement[bool]:
    return exists().where(col(RoleGrant.member_id) == member_id).correlate_except(RoleGrant)


# Queries

# The viewer's own list.
IGNORED_BY = Prepared(
    query(col(Member.handle), col(Member.name), col(Member.title), col(Ignored.since))
    .select_from(Ignored)
    .join(Member, col(Member.id) == col(Ignored.persona_id))
    .where(col(Ignored.member_id) == VIEWER_ID, col(Member.left_at).is_(None))
    .order_by(col(Ignored.since).desc(), col(Member.handle))
)
_CHOICE = Prepared(
    query(
        col(Member.id),
        col(Member.handle),
        col(Member.name),
        _works_here(col(Member.id)).label("works_here"),
        exists()
        .where(col(Ignored.member_id) == VIEWER_ID, col(Ignored.persona_id) == col(Member.id))
        .correlate_except(Ignored)
        .label("is_ignored"),
    ).where(col(Member.handle) == bindparam("handle", type_=Text()))
)
_YOURSELF = Refusal("ignoring_oneself", "This is you: you cannot ignore yourself.")


async def list_ignored(reader: Reader, viewer: Viewer) -> Sequence[Any]:
    """Return whom the viewer ignores, the newest first."""
    return await reader.rows(IGNORED_BY, **viewer.query_parameters)


async def read_choice(reader: Reader, viewer: Viewer, handle: str) -> IgnoreChoice:
    """Return what the viewer can do about a member. Raises NotFound."""
    row = await reader.row(_CHOICE, **viewer.query_parameters, handle=names.folded(handle))
    if row is None:
        raise NotFound("There is no such member.", code="member_not_found")
    refusal = _YOURSELF if row.id == viewer.id else why_not(Act.IGNORE, viewer, Ignorable(row.works_here))
    return IgnoreChoice(row.handle, row.name, row.is_ignored, refusal)


# Actions


async def ignore(work: Work, viewer: Viewer, handle: str) -> None:
    """Fold what a member writes for the viewer, and tell the viewer nothing of it. Idempotent.

    Raises NotFound; Invalid for oneself, and for one more than `MOST`; Forbidden for staff.
    """
    member = await get_member(work.session, handle)
    if member.id == viewer.id:
        raise Invalid(_YOURSELF.detail, "path/handle", code=_YOURSELF.code)
    works_here = bool((await work.session.execute(select(_works_here(member.id)))).scalar_one())
    allow(Act.IGNORE, viewer, Ignorable(works_here))
    await lock_own_row(work.session, viewer)  # of two at once, the second counts the first
    own = select(func.count()).where(col(Ignored.member_id) == viewer.member_id)
    others = own.where(col(Ignored.persona_id) != member.id)
    if (await work.session.execute(others)).scalar_one() >= MOST:
        detail = f"You ignore {MOST} people. Please stop ignoring somebody first."
        raise Invalid(detail, "#", code="too_many_ignored")
    row = {"member_id": viewer.member_id, "persona_id": member.id, "since": work.now}
    await work.session.execute(insert(Ignored).values(row).on_conflict_do_nothing())


async def stop_ignoring(work: Work, viewer: Viewer, handle: str) -> None:
    """Show what a member writes to the viewer again. Idempotent. Raises NotFound."""
    member = await get_member(work.session, handle)
    own = (col(Ignored.member_id) == viewer.member_id, col(Ignored.persona_id) == member.id)
    await work.session.execute(delete(Ignored).where(*own))


# Later


async def forget_former_members(session: AsyncSession, _now: datetime) -> None:
    """Forget that somebody was ignored who has left."""
    left = select(col(Member.id)).where(col(Member.left_at).is_not(None))
    await session.execute(delete(Ignored).where(col(Ignored.persona_id).in_(left)))
