"""Letters: one short mail that something is new, without a word of it, for members who chose to get it.

Whoever tells a member something in the app calls `mark_due` in the same transaction. One row says that a letter is due
to a member, however many things they are told; `letter_jobs.py` sends it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ColumnElement, Uuid, all_, any_, delete, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Query, check_one_of, query, rows_of
from forum.mail import outbox
from forum.mail.tables import MailKind
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
    returns: int = Field(
        default=0, sa_column_kwargs={"server_default": "0"}, description="How many letters in a row came back later"
    )
    returned_at: datetime | None = Field(default=None, sa_type=Moment, description="When the last one came back")
    stopped_at: datetime | None = Field(
        default=None, sa_type=Moment, description="Since then, too many were refused or came back"
    )


class MailDue(SQLModel, table=True):
    """That a letter is due to a member, and when: one row, however many things they were told."""

    __tablename__ = "mail_due"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    due_at: datetime = Field(sa_type=Moment, index=True)


class OffLink(SQLModel, table=True):
    """A link that turns the letters of a member off, which is in each letter: a digest of its token."""

    __tablename__ = "off_link"

    token_digest: bytes = Field(primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    expires_at: datetime = Field(sa_type=Moment)


TIMES = [col(getattr(LetterChoice, name)) for name in LetterTimes._fields]
# Whose letters leave: they chose so, their address is verified, and their mail server takes letters.
WANTED = (
    col(LetterChoice.mode) != LetterMode.OFF,
    col(LetterChoice.stopped_at).is_(None),
    col(Member.email_verified_at).is_not(None),
)


async def mark_due(
    session: AsyncSession, members: Collection[UUID], now: datetime, *, patient: Collection[UUID] = ()
) -> None:
    """Have a letter sent to those of these members who chose letters: they are told something in this transaction.

    Of the `patient` among them, to those alone who chose the daily one. All are told in one call: two would not lock
    their rows in one order.
    """
    if not members:
        return
    # While this transaction goes on, the job leaves their rows alone: it would see nothing new, and delete them. Where
    # the job was first, this waits until the row is gone, and then inserts it again.
    due_already = (
        select(col(MailDue.member_id))
        .where(col(MailDue.member_id) == any_(_ids(members)))
        .with_for_update(read=True, key_share=True)
    )
    told = set(members) - set((await session.execute(due_already)).scalars())
    if not told:
        return
    chosen = (
        query(col(LetterChoice.member_id), *TIMES)
        .join(Member, col(Member.id) == col(LetterChoice.member_id))
        .where(col(LetterChoice.member_id) == any_(_ids(told)), *WANTED)
        .where(or_(col(LetterChoice.mode) == LetterMode.DAILY, col(LetterChoice.member_id) != all_(_ids(patient))))
        .order_by(col(LetterChoice.member_id))  # of two that tell the same members, one waits for the other
    )
    due = [
        {"member_id": row.member_id, "due_at": next_time(times_of(row), now)}
        for row in (await session.execute(chosen)).all()
    ]
    await add_due(session, due)


def _ids(members: Collection[UUID]) -> ColumnElement[Any]:
    """Return these ids as one parameter: a statement takes 32,767 at most, and a thread may have more followers."""
    return literal(list(members), ARRAY(Uuid))


async def add_due(session: AsyncSession, due: Sequence[dict[str, Any]]) -> None:
    """Add rows of MailDue, but for members who have one."""
    if due:
        await session.execute(insert(rows_of(MailDue)).on_conflict_do_nothing(), due)


async def forget_due(session: AsyncSession, member_id: UUID) -> bool:
    """Let no letter be due to a member, nor wait to be sent. Return whether one was."""
    await outbox.cancel(session, member_id, MailKind.NEWS)
    gone = delete(MailDue).where(col(MailDue.member_id) == member_id).returning(col(MailDue.member_id))
    return (await session.execute(gone)).first() is not None


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
