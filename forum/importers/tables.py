"""Tables: what moved here from old boards, and when. With these, a run goes on where another was killed."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, false, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id


class RunState(StrEnum):
    """How far a run has come; one that was killed is running until another one has ended it."""

    RUNNING = "running"
    ENDED = "ended"


class MovedKind(StrEnum):
    """What moved."""

    BOARD = "board"
    PERSON = "person"
    THREAD = "thread"
    POST = "post"


class Was(StrEnum):
    """What something was on the old board, other than in order, when a run last saw it."""

    WAITING = "waiting"  # for a moderator: a post or a thread
    REMOVED = "removed"
    GONE = "gone"  # it was there before, and is no more
    BANNED = "banned"  # a person


class ImportRun(SQLModel, table=True):
    """That somebody moved an old board here, from the first batch to the last."""

    __tablename__ = "import_run"
    __table_args__ = (
        check_one_of("state", RunState),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ended"),
        Index("uq_import_run_running", "source", unique=True, postgresql_where=text("state = 'running'")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    source: str = Field(description="The old board: its program and its address")
    state: str = RunState.RUNNING
    started_at: datetime = Field(sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    counts: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)


class MovedItem(SQLModel, table=True):
    """What became of something of an old board.

    Whose member has left, has no member and no digest: a trigger forgets both. So it is known that it moved, and it is
    not moved again.
    """

    __tablename__ = "moved"
    __table_args__ = (
        check_one_of("kind", MovedKind),
        check_one_of("was", Was),
        CheckConstraint(
            "(revision IS NULL OR kind IN ('thread', 'post')) AND (stood_on IS NULL OR kind = 'thread')", name="left"
        ),
        CheckConstraint(
            "(board_id IS NOT NULL) = (kind = 'board') AND (thread_id IS NOT NULL) = (kind IN ('thread', 'post')) "
            "AND (number IS NOT NULL) = (kind = 'post') AND (member_id IS NULL OR kind = 'person') "
            "AND (edited_by IS NULL OR kind = 'post')",
            name="to",
        ),
        CheckConstraint("NOT is_merged OR kind = 'board'", name="merged"),
        Index("ix_moved_place", "thread_id", "number"),
        Index("ix_moved_edited_by", "edited_by", postgresql_where=text("edited_by IS NOT NULL")),
        Index("ix_moved_member_id", "member_id", postgresql_where=text("member_id IS NOT NULL")),
    )

    old: str = Field(primary_key=True, description="The id that it had on its old board")  # first: links ask by it
    kind: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    member_id: UUID | None = Field(default=None, foreign_key="member.id")
    board_id: int | None = Field(default=None, foreign_key="board.id")
    thread_id: int | None = Field(default=None, sa_type=BigInteger, foreign_key="thread.id")
    number: int | None = None
    edited_by: UUID | None = Field(
        default=None, foreign_key="member.id", description="Whose name the notice of an old moderator's change says"
    )
    is_merged: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": false()},
        description="Of a board: it went into one that is another's, or that was here before",
    )
    digest: bytes | None = Field(
        default=None, sa_type=LargeBinary, description="Of what it was on the old board: whether it changed there since"
    )
    run_id: UUID = Field(foreign_key="import_run.id")
    revision: int | None = Field(
        default=None,
        description="Of the post, or the version of the thread, that the last run left: if it is another one by now, "
        "people here changed it. Null: the first one",
    )
    was: str | None = Field(default=None, description="What it was on the old board; null: in order, or nobody knows")
    stood_on: str | None = Field(default=None, description="Of a thread: its board there, by its old id")
