"""Public cards: what everybody may know of a member."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, bindparam
from sqlmodel import col

from forum.core.database import Prepared, Reader, query
from forum.core.errors import NotFound
from forum.members import names
from forum.members.advisers import Adviser, Badge
from forum.members.tables import Member
from forum.members.viewer import Viewer


@dataclass(frozen=True)
class MemberCard:
    """What everybody may know of a member; `posts` are those that the viewer may read."""

    handle: str
    name: str
    title: str | None
    joined_at: datetime
    posts: int
    adviser: Badge | None


# The members `handles` (in their normal form): those who exist and have not left.
_CARDS = Prepared(
    query(
        col(Member.id),
        col(Member.handle),
        col(Member.name),
        col(Member.title),
        col(Member.joined_at),
        col(Adviser.title).label("adviser_title"),
        col(Adviser.organisation).label("adviser_organisation"),
    )
    .outerjoin(Adviser, col(Adviser.member_id) == col(Member.id))
    .where(col(Member.handle) == any_(bindparam("handles", type_=ARRAY(Text()))))
    .order_by(col(Member.handle))
)


async def list_cards(
    reader: Reader, viewer: Viewer, handles: Sequence[str], post_counts: Prepared
) -> Sequence[MemberCard]:
    """Return the cards of the members with these handles; handles that nobody has are left out.

    `post_counts` counts the posts of `member_ids` that the viewer may read: members stand below posts, and do not
    know them.
    """
    rows = await reader.rows(_CARDS, handles=[names.folded(handle) for handle in handles])
    if not rows:
        return []
    counts = await reader.rows(post_counts, **viewer.query_parameters, member_ids=[row.id for row in rows])
    posts: dict[UUID, int] = {row.author_id: row.posts for row in counts}
    return [_card(row, posts.get(row.id, 0)) for row in rows]


async def get_card(reader: Reader, viewer: Viewer, handle: str, post_counts: Prepared) -> MemberCard:
    """Return one member's card. Raises NotFound when nobody has this handle."""
    cards = await list_cards(reader, viewer, [handle], post_counts)
    if not cards:
        raise NotFound("There is no such member.", code="member_not_found")
    return cards[0]


def _card(row: Any, posts: int) -> MemberCard:
    adviser = Badge(row.name, row.adviser_title, row.adviser_organisation) if row.adviser_title else None
    return MemberCard(row.handle, row.name, row.title, row.joined_at, posts, adviser)
