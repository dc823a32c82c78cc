"""What is indexed later: new and changed posts and titles within seconds, what was there before bit by bit.

A sweep takes posts and locks them while it reads their words: whoever changes one waits for some milliseconds, and
deletes the row that the sweep wrote. Without that lock, words that were taken out meanwhile would come back for good.
Who changes a post at this moment is waited for by no sweep: the next one takes it. So nobody waits in a circle.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, BigInteger, any_, bindparam, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post, Visibility
from forum.content.search.plain import plain_text
from forum.content.search.tables import Search, SearchProgress, UnindexedPost, UnindexedThread
from forum.content.threads.tables import Thread
from forum.core import jobs
from forum.core.jobs import Handler, Job, Payload
from forum.core.settings import Settings

AT_ONCE = 100  # posts in one transaction: some 50 ms, in which nobody can change them
KEPT_FOR = timedelta(hours=1)

INDEX_POST = Job("index_post")
SET_LANGUAGE = Job("set_search_language")
FORGET_SEARCHES = Job("forget_searches")

_IDS = bindparam("ids", type_=ARRAY(BigInteger()))
_NEXT_POSTS = (
    select(col(UnindexedPost.id), col(UnindexedPost.post_id)).order_by(col(UnindexedPost.id).desc()).limit(AT_ONCE)
)
_NEXT_THREADS = (
    select(col(UnindexedThread.id), col(UnindexedThread.thread_id))
    .order_by(col(UnindexedThread.id).desc())
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True)
)
_LOCKED = (
    select(col(Post.id), col(Post.visibility), col(Post.content_warning), col(Post.body_html))
    .where(col(Post.id) == any_(_IDS))
    .order_by(col(Post.id))
    .with_for_update(read=True, skip_locked=True)
)
# The board as it is at this moment: if the thread moves at the same time, a row says so, and a later sweep mends it.
_WRITE = text("""
INSERT INTO post_search (post_id, board_id, author_id, by_adviser, written_at, words)
SELECT post.id, thread.board_id, post.author_id, post.voice = 'adviser', post.created_at,
    to_tsvector(CAST(:language AS regconfig), said.words)
