"""Reads of posts as a reader sees them, and of their revisions."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    any_,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import MODERATED, Board
from forum.content.endorsements.tables import BADGES
from forum.content.posts.tables import IS_WAITING, SHOWN, HeldEdit, HeldState, Post, PostRevision, Visibility
from forum.content.posts.visibility import POST_VISIBLE, with_board_of_post
from forum.content.reactions.tables import ReactionCount, ReactionKind
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core import audit
from forum.core.database import Prepared, Query, Reader, Record, columns, json_object, query
from forum.core.errors import NotFound
from forum.members.queries import author_columns, authors
from forum.members.viewer import VIEWER_PERSONAS, Viewer

_KINDS = tuple(map(str, ReactionKind))  # in the order of the counts


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
    endorsements: list[dict[str, str]] | None  # the badges of advisers who say that it is right as it is
    reactions: Sequence[int] | None  # how many of each kind; None: there were none, or readers do not see the post
    last_number: int  # of the thread
    indexable: bool  # whether search engines may index it: a setting of the board
    waiting: dict[str, Any] | None  # the author's edit that waits for a moderator: for these two only

    @property
    def is_shared(self) -> bool:
        """Whether it is the same for every reader who is no moderator."""
        return self.visibility != Visibility.HELD and self.waiting is None

    @classmethod
    def of_new_post(cls, post_id: int, columns: Mapping[str, Any], author: Viewer, *, indexable: bool) -> "PostView":
        """Return the view of a new post from the columns that were inserted: one query less."""
        missing = dict.fromkeys(cls._fields)
        own = {name: value for name, value in columns.items() if name in missing}
        named = {"author_handle": author.handle or "", "author_name": author.name or "", "author_title": author.title}
        return cls(
            **{**missing, **own, **named, "id": post_id, "last_number": columns["number"], "indexable": indexable}
        )

    def as_json(self, kinds: Collection[str] = tuple(ReactionKind)) -> dict[str, Any]:
        """Return the post as the API gives it, with the counts of these kinds of reactions.

        A page has many: to make a model of each post costs most of the time.
        """
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
            "endorsements": self.endorsements or [],
            "reactions": self.counted(kinds),
            "notice": self.notice,
            "waiting": waiting_as_json(self.waiting),
        }

    def counted(self, kinds: Collection[str]) -> dict[str, int]:
        """Return how many reactions of these kinds there are, without those of which there is none."""
        if self.reactions is None:
            return {}
        return {kind: count for kind, count in zip(_KINDS, self.reactions, strict=True) if count and kind in kinds}

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


# Queries: a column for each field of PostView, in its order.
AUTHOR = authors("author")
_OF_AUTHOR = {column.name: column for column in author_columns(AUTHOR, "author")}


_WORDS = {"content_warning", "body_markdown", "body_html"}


_NOT_OF_POST = {"last_number", "indexable", "waiting"}

_COUNTS = (
    select(array([getattr(ReactionCount, kind) for kind in ReactionKind], type_=Integer()))
    .where(col(ReactionCount.post_id) == col(Post.id))
    .correlate(Post)
    .scalar_subquery()
)


def _column(name: str) -> Any:
    if name in _OF_AUTHOR:
        return _OF_AUTHOR[name]
    if name == "endorsements":
        return case((col(Post.visibility) == Visibility.VISIBLE, BADGES)).label(name)
    if name == "reactions":
        return case((col(Post.visibility) == Visibility.VISIBLE, _COUNTS)).label(name)
    column = col(getattr(Post, name))
    return _words(column, name) if name in _WORDS else column


_VIEW_COLUMNS = [_column(name) for name in PostView._fields if name not in _NOT_OF_POST]

_WAITING_BODY = (
    select(json_object(HeldEdit, "body_markdown", "body_html", "content_warning", "held_because", "written_at"))
    .where(text(IS_WAITING), col(HeldEdit.title).is_(None), col(HeldEdit.post_id) == col(Post.id))
    .correlate(Post)
    .scalar_subquery()
)


def view_columns(last_number: Any, indexable: Any, moderated: ColumnElement[bool]) -> list[Any]:
    """Return a column for each field of PostView, in its order; `moderated` says whether the viewer moderates.

    What waits is looked for in the viewer's own posts only, and in all for moderators.
    """
    is_theirs = or_(col(Post.author_id) == any_(VIEWER_PERSONAS), moderated)
    return [*_VIEW_COLUMNS, last_number, indexable, case((is_theirs, _WAITING_BODY)).label("waiting")]


def waiting_as_json(waiting: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return an edit that waits, as the API gives it; PostgreSQL gives the time in its own time zone."""
    return waiting and waiting | {"written_at": datetime.fromisoformat(waiting["written_at"]).astimezone(UTC)}


_ONE = Prepared(
    with_board_of_post(query(*view_columns(col(Thread.last_number), col(Board.indexable), MODERATED)))
    .join(AUTHOR, AUTHOR.c.id == col(Post.author_id))
    .where(POST_VISIBLE, col(Post.id) == bindparam("post_id", type_=BigInteger())),
    PostView,
)

_BY_NUMBER = Prepared(
    with_board_of_post(query(*view_columns(col(Thread.last_number), col(Board.indexable), MODERATED)))
    .join(AUTHOR, AUTHOR.c.id == col(Post.author_id))
    .where(
        POST_VISIBLE,
        col(Post.thread_id) == bindparam("thread_id", type_=BigInteger()),
        col(Post.number) == bindparam("number", type_=Integer()),
    ),
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


# What the viewer wrote as edits that were held, but for those that a moderator refused.
HELD_BY = Prepared(
    query(
        col(HeldEdit.post_id),
        col(HeldEdit.state),
        col(HeldEdit.title),
        col(HeldEdit.content_warning),
        col(HeldEdit.body_markdown),
        col(HeldEdit.body_html),
        col(HeldEdit.written_at),
    )
    .where(col(HeldEdit.written_by) == any_(VIEWER_PERSONAS), col(HeldEdit.state) != HeldState.REFUSED)
    .order_by(col(HeldEdit.id))
)


async def get_post(reader: Reader, viewer: Viewer, post_id: int) -> PostView:
    """Return a post. Raises NotFound when it does not exist for the viewer."""
    return _found(await reader.row(_ONE, **viewer.query_parameters, post_id=post_id))


async def get_post_in_transaction(session: AsyncSession, viewer: Viewer, post_id: int) -> PostView:
    """Return a post as it is in this transaction. Raises NotFound."""
    values = {**viewer.query_parameters, "post_id": post_id}
    return _found((await session.execute(_ONE.query, values)).one_or_none())


async def find_post_by_number(session: AsyncSession, viewer: Viewer, thread_id: int, number: int) -> PostView | None:
    """Return a post of a thread by its number, or None when it does not exist for the viewer."""
    values = {**viewer.query_parameters, "thread_id": thread_id, "number": number}
    row = (await session.execute(_BY_NUMBER.query, values)).one_or_none()
    return PostView._make(row) if row else None


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
