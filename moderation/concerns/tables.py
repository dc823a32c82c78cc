"""Tables: a concern, whom and which posts it is about, its chronology, its evidence, and its own audit record.

Triggers refuse that an entry, an assessment, a sealed copy or the words of a concern are changed, or deleted before the
concern is erased; and any change of its audit record.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id
from forum.privacy.tables import HoldReason

TEXT_MAX = 10_000
LINE_MAX = 300
# A closed concern says since when, by whom, and until when it is kept.
_CLOSED = "num_nonnulls(closed_at, closed_by, keep_until) = CASE state WHEN 'open' THEN 0 ELSE 3 END"


class ConcernState(StrEnum):
    """Where a concern stands. Of an erased one, only its dates and its audit record are left."""

    OPEN = "open"
    CLOSED = "closed"
    ERASED = "erased"


class Consent(StrEnum):
    """Whether whoever is at risk agreed that others are told."""

    GIVEN = "given"
    REFUSED = "refused"
    NOT_SOUGHT = "not_sought"


class DisclosureOutcome(StrEnum):
    """What a member who asked for a copy of their data gets of a concern."""

    DISCLOSED = "disclosed"
    IN_PART = "in_part"
    WITHHELD = "withheld"


class Concern(SQLModel, table=True):
    """What somebody raised, and until when it is looked at again and kept."""

    __table_args__ = (
        check_one_of("state", ConcernState),
        CheckConstraint(_CLOSED, name="closed"),
        CheckConstraint("state <> 'erased' OR (text = '' AND reply_to IS NULL AND raised_by IS NULL)", name="erased"),
        Index("ix_concern_page", "state", "review_on", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    raised_by: UUID | None = Field(foreign_key="member.id", index=True, description="None: it is erased")
    raised_at: datetime = Field(sa_type=Moment)
    text: str
    reply_to: str | None = Field(default=None, description="How whoever raised it can be reached")
    about_staff: bool = Field(description="Whether somebody whom it is about worked here when it was raised")
    review_on: date
    state: str = ConcernState.OPEN
    closed_at: datetime | None = Field(default=None, sa_type=Moment)
    closed_by: UUID | None = Field(default=None, foreign_key="member.id")
    keep_until: date | None = Field(default=None, description="Then a lead keeps it for longer, or erases it")


class ConcernPerson(SQLModel, table=True):
    """Somebody whom a concern is about: it does not exist for them, whatever their role."""

    __tablename__ = "concern_person"

    concern_id: UUID = Field(primary_key=True, foreign_key="concern.id")
    persona_id: UUID = Field(primary_key=True, foreign_key="persona.id", index=True)


class ConcernPost(SQLModel, table=True):
    """A post that a concern is about, in a copy as it was when the concern was raised."""

    __tablename__ = "concern_post"

    concern_id: UUID = Field(primary_key=True, foreign_key="concern.id")
    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id", index=True)
    copy_json: str = Field(description="The text over which the digest is")
    digest: bytes = Field(sa_type=LargeBinary, description="SHA-256")
    sealed_at: datetime = Field(sa_type=Moment)


class ConcernCase(SQLModel, table=True):
    """A case from which a concern was raised. Nothing at the case shows it."""

    __tablename__ = "concern_case"

    concern_id: UUID = Field(primary_key=True, foreign_key="concern.id")
    case_id: UUID = Field(primary_key=True, foreign_key="moderation_case.id", index=True)


class ConcernEntry(SQLModel, table=True):
    """A part of the chronology: what happened, who was told, what was decided. A correction is another entry."""

    __tablename__ = "concern_entry"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    concern_id: UUID = Field(foreign_key="concern.id", index=True)
    author_id: UUID = Field(foreign_key="member.id")
    text: str
    happened_at: datetime | None = Field(default=None, sa_type=Moment)
    corrects: UUID | None = Field(default=None, foreign_key="concern_entry.id", description="Of the same concern")
    written_at: datetime = Field(sa_type=Moment)


class ConcernAssessment(SQLModel, table=True):
    """Whether consent was sought, on which ground the record is kept and shared, and what was done at once.

    Written anew, it is another row: the newest one counts.
    """

    __tablename__ = "concern_assessment"
    __table_args__ = (
        check_one_of("consent", Consent),
        CheckConstraint("consent IS DISTINCT FROM 'not_sought' OR consent_why <> ''", name="why_not"),
    )

    concern_id: UUID = Field(primary_key=True, foreign_key="concern.id")
    number: int = Field(primary_key=True)
    consent: str | None = None
    consent_why: str = ""
    lawful_ground: str = ""
    immediate_action: str = ""
    written_by: UUID = Field(foreign_key="member.id")
    written_at: datetime = Field(sa_type=Moment)


class ConcernExclusion(SQLModel, table=True):
    """A safeguarding lead who may not read a concern: a friend or relative of somebody, or whoever steps back."""

    __tablename__ = "concern_exclusion"

    concern_id: UUID = Field(primary_key=True, foreign_key="concern.id")
    member_id: UUID = Field(primary_key=True, foreign_key="member.id")
    reason: str
    excluded_by: UUID = Field(foreign_key="member.id")
    excluded_at: datetime = Field(sa_type=Moment)


class ConcernHold(SQLModel, table=True):
    """A legal hold: nothing of those whom the concern is about, and of its posts, may be deleted for now.

    Only leads of the concern know of it. With an exemption, those who want to leave are not told why they wait.
    """

    __tablename__ = "concern_hold"
    __table_args__ = (check_one_of("reason", HoldReason),)

    concern_id: UUID = Field(primary_key=True, foreign_key="concern.id")
    reason: str
    note: str = ""
    exemption: str | None = None
    review_on: date
    placed_by: UUID = Field(foreign_key="member.id")
    placed_at: datetime = Field(sa_type=Moment)


class ConcernDisclosure(SQLModel, table=True):
    """That a member asked for a copy of their data, and what a lead decided to give them of a concern."""

    __tablename__ = "concern_disclosure"
    __table_args__ = (
        check_one_of("outcome", DisclosureOutcome),
        CheckConstraint("num_nonnulls(outcome, decided_by, decided_at) IN (0, 3)", name="decided"),
        CheckConstraint("outcome IS NULL OR outcome = 'disclosed' OR exemption IS NOT NULL", name="exemption"),
        Index(
            "uq_concern_disclosure_waiting",
            "concern_id",
            "member_id",
            unique=True,
            postgresql_where=text("decided_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    concern_id: UUID = Field(foreign_key="concern.id")
    member_id: UUID = Field(foreign_key="member.id")
    asked_at: datetime = Field(sa_type=Moment)
    due_on: date
    outcome: str | None = None
    exemption: str | None = None
    reason: str = ""
    decided_by: UUID | None = Field(default=None, foreign_key="member.id")
    decided_at: datetime | None = Field(default=None, sa_type=Moment)


class ConcernAudit(SQLModel, table=True):
    """A reading or an act of a concern: for its leads only. Triggers refuse UPDATE, DELETE and TRUNCATE."""

    __tablename__ = "concern_audit"
    __table_args__ = (Index("ix_concern_audit_page", "concern_id", "id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    concern_id: UUID = Field(foreign_key="concern.id")
    actor_id: UUID | None = Field(foreign_key="member.id", description="None: the forum itself")
    act: str
    details: dict[str, Any] = Field(sa_type=JSONB)
    at: datetime = Field(sa_type=Moment)
