"""One's name, password, and the rules that one accepted."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.authentication import handles, profiles, rules_acceptance
from forum.authentication.profiles import Profile
from forum.core.errors import ForumError
from forum.http.fields import NewPassword, Password, Text
from forum.members import names
from forum.permissions import Refusal
from forum.privacy import own_account
from forum.web.forms import EMPTY, FormModel
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberForm, OwnForm, OwnVisit, Visit

router = page_router()


class NameForm(FormModel):
    """Another display name."""

    name: Annotated[Text, Field(max_length=names.NAME_MAX)]


class HandleForm(FormModel):
    """Another handle."""

    handle: Annotated[Text, Field(min_length=names.HANDLE_MIN, max_length=60)]


class PasswordForm(FormModel):
    """The present password and the new one."""

    current: Password
    new: NewPassword


class RulesForm(FormModel):
    """The edition of the rules that was read."""

    edition: Annotated[int, Field(ge=1, lt=2**31)]


@dataclass(frozen=True, kw_only=True)
class NamePage(FormPage):
    """One's names, and the forms for others."""

    template: ClassVar[str] = "account/name.html"
    section: ClassVar[str] = "/me"

    profile: Profile
    no_new_name_because: Refusal | None


@dataclass(frozen=True, kw_only=True)
class PasswordPage(FormPage):
    """The form for another password."""

    template: ClassVar[str] = "account/password.html"
    section: ClassVar[str] = "/me"


@dataclass(frozen=True, kw_only=True)
class RulesPage(FormPage):
    """That the rules were changed, and the button to accept them."""

    template: ClassVar[str] = "account/rules.html"
    section: ClassVar[str] = "/me"

    edition: int
    is_accepted: bool
    has_accepted: bool  # this edition or an earlier one


@router.get("/me/name")
async def show_name(visit: OwnVisit) -> Response:
    """Show one's names."""
    return visit.show(await _name_page(visit))


@router.post("/me/name")
async def rename(visit: MemberForm) -> Response:
    """Take another display name."""
    try:
        await visit.act(profiles.rename, visit.form.parse(NameForm).name)
    except ForumError as error:
        return visit.show(await _name_page(visit.refusing(error)), 422)
    return visit.go("/me/name", done="renamed")


@router.get("/me/handle")
async def show_handle(visit: OwnVisit) -> Response:
    """Show one's names: both forms are on one page."""
    return visit.go("/me/name")


@router.post("/me/handle")
async def change_handle(visit: MemberForm) -> Response:
    """Take another handle."""
    try:
        await visit.act(handles.change_handle, visit.form.parse(HandleForm).handle)
    except ForumError as error:
        return visit.show(await _name_page(visit.refusing(error)), 422)
    return visit.go("/me/name", done="handle-changed")


@router.get("/me/password")
async def show_password(visit: OwnVisit) -> Response:
    """Show the form for another password."""
    return visit.show(_password_page(visit))


@router.post("/me/password")
async def change_password(visit: OwnForm) -> Response:
    """Change one's password; every other device is signed out."""
    try:
        wanted = visit.form.parse(PasswordForm)
        breaches = visit.services.breached_passwords
        await profiles.change_password(visit.transactions, visit.viewer, wanted.current, wanted.new, breaches=breaches)
    except ForumError as error:
        return visit.show(_password_page(visit.refusing(error)), 422)
    return visit.go("/me", done="password-changed")


@router.get("/me/rules")
async def show_rules(visit: OwnVisit) -> Response:
    """Show whether one accepted the present rules."""
    return visit.show(await _rules_page(visit))


@router.post("/me/rules")
async def accept_rules(visit: OwnForm) -> Response:
    """Accept the present rules."""
    try:
        await visit.act(rules_acceptance.accept_rules, visit.form.parse(RulesForm).edition)
    except ForumError as error:
        return visit.show(await _rules_page(visit.refusing(error)), 422)
    return visit.go("/me", done="accepted")


async def _name_page(visit: Visit) -> NamePage:
    account = await visit.act(own_account.read_account)
    return NamePage(
        title=visit.say("Your name"),
        form=visit.form,
        profile=account.profile,
        no_new_name_because=account.no_new_name_because,
    )


def _password_page(visit: Visit) -> PasswordPage:
    return PasswordPage(title=visit.say("Your password"), form=visit.form)


async def _rules_page(visit: Visit) -> RulesPage:
    acceptance = await visit.act(rules_acceptance.get_acceptance)
    return RulesPage(
        title=visit.say("The house rules"),
        form=EMPTY if acceptance.is_present else visit.form,
        edition=acceptance.present,
        is_accepted=acceptance.is_present,
        has_accepted=acceptance.accepted > 0,
    )
