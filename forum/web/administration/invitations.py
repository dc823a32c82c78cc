"""Invitations, for administrators: send one, see those that nobody has accepted yet, withdraw one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import EmailStr, Field

from forum.administration import invitations
from forum.administration.invitations import InvitationWish
from forum.core.errors import ForumError
from forum.http.fields import BoardSlug
from forum.members.tables import Role
from forum.web.administration import labels
from forum.web.administration.accounts import AdviserText
from forum.web.administration.labels import options, said
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm, Visit

router = page_router()

FIELDS = {
    "email": mark("E-mail address"),
    "role": mark("Role"),
    "board": mark("Only for this board"),
    "title": mark("Title of an adviser"),
    "organisation": mark("For whom the adviser speaks"),
}


class InvitationForm(FormModel):
    """Whom an administrator invites, and to which role."""

    email: Annotated[EmailStr, Field(max_length=254)]
    role: Role
    board: BoardSlug | None = None
    title: AdviserText | None = None
    organisation: AdviserText | None = None


@dataclass(frozen=True, kw_only=True)
class InvitationsPage(FormPage):
    """The form for an invitation, and those that nobody has accepted yet."""

    template: ClassVar[str] = "administration/invitations.html"
    section: ClassVar[str] = "/admin"

    invitations: Sequence[tuple[Any, str]]  # each with its role in words
    roles: Sequence[tuple[str, str]]
    boards: Sequence[tuple[str, str]]
    names: dict[str, str]


@router.get("/admin/invitations")
async def show_invitations(visit: MemberVisit) -> Response:
    """Show the form for an invitation, and those that nobody has accepted yet."""
    return visit.show(await _page(visit))


@router.post("/admin/invitations")
async def invite(visit: OwnForm) -> Response:
    """Invite whoever reads mails at this address. An earlier invitation to it is withdrawn."""
    try:
        wanted = visit.form.parse(InvitationForm)
        await visit.act(invitations.invite, InvitationWish(**wanted.model_dump()))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), 422)
    return visit.go("/admin/invitations", done="invited")


@router.post("/admin/invitations/{id}/withdraw")
async def withdraw_invitation(id: UUID, visit: OwnForm) -> Response:
    """Withdraw an invitation, and its mail if that was not sent yet."""
    await visit.act(invitations.withdraw, id)
    return visit.go("/admin/invitations", done="invitation-withdrawn")


async def _page(visit: Visit) -> InvitationsPage:
    screen = await visit.act(invitations.read_screen)
    return InvitationsPage(
        title=visit.say("Invitations"),
        invitations=[(row, said(visit, labels.ROLES, row.role)) for row in screen.open],
        roles=options(visit, labels.ROLES),
        boards=[("", visit.say("The whole forum")), *((board.slug, board.name) for board in screen.boards)],
        names={name: visit.say(words) for name, words in FIELDS.items()},
        form=visit.form,
    )
