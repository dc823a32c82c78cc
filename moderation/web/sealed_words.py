"""Words that were taken out: read after a page said that this is recorded, and only by the press of a button."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import Response

from forum.content.posts import actions as posts
from forum.content.threads import actions as threads
from forum.http.fields import Id
from forum.web.routing import page_router
from forum.web.visits import MemberForm
from moderation.web.pages import ModerationPage

router = page_router()


@dataclass(frozen=True, kw_only=True)
class SealedPage(ModerationPage):
    """An earlier version with words that were taken out."""

    template: ClassVar[str] = "moderation/sealed.html"

    words: str
    note: str | None = None
    written_at: datetime


@router.post("/moderation/posts/{id}/versions/{number}")
async def read_sealed_version(id: Id, number: Id, visit: MemberForm) -> Response:
    """Show a version of a post with words that were taken out, and record that it was read."""
    row = await visit.act(posts.read_sealed_revision, id, number)
    title = visit.say("Version %(number)s", number=number)
    page = SealedPage(title=title, words=row.body_markdown, note=row.content_warning, written_at=row.written_at)
    return visit.show(page)


@router.post("/moderation/threads/{id}/titles/{number}")
async def read_sealed_title(id: Id, number: Id, visit: MemberForm) -> Response:
    """Show a title that a moderator took away, and record that it was read."""
    row = await visit.act(threads.read_sealed_title, id, number)
    page = SealedPage(title=visit.say("Title %(number)s", number=number), words=row.title, written_at=row.written_at)
    return visit.show(page)
