"""Who keeps a thread to answer it, and until when. `forum/advising/claims.py` says how somebody comes to keep one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, Index, and_, bindparam, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.threads.tables import Thread
from forum.core.database import Moment, Prepared, Reader, query
from forum.members.tables import Member


class ThreadClaim(SQLModel, table=True):
    """Who keeps a thread, and until when."""

    __tablename__ = "thread_claim"
    __table_args__ = (
        CheckConstraint("until > since", name="until"),
        Index("ix_thread_claim_page", "since", "thread_id"),
    )

    thread_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="thread.id", ondelete="CASCADE")
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    since: datetime = Field(sa_type=Moment)
    until: datetime = Field(sa_type=Moment)
    seen_number: int = Field(description="The last number of the thread then: an adviser's post after it ends it")


# An adviser answered since the claim.
IS_ANSWERED: ColumnElement[bool] = func.coalesce(col(Thread.latest_adviser_number), 0) > col(ThreadClaim.seen_number)


def is_running(now: Any) -> ColumnElement[bool]:
    """Return the condition that the claim of a thread, joined with it, counts at a time."""
    return and_(col(ThreadClaim.until) > now, ~IS_ANSWERED)


_CURRENT = Prepared(
    query(
        *(col(ThreadClaim.member_id), col(ThreadClaim.since), col(ThreadClaim.until)),
        *(col(Member.handle), col(Member.name), col(Member.title)),
    )
    .join(Member, col(Member.id) == col(ThreadClaim.member_id))
    .join(Thread, col(Thread.id) == col(ThreadClaim.thread_id))
    .where(
        col(ThreadClaim.thread_id) == bindparam("thread_id", type_=BigInteger()),
        is_running(bindparam("now", type_=Moment())),
    )
)


async def find_claim(reader: Reader, thread_id: int, now: datetime) -> Any:
    """Return who keeps a thread, since when and until when; None where nobody does."""
    return await reader.row(_CURRENT, thread_id=thread_id, now=now)


async def find_claim_in_transaction(session: AsyncSession, thread_id: int, now: datetime) -> Any:
    """Return the same as it is in this transaction."""
    return (await session.execute(_CURRENT.query, {"thread_id": thread_id, "now": now})).one_or_none()
