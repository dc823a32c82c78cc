"""One's e-mail address: confirm it with the mailed link, refuse a change of it, ask for another."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import EmailStr, Field

from forum.authentication import email_addresses
from forum.core.errors import ForumError, NotFound
from forum.http.fields import Password
from forum.privacy import account_deletion, own_account
from forum.privacy.own_account import OwnAccount
from forum.web.forms import FormModel
from forum.web.mailed_links import LinkForm, LinkPage
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Reading, ReadingForm, Visit

router = page_router()


class AddressForm(FormModel):
    """Another address, and the present password."""

    email: Annotated[EmailStr, Field(max_length=254)]
    current: Password


@dataclass(frozen=True, kw_only=True)
class AddressPage(FormPage):
    """One's address, and the form for another."""

    template: ClassVar[str] = "account/email.html"
    section: ClassVar[str] = "/me"

    account: OwnAccount


@router.get("/email-verifications")
async def show_confirmation(visit: Reading) -> Response:
    """Show the button to confirm an address."""
    return visit.show(_confirmation(visit))


@router.post("/email-verifications")
async def confirm(visit: ReadingForm) -> Response:
    """Confirm an address with the mailed link."""
    try:
        await visit.act_by_link(email_addresses.confirm_address, visit.form.parse(LinkForm).token)
    except ForumError as error:
        return visit.show(_confirmation(visit.refusing(error, NotFound)), 422)
    return visit.go("/sign-in" if visit.member.id is None else "/me", done="confirmed")


@router.get("/email-verifications/refuse")
async def show_refusal(visit: Reading) -> Response:
    """Show the button to refuse another address."""
    return visit.show(_refusal(visit))


@router.post("/email-verifications/refuse")
async def refuse(visit: ReadingForm) -> Response:
    """Keep one's address, which somebody else wanted to change."""
    try:
        await visit.act_by_link(account_deletion.refuse_address_change, visit.form.parse(LinkForm).token)
    except ForumError as error:
        return visit.show(_refusal(visit.refusing(error, NotFound)), 422)
    return visit.go("/password-resets", done="refused")


@router.get("/me/email")
async def show_address(visit: OwnVisit) -> Response:
    """Show one's address."""
    return visit.show(await _page(visit))


@router.post("/me/email")
async def change_address(visit: OwnForm) -> Response:
    """Ask for another address."""
    try:
        wanted = visit.form.parse(AddressForm)
        await email_addresses.change_address(visit.transactions, visit.viewer, wanted.email, wanted.current)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), 422)
    return visit.go("/me/email", done="mailed")


@router.post("/me/email/link")
async def ask_for_link(visit: OwnForm) -> Response:
    """Ask for a new link to confirm one's address."""
    await visit.act(email_addresses.request_verification)
    return visit.go("/me/email", done="mailed")


def _confirmation(visit: Visit) -> LinkPage:
    return LinkPage(
        title=visit.say("Confirm your e-mail address"),
        form=visit.form,
        action="/email-verifications",
        words=(visit.say("Press the button, and we know that the address is yours."),),
        button=visit.say("Confirm the address"),
    )


def _refusal(visit: Visit) -> LinkPage:
    return LinkPage(
        title=visit.say("Keep your e-mail address"),
        form=visit.form,
        action="/email-verifications/refuse",
        words=(
            visit.say("Somebody who knows your password asked for another address. If that was you, close this page."),
            visit.say(
                "If it was not you, press the button. Your address stays or comes back. Every device is signed out. "
                "The password does not work any more, and you ask for a new one."
            ),
        ),
        button=visit.say("It was not me: keep my address"),
    )


async def _page(visit: Visit) -> AddressPage:
    account = await visit.act(own_account.read_account)
    return AddressPage(title=visit.say("Your e-mail address"), form=visit.form, account=account)
