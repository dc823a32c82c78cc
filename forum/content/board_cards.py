"""Boards as lists show them: with their numbers of threads and posts, and the time of the last post.

Triggers keep the numbers (`migrations/versions/0035_board_tally.py`): a row for each thread that readers begin or cease
to see, and for each post in one. A number is the sum of its rows, as with the posts of each name
(`posts/tallies.py`, which says why). The time stands in an index of threads.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Text, bindparam, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content import boards
from forum.content.boards import Board
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.database import Prepared, Reader, columns, query
from forum.core.errors import NotFound
from forum.members.viewer import Viewer


class BoardTally(SQLModel, table=True):
    """So many threads and posts more, or fewer, that readers of a board see."""

    __tablename__ = "board_tally"

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    board_id: int = Field(sa_column_args=[ForeignKey("board.id", ondelete="CASCADE")], index=True)
    threads: int
    posts: int


class BoardCard(NamedTuple):
    """A board with its totals; without a thread there is no last post."""

    board: Any
    threads: int
    posts: int
    last_post_at: datetime | None


def _latest(*conditions: Any) -> Any:
    # For this and no other form of the question, PostgreSQL looks at the end of `ix_thread_board_page` alone.
    found = select(func.max(Thread.last_post_at)).where(
        col(Thread.board_id) == col(Board.id), THREAD_SHOWN, *conditions
    )
    return found.correlate(Board).scalar_subquery()


def _sum_of(column: Any) -> Any:
    found = select(func.coalesce(cast(func.sum(column), BigInteger), 0))
    return found.where(col(BoardTally.board_id) == col(Board.id)).correlate(Board).scalar_subquery()


_VISIBLE = query(
    *columns(Board),
    _sum_of(BoardTally.threads).label("threads"),
    _sum_of(BoardTally.posts).label("posts"),
    func.greatest(_latest(col(Thread.pinned)), _latest(~col(Thread.pinned))).label("last_post_at"),
).where(boards.READABLE)
_ALL = Prepared(_VISIBLE.order_by(col(Board.position), col(Board.id)))
_ONE = Prepared(_VISIBLE.where(col(Board.slug) == bindparam("slug", type_=Text())))


async def list_board_cards(reader: Reader, viewer: Viewer) -> Sequence[BoardCard]:
    """Return every board that exists for the viewer, in order."""
    return list(map(_card, await reader.rows(_ALL, **viewer.query_parameters)))


async def get_board_card(reader: Reader, viewer: Viewer, slug: str) -> BoardCard:
    """Return one board. Raises NotFound when it does not exist for the viewer."""
    row = await reader.row(_ONE, **viewer.query_parameters, slug=slug)
    if row is None:
        raise NotFound("There is no such board.", code="board_not_found")
    return _card(row)


def _card(row: Any) -> BoardCard:
    return BoardCard(row, row.threads, row.posts, row.last_post_at)


# In one statement, so that no reader sees a sum that is not there. Two at once do no harm: each row goes once.
_ADD_UP = text("""
WITH several AS (
    SELECT board_id FROM board_tally GROUP BY board_id HAVING count(*) > 1
), gone AS (
    DELETE FROM board_tally USING several WHERE board_tally.board_id = several.board_id
    RETURNING board_tally.board_id, board_tally.threads, board_tally.posts
)
INSERT INTO board_tally (board_id, threads, posts)
SELECT board_id, sum(threads), sum(posts) FROM gone GROUP BY board_id
HAVING sum(threads) <> 0 OR sum(posts) <> 0
""")


async def add_up(session: AsyncSession, _now: datetime) -> None:
    """Replace the rows of each board by their sum."""
    await session.execute(_ADD_UP)
