"""Boards as lists show them: with their numbers of threads and posts, and the time of the last post."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Integer, bindparam, func
from sqlmodel import col

from forum.content import boards
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.database import Prepared, Reader, query
from forum.members.viewer import Viewer


class BoardCard(NamedTuple):
    """A board with its totals, which are None before the first thread."""

    board: Any
    totals: Any | None


_TOTALS = (
    query(
        col(Thread.board_id),
        func.count().label("threads"),
        func.sum(Thread.posts).label("posts"),
        func.max(Thread.last_post_at).label("last_post_at"),
    )
    .where(THREAD_SHOWN)
    .group_by(col(Thread.board_id))
)
_OF_ALL = Prepared(_TOTALS)
_OF_ONE = Prepared(_TOTALS.where(col(Thread.board_id) == bindparam("board_id", type_=Integer())))


async def list_board_cards(reader: Reader, viewer: Viewer) -> Sequence[BoardCard]:
    """Return every board that exists for the viewer, in order."""
    rows = await reader.rows(boards.ALL_VISIBLE, **viewer.query_parameters)
    totals = {row.board_id: row for row in await reader.rows(_OF_ALL)}
    return [BoardCard(row, totals.get(row.id)) for row in rows]


async def get_board_card(reader: Reader, viewer: Viewer, slug: str) -> BoardCard:
    """Return one board. Raises NotFound when it does not exist for the viewer."""
    board = await boards.get_board(reader, viewer, slug)
    return BoardCard(board, await reader.row(_OF_ONE, board_id=board.id))
