"""Advisers are told what became of the threads that they kept, and members that an adviser endorses their post."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import readable_by_member
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import with_board_of_post
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.database import query
from forum.core.jobs import Handler, Payload
from forum.members.aliases import owner_of
from forum.notifications.inbox import NotificationKind, notify


def make_adviser_teller(kind: NotificationKind) -> Handler:
    """Return the job handler that tells an adviser this about a post."""

    async def tell_adviser(session: AsyncSession, payload: Payload, now: datetime) -> None:
        await notify(session, UUID(payload["member"]), kind, now, post_id=int(payload["post"]))

    return tell_adviser


def make_author_teller(kind: NotificationKind) -> Handler:
    """Return the job handler that tells the author of a post this about it, if they and others see it now."""

    async def tell_author(session: AsyncSession, payload: Payload, now: datetime) -> None:
        author = owner_of(col(Post.author_id))
        seen = with_board_of_post(query(author.label("author_id"))).where(
            col(Post.id) == int(payload["post"]),
            col(Post.visibility) == Visibility.VISIBLE,
            THREAD_SHOWN,
            readable_by_member(author),
        )
        author_id = (await session.execute(seen)).scalar_one_or_none()
        if author_id:
            await notify(session, author_id, kind, now, post_id=int(payload["post"]))

    return tell_author
