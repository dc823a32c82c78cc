"""The table of events, which triggers write with each change, and the epoch of their order."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Identity, Index, Uuid, delete, func, text, true
from sqlalchemy.dialects.postgresql import base
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, check_one_of

KEPT_FOR = timedelta(hours=24)


class Xid8(UserDefinedType[int]):
    """The id of a transaction, which never comes again: PostgreSQL's xid8."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        """Return the name of the type."""
        return "XID8"


base.ischema_names["xid8"] = Xid8  # for comparing the tables with the migrations


class EventKind(StrEnum):
    """What happened."""

    POST = "post"
    EDIT = "edit"
    REMOVED = "removed"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    MOVED = "moved"
    RETITLED = "retitled"
    NOTICE = "notice"
    CASE_WAITS = "case_waits"
    CASE_DECIDED = "case_decided"
    SIGNED_OUT = "signed_out"
    ROLE = "role"


class Event(SQLModel, table=True):
    """That something happened: ids and enumerated words, never a word of anybody.

    The database writes it in the transaction of the change, by triggers, so that no path forgets it. Of notices, roles
    and sessions there is one for each statement, and not one for each member. Nothing is kept about concerns.
    """

    __table_args__ = (
        check_one_of("kind", EventKind),
        CheckConstraint("(thread_id IS NULL) = (refs IS NOT NULL)", name="about"),
        CheckConstraint("(number IS NOT NULL) = (kind IN ('post', 'edit', 'removed'))", name="number"),
        Index("ix_event_xid", "xid", "id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    xid: int = Field(
        default=None, sa_type=Xid8, sa_column_kwargs={"server_default": text("pg_current_xact_id()"), "nullable": False}
    )
    kind: str
    thread_id: int | None = Field(default=None, sa_type=BigInteger)
    number: int | None = Field(default=None, description="Of the post")
    refs: list[UUID] | None = Field(
        default=None, sa_type=ARRAY(Uuid), description="Whom or what it is about: members, or a case"
    )
    at: datetime = Field(default=None, sa_type=Moment, sa_column_kwargs={"server_default": func.now()})


class EventEpoch(SQLModel, table=True):
    """Which database the order of events belongs to. Backups leave it out: ids of transactions start anew elsewhere."""

    __tablename__ = "event_epoch"
    __table_args__ = (CheckConstraint("is_only", name="only"),)

    is_only: bool = Field(default=True, primary_key=True, sa_column_kwargs={"server_default": true()})
    epoch: str


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the events of more than a day ago: whoever was away longer reads anew."""
    await session.execute(delete(Event).where(col(Event.at) < now - KEPT_FOR))
