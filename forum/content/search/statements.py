"""The statements of search: each looks at a bounded number of rows, whatever the word.

PostgreSQL is not left to choose a way: for a word in every second post, it would choose one that takes seconds.
"""

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Integer, Text, Uuid, and_, bindparam, cast, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.ignored import ignores
from forum.content.posts.queries import AUTHOR
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import POST_VISIBLE, with_board_of_post
from forum.content.search.tables import PostSearch, ThreadSearch
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.database import Moment, query
from forum.members.queries import author_columns
from forum.members.viewer import VIEWER_ID

PAGE = 20
ENOUGH_TO_RANK, RANKED, BEST = 200, 2_000, 60  # matches that are enough; at most so many are ranked, and shown
RARE = 2_000  # rows of the index that are looked at

# Parameters: the words, the bounds, the filters.
_Q = cast(bindparam("words", type_=Text()), TSQUERY)
_AT, _ID = bindparam("before", type_=Moment()), bindparam("before_id", type_=BigInteger())
_SINCE = bindparam("since", type_=Moment())
_BOARD_ID, _AUTHOR_ID = bindparam("board_id", type_=Integer()), bindparam("author_id", type_=Uuid())
_WORDS = col(PostSearch.words)
_KEY = (col(PostSearch.written_at), col(PostSearch.post_id))


class Shape(NamedTuple):
    """Which filters a statement has: each set of them has a statement of its own, so that its index is used."""

    has_board: bool
    has_author: bool
    by_advisers: bool


def _filters(shape: Shape, rows: Any) -> Any:
    wanted = [tuple_(rows.written_at, rows.post_id) < tuple_(_AT, _ID), rows.written_at >= _SINCE]
    wanted += [rows.board_id == _BOARD_ID] if shape.has_board else []
    wanted += [rows.author_id == _AUTHOR_ID] if shape.has_author else []
    wanted += [rows.by_adviser] if shape.by_advisers else []
    return and_(*wanted)


_FILTERED = (col(PostSearch.board_id), col(PostSearch.author_id), col(PostSearch.by_adviser))


def _walk(shape: Shape, most: int) -> Any:
    """Return those of the newest rows that have the words: of `most` rows, whatever is in them."""
    newest = (key.desc() for key in _KEY)
    walked = select(*_KEY, _WORDS).where(_filters(shape, PostSearch)).order_by(*newest).limit(most).subquery("walked")
    return select(walked).where(walked.c.words.op("@@")(_Q)).subquery("hits")


def _look_up(shape: Shape) -> Any:
    """Return the newest of the rows that the index has of the words, without these: there may be many rows."""
    has_words = _WORDS.op("@@")(_Q)
    rows = select(*_KEY, *_FILTERED).where(has_words).cte("indexed").prefix_with("MATERIALIZED")
    newest = (rows.c.written_at.desc(), rows.c.post_id.desc())
    return select(rows).where(_filters(shape, rows.c)).order_by(*newest).limit(RARE).subquery("hits")


_COLUMNS = (
    col(Post.id),
    col(Post.thread_id),
    col(Post.number),
    col(Thread.title).label("thread_title"),
    col(Board.slug).label("board_slug"),
    col(Board.name).label("board_name"),
    *author_columns(AUTHOR, "author"),
    *(col(getattr(Post, name)) for name in ("adviser_name", "adviser_title", "adviser_organisation")),
    col(Post.content_warning),
    col(Post.created_at),
    func.coalesce(ignores(VIEWER_ID, col(Post.author_id)), literal(False)).label("is_ignored"),
    col(Post.body_html),
)
# What is never found, not even by its author: what waits, what was taken out, and what stands in such threads.
_SEEN = and_(POST_VISIBLE, THREAD_SHOWN, col(Post.visibility) == Visibility.VISIBLE)


def _posts_of(hits: Any, post_id: Any, *conditions: Any) -> Any:
    found = with_board_of_post(query(*_COLUMNS).select_from(hits).join(Post, col(Post.id) == post_id))
    return found.join(AUTHOR, AUTHOR.c.id == col(Post.author_id)).where(_SEEN, *conditions)


@cache
def select_newest(shape: Shape, most: int | None) -> Any:
    """Return the statement of a page of posts, the newest first: of `most` rows, or else by the index."""
    hits = _walk(shape, most) if most else _look_up(shape)
    on_board = [col(Thread.board_id) == _BOARD_ID] if shape.has_board else []
    found = _posts_of(hits, hits.c.post_id, *on_board)
    return found.order_by(hits.c.written_at.desc(), hits.c.post_id.desc()).limit(PAGE + 1)


@cache
def select_best(shape: Shape, most: int | None) -> Any:
    """Return the statement of the ids of posts, the best match first: of `most` rows, or else by the index."""
    hits = _walk(shape, most) if most else _look_up(shape)
    newest = (hits.c.written_at.desc(), hits.c.post_id.desc())
    rows = select(hits.c.post_id, hits.c.written_at, _WORDS).join(PostSearch, _KEY[1] == hits.c.post_id)
    some = rows.order_by(*newest).limit(RANKED).cte("some").prefix_with("MATERIALIZED")
    rank = func.ts_rank(some.c.words, _Q, 1)
    ids = select(some.c.post_id, func.count().over().label("matches"))
    return ids.order_by(rank.desc(), some.c.written_at.desc()).limit(ENOUGH_TO_RANK)


_RANKED_IDS = bindparam("ids", type_=ARRAY(BigInteger()))


@cache
def select_in_order(has_board: bool) -> Any:
    """Return the statement of those of the posts `ids` that the viewer may read, in this order."""
    ids = func.unnest(_RANKED_IDS).table_valued("id", with_ordinality="place", name="ranked").render_derived()
    on_board = [col(Thread.board_id) == _BOARD_ID] if has_board else []
    return _posts_of(ids, ids.c.id, *on_board).order_by(ids.c.place).limit(BEST)


@cache
def select_titles(shape: Shape) -> Any:
    """Return the statement of threads whose titles have the words, the newest first."""
    rows = (
        select(col(ThreadSearch.thread_id))
        .where(col(ThreadSearch.words).op("@@")(_Q))
        .cte("titled")
        .prefix_with("MATERIALIZED")
    )
    newest = select(rows).where(rows.c.thread_id < _ID).order_by(rows.c.thread_id.desc()).limit(RARE).subquery("hits")
    found = (
        query(
            col(Thread.id),
            col(Thread.title),
            col(Board.slug).label("board_slug"),
            col(Board.name).label("board_name"),
            *author_columns(AUTHOR, "author"),
            col(Thread.opened_at),
            col(Thread.posts),
            func.coalesce(ignores(VIEWER_ID, col(Thread.author_id)), literal(False)).label("is_ignored"),
        )
        .select_from(newest)
        .join(Thread, col(Thread.id) == newest.c.thread_id)
        .join(Board, col(Board.id) == col(Thread.board_id))
        .join(AUTHOR, AUTHOR.c.id == col(Thread.author_id))
        .where(boards.READABLE, THREAD_SHOWN, col(Thread.opened_at) >= _SINCE, col(Thread.opened_at) < _AT)
    )
    found = found.where(col(Thread.board_id) == _BOARD_ID) if shape.has_board else found
    found = found.where(col(Thread.author_id) == _AUTHOR_ID) if shape.has_author else found
    # Of a title, advisers are who answers: threads in which one wrote.
    found = found.where(col(Thread.adviser_replies) > 0) if shape.by_advisers else found
    return found.order_by(col(Thread.id).desc()).limit(bindparam("most", type_=Integer()))
