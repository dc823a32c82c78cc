"""Job handlers: the old handles and display names of a member leave every text in which they are named."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import handles
from forum.content.posts.erasure import renew_quotes, replace_handle_in_posts, select_threads_quoting
from forum.content.threads.titles import replace_handle_in_titles
from forum.core import jobs
from forum.core.jobs import Handler, Job, Payload
from forum.members.tables import HandleChange, Member
from forum.privacy.personal_data_source import PersonalDataSource

REPLACE_NAME_IN_THREAD = Job("replace_name_in_thread")


def make_handle_replacer(source: PersonalDataSource) -> Handler:
    """Return the job handler that lets mentions and quotes of a member follow to their new handle. Idempotent."""

    async def replace_handle(session: AsyncSession, payload: Payload, now: datetime) -> None:
        member = await session.get_one(Member, UUID(payload["member"]))
        await replace_old_handles(session, source, member.id, member.handle)
        await handles.look_again(session, member.id, now)

    return replace_handle


def make_handle_forgetter(source: PersonalDataSource) -> Handler:
    """Return the job handler that does so once more, for what was being written then, and forgets the old handles."""

    async def forget_handle(session: AsyncSession, payload: Payload, _now: datetime) -> None:
        member = await session.get_one(Member, UUID(payload["member"]))
        for change in await replace_old_handles(session, source, member.id, member.handle):
            await session.delete(change)

    return forget_handle


async def replace_old_handles(
    session: AsyncSession, source: PersonalDataSource, member_id: UUID, new: str | None
) -> Sequence[HandleChange]:
    """Replace a member's old handles in every text, by the new one or, where they left, by marks; return them."""
    own = select(HandleChange).where(col(HandleChange.member_id) == member_id)
    changes = (await session.execute(own.with_for_update())).scalars().all()
    for change in changes:
        if change.old_handle != new:  # else it was given back meanwhile
            await _replace(session, source, change.old_handle, new)
    return changes


async def replace_name(session: AsyncSession, payload: Payload, _now: datetime) -> None:
    """Job handler: replace the display name of a member on quotes of them, one job per thread."""
    threads = await session.execute(select_threads_quoting(UUID(payload["member"])))
    for thread_id in threads.scalars().all():
        await jobs.enqueue(session, REPLACE_NAME_IN_THREAD, {**payload, "thread": str(thread_id)})


async def replace_name_in_thread(session: AsyncSession, payload: Payload, _now: datetime) -> None:
    """Job handler: replace the display name of a member on quotes of them in one thread. Idempotent."""
    await renew_quotes(session, UUID(payload["member"]), int(payload["thread"]))


async def _replace(session: AsyncSession, source: PersonalDataSource, old: str, new: str | None) -> None:
    await replace_handle_in_posts(session, old, new, fixed=source.has_positions)
    await replace_handle_in_titles(session, old, new)
    await source.remove_handle(session, old)
