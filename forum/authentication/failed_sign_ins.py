"""Sign-ins that were refused, counted by the hour: administrators see when somebody tries to get in.

What was typed is not kept, nor from where: who mistypes a login may have typed a password there.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from sqlalchemy import CheckConstraint, Integer, Text, Uuid, bindparam, delete, func, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import pagination
from forum.core.database import Moment, Prepared, Reader, query
from forum.members.tables import Member

log = structlog.get_logger()

KEPT_FOR = timedelta(days=30)
NOBODY = UUID(int=0)  # who typed the login of no account


class Reason(StrEnum):
    """Why it was refused."""

    PASSWORD = "password"  # noqa: S105 (no password)
    SECOND_FACTOR = "second_factor"
    PASSKEY = "passkey"
    THROTTLED = "throttled"


class RefusedSignIn(SQLModel, table=True):
    """How often, in one hour, sign-ins to one account were refused for one reason."""

    __tablename__ = "refused_sign_in"
    __table_args__ = (CheckConstraint(f"reason IN ({', '.join(repr(str(r)) for r in Reason)})", name="reason"),)

    hour: datetime = Field(sa_type=Moment, primary_key=True)
    member_id: UUID = Field(primary_key=True, description="No key to a member: it may be nobody")
    reason: str = Field(primary_key=True)
    times: int


_HOUR = func.date_trunc("hour", bindparam("now", type_=Moment()))
_COUNTED = Prepared(
    insert(RefusedSignIn)
    .values(
        hour=_HOUR,
        member_id=bindparam("member_id", type_=Uuid()),
        reason=bindparam("reason", type_=Text()),
        times=1,
    )
    .on_conflict_do_update(index_elements=["hour", "member_id", "reason"], set_={"times": col(RefusedSignIn.times) + 1})
)
_ROW = tuple_(col(RefusedSignIn.hour), col(RefusedSignIn.member_id), col(RefusedSignIn.reason))
_BEFORE = tuple_(
    bindparam("hour", type_=Moment()), bindparam("member_id", type_=Uuid()), bindparam("reason", type_=Text())
)
_NEWEST = (
    query(
        RefusedSignIn.hour,
        RefusedSignIn.member_id,
        RefusedSignIn.reason,
        RefusedSignIn.times,
        col(Member.handle),
    )
    .outerjoin(Member, col(Member.id) == col(RefusedSignIn.member_id))
    .order_by(col(RefusedSignIn.hour).desc(), col(RefusedSignIn.member_id).desc(), col(RefusedSignIn.reason).desc())
    .limit(bindparam("limit", type_=Integer()))
)
# A page of them, newest first, and the page after a row of it.
NEWEST, NEWEST_AFTER = Prepared(_NEWEST), Prepared(_NEWEST.where(_ROW < _BEFORE))
BY_ROW = TypeAdapter(tuple[pagination.Instant, UUID, Reason])


async def note(reader: Reader, member_id: UUID | None, reason: Reason, now: datetime) -> None:
    """Count one and log it without whose it was, outside of any transaction: it must outlive what is rolled back. It is
    as much work for nobody.
    """
    log.info("sign_in_refused", reason=str(reason))
    await reader.rows(_COUNTED, member_id=member_id or NOBODY, reason=reason, now=now)


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete what was counted long ago."""
    await session.execute(delete(RefusedSignIn).where(col(RefusedSignIn.hour) <= now - KEPT_FOR))
