"""Legal holds: see them, place one, give one another reason, and lift it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.core.errors import ForumError
from forum.http.fields import Handle
from forum.privacy import legal_holds
from forum.privacy.tables import HoldReason
from forum.web.administration import labels
from forum.web.administration.accounts import path_of, person_page
from forum.web.administration.labels import said
from forum.web.forms import FormModel
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm

router = page_router()


class HoldForm(FormModel):
    """Why the law says that a member's data must be kept."""

    reason: HoldReason


@dataclass(frozen=True, kw_only=True)
class HoldsPage(Page):
    """Every legal hold, the oldest first."""

    template: ClassVar[str] = "privacy/legal_holds.html"
    section: ClassVar[str] = "/admin"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    holds: Sequence[tuple[Any, str]]  # each with its reason in words


@router.get("/admin/holds")
async def show_holds(visit: MemberVisit) -> Response:
    """Show every legal hold, the oldest first."""
    rows = await visit.act(legal_holds.list_holds)
    holds = [(row, said(visit, labels.HOLD_REASONS, row.reason)) for row in rows]
    return visit.show(HoldsPage(title=visit.say("Legal holds"), holds=holds))


@router.post("/admin/people/{handle}/hold")
async def place_hold(handle: Handle, visit: OwnForm) -> Response:
    """Keep a member's data from deletion, or give the hold another reason."""
    try:
        await visit.act(legal_holds.place_hold, handle, visit.form.parse(HoldForm).reason)
    except ForumError as error:
        return visit.show(await person_page(visit.refusing(error), handle), 422)
    return visit.go(path_of(handle), done="hold-placed")


@router.post("/admin/people/{handle}/hold/lift")
async def lift_hold(handle: Handle, visit: OwnForm) -> Response:
    """End a hold; a departure that it stopped goes on."""
    await visit.act(legal_holds.release_hold, handle)
    return visit.go(path_of(handle), done="hold-lifted")
