"""One's passkeys: add one, give it another name, remove it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Response
from pydantic import Field, Json

from forum.authentication.second_factor import enrolment, passkeys
from forum.core.errors import ForumError
from forum.http.credentials import Registration, as_json
from forum.http.fields import Line, Uuid
from forum.web.authentication.second_factor.enrolment import recovery_codes_page
from forum.web.confirming import ConfirmPage
from forum.web.forms import FormModel
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit

router = page_router()

Name = Annotated[Line, Field(max_length=60)]


class PasskeyForm(FormModel):
    """What the device made, as the script writes it, and a name for it."""

    name: Name
    credential: Json[Registration]


class RenameForm(FormModel):
    """Another name for a passkey."""

    name: Name


@dataclass(frozen=True, kw_only=True)
class PasskeysPage(Page):
    """One's passkeys."""

    template: ClassVar[str] = "account/passkeys.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    passkeys: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class NewPasskeyPage(FormPage):
    """The form for a new passkey; it needs the script, because only that can ask the device."""

    template: ClassVar[str] = "account/new_passkey.html"
    section: ClassVar[str] = "/me"


@dataclass(frozen=True, kw_only=True)
class PasskeyPage(FormPage):
    """One passkey, and the form for another name."""

    template: ClassVar[str] = "account/passkey.html"
    section: ClassVar[str] = "/me"

    passkey: Any


@router.get("/me/passkeys")
async def show_passkeys(visit: OwnVisit) -> Response:
    """Show one's passkeys."""
    rows = await visit.act(passkeys.list_passkeys)
    return visit.show(PasskeysPage(title=visit.say("Your passkeys"), passkeys=rows))


@router.get("/me/passkeys/new")
async def show_new_passkey(visit: OwnVisit) -> Response:
    """Show the form for a new passkey, to somebody who signed in a moment ago."""
    await visit.act(passkeys.expect_registration)
    return visit.show(_new_page(visit))


@router.post("/me/passkeys/new")
async def add_passkey(visit: OwnForm) -> Response:
    """Add the passkey that the device made; with the first second step, show recovery codes."""
    try:
        wanted = visit.form.parse(PasskeyForm)
        added = await enrolment.add_passkey(visit.transactions, visit.viewer, wanted.name, as_json(wanted.credential))
    except ForumError as error:
        return visit.show(_new_page(visit.refusing(error)), 422)
    if added.recovery_codes:
        return visit.show(recovery_codes_page(visit, added.recovery_codes))
    return visit.go("/me/passkeys", done="passkey-added")


@router.get("/me/passkeys/{id}")
async def show_passkey(id: Uuid, visit: OwnVisit) -> Response:
    """Show one passkey."""
    return visit.show(await _page(visit, id))


@router.post("/me/passkeys/{id}")
async def rename_passkey(id: Uuid, visit: OwnForm) -> Response:
    """Give a passkey another name."""
    try:
        await visit.act(enrolment.rename_passkey, id, visit.form.parse(RenameForm).name)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), 422)
    return visit.go("/me/passkeys", done="saved")


@router.get("/me/passkeys/{id}/remove")
async def show_removal(id: Uuid, visit: OwnVisit) -> Response:
    """Ask before a passkey is removed."""
    passkey = await visit.act(passkeys.get_own_passkey, id)
    return visit.show(
        ConfirmPage(
            title=visit.say("Remove “%(name)s”", name=passkey.name),
            action=f"/me/passkeys/{id}/remove",
            words=(
                visit.say("You cannot sign in with it any more. All your other devices are signed out."),
                visit.say("If it is your last second step, your password alone is enough from then on."),
            ),
            button=visit.say("Remove it"),
            back="/me/passkeys",
            back_words=visit.say("Your passkeys"),
        )
    )


@router.post("/me/passkeys/{id}/remove")
async def remove_passkey(id: Uuid, visit: OwnForm) -> Response:
    """Remove a passkey."""
    await visit.act(enrolment.remove_passkey, id)
    return visit.go("/me/passkeys", done="passkey-removed")


def _new_page(visit: Visit) -> NewPasskeyPage:
    return NewPasskeyPage(title=visit.say("Add a passkey"), form=visit.form)


async def _page(visit: Visit, passkey_id: Uuid) -> PasskeyPage:
    passkey = await visit.act(passkeys.get_own_passkey, passkey_id)
    return PasskeyPage(title=visit.say("One of your passkeys"), form=visit.form, passkey=passkey)
