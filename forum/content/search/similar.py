"""Threads that may be about the same as a title that somebody writes: by the rarest words of it."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Text, bindparam, cast, func, select, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.context import context_on_board
from forum.content.posts.draft import NO_WORDS
from forum.content.search.queries import begin_bounded, too_long
from forum.content.search.tables import ThreadSearch
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.database import query
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

MOST = 5
WORDS = 3  # the rarest of a title
COUNTED = 5_000  # titles with a word: one that has more says nothing about a thread
MOST_WORDS = 12  # of a title are counted


class SimilarThread(NamedTuple):
    """A thread that may be about the same."""

    id: int
    title: str
    board_slug: str
    board_name: str
    posts: int


# How many titles have each word of this one: the rarest first, without those that no title has.
_RAREST = text("""
SELECT lexeme, count FROM search_progress,
    LATERAL (
        SELECT lexeme FROM unnest(to_tsvector(CAST(language AS regconfig), :title)) LIMIT :most_words
    ) AS said,
    LATERAL (
        SELECT count(*) AS count FROM (
            SELECT 1 FROM thread_search
            WHERE words @@ CAST(quote_literal(lexeme) AS tsquery) LIMIT :counted
        ) AS titled
    ) AS titles
WHERE count BETWEEN 1 AND :counted - 1
ORDER BY count, lexeme LIMIT :words
""")
_Q = cast(bindparam("words", type_=Text()), TSQUERY)
_HITS = (
    select(col(ThreadSearch.thread_id), func.ts_rank(col(ThreadSearch.words), _Q).label("rank"))
    .where(col(ThreadSearch.words).op("@@")(_Q))
    .cte("titled")
    .prefix_with("MATERIALIZED")
)
_FOUND = (
    query(
        col(Thread.id),
        col(Thread.title),
        col(Board.slug).label("board_slug"),
        col(Board.name).label("board_name"),
        col(Thread.posts),
    )
    .select_from(_HITS)
    .join(Thread, col(Thread.id) == _HITS.c.thread_id)
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(boards.READABLE, THREAD_SHOWN)
    .order_by(_HITS.c.rank.desc(), col(Thread.last_post_at).desc())
    .limit(MOST)
)


async def find_similar(work: Work, viewer: Viewer, slug: str, title: str) -> Sequence[SimilarThread]:
    """Return the threads, at most five, whose titles have the rarest words of this one.

    Raises NotFound for a board that is not there for the viewer, Forbidden where they may not open a thread, Overloaded
    after two seconds.
    """
    allow(Act.OPEN_THREAD, viewer, await context_on_board(work, viewer, slug, NO_WORDS))
    await work.count_try("search", "similar", viewer.member_id)
    try:
        await begin_bounded(work.session)
        return await similar_to(work.session, viewer, title)
    except DBAPIError as error:
        raise too_long(error) or error from None


async def suggest_similar(work: Work, viewer: Viewer, title: str) -> Sequence[SimilarThread]:
    """Return the same beside something else that a page shows: without them, where it takes more than two seconds."""
    try:
        async with work.session.begin_nested():
            await begin_bounded(work.session)
            return await similar_to(work.session, viewer, title)
    except DBAPIError as error:
        if too_long(error):
            return []
        raise


async def similar_to(session: AsyncSession, viewer: Viewer, title: str) -> Sequence[SimilarThread]:
    """Return the threads that the viewer may read, at most five: those with all of the words, then with some."""
    rarest = (
        await session.execute(_RAREST, {"title": title, "counted": COUNTED, "words": WORDS, "most_words": MOST_WORDS})
    ).all()
    quoted = ["'" + row.lexeme.replace("\\", "\\\\").replace("'", "''") + "'" for row in rarest]
    found = dict[int, SimilarThread]()
    for how in (" & ", " | "):
        if quoted and len(found) < MOST:
            values = {**viewer.query_parameters, "words": how.join(quoted)}
            for row in (await session.execute(_FOUND, values)).all():
                found.setdefault(row.id, SimilarThread._make(row))
    return list(found.values())[:MOST]
