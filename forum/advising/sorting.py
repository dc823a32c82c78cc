"""Sort the threads that waited before there were lanes: the job of an update."""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content import markup
from forum.content.lanes import PostPlace, lane_of
from forum.content.posts.counts import refresh_thread_counts
from forum.content.posts.tables import Post, Voice
from forum.content.threads.changes import lock_posts_of_thread
from forum.content.threads.tables import Thread
from forum.core import jobs
from forum.core.database import query
from forum.core.jobs import Job, Payload
from forum.members.advisers import Adviser
from forum.members.tables import Member

SORT_WAITING = Job("sort_waiting_threads")
BATCH = 20  # threads in one transaction

_Answered, _Earlier = aliased(Post), aliased(Post)


async def sort_waiting(session: AsyncSession, _payload: Payload, _now: datetime) -> None:
    """Job handler: put the posts that no adviser has answered into lanes, thread by thread, until none remain.

    A thread comes here when the release before lanes wrote in it, also while it still ran beside this one.
    """
    waiting = select(col(Thread.id)).where(col(Thread.waiting_since).is_not(None)).order_by(col(Thread.waiting_since))
    threads = (await session.execute(waiting.limit(BATCH))).scalars().all()
    handles = (await session.execute(select(col(Member.handle)).join(Adviser))).scalars().all()
    for thread_id in threads:
        await lock_posts_of_thread(session, thread_id)
        await _sort(session, thread_id, frozenset(filter(None, handles)))
        thread = await refresh_thread_counts(session, thread_id)
        thread.waiting_since = None
        await session.flush()
    if len(threads) == BATCH:
        await jobs.enqueue(session, SORT_WAITING, {})


async def _sort(session: AsyncSession, thread_id: int, advisers: frozenset[str]) -> None:
    """Decide the lanes of a thread's posts after the last one of an adviser."""
    last = select(func.max(_Earlier.number)).where(
        col(_Earlier.thread_id) == thread_id, col(_Earlier.voice) == Voice.ADVISER
    )
    wrote_before = select(col(_Earlier.id)).where(
        col(_Earlier.thread_id) == col(Post.thread_id),
        col(_Earlier.author_id) == col(Post.author_id),
        col(_Earlier.number) < col(Post.number),
    )
    unsorted = (
        query(
            col(Post.id),
            col(Post.number),
            col(Post.body_markdown),
            (col(Post.author_id) == col(Thread.author_id)).label("by_opener"),
            (col(_Answered.voice) == Voice.ADVISER).label("to_adviser"),
            (~wrote_before.exists()).label("is_newcomer_here"),
        )
        .join(Thread, col(Thread.id) == col(Post.thread_id))
        .outerjoin(
            _Answered,
            and_(col(_Answered.thread_id) == col(Post.thread_id), col(_Answered.number) == col(Post.reply_to)),
        )
        .where(
            col(Post.thread_id) == thread_id,
            col(Post.voice) == Voice.MEMBER,
            col(Post.asks).is_(None),
            or_(last.scalar_subquery().is_(None), col(Post.number) > last.scalar_subquery()),
        )
        .order_by(col(Post.id))
    )
    for row in (await session.execute(unsorted)).all():
        lane = lane_of(row.body_markdown, _place_of(row, advisers), None)
        if lane:
            await session.execute(update(Post).where(col(Post.id) == row.id).values(lane=lane))


def _place_of(row: Any, advisers: frozenset[str]) -> PostPlace:
    names_adviser = "@" in row.body_markdown and bool(
        advisers.intersection(markup.find_references(row.body_markdown).mentions)
    )
    return PostPlace(
        is_first=row.number == 1,
        by_opener=row.by_opener,
        to_adviser=bool(row.to_adviser) or names_adviser,
        is_newcomer_here=row.is_newcomer_here,
    )
