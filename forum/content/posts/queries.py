"""Reads of posts as a reader sees them, and of their revisions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
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

from forum.content.boards import Board
from forum.content.posts.tables import SHOWN, Post, PostRevision, Visibility
from forum.content.posts.visibility import POST_VISIBLE, with_board_of_post
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core import audit
from forum.core.database import Prepared, Query, Reader, Record, columns, query
from forum.core.errors import NotFound
from forum.members.queries import author_columns, authors
from forum.members.viewer import VIEWER_PERSONAS, Viewer


class PostView(NamedTuple):
    """A post as a reader sees it; a removed or withdrawn one comes without its text."""

    id: int
    thread_id: int
    number: int
    revision: int
    visibility: str
    held_because: str | None
    author_handle: str | None  # None: a former member
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
    last_number: int  # of the thread
    indexable: bool  # whether search engines may index it: a setting of the board

    @classmethod
    def of_new_post(cls, post_id: int, columns: Mapping[str, Any], author: Viewer, *, indexable: bool) -> "PostView":
        """Return the view of a new post from the columns that were inserted: one query less."""
        missing = dict.fromkeys(cls._fields)
        own = {name: value for name, value in columns.items() if name in missing}
        named = {"author_handle": author.handle or "", "author_name": author.name or "", "author_title": author.title}
        return cls(
            **{**missing, **own, **named, "id": post_id, "last_number": columns["number"], "indexable": indexable}
        )

    def as_json(self) -> dict[str, Any]:
        """Return the post as the API gives it. Pages use it: a model for each post costs most of the time."""
        if self.visibility not in SHOWN:
            return {
                "id": self.id,
                "thread_id": self.thread_id,
                "number": self.number,
                "visibility": self.visibility,
                "notice": self._tombstone_notice(),
            }
        return {
            "id": self.id,
            "thread_id": self.thread_id,
            "number": self.number,
            "revision": self.revision,
            "visibility": self.visibility,
            "held_because": self.held_because,
            "author": {"handle": self.author_handle, "name": self.author_name, "title": self.author_title},
            "adviser": self._adviser(),
            "reply_to": self.reply_to,
            "content_warning": self.content_warning,
            "body_markdown": self.body_markdown,
            "body_html": self.body_html,
            "created_at": self.created_at,
            "edited_at": self.edited_at,
            "notice": self.notice,
        }

    def _adviser(self) -> dict[str, Any] | None:
        if self.adviser_name is None:
            return None
        return {"name": self.adviser_name, "title": self.adviser_title, "organisation": self.adviser_organisation}

    def _tombstone_notice(self) -> dict[str, Any]:
        """Return the notice on a tombstone: for a removed post, the moderators' notice if there is one."""
        if self.visibility == Visibility.REMOVED and self.notice:
            return dict(self.notice)
        text = "Withdrawn by its author" if self.visibility == Visibility.WITHDRAWN else "Removed"
        return {"kind": self.visibility, "by": None, "rules": [], "text": text}


def _words(column: Any, name: str) -> ColumnElement[Any]:
    """Return a column of text that is null in a tombstone."""
    return case(*((col(Post.visibility) == visibility, column) for visibility in SHOWN)).label(name)


# Queries: a column for each field of PostView, in its order. Each query adds those of the thread and the board.
AUTHOR = authors("author")
_OF_AUTHOR = {column.name: column for column in author_columns(AUTHOR, "author")}


_WORDS = {"content_warning", "body_markdown", "body_html"}


_OF_THREAD = {"last_number", "indexable"}


def _column(name: str) -> Any:
    if name in _OF_AUTHOR:
        return _OF_AUTHOR[name]
    column = col(getattr(Post, name))
    return _words(column, name) if name in _WORDS else column


VIEW_COLUMNS = [_column(name) for name in PostView._fields if name not in _OF_THREAD]


_ONE = Prepared(
    with_board_of_post(query(*VIEW_COLUMNS, col(Thread.last_number), col(Board.indexable)))
    .join(AUTHOR, AUTHOR.c.id == col(Post.author_id))
    .where(POST_VISIBLE, col(Post.id) == bindparam("post_id", type_=BigInteger())),
    PostView,
)


_BY_VIEWER = (col(Post.author_id) == any_(VIEWER_PERSONAS),)  # also where they can no longer read: it is theirs


# The viewer's own posts, oldest first, without the words of those that were removed or withdrawn; and the revisions
# of the others.
WRITTEN_BY = Prepared(
    with_board_of_post(
        query(
            col(Post.id),
            col(Post.thread_id),
            case((THREAD_VISIBLE, col(Thread.title))).label("thread_title"),
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
    )
    .where(*_BY_VIEWER)
    .order_by(col(Post.id))
)


EARLIER_BY = Prepared(
    with_board_of_post(
        query(
            col(PostRevision.post_id),
            col(PostRevision.number),
            col(PostRevision.content_warning),
            col(PostRevision.body_markdown),
            col(PostRevision.body_html),
            col(PostRevision.written_at),
        ).join(Post, col(Post.id) == col(PostRevision.post_id))
    )
    .where(*_BY_VIEWER, or_(*(col(Post.visibility) == visibility for visibility in SHOWN)), ~col(PostRevision.sealed))
    .order_by(col(PostRevision.post_id), col(PostRevision.number))
)


async def get_post(reader: Reader, viewer: Viewer, post_id: int) -> PostView:
    """Return a post. Raises NotFound when it does not exist for the viewer."""
    return _found(await reader.row(_ONE, **viewer.query_parameters, post_id=post_id))


async def get_post_in_transaction(session: AsyncSession, viewer: Viewer, post_id: int) -> PostView:
    """Return a post as it is in this transaction. Raises NotFound."""
    values = {**viewer.query_parameters, "post_id": post_id}
    return _found((await session.execute(_ONE.query, values)).one_or_none())


def _found(row: Any) -> PostView:
    if row is None:
        raise NotFound("There is no such post.", code="post_not_found")
    return PostView._make(row)


def select_revisions(post_id: int) -> Query:
    """Return a query of every revision of a post, the present one last; sealed ones come without text."""
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
    """Return a revision with redacted words, and record that it was read. Raises NotFound."""
    same = (col(PostRevision.post_id) == post_id, col(PostRevision.number) == number, col(PostRevision.sealed))
    row = (await session.execute(query(*columns(PostRevision)).where(*same))).one_or_none()
    if row is None:
        raise NotFound("There is no such sealed revision.", code="revision_not_found")
    details: audit.Details = {"revision": number}
    await audit.record(
        session, actor_id=moderator.id, act="revision.read", subject=("post", post_id), now=now, details=details
    )
    return row
