"""Tables: the talks of a case, and their messages."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id

MESSAGE_MAX = 5000


class TalkSide(StrEnum):
    """Why the moderators talk with this member."""

    AUTHOR = "author"  # the case is about them, or about what they wrote
    REPORTER = "reporter"


class Talk(SQLModel, table=True):
    """What moderators and one member write to each other about a case; each reporter has a talk of their own."""

    __table_args__ = (UniqueConstraint("case_id", "persona_id"), check_one_of("side", TalkSide))

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id")
    persona_id: UUID = Field(foreign_key="persona.id", index=True, description="With whom")
    side: str
    opened_at: datetime = Field(sa_type=Moment)
    closed_at: datetime | None = Field(default=None, sa_type=Moment, description="Since then nobody can write there")


class TalkMessage(SQLModel, table=True):
    """One message of a talk: by the member under their persona, or by a moderator, who chooses whether to sign."""

    __tablename__ = "talk_message"
    __table_args__ = (
        CheckConstraint("num_nonnulls(persona_id, moderator_id) = 1", name="writer"),
        Index("ix_talk_message_page", "talk_id", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    talk_id: UUID = Field(foreign_key="talk.id")
    persona_id: UUID | None = Field(default=None, foreign_key="persona.id", index=True)
    moderator_id: UUID | None = Field(default=None, foreign_key="member.id")
    signed: bool = Field(default=False, description="Whether the member is told which moderator wrote it")
    crisis: bool = Field(default=False, description="Whether screening found words of somebody in danger in it")
    text: str
    at: datetime = Field(sa_type=Moment)
