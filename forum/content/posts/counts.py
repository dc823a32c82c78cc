"""The counts of a thread, computed from all of its posts."""

from typing import Any

from sqlalchemy import Select, and_, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content.lanes import Lane
from forum.content.posts.tables import Post, Visibility, Voice
from forum.content.threads.changes import lock_thread_row
from forum.content.threads.tables import Thread
from forum.core.database import query


def select_counts(thread_id: Any) -> Select[Any]:
    """Return a select of the counts of a thread, by its id or by the column of an id."""
    shown = (col(Post.thread_id) == thread_id, col(Post.visibility) == Visibility.VISIBLE)
    number = col(Post.number)
    reply = and_(col(Post.voice) == Voice.ADVISER, number > 1)
    advice = aliased(Post)
    answers = (
        col(advice.thread_id) == thread_id,
        col(advice.visibility) == Visibility.VISIBLE,
        col(advice.voice) == Voice.ADVISER,
    )
    answered = select(func.max(advice.number)).where(*answers).correlate(Thread).scalar_subquery()
    unanswered = number > func.coalesce(answered, 0)
    asked, news = (and_(col(Post.lane) == lane, unanswered) for lane in Lane)
    return (
        query(
            func.count().label("posts"),
            func.count(distinct(col(Post.author_id))).label("participants"),
            func.max(number).label("last_post_number"),
            func.count().filter(reply).label("adviser_replies"),
            func.min(number).filter(reply).label("first_adviser_number"),
            func.max(number).filter(reply).label("latest_adviser_number"),
            func.min(Post.created_at).filter(asked).label("asked_since"),
            func.min(number).filter(asked).label("asked_number"),
            func.max(Post.created_at).filter(news).label("news_since"),
            func.max(number).filter(news).label("news_number"),
        )
        .where(*shown)
        .correlate(Thread)
    )


COUNTED = tuple(select_counts(None).selected_columns.keys())  # the columns of a thread that it gives


async def refresh_thread_counts(session: AsyncSession, thread_id: int) -> Thread:
    """Compute a thread's counts after a post's visibility changed, lock its row, and return it.

    It reads all posts of the thread. New posts, which are frequent, do not need it (`insertion.py`).
    """
    thread = await lock_thread_row(session, thread_id)
    for name, value in (await session.execute(select_counts(thread_id))).one()._mapping.items():
        setattr(thread, name, value)
    last = select(col(Post.created_at), col(Post.author_id)).where(
        col(Post.thread_id) == thread_id,
        col(Post.visibility) == Visibility.VISIBLE,
        col(Post.number) == thread.last_post_number,
    )
    row = (await session.execute(last)).one_or_none()
    thread.last_post_at, thread.last_post_by = (row.created_at, row.author_id) if row else (thread.opened_at, None)
    await session.flush()
    return thread
