"""The lane in which a post puts its thread, as it is written, and how what waits is settled without an answer."""

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Integer, Text, any_, bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.lanes import Lane, PostPlace, asks_something, lane_of
from forum.content.posts.adviser_badge import voice_of
from forum.content.posts.context import PostingContext, ReplyContext
from forum.content.posts.counts import refresh_thread_counts
from forum.content.posts.draft import Draft
from forum.content.posts.tables import Post, Voice
from forum.content.threads.changes import lock_posts_of_thread
from forum.core.database import Prepared, query
from forum.core.in_transaction import row_in
from forum.core.work import Work
from forum.members.advisers import Adviser
from forum.members.tables import Member
from forum.members.viewer import VIEWER_PERSONAS, Viewer


async def lane_of_opening(work: Work, author: Viewer, context: PostingContext, draft: Draft) -> Lane | None:
    """Return the lane of a thread's first post; None for one of staff."""
    if voice_of(author, context) != Voice.MEMBER:
        return None
    return lane_of(draft.body_markdown, PostPlace(is_first=True), await _said(work, draft))


async def lane_of_reply(work: Work, author: Viewer, context: ReplyContext, draft: Draft) -> Lane | None:
    """Return the lane of a reply; None for one of staff."""
    if voice_of(author, context) != Voice.MEMBER:
        return None
    asks, by_opener = await _said(work, draft), context.thread.author_id in author.personas
    place = PostPlace(by_opener=by_opener)
    if asks is None and not by_opener and asks_something(draft.body_markdown):
        place = PostPlace(to_adviser=await _is_for_adviser(work.session, author, context, draft))
    return lane_of(draft.body_markdown, place, asks)


async def settle(session: AsyncSession, thread_id: int, *which: ColumnElement[bool]) -> bool:
    """Let posts of a thread wait no longer: all, or those that meet these conditions. Return whether any did.

    What is written later and asks something waits again.
    """
    await lock_posts_of_thread(session, thread_id)
    waiting = select(col(Post.id)).where(col(Post.thread_id) == thread_id, col(Post.lane).is_not(None), *which)
    locked = (await session.execute(waiting.order_by(col(Post.id)).with_for_update(key_share=True))).scalars().all()
    if locked:
        await session.execute(update(Post).where(col(Post.id).in_(locked)).values(lane=None))
        await refresh_thread_counts(session, thread_id)
    return bool(locked)


def guessed_of(personas: tuple[object, ...], before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that somebody wrote a post before, and did not say themselves that it asks something."""
    return (col(Post.author_id).in_(personas), col(Post.asks).is_(None), col(Post.created_at) <= before)


async def _said(work: Work, draft: Draft) -> bool | None:
    """Return what an author says of a draft. Words of danger wait whatever their author says."""
    if draft.asks is False and await work.gate.find_dangers(draft.texts):
        return None
    return draft.asks


_HERE = col(Post.thread_id) == bindparam("thread_id", type_=BigInteger())
_TO_ADVISER = exists().where(
    _HERE, col(Post.number) == bindparam("reply_to", type_=Integer()), col(Post.voice) == Voice.ADVISER
)
_WROTE_BEFORE = exists().where(_HERE, col(Post.author_id) == any_(VIEWER_PERSONAS))
_NAMES_ADVISER = exists().where(
    col(Adviser.member_id) == col(Member.id), col(Member.handle) == any_(bindparam("mentions", type_=ARRAY(Text())))
)
_IS_FOR_ADVISER = Prepared(query(or_(_TO_ADVISER, ~_WROTE_BEFORE, _NAMES_ADVISER).label("holds")))


async def _is_for_adviser(session: AsyncSession, author: Viewer, context: ReplyContext, draft: Draft) -> bool:
    """Return whether a reply answers an adviser or names one, or is the first that somebody writes in the thread."""
    values = {
        "thread_id": context.thread.id,
        "reply_to": draft.reply_to,
        "viewer_personas": author.personas,
        "mentions": [*(await draft.parse()).mentions],
    }
    return bool((await row_in(session, _IS_FOR_ADVISER, **values)).holds)
