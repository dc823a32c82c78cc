"""The page of an emergency disclosure: why, to whom; and then the address, once."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Line, Uuid, Words
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit
from moderation import disclosures
from moderation.disclosures import Disclosure, DisclosureForm, DisclosureWish
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()


class AddressForm(FormModel):
    """Why the address is needed, and to whom it goes."""

    reason: Annotated[Words, Field(min_length=1, max_length=2000)]
    recipient: Annotated[Line, Field(min_length=1, max_length=200)]
    reference: Annotated[Line, Field(max_length=100)] | None = None
    exemption: Annotated[Line, Field(max_length=300)] | None = None


@dataclass(frozen=True, kw_only=True)
class AddressPage(ModerationPage):
    """The form, or the address that it asked for."""

    template: ClassVar[str] = "moderation/address.html"
    is_own: ClassVar[bool] = True

    asked: DisclosureForm | None = None
    shown: Disclosure | None = None
    address: str


@router.get("/moderation/cases/{id}/address")
async def show_address_form(id: Uuid, visit: OwnVisit) -> Response:
    """Show the form by which somebody's address is shown in an emergency."""
    return visit.show(await _page(visit, id))


@router.post("/moderation/cases/{id}/address")
async def disclose_address(id: Uuid, visit: OwnForm) -> Response:
    """Show the address."""
    try:
        wanted = visit.form.parse(AddressForm)
        wish = DisclosureWish(wanted.reason, wanted.recipient, wanted.reference or "", wanted.exemption)
        shown = await visit.act(disclosures.disclose, id, wish, repeat=repeat_of(visit))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    title = visit.say("To find somebody in danger")
    return visit.show(AddressPage(title=title, shown=shown, address=f"/moderation/cases/{id}", form=visit.form))


async def _page(visit: Visit, case_id: object) -> AddressPage:
    asked = await visit.act(disclosures.read_form, case_id)  # type: ignore[arg-type]  # a path's id
    title = visit.say("To find somebody in danger")
    return AddressPage(title=title, asked=asked, address=f"/moderation/cases/{case_id}", form=visit.form)
