"""Job handler: the old handles of a member who has another leave every text in which they are named."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.erasure import replace_handle_in_posts
from forum.content.threads.titles import replace_handle_in_titles
from forum.core.jobs import Handler, Payload
from forum.members.tables import HandleChange, Member
from forum.privacy.personal_data_source import PersonalDataSource


def make_handle_replacer(source: PersonalDataSource) -> Handler:
    """Return the job handler that lets mentions and quotes of a member follow to their new handle. Idempotent.

    When they left meanwhile, marks stand for the old ones.
    """

    async def replace_handle(session: AsyncSession, payload: Payload, _now: datetime) -> None:
        member = await session.get_one(Member, UUID(payload["member"]))
        own = select(HandleChange).where(col(HandleChange.member_id) == member.id)
        for change in (await session.execute(own.with_for_update())).scalars().all():
            if change.old_handle != member.handle:  # else it was given back meanwhile
                await _replace(session, source, change.old_handle, member.handle)
            await session.delete(change)

    return replace_handle


async def _replace(session: AsyncSession, source: PersonalDataSource, old: str, new: str | None) -> None:
    await replace_handle_in_posts(session, old, new, fixed=source.has_positions)
    await replace_handle_in_titles(session, old, new)
    await source.remove_handle(session, old)
