"""Tell an author that somebody reacted to a post of theirs: in the forum alone, and at most once an hour.

What is not read yet tells of all that follows: whoever is thanked fifty times is told once. How often, the post says.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Uuid, bindparam, exists, literal, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import readable_by_member
from forum.content.ignored import ignores
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import with_board_of_post
from forum.content.reactions.tables import Reaction
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.database import Moment, new_id, query, rows_of
from forum.core.jobs import Payload
from forum.members.aliases import owner_of
from forum.notifications.inbox import REACTED_UNREAD, Notification, NotificationKind

PAUSE = timedelta(hours=1)

_POST_ID, _BY = bindparam("post_id", type_=BigInteger()), bindparam("by", type_=Uuid())
_NOW, _SINCE = bindparam("now", type_=Moment()), bindparam("since", type_=Moment())
_AUTHOR = owner_of(col(Post.author_id))
_STANDS = exists().where(col(Reaction.post_id) == col(Post.id), col(Reaction.persona_id) == _BY)
_WAS_TOLD = exists().where(
    col(Notification.member_id) == _AUTHOR,
    col(Notification.kind) == NotificationKind.REACTED,
    col(Notification.at) > _SINCE,
)
_TOLD: Any = with_board_of_post(
    query(bindparam("id", type_=Uuid()), _AUTHOR, literal(str(NotificationKind.REACTED)), col(Post.id), _NOW)
).where(
    col(Post.id) == _POST_ID,
    THREAD_SHOWN,
    readable_by_member(_AUTHOR),  # of a thread that moved out of their sight, they hear nothing
    col(Post.visibility) == Visibility.VISIBLE,
    _STANDS,
    ~ignores(_AUTHOR, _BY),
    ~_WAS_TOLD,
)
_TELL = (
    insert(rows_of(Notification))
    .from_select(["id", "member_id", "kind", "post_id", "at"], _TOLD)
    .on_conflict_do_nothing(index_elements=[col(Notification.member_id)], index_where=text(REACTED_UNREAD))
)


async def tell_author(session: AsyncSession, payload: Payload, now: datetime) -> None:
    """Job handler: tell the author of a post that somebody reacted to it, unless that was taken back by now.

    They are not told of somebody whom they ignore.
    """
    values = {"id": new_id(), "post_id": int(payload["post"]), "by": payload["by"], "now": now, "since": now - PAUSE}
    await session.execute(_TELL, values)
