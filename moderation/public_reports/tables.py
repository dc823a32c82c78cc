"""Tables: reports that need no account."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id
from moderation.case_priority import Category
from moderation.reports import Capacity, IllegalKind, ReportOutcome


class PublicCategory(StrEnum):
    """What somebody without an account says that is wrong."""

    ILLEGAL = "illegal"
    PERSONAL_INFORMATION = "personal_information"
    COURT_RESTRICTION = "court_restriction"
    INTIMATE_IMAGE = "intimate_image"
    SUICIDE_OR_SELF_HARM = "suicide_or_self_harm"
    RULE = "rule"


# As what a case takes it. To publish what a court forbids is an offence.
CASE_CATEGORIES: Mapping[PublicCategory, Category] = {
    PublicCategory.ILLEGAL: Category.ILLEGAL,
    PublicCategory.PERSONAL_INFORMATION: Category.PERSONAL_INFORMATION,
    PublicCategory.COURT_RESTRICTION: Category.ILLEGAL,
    PublicCategory.INTIMATE_IMAGE: Category.INTIMATE_IMAGE,
    PublicCategory.SUICIDE_OR_SELF_HARM: Category.RISK,
    PublicCategory.RULE: Category.RULE,
}


class PublicReport(SQLModel, table=True):
    """A report that came without an account, also from somebody who has one: no member but staff is tied to it.

    Its words are in `report` once it is known which post is meant; until then they wait here. It goes 180 days after
    it was settled, and its address with the mail that says so.
    """

    __tablename__ = "public_report"
    __table_args__ = (
        check_one_of("capacity", Capacity),
        check_one_of("category", PublicCategory),
        check_one_of("illegal_kind", IllegalKind),
        check_one_of("outcome", ReportOutcome),
        CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name="settled"),
        CheckConstraint("num_nulls(answer, settled_by) IN (0, 2)", name="answered"),
        UniqueConstraint("token_digest", name="uq_public_report_token_digest"),
        Index("ix_public_report_waiting", "due_at", "id", postgresql_where=text("is_waiting")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    token_digest: bytes = Field(sa_type=LargeBinary, description="Of the code with which its reporter follows it")
    request_digest: bytes = Field(sa_type=LargeBinary, description="Of all that was sent: a key is for one report")
    report_id: UUID | None = Field(default=None, foreign_key="report.id", index=True)
    post: str = Field(description="Which post is meant, as it was typed")
    capacity: str
    category: str
    illegal_kind: str | None = None
    text: str = Field(description="Empty once it is the note of a report")
    email: str | None = Field(default=None, description="Where its reporter wants news; gone once it is settled")
    is_urgent: bool = Field(description="Whether screening found words of acute danger")
    is_flagged: bool = Field(description="Whether a trusted flagger sent it")
    is_waiting: bool = Field(default=False, description="Whether somebody has to find out which post is meant")
    filed_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    outcome: str | None = None
    answer: str | None = Field(default=None, description="Of somebody who answered without a case")
    settled_at: datetime | None = Field(default=None, sa_type=Moment)
    settled_by: UUID | None = Field(default=None, foreign_key="member.id")
    filed_by: UUID | None = Field(
        default=None,
        foreign_key="member.id",
        description="Of those who work here: whoever reports does not decide. Gone once it is settled",
    )
