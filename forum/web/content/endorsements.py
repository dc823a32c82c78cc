"""The page on which an adviser says that what a member wrote is right."""

from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.content.endorsements import actions
from forum.content.endorsements.actions import OwnEndorsement
from forum.http.fields import Id
from forum.web.content.composer import FormNumber
from forum.web.content.threads import place_of
from forum.web.forms import FormModel
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit

router = page_router()


class EndorseForm(FormModel):
    """Which revision of the post was on the screen."""

    revision: FormNumber


@dataclass(frozen=True, kw_only=True)
class EndorsePage(Page):
    """A post, and the button to endorse it or to take that back."""

    template: ClassVar[str] = "content/endorse.html"
    section: ClassVar[str] = "/"
    is_own: ClassVar[bool] = True

    post: Any
    is_endorsed: bool
    back: str


@router.get("/posts/{id}/endorsement")
async def show_endorsement(id: Id, visit: MemberVisit) -> Response:
    """Show the post and the button."""
    return visit.show(_page(visit, await visit.act(actions.read_endorsement, id)))


@router.post("/posts/{id}/endorsement")
async def endorse(id: Id, visit: MemberForm) -> Response:
    """Endorse a post, or take it back, and go to its place."""
    if "taken_back" in visit.form.values:
        await visit.act(actions.take_back, id)
        return visit.go(f"/posts/{id}")
    await visit.act(actions.endorse, id, visit.form.parse(EndorseForm).revision)
    return visit.go(f"/posts/{id}")


def _page(visit: Visit, own: OwnEndorsement) -> EndorsePage:
    back = place_of(own.post.thread_id, own.post.number)
    title = visit.say("Say that this is right")
    return EndorsePage(title=title, post=own.post, is_endorsed=own.is_endorsed, back=back)
