"""A page of a thread: its SQL, and where the page begins and ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Integer, bindparam, select
from sqlmodel import col

from forum.content import boards, glossary
from forum.content.boards import Board
from forum.content.explained_terms import Term
from forum.content.posts.queries import AUTHOR, PostView, view_columns
from forum.content.posts.tables import NUMBER_MAX, Post, Voice
from forum.content.posts.visibility import exists_in_thread
from forum.content.threads.queries import get_thread
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core import pagination
from forum.core.database import Prepared, Reader, query
from forum.members.viewer import Viewer

# The thread of a page, read once: without MATERIALIZED, PostgreSQL reads it and its board again for each post.
_THREAD = (
    query(col(Thread.id), col(Thread.last_number), col(Board.indexable), boards.MODERATED.label("moderated"))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(THREAD_VISIBLE, col(Thread.id) == bindparam("thread_id", type_=BigInteger()))
    .cte("its_thread")
    .prefix_with("MATERIALIZED")
)

_COLUMNS = query(*view_columns(_THREAD.c.last_number, _THREAD.c.indexable, _THREAD.c.moderated))
_FIRST, _LAST = bindparam("first", type_=Integer()), bindparam("last", type_=Integer())
SELECT_NUMBERED = (
    _COLUMNS.select_from(_THREAD)
    .join(Post, col(Post.thread_id) == _THREAD.c.id)
    .join(AUTHOR, AUTHOR.c.id == col(Post.author_id))
    .where(exists_in_thread(_THREAD.c.moderated), col(Post.number).between(_FIRST, _LAST))
    .order_by(col(Post.number))
)
# The few of the page first, in the order of their index: PostgreSQL would read and sort all that advisers wrote in a
# thread, and a thread can be long. For that it must be told the thread itself, and not what another select finds.
_BY_ADVISERS = (
    select(col(Post.id))
    .where(
        col(Post.thread_id) == bindparam("thread_id", type_=BigInteger()),
        col(Post.voice) == Voice.ADVISER,
        col(Post.number) >= _FIRST,
        exists_in_thread(select(_THREAD.c.moderated).scalar_subquery()),
    )
    .order_by(col(Post.number))
    .limit(bindparam("limit", type_=Integer()))
    .subquery("by_advisers")
)
SELECT_BY_ADVISERS = (
    _COLUMNS.select_from(_BY_ADVISERS)
    .join(Post, col(Post.id) == _BY_ADVISERS.c.id)
    .join(_THREAD, _THREAD.c.id == col(Post.thread_id))
    .join(AUTHOR, AUTHOR.c.id == col(Post.author_id))
    .order_by(col(Post.number))
)


@dataclass(frozen=True)
class PageStatements:
    """The two statements for pages of a thread: whoever wants more columns has their own."""

    numbered: Prepared
    by_advisers: Prepared


_POSTS = PageStatements(Prepared(SELECT_NUMBERED, PostView), Prepared(SELECT_BY_ADVISERS, PostView))


async def list_by_number(reader: Reader, viewer: Viewer, thread_id: int, first: int, limit: int) -> Sequence[PostView]:
    """Return the posts of a thread numbered `first` to `first + limit - 1`: fewer where some are not visible."""
    span = {"first": min(first, NUMBER_MAX), "last": min(first + limit - 1, NUMBER_MAX)}
    return await reader.rows(_POSTS.numbered, **viewer.query_parameters, thread_id=thread_id, **span)


class PostPage(NamedTuple):
    """A page of a thread."""

    posts: Sequence[PostView]
    next: str | None
    indexable: bool
    terms: tuple[Term, ...]  # words of the glossary that stand in them

    @property
    def is_shared(self) -> bool:
        """Whether the page is the same for every reader who is no moderator: nothing on it waits."""
        return all(post.is_shared for post in self.posts)


@dataclass(frozen=True)
class PageRequest:
    """A request for a page of a thread: from a number or after a cursor, of all posts or only of advisers'."""

    limit: int
    after: str | None = None
    first: int = 1
    advisers_only: bool = False

    @property
    def begins_at(self) -> int:
        """The first number of the page. Raises Invalid for an unknown cursor."""
        return self.first if self.after is None else pagination.decode(self.after, _BY_NUMBER)[0] + 1


_BY_NUMBER = TypeAdapter(tuple[pagination.Identity])


async def get_page(
    reader: Reader, viewer: Viewer, thread_id: int, page: PageRequest, statements: PageStatements = _POSTS
) -> PostPage:
    """Return a page of a thread. Every page costs the same: posts are found by their numbers.

    Raises NotFound when the thread does not exist for the viewer, and Invalid for an unknown cursor.
    """
    first, limit = page.begins_at, page.limit
    values = {**viewer.query_parameters, "thread_id": thread_id, "first": min(first, NUMBER_MAX)}
    if page.advisers_only:
        found = await reader.rows(statements.by_advisers, **values, limit=limit + 1)
        last = found[limit - 1].number if len(found) > limit else None
    else:
        last = first + limit - 1
        found = await reader.rows(statements.numbered, **values, last=min(last, NUMBER_MAX))
    thread = found[0] if found else await get_thread(reader, viewer, thread_id)
    has_next = last is not None and last < thread.last_number
    shown, following = found[:limit], pagination.encode(last) if has_next else None
    terms = (await glossary.get_finder(reader)).find([post.body_html or "" for post in shown])
    return PostPage(shown, following, thread.indexable, terms)
