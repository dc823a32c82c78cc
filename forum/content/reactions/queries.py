"""Reads of reactions: who reacted, for the author of the post; one's own, for one's copy."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import any_, tuple_
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.content.reactions.tables import UNNAMED, Reaction
from forum.core import pagination
from forum.core.database import Prepared, query
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import author_columns, authors
from forum.members.viewer import VIEWER_PERSONAS

# The viewer's own reactions, for their copy.
GIVEN_BY = Prepared(
    query(col(Post.thread_id), col(Post.number), col(Reaction.kind), col(Reaction.reacted_at))
    .join(Post, col(Post.id) == col(Reaction.post_id))
    .where(col(Reaction.persona_id) == any_(VIEWER_PERSONAS))
    .order_by(col(Reaction.reacted_at), col(Reaction.post_id), col(Reaction.kind))
)

_SENDER = authors("sender")
_KEY = (col(Reaction.reacted_at), col(Reaction.persona_id), col(Reaction.kind))
SortKey = tuple[datetime, UUID, str]
_CURSOR: TypeAdapter[SortKey] = TypeAdapter(tuple[pagination.Instant, UUID, str])


def sort_key_of(cursor: str) -> SortKey:
    """Return the place in the list of who reacted. Raises Invalid for a cursor of another list."""
    return pagination.decode(cursor, _CURSOR)


async def list_senders(work: Work, post_id: int, after: SortKey | None, limit: int) -> Page:
    """Return a page of who reacted to a post, the newest first; the unnamed kinds are left out."""
    named = [kind for kind in work.settings.reactions if kind not in UNNAMED]
    senders = (
        query(*_KEY, *author_columns(_SENDER, "author"))
        .join(_SENDER, _SENDER.c.id == col(Reaction.persona_id))
        .where(col(Reaction.post_id) == post_id, col(Reaction.kind).in_(named))
    )
    if after is not None:
        senders = senders.where(tuple_(*_KEY) < tuple_(*after))
    ordered = senders.order_by(*(column.desc() for column in _KEY)).limit(limit + 1)
    return pagination.page_of((await work.session.execute(ordered)).all(), limit, _key)


def _key(row: Any) -> tuple[object, ...]:
    return (row.reacted_at, str(row.persona_id), row.kind)
