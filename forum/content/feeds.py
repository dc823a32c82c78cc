"""Feeds: the newest threads of a board, for feed readers and for pages of other sites.

Only of boards that everyone may read and search engines may index. Titles, addresses and dates; no words of posts and
no names. A feed reader keeps what it saw and asks again hours later, so a thread is in the feed a quarter of an hour
after it appeared and not before, and an entry whose thread went or has another title comes once more as changed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, Text, and_, bindparam, case, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, Index, SQLModel, col

from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.database import Moment, Prepared, Reader
from forum.core.errors import NotFound
from forum.core.jobs import Job, Payload

NOTE_THREADS = Job("note_feeds")
LATE_BY = timedelta(minutes=15)  # in which a moderator or the author may take it away
NEW_FOR = timedelta(days=30)  # what is older when it appears, is no news
KEPT_FOR = timedelta(days=90)  # after its last change
LONGEST = 50  # entries of a feed


class FeedEntry(SQLModel, table=True):
    """That a thread stood in the feed of a board: whoever saw it there has to be told when it goes.

    It holds no title: `title_hash` says only whether it is still the same one.
    """

    __tablename__ = "feed_entry"
    __table_args__ = (Index("ix_feed_entry_page", "board_id", "noted_at", "thread_id"),)

    board_id: int = Field(primary_key=True, foreign_key="board.id", ondelete="CASCADE")
    thread_id: int = Field(
        primary_key=True, sa_type=BigInteger, foreign_key="thread.id", ondelete="CASCADE", index=True
    )
    is_gone: bool = False
    title_hash: int = Field(sa_type=BigInteger)
    noted_at: datetime = Field(sa_type=Moment, description="When it came, went, or got another title")


class FeedItem(NamedTuple):
    """An entry as a feed shows it; one without a title is gone."""

    thread_id: int
    title: str | None
    opened_at: datetime
    updated_at: datetime


class Feed(NamedTuple):
    """The feed of a board, what changed last first."""

    slug: str
    name: str
    description: str
    updated_at: datetime
    items: Sequence[FeedItem]


# The same as `has_feed`.
_IS_FED = and_(literal("everyone", Text()) == func.any(col(Board.readers)), col(Board.indexable))
# The thread of an entry can be read on the entry's board.
_IS_THERE = and_(THREAD_SHOWN, col(Thread.board_id) == col(FeedEntry.board_id))
_TITLE_HASH = func.hashtextextended(col(Thread.title), 0)
# The entry does not say yet what became of its thread.
_IS_NEWS = or_(col(FeedEntry.is_gone) == _IS_THERE, and_(_IS_THERE, col(FeedEntry.title_hash) != _TITLE_HASH))

_BOARD = Prepared(
    select(col(Board.id), col(Board.slug), col(Board.name), col(Board.description), col(Board.made_at)).where(
        _IS_FED, col(Board.slug) == bindparam("slug", type_=Text())
    )
)
_ENTRIES = Prepared(
    select(
        col(FeedEntry.thread_id),
        case((_IS_THERE, col(Thread.title))).label("title"),
        col(Thread.opened_at),
        col(FeedEntry.noted_at),
        _IS_NEWS.label("is_news"),
    )
    .join(Thread, col(Thread.id) == col(FeedEntry.thread_id))
    .where(col(FeedEntry.board_id) == bindparam("board_id", type_=Integer()))
    .order_by(col(FeedEntry.noted_at).desc(), col(FeedEntry.thread_id).desc())
    .limit(LONGEST)
)


def has_feed(board: Any) -> bool:
    """Return whether a board has a feed: everyone may read it, and search engines may index it."""
    return "everyone" in board.readers and board.indexable


async def read_feed(reader: Reader, slug: str, now: datetime) -> Feed:
    """Return the feed of a board. Raises NotFound where the board has none, or is not there for everyone."""
    board = await reader.row(_BOARD, slug=slug)
    if board is None:
        raise NotFound("There is no such board.", code="board_not_found")
    items = [_item(row, now) for row in await reader.rows(_ENTRIES, board_id=board.id)]
    latest = max((item.updated_at for item in items), default=board.made_at)
    return Feed(board.slug, board.name, board.description, latest, items)


async def note_threads(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Put threads into the feeds of their boards, and note which went or have another title. Idempotent."""
    appeared_at = func.coalesce(col(Post.published_at), col(Post.created_at))
    is_first = and_(col(Post.thread_id) == col(Thread.id), col(Post.number) == 1)
    new = (
        select(col(Thread.board_id), col(Thread.id), _TITLE_HASH, literal(now, Moment))
        .join(Board, col(Board.id) == col(Thread.board_id))
        .join(Post, is_first)
        .where(_IS_FED, THREAD_SHOWN, appeared_at.between(now - NEW_FOR, now - LATE_BY))
        .where(col(Thread.last_post_at) >= now - NEW_FOR)  # it has an index
    )
    names = ["board_id", "thread_id", "title_hash", "noted_at"]
    await session.execute(insert(FeedEntry).from_select(names, new).on_conflict_do_nothing())
    changed = update(FeedEntry).where(col(Thread.id) == col(FeedEntry.thread_id), _IS_NEWS)
    await session.execute(changed.values(is_gone=~_IS_THERE, title_hash=_TITLE_HASH, noted_at=now))
    await session.execute(delete(FeedEntry).where(col(FeedEntry.noted_at) < now - KEPT_FOR))


def _item(row: Any, now: datetime) -> FeedItem:
    return FeedItem(row.thread_id, row.title, row.opened_at, now if row.is_news else row.noted_at)
