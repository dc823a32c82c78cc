"""Tables: the measures that were taken. And what a moderator asks for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from forum.content.posts.tables import Post
from forum.content.words import Span
from forum.core.database import Moment, check_one_of
from forum.core.work import Work
from forum.members.viewer import Viewer

# What the undo of a measure needs to know of how things were before; JSON.
UndoData = dict[str, Any]


class MeasureKind(StrEnum):
    """What can be done about a post, its thread and its author."""

    PUBLISH = "publish"
    REFUSE = "refuse"
    EDIT = "edit"
    REDACT = "redact"
    REMOVE = "remove"
    RETITLE = "retitle"
    LOCK = "lock"
    MOVE = "move"
    RENAME = "rename"
    WARN = "warn"
    REVIEW = "review"
    SILENCE = "silence"
    SUSPEND = "suspend"
    BAN = "ban"
    DISMISS = "dismiss"


class NewHandle(StrEnum):
    """Which handle a member gets instead of theirs. Moderators do not make up names for others."""

    NEUTRAL = "neutral"


UNNAMED_MODERATOR = "a moderator"  # where readers are not told which one
WITHOUT_POST = "A measure about a post was taken where there is none."
TEXT_MEASURES = (MeasureKind.EDIT, MeasureKind.REDACT)


class MeasureTarget(StrEnum):
    """What a measure acts on."""

    POST = "post"
    THREAD = "thread"
    AUTHOR = "author"
    CASE = "case"


class AppliedMeasure(SQLModel, table=True):
    """A measure that was taken, with what its undo needs; it is in force until `undone_at`."""

    __tablename__ = "measure"
    __table_args__ = (
        check_one_of("kind", MeasureKind),
        CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone"),
        Index("ix_measure_standing", "post_id", "id", postgresql_where=text("undone_at IS NULL")),
        # Which measures changed a post: a quote may be in another thread than the post that was decided about.
        Index(
            "ix_measure_memory",
            "memory",
            postgresql_using="gin",
            postgresql_ops={"memory": "jsonb_path_ops"},
            postgresql_where=text("undone_at IS NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    decision_id: UUID = Field(foreign_key="decision.id", index=True)
    kind: str
    post_id: int | None = Field(sa_type=BigInteger, foreign_key="post.id")
    thread_id: int | None = Field(sa_type=BigInteger, foreign_key="thread.id", index=True)
    member_id: UUID = Field(foreign_key="member.id", index=True)
    until: datetime | None = Field(default=None, sa_type=Moment)
    memory: dict[str, Any] = Field(sa_type=JSONB)
    notice: dict[str, Any] | None = Field(sa_type=JSONB, description="What readers are told while it is in force")
    applied_at: datetime = Field(sa_type=Moment)
    undone_at: datetime | None = Field(default=None, sa_type=Moment)
    undone_by: UUID | None = Field(default=None, foreign_key="decision.id")

    @property
    def on_post(self) -> int:
        """Return the id of the post that it is about. Raises RuntimeError for a measure without a post."""
        if self.post_id is None:
            raise RuntimeError(WITHOUT_POST)
        return self.post_id

    @property
    def in_thread(self) -> int:
        """Return the id of the thread of its post. Raises RuntimeError for a measure without a post."""
        if self.thread_id is None:
            raise RuntimeError(WITHOUT_POST)
        return self.thread_id


@dataclass(frozen=True)
class MeasureInput:
    """A measure as a moderator asks for it."""

    kind: MeasureKind
    spans: tuple[Span, ...] = ()
    body_markdown: str | None = None
    title: str | None = None
    board: str | None = None
    name: str | None = None
    handle: NewHandle | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class MeasureContext:
    """What a measure of a decision is given: about which post, whose row is locked, if any; about which member; who
    decides, and under which rules.
    """

    work: Work
    moderator: Viewer
    held_post: Post | None
    decision_id: UUID
    member_id: UUID
    rules: tuple[int, ...] = ()
    together: frozenset[int] = frozenset()  # the ids of all posts that are decided about at once

    @property
    def post(self) -> Post:
        """Return the post. Raises RuntimeError where a member is decided about without one."""
        if self.held_post is None:
            raise RuntimeError(WITHOUT_POST)
        return self.held_post

    @property
    def session(self) -> AsyncSession:
        """The transaction."""
        return self.work.session

    @property
    def now(self) -> datetime:
        """When the measures are taken or undone."""
        return self.work.now

    @property
    def shown_name(self) -> str:
        """The name under which readers see who did it."""
        return (self.moderator.name if self.work.settings.names_moderators else None) or UNNAMED_MODERATOR


# What takes a measure, and what undoes it.
Apply = Callable[[MeasureContext, MeasureInput], Awaitable[UndoData]]
Undo = Callable[[MeasureContext, AppliedMeasure], Awaitable[None]]
