"""Refused sign-ins, counted by the hour, so that administrators see attacks.

Neither the login that was typed nor the internet address is stored: some people type their password as the login.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Integer, Text, Uuid, bindparam, delete, func, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit, pagination
from forum.core.database import Moment, Prepared, Reader, check_one_of, query
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

log = structlog.get_logger()

KEPT_FOR = timedelta(days=30)
NOBODY = UUID(int=0)  # where the login was no account's


class RefusalReason(StrEnum):
    """Why a sign-in was refused."""

    PASSWORD = "password"  # noqa: S105 (no password)
    SECOND_FACTOR = "second_factor"
    PASSKEY = "passkey"
    THROTTLED = "throttled"


class RefusedSignIn(SQLModel, table=True):
    """How often sign-ins to one account were refused for one reason in one hour."""

    __tablename__ = "refused_sign_in"
    __table_args__ = (check_one_of("reason", RefusalReason),)

    hour: datetime = Field(sa_type=Moment, primary_key=True)
    member_id: UUID = Field(primary_key=True, description="No foreign key: it may be nobody")
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
# A page, newest first, and the page after a row.
_PAGE, _PAGE_AFTER = Prepared(_NEWEST), Prepared(_NEWEST.where(_ROW < _BEFORE))
BY_ROW = TypeAdapter(tuple[pagination.Instant, UUID, RefusalReason])


async def count_refusal(reader: Reader, member_id: UUID | None, reason: RefusalReason, now: datetime) -> None:
    """Count a refused sign-in, and log it without its member. For nobody (None) it is as much work.

    It happens outside of any transaction: it must stay when the sign-in is rolled back.
    """
    log.info("sign_in_refused", reason=str(reason))
    await reader.rows(_COUNTED, member_id=member_id or NOBODY, reason=reason, now=now)


async def list_refused_sign_ins(work: Work, viewer: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of refused sign-ins, newest first, and write to the audit record that somebody looked.

    Raises Forbidden, and Invalid for a cursor of another list.
    """
    allow(Act.ADMINISTER, viewer)
    if after is None:
        found = await work.session.execute(_PAGE.query, {"limit": limit + 1})
    else:
        hour, member_id, reason = pagination.decode(after, BY_ROW)
        place = {"hour": hour, "member_id": member_id, "reason": reason}
        found = await work.session.execute(_PAGE_AFTER.query, {**place, "limit": limit + 1})
    page = pagination.page_of(found.all(), limit, lambda row: (row.hour, str(row.member_id), row.reason))
    await audit.record(
        work.session, actor_id=viewer.id, act="refused_sign_ins.listed", subject=("accounts", "all"), now=work.now
    )
    return page


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the counts of more than 30 days ago."""
    await session.execute(delete(RefusedSignIn).where(col(RefusedSignIn.hour) <= now - KEPT_FOR))
