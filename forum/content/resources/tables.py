"""The tables of help elsewhere: each place once, and the boards and threads that show it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id

NAME_MAX, DESCRIPTION_MAX, NUMBER_MAX, HOURS_MAX, REGION_MAX, TAG_MAX = 100, 500, 40, 100, 60, 30
MOST_TAGS = 8


class ResourceState(StrEnum):
    """Whether readers can rely on what is said of a place."""

    CURRENT = "current"
    DOUBTFUL = "doubtful"  # it may be out of date


class ResourceEntry(SQLModel, table=True):
    """A place outside the forum that helps, and how one reaches it."""

    __tablename__ = "resource"
    __table_args__ = (
        check_one_of("state", ResourceState),
        CheckConstraint(f"char_length(name) BETWEEN 1 AND {NAME_MAX}", name="name"),
        CheckConstraint("num_nonnulls(telephone, text_number, url) > 0", name="reach"),
        CheckConstraint(f"cardinality(tags) <= {MOST_TAGS}", name="tags"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    name: str
    description: str
    telephone: str | None = Field(description="As it was typed")
    text_number: str | None
    hours: str | None = Field(description="When somebody answers, in words")
    url: str | None
    region: str | None = Field(description="Null: it is for everybody")
    tags: list[str] = Field(sa_type=ARRAY(Text))
    state: str
    checked_at: datetime = Field(sa_type=Moment, description="When somebody last looked whether it is still so")
    changed_by: UUID = Field(foreign_key="member.id")


class ResourceOnBoard(SQLModel, table=True):
    """A place of help that stands on a board."""

    __tablename__ = "resource_on_board"

    board_id: int = Field(primary_key=True, foreign_key="board.id", ondelete="CASCADE")
    resource_id: UUID = Field(primary_key=True, foreign_key="resource.id", ondelete="CASCADE", index=True)
    attached_at: datetime = Field(sa_type=Moment)
    attached_by: UUID = Field(foreign_key="member.id")


class ResourceOnThread(SQLModel, table=True):
    """A place of help that stands in a thread."""

    __tablename__ = "resource_on_thread"

    thread_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="thread.id", ondelete="CASCADE")
    resource_id: UUID = Field(primary_key=True, foreign_key="resource.id", ondelete="CASCADE", index=True)
    attached_at: datetime = Field(sa_type=Moment)
    attached_by: UUID = Field(foreign_key="member.id")
