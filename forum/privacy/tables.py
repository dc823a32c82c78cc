"""Tables: departures, legal holds, and copies of personal data."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id


class DepartureKind(StrEnum):
    """What happens to the posts of a member who leaves: they stay without the name, or their text is erased too."""

    LEAVE = "leave"
    ERASE = "erase"


class HoldReason(StrEnum):
    """Why the law requires that data is kept."""

    COURT = "court"
    POLICE = "police"
    LEGAL_CLAIM = "legal_claim"
    SAFEGUARDING = "safeguarding"
    REGULATOR = "regulator"


class Departure(SQLModel, table=True):
    """A member's wish to leave. The row stays when they have left: after a restore, the deletion is done again."""

    __table_args__ = (
        check_one_of("kind", DepartureKind),
        CheckConstraint("asked_at < due_at AND due_at <= done_at", name="order"),
        CheckConstraint("cleared_at IS NULL OR done_at <= cleared_at", name="cleared"),
        Index("ix_departure_due", "due_at", postgresql_where=text("cleared_at IS NULL")),
    )

    member_id: UUID = Field(primary_key=True, foreign_key="member.id")
    kind: str
    asked_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    waits_since: datetime | None = Field(default=None, sa_type=Moment, description="It is due, but something blocks it")
    done_at: datetime | None = Field(default=None, sa_type=Moment, description="When the account was deleted")
    cleared_at: datetime | None = Field(default=None, sa_type=Moment, description="When the last text was erased")


class LegalHold(SQLModel, table=True):
    """A legal hold: nothing of this member may be deleted for now."""

    __tablename__ = "legal_hold"
    __table_args__ = (check_one_of("reason", HoldReason),)

    member_id: UUID = Field(primary_key=True, foreign_key="member.id")
    reason: str
    placed_by: UUID = Field(foreign_key="member.id")
    placed_at: datetime = Field(sa_type=Moment)


class Export(SQLModel, table=True):
    """A copy of a member's personal data; one that can be fetched, and one that is being made."""

    __table_args__ = (
        Index("uq_export_being_made", "member_id", unique=True, postgresql_where=text("made_at IS NULL")),
        CheckConstraint("num_nonnulls(made_at, expires_at, size) IN (0, 3)", name="made"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    asked_at: datetime = Field(sa_type=Moment)
    made_at: datetime | None = Field(default=None, sa_type=Moment)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)
    size: int | None = Field(default=None, sa_type=BigInteger, description="In bytes")


class ExportPart(SQLModel, table=True):
    """A part of a copy's ZIP. It is in the database, so that every machine can send it and a backup can omit it."""

    __tablename__ = "export_part"

    export_id: UUID = Field(primary_key=True, foreign_key="export.id", ondelete="CASCADE")
    number: int = Field(primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)
