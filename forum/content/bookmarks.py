"""Bookmarks: posts that a member saved for themselves. Nobody else sees them, and nobody counts them."""

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col

from forum.content.boards import Board
from forum.content.posts.queries import AUTHOR, PostView, get_post_in_transaction
from forum.content.posts.tables import SHOWN, Post
from forum.content.posts.visibility import POST_VISIBLE, with_board_of_post
from forum.content.threads.queries import keyset_pages, read_page
from forum.content.threads.tables import Thread
from forum.core import pagination
from forum.core.database import Moment, Prepared, Reader, query
from forum.core.errors import Invalid, NotFound
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import author_columns, lock_own_row
from forum.members.viewer import VIEWER_ID, Viewer

MOST = 2000  # of one member: more than anybody finds again


class Bookmark(SQLModel, table=True):
    """That a member saved a post."""

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id")
    saved_at: datetime = Field(sa_type=Moment)


# A post of which its reader sees the words: of a tombstone, a bookmark leads nowhere.
HAS_WORDS = or_(*(col(Post.visibility) == visibility for visibility in SHOWN))
_OWN = col(Bookmark.member_id) == VIEWER_ID
_KEY = (col(Bookmark.saved_at), col(Bookmark.post_id))
_CURSOR = TypeAdapter(tuple[pagination.Instant, pagination.Identity])
_PAGES = keyset_pages(
    with_board_of_post(
        query(
            col(Post.id),
            col(Post.thread_id),
            col(Thread.title).label("thread_title"),
            col(Board.slug).label("board_slug"),
            col(Board.name).label("board_name"),
            col(Post.number),
            *author_columns(AUTHOR, "author"),
            col(Post.created_at),
            col(Bookmark.saved_at),
        )
        .select_from(Bookmark)
        .join(Post, col(Post.id) == col(Bookmark.post_id))
    )
    .join(AUTHOR, AUTHOR.c.id == col(Post.author_id))
    .where(_OWN, POST_VISIBLE, HAS_WORDS),
    _KEY,
    falling=True,
)

# The viewer's own bookmarks, for their copy: also of what they can no longer see, by number alone.
SAVED_BY = Prepared(
    query(col(Post.thread_id), col(Post.number), col(Bookmark.saved_at))
    .select_from(Bookmark)
    .join(Post, col(Post.id) == col(Bookmark.post_id))
    .where(_OWN)
    .order_by(*_KEY)
)


async def list_bookmarks(reader: Reader, viewer: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of the posts that the viewer saved and still sees, the one saved last first.

    Raises Invalid for an unknown cursor.
    """
    sort_key = pagination.decode(after, _CURSOR) if after is not None else None
    rows = await read_page(reader, _PAGES, viewer, sort_key, limit=limit + 1)
    return pagination.page_of(rows, limit, lambda row: (row.saved_at, row.id))


# Actions


async def save_post(work: Work, viewer: Viewer, post_id: int) -> PostView:
    """Save a post for oneself, and return it. Idempotent.

    Raises NotFound, also for a tombstone; Invalid for one more than `MOST`.
    """
    post = await get_post_in_transaction(work.session, viewer, post_id)
    if post.visibility not in SHOWN:
        raise NotFound("There is no such post.", code="post_not_found")
    await lock_own_row(work.session, viewer)  # of two at once, the second counts the first
    own = select(func.count()).where(col(Bookmark.member_id) == viewer.member_id)
    if (await work.session.execute(own.where(col(Bookmark.post_id) != post_id))).scalar_one() >= MOST:
        detail = f"You saved {MOST:,} posts. Please take one off first."
        raise Invalid(detail, "#", code="too_many_bookmarks")
    saved = insert(Bookmark).values(member_id=viewer.member_id, post_id=post_id, saved_at=work.now)
    await work.session.execute(saved.on_conflict_do_nothing())
    return post


async def forget_post(work: Work, viewer: Viewer, post_id: int) -> None:
    """Save a post no longer, whether the viewer still sees it or not. Idempotent."""
    own = (col(Bookmark.member_id) == viewer.member_id, col(Bookmark.post_id) == post_id)
    await work.session.execute(delete(Bookmark).where(*own))
