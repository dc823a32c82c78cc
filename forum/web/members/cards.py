"""The page of a member: what everybody may know of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.content import ignored
from forum.content.ignored import IgnoreChoice
from forum.content.posts.tallies import WRITTEN
from forum.http.fields import Handle
from forum.members import cards
from forum.members.cards import MemberCard
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import Reading

router = page_router()


@dataclass(frozen=True, kw_only=True)
class MemberPage(Page):
    """A member, with what one can do about their name."""

    template: ClassVar[str] = "members/member.html"

    card: MemberCard
    links: Sequence[tuple[str, str]]
    is_own_card: bool
    choice: IgnoreChoice | None  # a guest has none


@router.get("/members/{handle}")
async def show_member(handle: Handle, visit: Reading) -> Response:
    """Show a member's card."""
    card = await cards.get_card(visit.reader, visit.viewer, handle, WRITTEN)
    is_own = card.handle == visit.viewer.handle
    choice = await ignored.read_choice(visit.reader, visit.viewer, handle) if visit.viewer.id else None
    links = [(link.path_of(card.handle), visit.say(link.words)) for link in visit.parts.member_links if not is_own]
    page = MemberPage(title=card.name, card=card, links=links, is_own_card=is_own, choice=choice)
    return visit.show(page)
