"""Reads: one thread, the threads of a board, the threads that wait for an adviser."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    bindparam,
    func,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content.boards import Board
from forum.content.threads.tables import ERASED_TITLE, Thread, ThreadState, ThreadVisibility
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core import pagination
from forum.core.database import Prepared, Query, Reader, columns, query
from forum.core.errors import NotFound
from forum.members.tables import Member
from forum.members.viewer import VIEWER_ID, Viewer

# Where a list goes on: the sort key of its last row.
BY_LAST_POST = TypeAdapter(tuple[bool, pagination.Instant, pagination.Identity])


BY_WAITING = TypeAdapter(tuple[pagination.Instant, pagination.Identity])


_Author, _LastPoster = aliased(Member, name="author"), aliased(Member, name="last_poster")


# Queries

_SEEN = (
    query(
        *columns(Thread),
        col(Board.slug).label("board_slug"),
        col(Board.name).label("board_name"),
        col(Board.indexable).label("indexable"),
        col(_Author.handle).label("author_handle"),
        col(_Author.name).label("author_name"),
        col(_Author.title).label("author_title"),
        col(_LastPoster.handle).label("last_handle"),
        col(_LastPoster.name).label("last_name"),
        col(_LastPoster.title).label("last_title"),
    )
    .join(Board, col(Board.id) == col(Thread.board_id))
    .join(_Author, col(_Author.id) == col(Thread.author_id))
    .outerjoin(_LastPoster, col(_LastPoster.id) == col(Thread.last_post_by))
    .where(THREAD_VISIBLE)
)


_LIMIT, _SLUG = bindparam("limit", type_=Integer()), bindparam("slug", type_=Text())


def _page(seen: Query, key: Sequence[Any], *, falling: bool) -> tuple[Prepared, Prepared]:
    """The first page in the order of `key`, and one that goes on `after` a row."""
    ordered = seen.order_by(*(column.desc() if falling else column for column in key)).limit(_LIMIT)
    after = tuple_(*(bindparam(f"after_{place}", type_=column.type) for place, column in enumerate(key)))
    beyond = tuple_(*key) < after if falling else tuple_(*key) > after
    return Prepared(ordered), Prepared(ordered.where(beyond))


_ONE = Prepared(_SEEN.where(col(Thread.id) == bindparam("thread_id", type_=BigInteger())))


_ON_BOARD = _page(
    _SEEN.where(col(Thread.board_id) == select(col(Board.id)).where(col(Board.slug) == _SLUG).scalar_subquery()),
    (col(Thread.pinned), col(Thread.last_post_at), col(Thread.id)),
    falling=True,
)


_WAITING = _page(
    _SEEN.where(
        col(Thread.waiting_since).is_not(None),
        col(Thread.state) == ThreadState.OPEN,
        col(Thread.visibility) == ThreadVisibility.VISIBLE,
        col(Board.advised),
    ),
    (col(Thread.waiting_since), col(Thread.id)),
    falling=False,
)


_TOTALS = (
    query(
        col(Thread.board_id),
        func.count().label("threads"),
        func.sum(Thread.posts).label("posts"),
        func.max(Thread.last_post_at).label("last_post_at"),
    )
    .where(col(Thread.visibility) == ThreadVisibility.VISIBLE)
    .group_by(col(Thread.board_id))
)


# Of each board, and of one: how many threads and posts can be seen, and when the last post was written.
TOTALS = Prepared(_TOTALS)


TOTALS_OF_BOARD = Prepared(_TOTALS.where(col(Thread.board_id) == bindparam("board_id", type_=Integer())))


# The threads that the viewer opened, oldest first.
OPENED_BY = Prepared(
    query(
        col(Thread.id),
        col(Board.slug).label("board"),
        col(Thread.title),
        col(Thread.state),
        col(Thread.visibility),
        col(Thread.opened_at),
    )
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(THREAD_VISIBLE, col(Thread.author_id) == VIEWER_ID)
    .order_by(col(Thread.id))
)


async def get_thread(reader: Reader, viewer: Viewer, thread_id: int) -> Any:
    """A thread with the names of its board and its people; NotFound when it does not exist for the viewer."""
    return _found(await reader.row(_ONE, **viewer.sight, thread_id=thread_id))


async def get_thread_in_transaction(session: AsyncSession, viewer: Viewer, thread_id: int) -> Any:
    """The same, as the thread stands in this transaction."""
    values = {**viewer.sight, "thread_id": thread_id}
    return _found((await session.execute(_ONE.query, values)).one_or_none())


def _found(row: Any) -> Any:
    if row is None:
        raise NotFound("There is no such thread.")
    return row


async def list_on_board(
    reader: Reader, viewer: Viewer, slug: str, after: tuple[bool, datetime, int] | None, limit: int
) -> Sequence[Any]:
    """A page of a board's threads: pinned first, then by the latest post."""
    return await _read(reader, _ON_BOARD, viewer, after, slug=slug, limit=limit)


async def list_waiting(reader: Reader, viewer: Viewer, after: tuple[datetime, int] | None, limit: int) -> Sequence[Any]:
    """Open threads that wait for an adviser, longest first."""
    return await _read(reader, _WAITING, viewer, after, limit=limit)


async def _read(
    reader: Reader, pages: tuple[Prepared, Prepared], viewer: Viewer, after: tuple[Any, ...] | None, **values: Any
) -> Sequence[Any]:
    first, further = pages
    if after is None:
        return await reader.rows(first, **viewer.sight, **values)
    place = {f"after_{number}": value for number, value in enumerate(after)}
    return await reader.rows(further, **viewer.sight, **values, **place)


def replace_in_titles(author_id: UUID) -> Query:
    """The ids of the threads that a member opened and that have a title still."""
    titled = (col(Thread.author_id) == author_id, col(Thread.title) != ERASED_TITLE)
    return query(col(Thread.id)).where(*titled).order_by(col(Thread.id))
