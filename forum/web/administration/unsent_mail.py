"""Unsent mails, for administrators: what did not arrive, try it once more, or drop it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from fastapi import Response

from forum.administration import unsent_mail
from forum.web.administration import labels
from forum.web.administration.labels import said, why_unsent
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm

MAILS_A_PAGE = 50

router = page_router()


@dataclass(frozen=True, kw_only=True)
class UnsentMailsPage(Page):
    """A page of mails that are not sent yet, oldest first."""

    template: ClassVar[str] = "administration/unsent_mails.html"
    section: ClassVar[str] = "/admin"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    mails: Sequence[tuple[Any, str, str]]  # each with what it is for and why it did not go, in words
    next: str | None


@router.get("/admin/unsent-mails")
async def show_unsent_mails(visit: MemberVisit) -> Response:
    """Show the mails that are not sent yet, oldest first: whom they are for, but neither the address nor the text."""
    page = await unsent_mail.list_unsent(visit.reader, visit.viewer, visit.query("after") or None, MAILS_A_PAGE)
    mails = [(row, said(visit, labels.MAILS, row.kind), why_unsent(visit, row.failure or "")) for row in page.rows]
    return visit.show(UnsentMailsPage(title=visit.say("Unsent mails"), mails=mails, next=page.next))


@router.post("/admin/unsent-mails/{id}/again")
async def try_again(id: UUID, visit: OwnForm) -> Response:
    """Try a mail once more that was given up."""
    await visit.act(unsent_mail.try_again, id)
    return visit.go("/admin/unsent-mails", done="mail-tried-again")


@router.post("/admin/unsent-mails/{id}/drop")
async def drop(id: UUID, visit: OwnForm) -> Response:
    """Drop a mail: it is never sent."""
    await visit.act(unsent_mail.drop, id)
    return visit.go("/admin/unsent-mails", done="mail-dropped")
