"""Job handler: the old handle of a member who took another leaves every text in which they are named."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from forum.content.posts.erasure import replace_handle_in_posts
from forum.content.threads.titles import replace_handle_in_titles
from forum.core.jobs import Handler, Payload
from forum.members.tables import HandleChange, Member
from forum.privacy.personal_data_source import PersonalDataSource


def make_handle_replacer(source: PersonalDataSource) -> Handler:
    """Return the job handler that lets mentions and quotes of a member follow to their new handle. Idempotent.

    When they left meanwhile, marks stand for the old one.
    """

    async def replace_handle(session: AsyncSession, payload: Payload, _now: datetime) -> None:
        change = await session.get(HandleChange, UUID(payload["member"]), with_for_update=True)
        if change is None:
            return
        old, new = change.old_handle, (await session.get_one(Member, change.member_id)).handle
        await replace_handle_in_posts(session, old, new, fixed=source.has_positions)
        await replace_handle_in_titles(session, old, new)
        await source.remove_handle(session, old)
        await session.delete(change)

    return replace_handle
