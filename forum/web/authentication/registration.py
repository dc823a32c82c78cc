"""Join: choose a name, give an address, choose a password, and say that one is old enough and keeps to the rules."""

import secrets
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import EmailStr, Field

from forum.authentication import registration, rules_acceptance
from forum.core.errors import ForumError
from forum.core.idempotency import GuestKey
from forum.http.current_member import address_of
from forum.http.fields import NewPassword, Text
from forum.members import names
from forum.web.forms import FormModel, InvalidForm
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import Reading, ReadingForm, Visit

router = page_router()


class JoinForm(FormModel):
    """Who somebody wants to be here."""

    handle: Annotated[Text, Field(min_length=names.HANDLE_MIN, max_length=60)]
    name: Annotated[Text, Field(max_length=names.NAME_MAX)] = ""
    email: Annotated[EmailStr, Field(max_length=254)]
    password: NewPassword
    least_age: Annotated[int, Field(ge=0, le=150)] | None = None
    rules_version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    key: Annotated[Text, Field(max_length=100)] = ""


@dataclass(frozen=True, kw_only=True)
class JoinPage(FormPage):
    """The form to join."""

    template: ClassVar[str] = "authentication/join.html"
    section: ClassVar[str] = "/sign-in"

    edition: int  # of the rules; 0: there are none yet
    key: str  # of this page: a form that is sent twice makes one account


@dataclass(frozen=True, kw_only=True)
class JoinedPage(Page):
    """What happens next."""

    template: ClassVar[str] = "authentication/joined.html"
    is_own: ClassVar[bool] = True


@router.get("/join")
async def show_join(visit: Reading) -> Response:
    """Show the form to join."""
    return visit.show(await _page(visit))


@router.post("/join")
async def join(visit: ReadingForm) -> Response:
    """Join. The answer is the same whether or not the address is known here."""
    try:
        wanted = _read(visit)
        newcomer = registration.Newcomer(
            handle=wanted.handle,
            name=wanted.name or wanted.handle,
            email=wanted.email,
            password=wanted.password,
            rules_version=wanted.rules_version,
            least_age=wanted.least_age,
        )
        await registration.register(
            visit.transactions,
            newcomer,
            address_of(visit.request),
            repeat=_repeat(wanted),
            breaches=visit.services.breached_passwords,
        )
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), 422)
    return visit.go("/join/sent")


@router.get("/join/sent")
async def show_joined(visit: Reading) -> Response:
    """Say that a mail is on its way."""
    return visit.show(JoinedPage(title=visit.say("Please check your e-mail")))


def _read(visit: Visit) -> JoinForm:
    """Return what was typed. Raises InvalidForm, also for a box that was shown and not ticked."""
    asked = {"least_age": visit.settings.least_age > 0, "rules_version": visit.form.values.get("edition", "0") != "0"}
    values = visit.form.values
    unticked = {name: "not_stated" for name, is_asked in asked.items() if is_asked and not values.get(name)}
    try:
        wanted = visit.form.parse(JoinForm)
    except InvalidForm as error:
        raise InvalidForm({**error.faults, **unticked}) from None
    if unticked:
        raise InvalidForm(unticked)
    return wanted


def _repeat(wanted: JoinForm) -> GuestKey | None:
    about = wanted.model_dump_json(exclude={"password", "key"}).encode()
    return GuestKey("/join", wanted.key, about) if len(wanted.key) >= 22 else None  # 128 bits in base64url


async def _page(visit: Visit) -> JoinPage:
    edition = await rules_acceptance.get_present_edition(visit.reader)
    return JoinPage(title=visit.say("Join"), form=visit.form, edition=edition, key=secrets.token_urlsafe(24))
