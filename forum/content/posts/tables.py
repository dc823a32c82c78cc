"""The tables of posts and of their earlier revisions."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from forum.content.lanes import Lane
from forum.content.posts.lengths import BODY_MAX, WARNING_MAX
from forum.core.database import Moment, check_one_of

WORDS_KEPT = timedelta(days=30)  # of a withdrawn post, in which it can be reported
NUMBER_MAX = 2**31 - 1  # the largest integer of the column: a larger one in a query would be a database error


class Visibility(StrEnum):
    """Whether readers see a post, and who decided that."""

    VISIBLE = "visible"
    HELD = "held"
    REMOVED = "removed"
    WITHDRAWN = "withdrawn"


NEXT: Mapping[Visibility, frozenset[Visibility]] = {
    Visibility.HELD: frozenset({Visibility.VISIBLE, Visibility.REMOVED, Visibility.WITHDRAWN}),
    Visibility.VISIBLE: frozenset({Visibility.HELD, Visibility.REMOVED, Visibility.WITHDRAWN}),
    # Only when the author's account is erased: an author cannot withdraw a single removed post.
    Visibility.REMOVED: frozenset({Visibility.VISIBLE, Visibility.WITHDRAWN}),
    Visibility.WITHDRAWN: frozenset(),
}


SHOWN = (
    Visibility.VISIBLE,
    Visibility.HELD,
)  # with its text, to those for whom the post exists; the others are tombstones


class Voice(StrEnum):
    """Whether the author wrote as a member, an adviser or staff, at the time of the post."""

    MEMBER = "member"
    ADVISER = "adviser"
    STAFF = "staff"


class Post(SQLModel, table=True):
    """A post as it is now; its earlier texts are in PostRevision."""

    __table_args__ = (
        UniqueConstraint("thread_id", "number"),
        ForeignKeyConstraint(["thread_id", "reply_to"], ["post.thread_id", "post.number"]),
        CheckConstraint("number >= 1 AND reply_to < number", name="number"),
        check_one_of("visibility", Visibility),
        check_one_of("voice", Voice),
        check_one_of("lane", Lane),
        CheckConstraint(
            "(voice = 'adviser') = (num_nonnulls(adviser_name, adviser_title, adviser_organisation) = 3)",
            name="adviser",
        ),
        CheckConstraint("(visibility = 'held') = (held_because IS NOT NULL)", name="held_because"),
        CheckConstraint(f"char_length(body_markdown) BETWEEN 1 AND {BODY_MAX}", name="body"),
        CheckConstraint(f"char_length(content_warning) BETWEEN 1 AND {WARNING_MAX}", name="content_warning"),
        Index("ix_post_author", "author_id", "thread_id"),
        Index("ix_post_held", "author_id", postgresql_where=text("visibility = 'held'")),
        Index("ix_post_adviser", "thread_id", "number", postgresql_where=text("voice = 'adviser'")),
        Index("ix_post_words_kept", "words_kept_until", postgresql_where=text("words_kept_until IS NOT NULL")),
        CheckConstraint("words_kept_until IS NULL OR visibility = 'withdrawn'", name="words_kept"),
        Index("ix_post_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
        Index(
            "ix_post_published_in_thread",
            "thread_id",
            "published_at",
            postgresql_where=text("published_at IS NOT NULL"),
        ),
        Index("ix_post_quotes_unrecorded", "id", postgresql_where=text("NOT quotes_recorded")),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    thread_id: int = Field(sa_type=BigInteger, foreign_key="thread.id")
    number: int
    author_id: UUID = Field(foreign_key="persona.id")
    voice: str
    adviser_name: str | None
    adviser_title: str | None
    adviser_organisation: str | None
    visibility: str
    held_because: str | None
    reply_to: int | None
    asks: bool | None = Field(description="Whether its author said that it asks something. Null: they did not say")
    lane: str | None = Field(
        description="What it wants of an adviser, until that is settled. Decided when it was written: an edit changes "
        "nothing of it"
    )
    content_warning: str | None
    body_markdown: str
    body_html: str
    revision: int = 1
    notice: dict[str, Any] | None = Field(
        default=None, sa_type=JSONB, description="What readers see about a moderator's change"
    )
    created_at: datetime = Field(sa_type=Moment)
    published_at: datetime | None = Field(
        default=None, sa_type=Moment, description="When it appeared, if it was held before. Null: when it was written"
    )
    told_at: datetime | None = Field(
        default=None, sa_type=Moment, description="When those whom it concerns were told of it: once, and never again"
    )
    edited_at: datetime | None = Field(default=None, sa_type=Moment)
    changed_by: UUID | None = Field(default=None, foreign_key="persona.id")
    words_kept_until: datetime | None = Field(
        default=None, sa_type=Moment, description="Of a withdrawn post: until then it can be reported"
    )
    quotes_recorded: bool = Field(
        default=True,
        sa_column_kwargs={"server_default": text("false")},
        description="Whether PostQuote and QuotedWords have its rows; a job adds those of older posts",
    )

    @property
    def is_shown(self) -> bool:
        """Whether its text can be read: it was neither removed nor withdrawn."""
        return self.visibility in SHOWN

    def can_be_reported(self, now: datetime) -> bool:
        """Whether its readers can report it: they see it, or it was withdrawn a short time ago."""
        return self.is_shown or (self.words_kept_until is not None and self.words_kept_until > now)


class UntoldPost(SQLModel, table=True):
    """A post that appeared a moment ago, until those whom it concerns are told of it."""

    __tablename__ = "untold_post"

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id", ondelete="CASCADE")


class PostRevision(SQLModel, table=True):
    """The text of a post before an edit."""

    __tablename__ = "post_revision"

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id")
    number: int = Field(primary_key=True)
    content_warning: str | None
    body_markdown: str
    body_html: str
    sealed: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": text("false")},
        description="Has redacted words: only moderators can read it, and each read is recorded",
    )
    written_at: datetime = Field(sa_type=Moment)


class PostQuote(SQLModel, table=True):
    """Which post a revision of a post quotes, and the revision in which the words stood when the quote was written.

    The revision 0 stands for all edits of the post that were held: see `quotes.IN_HELD_EDITS`.
    """

    __tablename__ = "post_quote"

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id")
    revision: int = Field(primary_key=True)
    quoted_post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id", index=True)
    quoted_revision: int


class QuotedWords(SQLModel, table=True):
    """What the quotes in a revision of a post say, as numbers: by these a post is found that repeats another's words.

    They find quotes that name nobody, or that stand in another thread. Each number stands for a few words in a row. The
    revision 0 is as in PostQuote.
    """

    __tablename__ = "quoted_words"
    __table_args__ = (Index("ix_quoted_words_runs", "runs", postgresql_using="gin"),)

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id")
    revision: int = Field(primary_key=True)
    runs: list[int] = Field(sa_type=ARRAY(Integer))


class HeldState(StrEnum):
    """What became of an edit that was held. One that is published has no row any more: its words are the post's."""

    WAITING = "waiting"
    REFUSED = "refused"
    DROPPED = "dropped"  # its author wrote something else, or the post went


