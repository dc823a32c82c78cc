"""Reads: posts as their readers see them, and their revisions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Uuid,
    any_,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import NUMBER_MAX, SHOWN, Post, PostRevision, Visibility, Voice
from forum.content.posts.visibility import POST_VISIBLE, exists_in_thread
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core import audit
from forum.core.database import Prepared, Query, Reader, Record, columns, query
from forum.core.errors import NotFound
from forum.members.tables import Member
from forum.members.viewer import VIEWER_ID, Viewer


class PostView(NamedTuple):
    """A post as a reader sees it; of a removed or withdrawn one, no words."""

    id: int
    thread_id: int
    number: int
    revision: int
    visibility: str
    held_because: str | None
    author_handle: str | None  # None: they have left
    author_name: str
    author_title: str | None
    adviser_name: str | None
    adviser_title: str | None
    adviser_organisation: str | None
    reply_to: int | None
    content_warning: str | None
    body_markdown: str | None
    body_html: str | None
    notice: dict[str, Any] | None
    created_at: datetime
    edited_at: datetime | None
    last_number: int  # of its thread
    indexable: bool  # whether search engines may keep it: its board says


def _words(column: Any, name: str) -> ColumnElement[Any]:
    """A column of words, empty in a tombstone."""
    return case(*((col(Post.visibility) == visibility, column) for visibility in SHOWN)).label(name)


# Queries

# In the order of SeenPost, but for what the thread and its board add.
_COLUMNS: tuple[Any, ...] = (
    col(Post.id),
    col(Post.thread_id),
    col(Post.number),
    col(Post.revision),
    col(Post.visibility),
    col(Post.held_because),
    col(Member.handle).label("author_handle"),
    col(Member.name).label("author_name"),
    col(Member.title).label("author_title"),
    col(Post.adviser_name),
    col(Post.adviser_title),
    col(Post.adviser_organisation),
    col(Post.reply_to),
    _words(col(Post.content_warning), "content_warning"),
    _words(col(Post.body_markdown), "body_markdown"),
    _words(col(Post.body_html), "body_html"),
    col(Post.notice),
    col(Post.created_at),
    col(Post.edited_at),
)


_ONE = Prepared(
    query(*_COLUMNS, col(Thread.last_number), col(Board.indexable))
    .join(Thread, col(Thread.id) == col(Post.thread_id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .join(Member, col(Member.id) == col(Post.author_id))
    .where(POST_VISIBLE, col(Post.id) == bindparam("post_id", type_=BigInteger())),
    PostView,
)


# The thread of a page, looked at once: PostgreSQL would look at it and its board again with each post.
_THREAD = (
    query(col(Thread.id), col(Thread.last_number), col(Board.indexable), boards.MODERATED.label("moderated"))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(THREAD_VISIBLE, col(Thread.id) == bindparam("thread_id", type_=BigInteger()))
    .cte("its_thread")
    .prefix_with("MATERIALIZED")
)


_IN_THREAD = (
    query(*_COLUMNS, _THREAD.c.last_number, _THREAD.c.indexable)
    .select_from(_THREAD)
    .join(Post, col(Post.thread_id) == _THREAD.c.id)
    .join(Member, col(Member.id) == col(Post.author_id))
    .where(exists_in_thread(_THREAD.c.moderated))
    .order_by(col(Post.number))
)


_FIRST, _LAST = bindparam("first", type_=Integer()), bindparam("last", type_=Integer())


_NUMBERED = Prepared(_IN_THREAD.where(col(Post.number).between(_FIRST, _LAST)), PostView)


_LIMIT = bindparam("limit", type_=Integer())


_BY_ADVISERS = Prepared(
    _IN_THREAD.where(col(Post.number) >= _FIRST, col(Post.voice) == Voice.ADVISER).limit(_LIMIT), PostView
)


# How many visible posts each of the members `member_ids` wrote on boards that exist for the viewer.
WRITTEN = Prepared(
    query(col(Post.author_id), func.count().label("posts"))
    .join(Thread, col(Thread.id) == col(Post.thread_id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(
        col(Post.author_id) == any_(bindparam("member_ids", type_=ARRAY(Uuid()))),
        col(Post.visibility) == Visibility.VISIBLE,
        THREAD_VISIBLE,
    )
    .group_by(col(Post.author_id))
)


_BY_VIEWER = (POST_VISIBLE, col(Post.author_id) == VIEWER_ID)


# What the viewer wrote, oldest first, as they may read it today; and what it said before, of what can be read still.
WRITTEN_BY = Prepared(
    query(
        col(Post.id),
        col(Post.thread_id),
        col(Thread.title).label("thread_title"),
        col(Post.number),
        col(Post.visibility),
        col(Post.held_because),
        col(Post.notice),
        col(Post.reply_to),
        _words(col(Post.content_warning), "content_warning"),
        _words(col(Post.body_markdown), "body_markdown"),
        _words(col(Post.body_html), "body_html"),
        col(Post.created_at),
        col(Post.edited_at),
    )
    .join(Thread, col(Thread.id) == col(Post.thread_id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(*_BY_VIEWER)
    .order_by(col(Post.id))
)


EARLIER_BY = Prepared(
    query(
        col(PostRevision.post_id),
        col(PostRevision.number),
        col(PostRevision.content_warning),
        col(PostRevision.body_markdown),
        col(PostRevision.body_html),
        col(PostRevision.written_at),
    )
    .join(Post, col(Post.id) == col(PostRevision.post_id))
    .join(Thread, col(Thread.id) == col(Post.thread_id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(*_BY_VIEWER, or_(*(col(Post.visibility) == visibility for visibility in SHOWN)), ~col(PostRevision.sealed))
    .order_by(col(PostRevision.post_id), col(PostRevision.number))
)


async def get_post(reader: Reader, viewer: Viewer, post_id: int) -> PostView:
    """A post; NotFound when it does not exist for the viewer."""
    return _found(await reader.row(_ONE, **viewer.sight, post_id=post_id))


async def get_post_in_transaction(session: AsyncSession, viewer: Viewer, post_id: int) -> PostView:
    """The same, as the post stands in this transaction."""
    values = {**viewer.sight, "post_id": post_id}
    return _found((await session.execute(_ONE.query, values)).one_or_none())


def _found(row: Any) -> PostView:
    if row is None:
        raise NotFound("There is no such post.")
    return PostView._make(row)


async def list_by_number(reader: Reader, viewer: Viewer, thread_id: int, first: int, limit: int) -> Sequence[PostView]:
    """The posts of a thread whose numbers are `first` to `first + limit - 1`: fewer where numbers are not seen."""
    span = {"first": min(first, NUMBER_MAX), "last": min(first + limit - 1, NUMBER_MAX)}
    return await reader.rows(_NUMBERED, **viewer.sight, thread_id=thread_id, **span)


async def list_by_advisers(
    reader: Reader, viewer: Viewer, thread_id: int, first: int, limit: int
) -> Sequence[PostView]:
    """The first `limit` posts of advisers in a thread from number `first` on."""
    begin = {"first": min(first, NUMBER_MAX), "limit": limit}
    return await reader.rows(_BY_ADVISERS, **viewer.sight, thread_id=thread_id, **begin)


def select_revisions(post_id: int) -> Query:
    """Every revision of a post, the present one last; of a sealed one, no words."""
    shared = ("content_warning", "body_markdown", "body_html")
    earlier = select(
        col(PostRevision.number),
        col(PostRevision.sealed),
        *(case((col(PostRevision.sealed), None), else_=getattr(PostRevision, name)).label(name) for name in shared),
        col(PostRevision.written_at),
    ).where(col(PostRevision.post_id) == post_id)
    present = select(
        col(Post.revision).label("number"),
        false().label("sealed"),
        *(getattr(Post, name) for name in shared),
        func.coalesce(Post.edited_at, Post.created_at).label("written_at"),
    ).where(col(Post.id) == post_id)
    both = union_all(earlier, present).subquery()
    return query(both).order_by(both.c.number)


async def read_sealed_revision(
    session: AsyncSession, moderator: Viewer, post_id: int, number: int, now: datetime
) -> Record:
    """A revision that holds redacted words; that it was read is in the record. NotFound when there is none such."""
    same = (col(PostRevision.post_id) == post_id, col(PostRevision.number) == number, col(PostRevision.sealed))
    row = (await session.execute(query(*columns(PostRevision)).where(*same))).one_or_none()
    if row is None:
        raise NotFound("There is no such sealed revision.")
    details: audit.Details = {"revision": number}
    await audit.record(
        session, actor_id=moderator.id, act="revision.read", subject=("post", post_id), now=now, details=details
    )
    return row
