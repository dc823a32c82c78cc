"""Letters: one short mail that something is new, without a word of it, for members who chose to get it.

Whoever tells a member something in the app calls `mark_due` in the same transaction. One row says that a letter is due
to a member, however many things they are told; `letter_jobs.py` sends it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Query, check_one_of, query, rows_of
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications.letter_times import LetterMode, LetterTimes, next_time


class LetterChoice(SQLModel, table=True):
    """Which letters a member chose. Who was never asked, or never answered, has no row and gets none."""

    __tablename__ = "letter_choice"
    __table_args__ = (
        check_one_of("mode", LetterMode),
        CheckConstraint(
            "(quiet_from IS NULL) = (quiet_to IS NULL) AND quiet_from IS DISTINCT FROM coalesce(quiet_to, '00:00')",
            name="quiet",
        ),
    )

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    mode: str
    at: time = Field(description="The hour of the daily letter, in the zone")
    zone: str
    quiet_from: time | None = None
    quiet_to: time | None = None
    paused_until: datetime | None = Field(default=None, sa_type=Moment)
    sent_at: datetime | None = Field(default=None, sa_type=Moment, description="When the last letter left")
    refusals: int = Field(default=0, description="How many letters in a row their mail server refused for good")
    stopped_at: datetime | None = Field(default=None, sa_type=Moment, description="Since then it refused too many")


class MailDue(SQLModel, table=True):
    """That a letter is due to a member, and when: one row, however many things they were told."""

    __tablename__ = "mail_due"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    due_at: datetime = Field(sa_type=Moment, index=True)


TIMES = [col(getattr(LetterChoice, name)) for name in LetterTimes._fields]
# Whose letters leave: they chose so, their address is verified, and their mail server takes letters.
WANTED = (
    col(LetterChoice.mode) != LetterMode.OFF,
    col(LetterChoice.stopped_at).is_(None),
    col(Member.email_verified_at).is_not(None),
)


async def mark_due(session: AsyncSession, members: Collection[UUID], now: datetime) -> None:
    """Have a letter sent to those of these members who chose letters: they are told something in this transaction."""
    if not members:
        return
    # While this transaction goes on, the job leaves their rows alone: it would see nothing new, and delete them. Where
    # the job was first, this waits until the row is gone, and then inserts it again.
    due_already = (
        select(col(MailDue.member_id))
        .where(col(MailDue.member_id).in_(members))
        .with_for_update(read=True, key_share=True)
    )
    told = set(members) - set((await session.execute(due_already)).scalars())
    if not told:
        return
    chosen = (
        query(col(LetterChoice.member_id), *TIMES)
        .join(Member, col(Member.id) == col(LetterChoice.member_id))
        .where(col(LetterChoice.member_id).in_(told), *WANTED)
        .order_by(col(LetterChoice.member_id))  # of two that tell the same members, one waits for the other
    )
    due = [
        {"member_id": row.member_id, "due_at": next_time(times_of(row), now)}
        for row in (await session.execute(chosen)).all()
    ]
    await add_due(session, due)


async def add_due(session: AsyncSession, due: Sequence[dict[str, Any]]) -> None:
    """Add rows of MailDue, but for members who have one."""
    if due:
        await session.execute(insert(rows_of(MailDue)).on_conflict_do_nothing(), due)


def select_choice(viewer: Viewer) -> Query:
    """Return a select of the viewer's choice, and of when a letter is due to them."""
    return (
        query(*TIMES, col(LetterChoice.stopped_at), col(MailDue.due_at))
        .outerjoin(MailDue, col(MailDue.member_id) == col(LetterChoice.member_id))
        .where(col(LetterChoice.member_id) == viewer.id)
    )


def times_of(row: Any) -> LetterTimes:
    """Return the times of a row with the columns of TIMES."""
    return LetterTimes(*(getattr(row, name) for name in LetterTimes._fields))
