"""What is kept of a measure, and the words in which one is asked for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from forum.content.posts.tables import Post
from forum.core.database import Moment
from forum.members.viewer import Viewer
from moderation import redaction

# What the undo of a measure must know of how things were.
UndoData = dict[str, Any]


class Kind(StrEnum):
    """What can be done about a post, its thread and its author."""

    PUBLISH = "publish"
    EDIT = "edit"
    REDACT = "redact"
    REMOVE = "remove"
    RETITLE = "retitle"
    LOCK = "lock"
    MOVE = "move"
    WARN = "warn"
    SILENCE = "silence"
    SUSPEND = "suspend"
    BAN = "ban"
    DISMISS = "dismiss"


UNNAMED_MODERATOR = "a moderator"  # where readers are not to know which one
TEXT_MEASURES = (Kind.EDIT, Kind.REDACT)


class Target(StrEnum):
    """What a measure acts on."""

    POST = "post"
    THREAD = "thread"
    AUTHOR = "author"
    CASE = "case"


class AppliedMeasure(SQLModel, table=True):
    """A measure that was taken, with what its undo needs; it stands until `undone_at`."""

    __tablename__ = "measure"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(str(k)) for k in Kind)})", name="kind"),
        CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone"),
        Index("ix_measure_standing", "post_id", "id", postgresql_where=text("undone_at IS NULL")),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    decision_id: UUID = Field(foreign_key="decision.id", index=True)
    kind: str
    post_id: int = Field(sa_type=BigInteger, foreign_key="post.id")
    thread_id: int = Field(sa_type=BigInteger, foreign_key="thread.id", index=True)
    member_id: UUID = Field(foreign_key="member.id", index=True)
    until: datetime | None = Field(default=None, sa_type=Moment)
    memory: dict[str, Any] = Field(sa_type=JSONB)
    notice: dict[str, Any] | None = Field(sa_type=JSONB, description="What readers are told while it stands")
    applied_at: datetime = Field(sa_type=Moment)
    undone_at: datetime | None = Field(default=None, sa_type=Moment)
    undone_by: UUID | None = Field(default=None, foreign_key="decision.id")


@dataclass(frozen=True)
class MeasureInput:
    """A measure as a moderator asks for it."""

    kind: Kind
    spans: tuple[redaction.Span, ...] = ()
    body_markdown: str | None = None
    title: str | None = None
    board: str | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class MeasureContext:
    """Where measures act: the post, whose row is held, and who acts, under which rules, by which name."""

    moderator: Viewer
    shown_name: str
    post: Post
    rules: tuple[int, ...]
    now: datetime
