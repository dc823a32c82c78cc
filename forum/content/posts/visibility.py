"""Who sees a post, and how its visibility changes."""

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.posts.counts import refresh_thread_counts
from forum.content.posts.tables import NEXT, Post, Visibility
from forum.content.threads.tables import Thread, ThreadVisibility
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.errors import Conflict
from forum.members.viewer import VIEWER_ID


def exists_in_thread(moderated: ColumnElement[bool]) -> ColumnElement[bool]:
    """The post exists for the viewer, for whom its thread does; `moderated` says whether they moderate the board.

    A removed or withdrawn post exists as a tombstone; a held one for its author and the board's moderators.
    """
    return or_(col(Post.visibility) != Visibility.HELD, col(Post.author_id) == VIEWER_ID, moderated)


# The post, joined with its thread and board, exists for the viewer: every read of posts carries it.
POST_VISIBLE = and_(THREAD_VISIBLE, exists_in_thread(boards.MODERATED))


async def set_visibility(session: AsyncSession, post: Post, to: Visibility, *, held_because: str | None = None) -> None:
    """Give a post whose row the caller has locked another visibility, and count its thread anew.

    Raises Conflict for a step that NEXT does not have.
    """
    if to == post.visibility:
        post.held_because = held_because
        return
    if to not in NEXT[Visibility(post.visibility)]:
        raise Conflict(f"A {post.visibility} post cannot become {to}.", code=f"post_{post.visibility}")
    post.visibility, post.held_because = to, held_because
    await session.flush()
    thread = await refresh_thread_counts(session, post.thread_id)
    if post.number == 1:
        thread.visibility = _with_its_opening(thread, to)
        await session.flush()


def _with_its_opening(thread: Thread, to: Visibility) -> str:
    """What a thread becomes with its opening post: one of which nothing else was seen goes and comes with it."""
    if to == Visibility.VISIBLE:
        return ThreadVisibility.VISIBLE
    if to == Visibility.HELD and thread.posts == 0:
        return ThreadVisibility.HELD
    is_seen = thread.visibility == ThreadVisibility.VISIBLE
    return ThreadVisibility.VISIBLE if is_seen else ThreadVisibility.REMOVED
