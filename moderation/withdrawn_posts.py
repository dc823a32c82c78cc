"""The words of withdrawn posts: kept for moderation for a time, then erased by a job."""

from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.erasure import erase_words
from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import Post
from forum.content.threads.changes import lock_posts_of_thread
from forum.core import jobs
from forum.core.jobs import Job, Payload
from forum.members.aliases import owner_of
from forum.privacy.tables import LegalHold
from moderation.cases import Case, CasePost, CaseState
from moderation.concerns import evidence

ERASE_WITHDRAWN = Job("erase_withdrawn_posts")
BATCH = 100


async def erase_withdrawn_posts(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: erase the words of posts that were withdrawn long enough ago. One batch; another job does the rest.

    While a case about a post is open, or a legal hold keeps it or its author's data, the words stay.
    """
    due = (col(Post.words_kept_until) <= now, ~_has_open_case(), ~_is_held())
    batch = select(col(Post.id), col(Post.thread_id)).where(*due).order_by(col(Post.thread_id), col(Post.id))
    found = (await session.execute(batch.limit(BATCH))).all()
    for post_id, thread_id in found:
        await lock_posts_of_thread(session, thread_id, alone=True)
        # Asked again: it may have been reported a moment ago.
        if (await session.execute(select(col(Post.id)).where(col(Post.id) == post_id, *due))).first():
            await erase_words(session, await lock_post_row(session, post_id))
    if len(found) == BATCH:
        await jobs.enqueue(session, ERASE_WITHDRAWN, {})


def _has_open_case() -> ColumnElement[bool]:
    same = (col(CasePost.post_id) == col(Post.id), col(CasePost.case_id) == col(Case.id))
    return exists().where(*same, col(Case.state) == CaseState.OPEN)


def _is_held() -> ColumnElement[bool]:
    held = exists().where(col(LegalHold.member_id) == owner_of(col(Post.author_id)))
    return or_(held, evidence.keeps_post())
