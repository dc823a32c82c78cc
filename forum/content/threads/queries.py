"""Reads of threads: one thread, and the threads of a board."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    case,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import IS_WAITING, HeldEdit
from forum.content.threads.tables import Thread, ThreadTitleRevision, ThreadVisibility
from forum.content.threads.titles import has_title_words
from forum.content.threads.visibility import THREAD_LISTED, THREAD_SHOWN, THREAD_VISIBLE
from forum.core import pagination
from forum.core.database import Prepared, Query, Reader, columns, json_object, query
from forum.core.errors import NotFound
from forum.members.aliases import is_persona_of
from forum.members.queries import author_columns, authors
from forum.members.viewer import VIEWER_PERSONAS, Viewer

# A cursor of a board's list: the sort key of a page's last row.
BY_LAST_POST = TypeAdapter(tuple[bool, pagination.Instant, pagination.Identity])

_AUTHOR, _LAST_POSTER = authors("author"), authors("last_poster")

# Queries

# A thread without a post that readers see is as one that was removed.
_VISIBILITY = case(
    (and_(col(Thread.visibility) == ThreadVisibility.VISIBLE, ~THREAD_SHOWN), ThreadVisibility.REMOVED),
    else_=col(Thread.visibility),
)

# The title that its author wants and that waits for a moderator: for these two only.
_IS_THEIRS = or_(col(Thread.author_id) == any_(VIEWER_PERSONAS), boards.MODERATED)
_WAITING_TITLE = (
    select(json_object(HeldEdit, "title", "held_because", "written_at"))
    .where(text(IS_WAITING), col(HeldEdit.title).is_not(None), col(HeldEdit.thread_id) == col(Thread.id))
    .correlate(Thread)
    .scalar_subquery()
)

SELECT_VISIBLE = (
    query(
        *(column for column in columns(Thread) if column.name not in {"visibility", "titled_at", "titled_by"}),
        _VISIBILITY.label("visibility"),
        case((_IS_THEIRS, _WAITING_TITLE)).label("waiting"),
        col(Board.slug).label("board_slug"),
        col(Board.name).label("board_name"),
        col(Board.indexable).label("indexable"),
        *author_columns(_AUTHOR, "author"),
        *author_columns(_LAST_POSTER, "last"),
    )
    .join(Board, col(Board.id) == col(Thread.board_id))
    .join(_AUTHOR, _AUTHOR.c.id == col(Thread.author_id))
    .outerjoin(_LAST_POSTER, _LAST_POSTER.c.id == col(Thread.last_post_by))
    .where(THREAD_VISIBLE)
)

_LIMIT, _SLUG = bindparam("limit", type_=Integer()), bindparam("slug", type_=Text())


def select_pages(visible: Query, key: Sequence[Any], *, falling: bool, limit: Any = _LIMIT) -> tuple[Query, Query]:
    """Return two selects: the first page in the order of `key`, and the page after a given row."""
    ordered = visible.order_by(*(column.desc() if falling else column for column in key)).limit(limit)
    return ordered, ordered.where(is_beyond(key, falling=falling))


def is_beyond(key: Sequence[Any], *, falling: bool) -> ColumnElement[bool]:
    """Return the condition that a row comes after the given one, in the order of `key`."""
    after = tuple_(*(bindparam(f"after_{number}", type_=column.type) for number, column in enumerate(key)))
    return tuple_(*key) < after if falling else tuple_(*key) > after


def keyset_pages(visible: Query, key: Sequence[Any], *, falling: bool) -> tuple[Prepared, Prepared]:
    """Return the statements of `select_pages`."""
    first, following = select_pages(visible, key, falling=falling)
    return Prepared(first), Prepared(following)


_ONE = Prepared(SELECT_VISIBLE.where(col(Thread.id) == bindparam("thread_id", type_=BigInteger())))

_BOARD_ID = select(col(Board.id)).where(col(Board.slug) == _SLUG).scalar_subquery()
_ON_BOARD = keyset_pages(
    SELECT_VISIBLE.where(col(Thread.board_id) == _BOARD_ID, THREAD_LISTED),
    (col(Thread.pinned), col(Thread.last_post_at), col(Thread.id)),
    falling=True,
)

# The threads that the viewer opened, oldest first.
OPENED_BY = Prepared(
    query(
        col(Thread.id),
        case((boards.READABLE, col(Board.slug))).label("board"),
        col(Thread.title),
        col(Thread.state),
        col(Thread.visibility),
        col(Thread.opened_at),
    )
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(col(Thread.author_id) == any_(VIEWER_PERSONAS))
    .order_by(col(Thread.id))
)


# The earlier titles that the viewer gave to threads, but for those that a moderator took away.
TITLED_BY = Prepared(
    query(
        col(ThreadTitleRevision.thread_id),
        col(ThreadTitleRevision.number),
        col(ThreadTitleRevision.title),
        col(ThreadTitleRevision.written_at),
    )
    .where(col(ThreadTitleRevision.written_by) == any_(VIEWER_PERSONAS), ~col(ThreadTitleRevision.sealed))
    .order_by(col(ThreadTitleRevision.thread_id), col(ThreadTitleRevision.number))
)


async def get_thread(reader: Reader, viewer: Viewer, thread_id: int) -> Any:
    """Return a thread with its board's name, its author and its last author. Raises NotFound."""
    return _require_thread(await reader.row(_ONE, **viewer.query_parameters, thread_id=thread_id))


