"""Job handlers: erase a departed member's texts, one job per thread, until none remain."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from forum.content.posts.erasure import erase_posts, is_kept_opening, threads_with_words
from forum.content.threads.changes import lock_thread_row
from forum.content.threads.queries import select_titled_by
from forum.content.threads.titles import erase_titles
from forum.core import jobs
from forum.core.jobs import Handler, Job, Payload
from forum.members.aliases import forget_aliases, get_owner
from forum.privacy.personal_data_source import PersonalDataSource
from forum.privacy.tables import Departure

ERASE = Job("erase_words")
ERASE_IN_THREAD = Job("erase_words_in_thread")


def make_eraser(source: PersonalDataSource) -> Handler:
    """Return the job handler that enqueues the erasure of a departed member's texts, until none remain.

    Texts that are needed for something that is not decided yet stay until then: an hourly job tries again.
    """

    async def erase(session: AsyncSession, payload: Payload, now: datetime) -> None:
        departure = await session.get(Departure, UUID(payload["member"]), with_for_update=True)
        if departure is None or departure.done_at is None or departure.cleared_at:
            return
        needed = await source.list_needed_posts(session, departure.member_id)
        left = {*await threads_with_words(session, departure.member_id, needed)}
        left |= {*(await session.execute(select_titled_by(departure.member_id))).scalars()}
        for thread_id in sorted(left):
            await jobs.enqueue(session, ERASE_IN_THREAD, {**payload, "thread": str(thread_id)})
        if await source.erase_texts(session, departure.member_id, now) and not left and not needed:
            await forget_aliases(session, departure.member_id)
            departure.cleared_at = max(now, departure.done_at)

    return erase


def make_thread_eraser(source: PersonalDataSource) -> Handler:
    """Return the job handler that erases a member's texts in one thread. Idempotent."""

    async def erase(session: AsyncSession, payload: Payload, now: datetime) -> None:
        member_id, thread_id = UUID(payload["member"]), int(payload["thread"])
        needed = await source.list_needed_posts(session, member_id)
        await erase_posts(session, member_id, thread_id, needed, now)
        thread = await lock_thread_row(session, thread_id)
        if await get_owner(session, thread.author_id) == member_id and not await is_kept_opening(
            session, thread_id, needed
        ):
            await erase_titles(session, thread, now)

    return erase
