"""The page of one's drafts: what one began to write, to go on with or to delete."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from fastapi import Response

from forum.content import drafts
from forum.content.drafts import PlaceKind
from forum.http.fields import Id, Slug
from forum.web.content.composer import expires_at
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import OwnVisit

router = page_router()


@dataclass(frozen=True)
class DraftCard:
    """A draft in the list: its words, where one goes on with it, and where one deletes it."""

    row: Any
    expires_at: datetime

    @property
    def path(self) -> str:
        """The place below /me/drafts/."""
        return f"boards/{self.row.board}" if self._kind == PlaceKind.BOARD else f"{self._kind}s/{self.row.place_id}"

    @property
    def form_path(self) -> str:
        """The page of the composer with this draft."""
        ends = {PlaceKind.BOARD: "new", PlaceKind.THREAD: "reply", PlaceKind.POST: "edit"}
        return f"/{self.path}/{ends[self._kind]}"

    @property
    def _kind(self) -> PlaceKind:
        return PlaceKind(self.row.kind)


@dataclass(frozen=True, kw_only=True)
class DraftsPage(FormPage):
    """What one began to write."""

    template: ClassVar[str] = "content/drafts.html"
    section: ClassVar[str] = "/me"

    drafts: Sequence[DraftCard]


@router.get("/me/drafts")
async def show_drafts(visit: OwnVisit) -> Response:
    """Show what one began to write."""
    rows = await drafts.list_drafts(visit.reader, visit.viewer, visit.now)
    cards = [DraftCard(row, expires_at(row)) for row in rows]
    return visit.show(DraftsPage(title=visit.say("What you began to write"), drafts=cards))


@router.post("/me/drafts/threads/{id}/delete")
async def delete_reply_draft(id: Id, visit: OwnVisit) -> Response:
    """Delete the draft of a reply."""
    await visit.act(drafts.delete_reply, id)
    return visit.go("/me/drafts", done="draft-deleted")


@router.post("/me/drafts/boards/{slug}/delete")
async def delete_thread_draft(slug: Slug, visit: OwnVisit) -> Response:
    """Delete the draft of a new thread."""
    await visit.act(drafts.delete_thread, slug)
    return visit.go("/me/drafts", done="draft-deleted")


@router.post("/me/drafts/posts/{id}/delete")
async def delete_edit_draft(id: Id, visit: OwnVisit) -> Response:
    """Delete the draft of a change."""
    await visit.act(drafts.delete_edit, id)
    return visit.go("/me/drafts", done="draft-deleted")
