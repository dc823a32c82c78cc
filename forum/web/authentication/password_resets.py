"""A lost password: ask for a link, and choose a new password with it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.authentication import password_resets
from forum.core.errors import ForumError, NotFound
from forum.http.current_member import address_of
from forum.http.fields import NewPassword, Text
from forum.web.forms import FormModel
from forum.web.mailed_links import PastedLink
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import Reading, ReadingForm, Visit

router = page_router()


class ResetForm(FormModel):
    """Whose password was lost."""

    login: Annotated[Text, Field(max_length=254)]


class NewPasswordForm(FormModel):
    """The link of the mail, and the new password."""

    token: PastedLink
    new: NewPassword


@dataclass(frozen=True, kw_only=True)
class ResetPage(FormPage):
    """Both forms: to ask for a link, and to choose a new password with it."""

    template: ClassVar[str] = "authentication/password_resets.html"
    section: ClassVar[str] = "/sign-in"


@router.get("/password-resets")
async def show_reset(visit: Reading) -> Response:
    """Show both forms."""
    return visit.show(_page(visit))


@router.post("/password-resets")
async def ask_for_reset(visit: ReadingForm) -> Response:
    """Ask for a link. The answer does not tell whether there is such an account."""
    try:
        login = visit.form.parse(ResetForm).login
        await password_resets.request_reset(visit.transactions, login, address_of(visit.request))
    except ForumError as error:
        return visit.show(_page(visit.refusing(error, NotFound)), 422)
    return visit.go("/password-resets", done="link-sent")


@router.post("/password-resets/completion")
async def set_password(visit: ReadingForm) -> Response:
    """Set a new password with the mailed link."""
    try:
        wanted = visit.form.parse(NewPasswordForm)
        breaches = visit.services.breached_passwords
        await password_resets.complete_reset(visit.transactions, wanted.token, wanted.new, breaches=breaches)
    except ForumError as error:
        return visit.show(_page(visit.refusing(error, NotFound)), 422)
    return visit.go("/sign-in?back=/", done="password-set")


def _page(visit: Visit) -> ResetPage:
    return ResetPage(title=visit.say("A new password"), form=visit.form)
