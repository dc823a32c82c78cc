"""The page of posts that moved from an old board and may show who somebody is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.core.pagination import Page
from forum.http.fields import Id
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit
from moderation import swept_posts
from moderation.swept_posts import SHOWN
from moderation.web import words
from moderation.web.pages import ModerationPage

router = page_router()

PATH = "/moderation/swept-posts"


@dataclass(frozen=True, kw_only=True)
class SweptPage(ModerationPage):
    """The posts that nobody settled, each with what was found in it."""

    template: ClassVar[str] = "moderation/swept_posts.html"
    details: ClassVar[Mapping[str, str]] = words.DETAILS

    page: Page


@router.get(PATH)
async def show_swept_posts(visit: MemberVisit) -> Response:
    """Show what moved here and may show who somebody is."""
    page = await visit.act(swept_posts.list_swept, visit.query("after") or None, SHOWN)
    return visit.show(SweptPage(title=visit.say("Old posts that may give somebody away"), page=page))


@router.post(PATH + "/{id}/settle")
async def settle_swept_post(id: Id, visit: MemberForm) -> Response:
    """Leave a post as it is, and off the list."""
    await visit.act(swept_posts.settle, id)
    return visit.go(PATH, done="swept-settled")
