"""Reactions on pages: the buttons below a post, and who reacted, for its author."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.content.reactions import actions
from forum.content.reactions.tables import ReactionKind
from forum.http.fields import Id
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit

router = page_router()

SENDERS_A_PAGE = 50
# What a button says. What readers see of it is in `content/reactions.html`.
BUTTONS: Mapping[ReactionKind, str] = {
    ReactionKind.THANK: mark("Thank you"),
    ReactionKind.HUG: mark("Send a hug"),
    ReactionKind.HELPFUL: mark("This helps"),
    ReactionKind.SAME_HERE: mark("I feel the same"),
}


class ReactionForm(FormModel):
    """A reaction to give."""

    kind: ReactionKind


class TakenBackForm(FormModel):
    """A reaction to take back."""

    taken_back: ReactionKind


@dataclass(frozen=True, kw_only=True)
class SendersPage(Page):
    """Who reacted to one's own post."""

    template: ClassVar[str] = "content/senders.html"
    section: ClassVar[str] = "/"
    is_own: ClassVar[bool] = True

    post_id: int
    senders: Sequence[Any]
    next: str | None


@router.post("/posts/{id}/reactions")
async def react(id: Id, visit: MemberForm) -> Response:
    """React to a post or take it back, and go back to its place."""
    if "taken_back" in visit.form.values:
        await visit.act(actions.take_back, id, visit.form.parse(TakenBackForm).taken_back)
    else:
        await visit.act(actions.react, id, visit.form.parse(ReactionForm).kind)
    return visit.go(f"/posts/{id}")


@router.get("/posts/{id}/reactions")
async def show_senders(id: Id, visit: MemberVisit) -> Response:
    """Show who reacted to one's own post; nobody is told who feels the same."""
    page = await visit.act(actions.list_senders, id, visit.query("after") or None, SENDERS_A_PAGE)
    title = visit.say("What people said to your post")
    return visit.show(SendersPage(title=title, post_id=id, senders=page.rows, next=page.next))
