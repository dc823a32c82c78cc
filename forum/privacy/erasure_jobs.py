"""Erasing: the words of somebody who left, thread by thread, until nothing is left that need not be kept."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from forum.content.posts.erasure import erase_posts, threads_with_words
from forum.content.threads.changes import erase_title, lock_thread_row
from forum.content.threads.queries import select_titled_by
from forum.core import jobs
from forum.core.jobs import Handler, Job, Payload
from forum.privacy.personal_data_source import PersonalDataSource
from forum.privacy.tables import Departure

ERASE = Job("erase_words")
ERASE_IN_THREAD = Job("erase_words_in_thread")


def erasing(keeper: PersonalDataSource) -> Handler:
    """What has the words of a member erased who has left, and sees whether any are left.

    Words that something needs which is not decided yet stay until it is: the hourly look comes back to them.
    """

    async def erase(session: AsyncSession, payload: Payload, now: datetime) -> None:
        departure = await session.get(Departure, UUID(payload["member"]), with_for_update=True)
        if departure is None or departure.done_at is None or departure.cleared_at:
            return
        kept = await keeper.needed(session, departure.member_id)
        left = {*await threads_with_words(session, departure.member_id, kept)}
        left |= {*(await session.execute(select_titled_by(departure.member_id))).scalars()}
        for thread_id in sorted(left):
            await jobs.enqueue(session, ERASE_IN_THREAD, {**payload, "thread": str(thread_id)})
        if await keeper.erase(session, departure.member_id, now) and not left and not kept:
            departure.cleared_at = max(now, departure.done_at)

    return erase


def erasing_in_thread(keeper: PersonalDataSource) -> Handler:
    """What erases the words of a member in one thread; done twice, it is as done once."""

    async def erase(session: AsyncSession, payload: Payload, now: datetime) -> None:
        member_id, thread_id = UUID(payload["member"]), int(payload["thread"])
        kept = await keeper.needed(session, member_id)
        await erase_posts(session, member_id, thread_id, kept, keeper.unquoting)
        thread = await lock_thread_row(session, thread_id)
        if thread.author_id == member_id:
            await erase_title(session, thread, now)

    return erase
