"""Tables: complaints about the service."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id
from moderation.reports import ReportOutcome


class ComplaintAbout(StrEnum):
    """What somebody complains of."""

    NOT_DEALT_WITH = "not_dealt_with"
    DUTIES = "duties"
    OWN_CONTENT = "own_content"
    SCREENING = "screening"


class ServiceComplaint(SQLModel, table=True):
    """A complaint of somebody with an account or without. It goes with its member, and two years after the answer."""

    __tablename__ = "service_complaint"
    __table_args__ = (
        check_one_of("about", ComplaintAbout),
        check_one_of("outcome", ReportOutcome),
        CheckConstraint("num_nulls(outcome, answer, answered_at, answered_by) IN (0, 4)", name="answered"),
        UniqueConstraint("token_digest", name="uq_service_complaint_token_digest"),
        Index("ix_service_complaint_waiting", "due_at", "id", postgresql_where=text("answered_at IS NULL")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    token_digest: bytes = Field(sa_type=LargeBinary, description="Of the code with which the answer can be read")
    request_digest: bytes = Field(sa_type=LargeBinary, description="Of all that was sent: a key is for one complaint")
    member_id: UUID | None = Field(default=None, foreign_key="member.id", ondelete="CASCADE", index=True)
    report_id: UUID | None = Field(default=None, foreign_key="report.id", description="That it is about, if one is")
    public_report_id: UUID | None = Field(default=None, foreign_key="public_report.id", ondelete="SET NULL")
    about: str
    text: str
    email: str | None = Field(default=None, description="Where news is wanted; gone once it is answered")
    is_urgent: bool = Field(description="Whether screening found words of acute danger")
    made_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    outcome: str | None = None
    answer: str | None = None
    answered_at: datetime | None = Field(default=None, sa_type=Moment)
    answered_by: UUID | None = Field(default=None, foreign_key="member.id")
