"""Who opened a thread is told when somebody else locked, unlocked, moved or retitled it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.content.threads.changes import THREAD_CHANGED
from forum.content.threads.tables import Thread
from forum.core.database import query
from forum.core.jobs import Handler, Job, Payload
from forum.members.aliases import owner_of
from forum.notifications.inbox import NotificationKind, notify

KINDS: Mapping[str, NotificationKind] = {
    "thread.locked": NotificationKind.THREAD_LOCKED,
    "thread.open": NotificationKind.THREAD_UNLOCKED,
    "thread.moved": NotificationKind.THREAD_MOVED,
    "thread.retitled": NotificationKind.THREAD_RETITLED,
}


def make_tellers() -> Mapping[Job, Handler]:
    """Return the handler of each job that tells of a change to a thread."""
    return {job: _make_teller(KINDS[act]) for act, job in THREAD_CHANGED.items()}


def _make_teller(kind: NotificationKind) -> Handler:
    async def tell_author(session: AsyncSession, payload: Payload, now: datetime) -> None:
        opening = (
            query(col(Post.id).label("post_id"), owner_of(col(Thread.author_id)).label("author_id"))
            .join(Thread, col(Thread.id) == col(Post.thread_id))
            .where(col(Thread.id) == int(payload["thread"]), col(Post.number) == 1)
        )
        row = (await session.execute(opening)).one()
        if row.author_id != UUID(payload["by"]):
            await notify(session, row.author_id, kind, now, post_id=row.post_id)

    return tell_author