# For the partial indexes: a plan for any parameter could not use them.
IS_WAITING = "state = 'waiting'"


class HeldEdit(SQLModel, table=True):
    """An edit that waits for a moderator while the approved words stay: of a post's body, or of its thread's title."""

    __tablename__ = "held_edit"
    __table_args__ = (
        check_one_of("state", HeldState),
        CheckConstraint("num_nonnulls(title, body_markdown) = 1", name="words"),
        CheckConstraint("(body_markdown IS NULL) = (body_html IS NULL)", name="html"),
        Index("ix_held_edit_waiting", "written_by", postgresql_where=text(IS_WAITING)),
        Index("uq_held_edit_body", "post_id", unique=True, postgresql_where=text(f"{IS_WAITING} AND title IS NULL")),
        Index(
            "uq_held_edit_title", "thread_id", unique=True, postgresql_where=text(f"{IS_WAITING} AND title IS NOT NULL")
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    post_id: int = Field(sa_type=BigInteger, foreign_key="post.id", index=True, description="Of a title: the first")
    thread_id: int = Field(sa_type=BigInteger, foreign_key="thread.id")
    title: str | None = None
    content_warning: str | None = None
    body_markdown: str | None = None
    body_html: str | None = None
    state: str = HeldState.WAITING
    held_because: str
    written_at: datetime = Field(sa_type=Moment)
    written_by: UUID = Field(foreign_key="persona.id")

    @property
    def words(self) -> str:
        """Return the title or the body."""
        return self.title or self.body_markdown or ""
