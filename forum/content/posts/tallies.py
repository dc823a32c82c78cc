"""How many posts each name has on each board: kept as posts are written, so that a card counts none of them.

Triggers write the rows (`migrations/versions/0017_counts.py`): one for each post that becomes visible or ceases to be,
and for each name in a thread that moves, or that becomes visible or ceases to be. Each is a row of its own: a row for
each name would be a lock more, held by everybody who writes until the commit. A count is the sum of its rows.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Column, ForeignKey, Identity, Index, Uuid, any_, bindparam, cast, func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content import boards
from forum.content.boards import Board
from forum.core.database import Prepared, query


class PostTally(SQLModel, table=True):
    """So many visible posts in visible threads more, or fewer, of one name on one board."""

    __tablename__ = "post_tally"
    __table_args__ = (Index("ix_post_tally_persona_id_board_id", "persona_id", "board_id"),)

    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    persona_id: UUID = Field(sa_column_args=[ForeignKey("persona.id", ondelete="CASCADE")])
    board_id: int = Field(sa_column_args=[ForeignKey("board.id", ondelete="CASCADE")])
    posts: int


# The numbers of visible posts that the names `member_ids` wrote on boards that exist for the viewer.
WRITTEN = Prepared(
    query(
        col(PostTally.persona_id).label("author_id"),
        cast(func.sum(PostTally.posts), BigInteger).label("posts"),
    )
    .join(Board, col(Board.id) == col(PostTally.board_id))
    .where(col(PostTally.persona_id) == any_(bindparam("member_ids", type_=ARRAY(Uuid()))), boards.READABLE)
    .group_by(col(PostTally.persona_id))
)

# In one statement, so that no reader sees a sum that is not there. Two at once do no harm: each row goes once.
_ADD_UP = text("""
WITH several AS (
    SELECT persona_id, board_id FROM post_tally GROUP BY persona_id, board_id HAVING count(*) > 1 OR sum(posts) = 0
), gone AS (
    DELETE FROM post_tally USING several
    WHERE post_tally.persona_id = several.persona_id AND post_tally.board_id = several.board_id
    RETURNING post_tally.persona_id, post_tally.board_id, post_tally.posts
)
INSERT INTO post_tally (persona_id, board_id, posts)
SELECT persona_id, board_id, sum(posts) FROM gone GROUP BY persona_id, board_id HAVING sum(posts) <> 0
""")


async def add_up(session: AsyncSession, _now: datetime) -> None:
    """Replace the rows of each name on each board by their sum."""
    await session.execute(_ADD_UP)
