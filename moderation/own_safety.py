"""Moderators' own safety: categories that somebody leaves out of their queue, and what they had to read lately.

Each person alone reads this of themselves. What they leave out, they see all the same where nobody else is free to
decide it; and calls to danger come whatever they leave out, so that nobody in danger waits for that.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, delete, exists, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.audit import AuditEntry
from forum.core.database import Record, check_one_of, query
from forum.core.export_section import ExportSection
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import VIEWER_ID, Viewer
from moderation.case_priority import HEAVY, Category
from moderation.cases import Case
from moderation.permissions import ModerationAct, allow

LOOKED_BACK = timedelta(days=30)
PAUSE = timedelta(hours=4)  # after so long without a case, the next one begins another shift
READ_BY = ("case.claimed", "case.taken_over", "case.decided", "case.opened_on_sight")


class LeftOutCategory(SQLModel, table=True):
    """That a moderator leaves a category out of their queue."""

    __tablename__ = "left_out_category"
    __table_args__ = (check_one_of("category", Category),)

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    category: str = Field(primary_key=True)


@dataclass(frozen=True)
class Shift:
    """Cases that somebody worked on without a long pause between them."""

    began_at: datetime
    ended_at: datetime  # when the last one was taken or decided
    cases: Mapping[Category, int]

    @property
    def heavy(self) -> int:
        """How many of them were heavy."""
        return sum(count for category, count in self.cases.items() if category in HEAVY)


@dataclass(frozen=True)
class OwnSafety:
    """What a moderator leaves out, who is left for each category, and their shifts, the newest first."""

    left_out: Collection[Category]
    others: Mapping[Category, Sequence[Record]]
    shifts: Sequence[Shift]
    suggests_break: bool


def leaves_out(member_id: Any, category: Any) -> ColumnElement[bool]:
    """Return the condition that a member leaves out a category."""
    own = exists().where(col(LeftOutCategory.member_id) == member_id, col(LeftOutCategory.category) == category)
    return own.correlate_except(LeftOutCategory)


VIEWER_LEAVES_IT_OUT = leaves_out(VIEWER_ID, col(Case.category))


async def list_left_out(session: AsyncSession, member_id: UUID) -> Collection[Category]:
    """Return the categories that a member leaves out."""
    own = select(col(LeftOutCategory.category)).where(col(LeftOutCategory.member_id) == member_id)
    found = set((await session.execute(own)).scalars())
    return [category for category in Category if category in found]


async def read_own_safety(work: Work, moderator: Viewer) -> OwnSafety:
    """Return what the moderator leaves out, and what they had to read in the last 30 days. Raises Forbidden."""
    allow(ModerationAct.SEE_QUEUE, moderator)
    shifts = await _list_shifts(work, moderator)
    return OwnSafety(
        left_out=await list_left_out(work.session, moderator.member_id),
        others=await _list_others(work, moderator),
        shifts=shifts,
        suggests_break=_is_break_due(work, shifts),
    )


async def suggests_break(work: Work, moderator: Viewer) -> bool:
    """Return whether the moderator had so many heavy cases in this shift that a break would be good."""
    return bool(work.settings.heavy_cases_before_break) and _is_break_due(work, await _list_shifts(work, moderator))


async def leave_out(work: Work, moderator: Viewer, categories: Collection[Category]) -> None:
    """Leave these categories out of the moderator's queue, and no others. Idempotent. Raises Forbidden."""
    allow(ModerationAct.SEE_QUEUE, moderator)
    own = (col(LeftOutCategory.member_id) == moderator.member_id,)
    others = delete(LeftOutCategory).where(*own, col(LeftOutCategory.category).not_in(list(categories)))
    await work.session.execute(others)
    for category in sorted(set(categories)):
        row = insert(LeftOutCategory).values(member_id=moderator.member_id, category=category)
        await work.session.execute(row.on_conflict_do_nothing())


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the categories that the viewer leaves out."""
    left_out = await list_left_out(session, viewer.member_id)
    items = [{"category": str(category)} for category in left_out]
    return (ExportSection("left_out", "Which cases you leave to others", items),)


async def forget(session: AsyncSession, member_id: UUID) -> None:
    """Forget what somebody who leaves left out."""
    await session.execute(delete(LeftOutCategory).where(col(LeftOutCategory.member_id) == member_id))


def _is_break_due(work: Work, shifts: Sequence[Shift]) -> bool:
    most = work.settings.heavy_cases_before_break
    is_now = bool(shifts) and work.now - shifts[0].ended_at < PAUSE
    return most > 0 and is_now and shifts[0].heavy >= most


async def _list_shifts(work: Work, moderator: Viewer) -> list[Shift]:
    """Return the moderator's shifts, the newest first: each case counts once in each."""
    read = (
        query(col(AuditEntry.at), col(Case.id), col(Case.category))
        .join(Case, cast(col(Case.id), Text) == col(AuditEntry.subject_id))
        .where(
            col(AuditEntry.actor_id) == moderator.id,
            col(AuditEntry.act).in_(READ_BY),
            col(AuditEntry.subject_kind) == "case",
            col(AuditEntry.at) > work.now - LOOKED_BACK,
        )
        .order_by(col(AuditEntry.at))
    )
    return list(_shifts_of((await work.session.execute(read)).all()))[::-1]


def _shifts_of(read: Sequence[Record]) -> Iterator[Shift]:
    begun = [number for number, row in enumerate(read) if not number or row.at - read[number - 1].at >= PAUSE]
    for start, end in pairwise([*begun, len(read)]):
        rows = read[start:end]
        categories = Counter(Category(category) for _, category in {(row.id, row.category) for row in rows})
        ordered = {category: categories[category] for category in Category if categories[category]}
        yield Shift(rows[0].at, rows[-1].at, ordered)


async def _list_others(work: Work, moderator: Viewer) -> Mapping[Category, Sequence[Record]]:
    """Return who else moderates a board of the moderator's and does not leave out each category."""
    of_the_same = (
        true() if Role.MODERATOR in moderator.roles else col(RoleGrant.board_id).in_(moderator.moderated_boards)
    )
    is_moderator = exists().where(
        col(RoleGrant.member_id) == col(Member.id),
        col(RoleGrant.role) == Role.MODERATOR,
        or_(col(RoleGrant.board_id).is_(None), of_the_same),
    )
    others = (
        query(col(Member.id), *named_columns(Member, "member"))
        .where(is_moderator, col(Member.id) != moderator.id, standing_at(work.now) == Standing.ACTIVE)
        .order_by(col(Member.name), col(Member.id))
    )
    rows = (await work.session.execute(others)).all()
    left_out = (await work.session.execute(select(col(LeftOutCategory.member_id), col(LeftOutCategory.category)))).all()
    leaving = {(row.member_id, row.category) for row in left_out}
    return {category: [row for row in rows if (row.id, category) not in leaving] for category in Category}
