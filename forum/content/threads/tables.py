"""The table of threads, with their state and visibility."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Identity,
    Index,
    literal_column,
    text,
)
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, row_class

TITLE_MIN, TITLE_MAX = 3, 120
LOCK_REASON_MAX = 500


ERASED_TITLE = "Opened by a former member"


class ThreadState(StrEnum):
    """Whether a thread takes replies."""

    OPEN = "open"
    LOCKED = "locked"


def can_name(column: str) -> str:
    """Return the condition, for an index and for what seeks in it, that a text can name somebody; few do."""
    return f"{column} LIKE '%@%'"


class ThreadVisibility(StrEnum):
    """Whether readers see a thread at all."""

    VISIBLE = "visible"
    HELD = "held"
    REMOVED = "removed"


class Thread(SQLModel, table=True):
    """A thread on a board, with the counts that lists show: a new post updates them, so that no read counts."""

    __table_args__ = (
        CheckConstraint(f"char_length(title) BETWEEN {TITLE_MIN} AND {TITLE_MAX}", name="title"),
        check_one_of("state", ThreadState),
        CheckConstraint(f"char_length(lock_reason) BETWEEN 1 AND {LOCK_REASON_MAX}", name="lock_reason"),
        check_one_of("visibility", ThreadVisibility),
        CheckConstraint("posts >= 0 AND posts <= last_number AND participants <= posts", name="counts"),
        Index("ix_thread_board_page", "board_id", "pinned", "last_post_at", "id"),
        Index("ix_thread_newest", "last_post_at", "id"),
        Index("ix_thread_waiting", "waiting_since", "id", postgresql_where=text("waiting_since IS NOT NULL")),
        Index("ix_thread_asked", "asked_since", "id", postgresql_where=text("asked_since IS NOT NULL")),
        Index("ix_thread_news", "news_since", "id", postgresql_where=text("news_since IS NOT NULL")),
        Index("ix_thread_title_naming", "id", postgresql_where=text(can_name("title"))),
        Index("ix_thread_lock_reason_naming", "id", postgresql_where=text(can_name("lock_reason"))),
        CheckConstraint(
            "(asked_since IS NULL) = (asked_number IS NULL) AND (news_since IS NULL) = (news_number IS NULL)",
            name="lanes",
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    board_id: int = Field(foreign_key="board.id")
    author_id: UUID = Field(foreign_key="persona.id", index=True)
    title: str
    title_revision: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    titled_at: datetime | None = Field(default=None, sa_type=Moment, description="Null: when it was opened")
    titled_by: UUID | None = Field(default=None, foreign_key="persona.id", description="Null: whoever opened it")
    state: str = Field(default=ThreadState.OPEN)
    lock_reason: str | None = Field(default=None, description="What a moderator says to readers of a locked thread")
    pinned: bool = False
    visibility: str = Field(default=ThreadVisibility.VISIBLE)
    version: int = 1
    opened_at: datetime = Field(sa_type=Moment)
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID | None = Field(default=None, foreign_key="persona.id")
    last_number: int = Field(default=0, description="The highest number of a post, visible or not")
    posts: int = Field(default=0, description="Visible posts")
    participants: int = Field(default=0, description="Members with a visible post")
    last_post_number: int | None = None
    last_post_at: datetime = Field(
        sa_type=Moment, description="Of the last visible post; before there is one, when the thread was opened"
    )
    last_post_by: UUID | None = Field(default=None, foreign_key="persona.id")
    adviser_replies: int = 0
    first_adviser_number: int | None = None
    latest_adviser_number: int | None = None
    asked_since: datetime | None = Field(
        default=None, sa_type=Moment, description="Of the first post that asks something and is not answered yet"
    )
    asked_number: int | None = None
    news_since: datetime | None = Field(
        default=None, sa_type=Moment, description="Of the latest news that no adviser has answered yet"
    )
    news_number: int | None = None
    waiting_since: datetime | None = Field(
        default=None,
        sa_type=Moment,
        description="Of a thread in which the release before lanes wrote: a job sorts its posts, and empties this",
    )

    @property
    def is_gone(self) -> bool:
        """Whether nobody but its author and moderators can find it any more, whatever is written in it."""
        is_empty = self.visibility == ThreadVisibility.VISIBLE and self.posts == 0
        return is_empty or self.visibility == ThreadVisibility.REMOVED


# Which transaction wrote the row last: where it is the same as when the row was read, so is the row.
AS_READ: ColumnElement[int] = literal_column("CAST(CAST(thread.xmin AS text) AS bigint)", BigInteger())


class ThreadRow(row_class(Thread)):  # type: ignore[misc] # made from the columns
    """A thread as a row, which no session looks after: for replies."""

    is_gone = Thread.is_gone


class ThreadTitleRevision(SQLModel, table=True):
    """A title that a thread had before."""

    __tablename__ = "thread_title_revision"
    __table_args__ = (
        Index("ix_thread_title_revision_naming", "thread_id", "number", postgresql_where=text(can_name("title"))),
    )

    thread_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="thread.id")
    number: int = Field(primary_key=True)
    title: str
    sealed: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": text("false")},
        description="A moderator took it away: only moderators can read it, and each read is recorded",
    )
    written_at: datetime = Field(sa_type=Moment)
    written_by: UUID = Field(foreign_key="persona.id")