async def get_thread_in_transaction(session: AsyncSession, viewer: Viewer, thread_id: int) -> Any:
    """Return a thread as it is in this transaction. Raises NotFound."""
    values = {**viewer.query_parameters, "thread_id": thread_id}
    return _require_thread((await session.execute(_ONE.query, values)).one_or_none())


def _require_thread(row: Any) -> Any:
    if row is None:
        raise NotFound("There is no such thread.", code="thread_not_found")
    return row


def is_shared(thread: Any) -> bool:
    """Return whether a thread is the same for every reader who is no moderator."""
    return thread.visibility == ThreadVisibility.VISIBLE and thread.waiting is None


class ThreadPage(NamedTuple):
    """A page of a board's threads."""

    threads: Sequence[Any]
    next: str | None
    indexable: bool

    @property
    def is_shared(self) -> bool:
        """Whether the page is the same for every reader who is no moderator."""
        return all(map(is_shared, self.threads))


async def list_on_board(reader: Reader, viewer: Viewer, slug: str, after: str | None, limit: int) -> ThreadPage:
    """Return a page of a board's threads: pinned first, then by the latest post.

    Raises NotFound when the board does not exist for the viewer, and Invalid for an unknown cursor.
    """
    sort_key = pagination.decode(after, BY_LAST_POST) if after is not None else None
    rows = await read_page(reader, _ON_BOARD, viewer, sort_key, slug=slug, limit=limit + 1)
    board = rows[0] if rows else await boards.get_board(reader, viewer, slug)
    page = pagination.page_of(rows, limit, lambda row: (row.pinned, row.last_post_at, row.id))
    return ThreadPage(*page, indexable=board.indexable)


async def read_page(
    reader: Reader, pages: tuple[Prepared, Prepared], viewer: Viewer, after: tuple[Any, ...] | None, **values: Any
) -> Sequence[Any]:
    """Return the rows of one of `keyset_pages`: of the first, or of the one after the row with the key `after`."""
    first, following = pages
    if after is None:
        return await reader.rows(first, **viewer.query_parameters, **values)
    sort_key = {f"after_{number}": value for number, value in enumerate(after)}
    return await reader.rows(following, **viewer.query_parameters, **values, **sort_key)


def select_titled_by(member_id: UUID) -> Query:
    """Return a query of the threads that a member opened and whose titles, earlier ones too, are not all erased."""
    titled = (is_persona_of(col(Thread.author_id), member_id), has_title_words())
    return query(col(Thread.id)).where(*titled).order_by(col(Thread.id))
