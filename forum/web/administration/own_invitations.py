"""Accept an invitation with the link that was mailed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.administration import invitations
from forum.core.errors import ForumError, NotFound
from forum.http.fields import Uuid
from forum.web.forms import FormModel
from forum.web.mailed_links import PastedLink
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import AnybodyVisit, OwnForm, Visit

router = page_router()


class AcceptanceForm(FormModel):
    """Which invitation, and the link that was mailed with it."""

    invitation: Uuid
    token: PastedLink


@dataclass(frozen=True, kw_only=True)
class InvitationsPage(FormPage):
    """The invitations to the address that one has confirmed."""

    template: ClassVar[str] = "account/invitations.html"

    invitations: Sequence[Any]
    is_guest: bool


@router.get("/invitations")
async def show_invitations(visit: AnybodyVisit) -> Response:
    """Show the invitations to one's address, or how to get to them."""
    return visit.show(await _page(visit))


@router.post("/invitations")
async def accept(visit: OwnForm) -> Response:
    """Accept an invitation. Every session ends: the role counts only after the second step."""
    try:
        wanted = visit.form.parse(AcceptanceForm)
        await visit.act(invitations.accept, wanted.invitation, wanted.token)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error, NotFound)), 422)
    return visit.go("/sign-in?back=/me/second-factor", done="invitation-accepted")


async def _page(visit: Visit) -> InvitationsPage:
    rows = await invitations.list_own(visit.reader, visit.member, visit.now)
    return InvitationsPage(
        title=visit.say("An invitation to work here"),
        form=visit.form,
        invitations=rows,
        is_guest=visit.member.id is None,
    )
