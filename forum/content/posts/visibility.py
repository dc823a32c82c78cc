"""Who sees a post, and how its visibility changes."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, any_, delete, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.counts import refresh_thread_counts
from forum.content.posts.tables import NEXT, Post, UntoldPost, Visibility
from forum.content.reactions.tables import Reaction
from forum.content.threads.tables import Thread, ThreadVisibility
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Query
from forum.core.errors import Conflict
from forum.members.viewer import VIEWER_PERSONAS


def exists_in_thread(moderated: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that a post exists for the viewer, in a thread that exists for them.

    `moderated` says whether they moderate the board. A removed or withdrawn post exists as a tombstone; a held one
    exists for its author and the board's moderators only.
    """
    return or_(col(Post.visibility) != Visibility.HELD, col(Post.author_id) == any_(VIEWER_PERSONAS), moderated)


def with_board_of_post(of_posts: Query) -> Query:
    """Return the same select of posts, joined with each one's thread and board."""
    threads = of_posts.join(Thread, col(Thread.id) == col(Post.thread_id))
    return threads.join(Board, col(Board.id) == col(Thread.board_id))


# The post, joined with its thread and board, exists for the viewer: every read of posts has this condition.
POST_VISIBLE = and_(THREAD_VISIBLE, exists_in_thread(boards.MODERATED))


async def set_visibility(
    session: AsyncSession, post: Post, to: Visibility, now: datetime, *, held_because: str | None = None
) -> None:
    """Change the visibility of a post, whose row the caller has locked, and compute its thread's counts again.

    Raises Conflict for a change that NEXT does not allow.
    """
    if to == post.visibility:
        post.held_because = held_because
        return
    await change_visibility(session, post, to, now, held_because=held_because)
    await refresh_thread(session, post.thread_id, to if post.number == 1 else None)


async def change_visibility(
    session: AsyncSession, post: Post, to: Visibility, now: datetime, *, held_because: str | None = None
) -> None:
    """Change the visibility of one of many posts, whose row the caller has locked. Raises as `set_visibility` does.

    Counting reads all posts of a thread: who changes many of them counts once, with `refresh_thread`.
    """
    if to not in NEXT[Visibility(post.visibility)]:
        raise Conflict(f"A {post.visibility} post cannot become {to}.", code=f"post_{post.visibility}")
    if to == Visibility.VISIBLE:
        post.published_at = now
    post.visibility, post.held_because = to, held_because
    await session.flush()
    if to == Visibility.WITHDRAWN:  # for good; a removed post may come back, and its reactions with it
        await session.execute(delete(Reaction).where(col(Reaction.post_id) == post.id))
    if to == Visibility.VISIBLE:
        # Those whom it concerns are told, if they were not told of it before.
        await session.execute(insert(UntoldPost).values(post_id=post.id).on_conflict_do_nothing())


async def refresh_thread(session: AsyncSession, thread_id: int, opening: Visibility | None) -> None:
    """Compute a thread's counts after posts changed their visibility; `opening` is what its first one has become."""
    thread = await refresh_thread_counts(session, thread_id)
    if opening is not None:
        thread.visibility = _visibility_of_thread(thread, opening)
        await session.flush()


def _visibility_of_thread(thread: Thread, to: Visibility) -> str:
    """Return the visibility of a thread after its opening post got another.

    A thread without another visible post is held with its opening post. When the opening post is removed or withdrawn,
    a visible thread stays visible, and one that was held is removed.
    """
    if to == Visibility.VISIBLE:
        return ThreadVisibility.VISIBLE
    if to == Visibility.HELD and thread.posts == 0:
        return ThreadVisibility.HELD
    is_seen = thread.visibility == ThreadVisibility.VISIBLE
    return ThreadVisibility.VISIBLE if is_seen else ThreadVisibility.REMOVED
