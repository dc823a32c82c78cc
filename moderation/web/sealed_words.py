"""Words that were taken out: read after a page said that this is recorded, and only by the press of a button."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from fastapi import Path, Response

from forum.http.fields import Id, Uuid
from forum.web.routing import page_router
from forum.web.visits import MemberForm
from moderation import case_file
from moderation.web.pages import ModerationPage

router = page_router()

Version = Annotated[int, Path(ge=1, lt=2**31)]


@dataclass(frozen=True, kw_only=True)
class SealedPage(ModerationPage):
    """An earlier version with words that were taken out."""

    template: ClassVar[str] = "moderation/sealed.html"

    words: str
    note: str | None = None
    written_at: datetime


@router.post("/moderation/cases/{id}/posts/{post_id}/versions/{number}")
async def read_sealed_version(id: Uuid, post_id: Id, number: Version, visit: MemberForm) -> Response:
    """Show a version of a post with words that were taken out, and record that it was read."""
    row = await visit.act(case_file.read_sealed_revision, id, post_id, number)
    title = visit.say("Version %(number)s", number=number)
    page = SealedPage(title=title, words=row.body_markdown, note=row.content_warning, written_at=row.written_at)
    return visit.show(page)


@router.post("/moderation/cases/{id}/titles/{number}")
async def read_sealed_title(id: Uuid, number: Version, visit: MemberForm) -> Response:
    """Show a title that a moderator took away, and record that it was read."""
    row = await visit.act(case_file.read_sealed_title, id, number)
    page = SealedPage(title=visit.say("Title %(number)s", number=number), words=row.title, written_at=row.written_at)
    return visit.show(page)
