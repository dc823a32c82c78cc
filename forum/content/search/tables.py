"""The tables of search: the words of posts and titles, what is still to be indexed, searches, words to suggest."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of

QUERY_MAX = 200


class PostSearch(SQLModel, table=True):
    """The words of a visible post. The row goes with a trigger when the post changes, and comes back a moment later.

    The board is noted to find posts by it; whether somebody may read a post, its thread and board say.
    """

    __tablename__ = "post_search"
    __table_args__ = (
        Index("ix_post_search_words", "words", postgresql_using="gin"),
        Index("ix_post_search_newest", "written_at", "post_id"),
        Index("ix_post_search_board", "board_id", "written_at", "post_id"),
        Index("ix_post_search_author", "author_id", "written_at", "post_id"),
        Index("ix_post_search_advisers", "written_at", "post_id", postgresql_where=text("by_adviser")),
    )

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id", ondelete="CASCADE")
    board_id: int
    author_id: UUID = Field(foreign_key="persona.id")
    by_adviser: bool
    written_at: datetime = Field(sa_type=Moment)
    words: str = Field(sa_type=TSVECTOR)


class ThreadSearch(SQLModel, table=True):
    """The words of a title."""

    __tablename__ = "thread_search"
    __table_args__ = (Index("ix_thread_search_words", "words", postgresql_using="gin"),)

    thread_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="thread.id", ondelete="CASCADE")
    words: str = Field(sa_type=TSVECTOR)


class UnindexedPost(SQLModel, table=True):
    """A post whose words are to be indexed. It may have several rows: nobody waits for one to write another."""

    __tablename__ = "unindexed_post"

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    post_id: int = Field(sa_type=BigInteger, foreign_key="post.id", ondelete="CASCADE", index=True)


class UnindexedThread(SQLModel, table=True):
    """A thread whose title is to be indexed, and whose posts may be noted under another board."""

    __tablename__ = "unindexed_thread"

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    thread_id: int = Field(sa_type=BigInteger, foreign_key="thread.id", ondelete="CASCADE", index=True)


class SearchProgress(SQLModel, table=True):
    """How far what was there before is indexed, from the newest down, and in which language words are taken."""

    __tablename__ = "search_progress"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    language: str
    posts_below: int = Field(sa_type=BigInteger)
    threads_below: int = Field(sa_type=BigInteger)


class SearchWord(SQLModel, table=True):
    """A word that several people wrote where guests read, and in how many posts: it may be suggested."""

    __tablename__ = "search_word"

    word: str = Field(primary_key=True)
    posts: int


class SearchSpelling(SQLModel, table=True):
    """A word with one letter left out, or none: two words that share one differ by one slip."""

    __tablename__ = "search_spelling"

    variant: str = Field(primary_key=True)
    word: str = Field(primary_key=True, foreign_key="search_word.word", ondelete="CASCADE", index=True)


class Sort(StrEnum):
    """In which order results come."""

    NEWEST = "newest"
    RELEVANCE = "relevance"


class Search(SQLModel, table=True):
    """What somebody searched for, for one hour: so that it stands in no address."""

    __table_args__ = (
        check_one_of("sort", Sort),
        CheckConstraint(f"char_length(query) BETWEEN 1 AND {QUERY_MAX}", name="query"),
    )

    id: UUID = Field(primary_key=True)
    member_id: UUID | None = Field(default=None, foreign_key="member.id", ondelete="CASCADE", index=True)
    query: str
    board_id: int | None = Field(default=None, foreign_key="board.id", ondelete="CASCADE")
    author_id: UUID | None = Field(default=None, foreign_key="persona.id", ondelete="CASCADE")
    by_advisers: bool = False
    in_titles: bool = False
    since: date | None = None
    until: date | None = None
    sort: str = Sort.NEWEST
    made_at: datetime = Field(sa_type=Moment, index=True)