FROM unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) AS said (id, words)
JOIN post ON post.id = said.id JOIN thread ON thread.id = post.thread_id
ON CONFLICT (post_id) DO UPDATE SET board_id = excluded.board_id, words = excluded.words
""")
_WRITE_TITLES = text("""
INSERT INTO thread_search (thread_id, words)
SELECT id, to_tsvector(CAST(:language AS regconfig), title) FROM (
    SELECT id, title FROM thread WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR SHARE SKIP LOCKED
) AS titled
ON CONFLICT (thread_id) DO UPDATE SET words = excluded.words
RETURNING thread_id
""")
_MOVED = text("""
INSERT INTO unindexed_post (post_id)
SELECT post.id FROM post JOIN thread ON thread.id = post.thread_id JOIN post_search ON post_search.post_id = post.id
WHERE thread.id = ANY(CAST(:ids AS bigint[])) AND post_search.board_id <> thread.board_id
""")


async def index_posts(session: AsyncSession, _now: datetime) -> bool:
    """Index the next posts, new ones first. Return whether there may be more."""
    progress = await _progress(session)
    taken = (await session.execute(_NEXT_POSTS)).all()
    if taken:
        done = set(await _index(session, sorted({row.post_id for row in taken}), progress.language))
        rows = [row.id for row in taken if row.post_id in done]
        await session.execute(delete(UnindexedPost).where(col(UnindexedPost.id) == any_(_IDS)), {"ids": rows})
        return len(taken) == AT_ONCE and bool(rows)
    older = select(col(Post.id)).where(col(Post.id) < progress.posts_below).order_by(col(Post.id).desc()).limit(AT_ONCE)
    ids = (await session.execute(older)).scalars().all()
    if ids:
        done = set(await _index(session, sorted(ids), progress.language))
        await _put_down(session, [one for one in ids if one not in done])
        await session.execute(update(SearchProgress).values(posts_below=min(ids)))
    return bool(ids)


async def index_titles(session: AsyncSession, _now: datetime) -> bool:
    """Index the next titles, and put down the posts of threads that moved. Return whether there may be more."""
    progress = await _progress(session)
    taken = (await session.execute(_NEXT_THREADS)).all()
    if taken:
        ids = sorted({row.thread_id for row in taken})
        done = set(await _index_titles(session, ids, progress.language))
        await session.execute(_MOVED, {"ids": sorted(done)})
        ended = [row.id for row in taken if row.thread_id in done]
        await session.execute(delete(UnindexedThread).where(col(UnindexedThread.id) == any_(_IDS)), {"ids": ended})
        return len(taken) == AT_ONCE and bool(ended)
    older = select(col(Thread.id)).where(col(Thread.id) < progress.threads_below)
    newest = older.order_by(col(Thread.id).desc()).limit(AT_ONCE)
    older_ids: Sequence[int] = (await session.execute(newest)).scalars().all()
    if older_ids:
        indexed = set(await _index_titles(session, sorted(older_ids), progress.language))
        session.add_all([UnindexedThread(thread_id=one) for one in older_ids if one not in indexed])
        await session.flush()
        await session.execute(update(SearchProgress).values(threads_below=min(older_ids)))
    return bool(older_ids)


async def index_each_by_itself(session: AsyncSession, _now: datetime) -> None:
    """Have each of the next posts indexed by a job of its own: one of them made all of them fail."""
    taken = (await session.execute(_NEXT_POSTS)).all()
    for post_id in sorted({row.post_id for row in taken}):
        await jobs.enqueue(session, INDEX_POST, {"post_id": str(post_id)})
    ids = {"ids": [row.id for row in taken]}
    await session.execute(delete(UnindexedPost).where(col(UnindexedPost.id) == any_(_IDS)), ids)
    if not taken:
        progress = await _progress(session)
        older = select(col(Post.id)).where(col(Post.id) < progress.posts_below).order_by(col(Post.id).desc())
        found = (await session.execute(older.limit(AT_ONCE))).scalars().all()
        for post_id in sorted(found):
            await jobs.enqueue(session, INDEX_POST, {"post_id": str(post_id)})
        await session.execute(update(SearchProgress).values(posts_below=min(found, default=0)))


async def leave_titles(_session: AsyncSession, _now: datetime) -> None:
    """Do nothing: there is no title that PostgreSQL cannot index, and the next sweep tries again."""


async def index_post(session: AsyncSession, payload: Payload, _now: datetime) -> None:
    """Index one post. A post that somebody changes at this moment is put down for a sweep."""
    post_id = int(payload["post_id"])
    if not await _index(session, [post_id], (await _progress(session)).language):
        await _put_down(session, [post_id])


def make_language_setter(settings: Settings) -> Handler:
    """Return the job handler that begins all over when the language of the settings is another one."""

    async def set_language(session: AsyncSession, _payload: Payload, _now: datetime) -> None:
        await session.execute(_BEGIN_AGAIN, {"language": settings.search_language})

    return set_language


_BEGIN_AGAIN = text("""
UPDATE search_progress SET language = :language, posts_below = (SELECT coalesce(max(id), 0) + 1 FROM post),
    threads_below = (SELECT coalesce(max(id), 0) + 1 FROM thread)
WHERE language <> :language
""")


async def forget_searches(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Delete what was searched for more than an hour ago."""
    await session.execute(delete(Search).where(col(Search.made_at) <= now - KEPT_FOR))


async def _progress(session: AsyncSession) -> SearchProgress:
    # Locked until the commit: who begins all over in another language meanwhile would be overwritten.
    return (await session.execute(select(SearchProgress).with_for_update())).scalar_one()


async def _index(session: AsyncSession, ids: Sequence[int], language: str) -> Sequence[int]:
    """Index those of these posts that readers see, and return those that nobody else had locked, seen or not."""
    locked = (await session.execute(_LOCKED, {"ids": list(ids)})).all()
    seen = [post for post in locked if post.visibility == Visibility.VISIBLE]
    words = [f"{post.content_warning or ''} {plain_text(post.body_html)}" for post in seen]
    values = {"ids": [post.id for post in seen], "words": words, "language": language}
    await session.execute(_WRITE, values)
    return [post.id for post in locked]


async def _index_titles(session: AsyncSession, ids: Sequence[int], language: str) -> Sequence[int]:
    """Index the titles of those threads that nobody else has locked, and return these."""
    done = await session.execute(_WRITE_TITLES, {"ids": list(ids), "language": language})
    return [row.thread_id for row in done]


async def _put_down(session: AsyncSession, ids: Sequence[int]) -> None:
    session.add_all([UnindexedPost(post_id=post_id) for post_id in ids])
    await session.flush()
