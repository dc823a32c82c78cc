"""Leave for good, think again, or stop what somebody else asked for."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from fastapi import Response

from forum.core.errors import ForumError, NotFound
from forum.privacy import account_deletion, own_account
from forum.privacy.own_account import OwnAccount
from forum.privacy.tables import DepartureKind
from forum.web.forms import FormModel, InvalidForm
from forum.web.mailed_links import LinkForm, LinkPage
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Reading, ReadingForm, Visit

router = page_router()


class DepartureForm(FormModel):
    """What shall happen to one's posts."""

    kind: Literal["leave", "erase"]


@dataclass(frozen=True, kw_only=True)
class DeparturePage(FormPage):
    """Whether one is leaving, and the form to."""

    template: ClassVar[str] = "account/departure.html"
    section: ClassVar[str] = "/me"

    account: OwnAccount


@router.get("/me/departure")
async def show_departure(visit: OwnVisit) -> Response:
    """Show what leaving means, or that one is leaving."""
    return visit.show(await _page(visit))


@router.post("/me/departure")
async def leave(visit: OwnForm) -> Response:
    """Leave in fourteen days."""
    try:
        if not visit.form.values.get("kind"):
            raise InvalidForm({"kind": "not_chosen"})
        wanted = visit.form.parse(DepartureForm)
        await visit.act(account_deletion.request_departure, DepartureKind(wanted.kind))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), 422)
    return visit.go("/me/departure", done="leaving")


@router.post("/me/departure/stop")
async def stay(visit: OwnVisit) -> Response:
    """Stay after all."""
    await visit.act(account_deletion.cancel_departure)
    return visit.go("/me", done="staying")


@router.get("/departures/refuse")
async def show_refusal(visit: Reading) -> Response:
    """Show the button to keep an account that somebody else wanted to close."""
    return visit.show(_refusal(visit))


@router.post("/departures/refuse")
async def refuse(visit: ReadingForm) -> Response:
    """Keep the account, with the mailed link."""
    try:
        await visit.act_by_link(account_deletion.refuse_departure, visit.form.parse(LinkForm).token)
    except ForumError as error:
        return visit.show(_refusal(visit.refusing(error, NotFound)), 422)
    return visit.go("/password-resets", done="stays")


async def _page(visit: Visit) -> DeparturePage:
    account = await visit.act(own_account.read_account)
    return DeparturePage(title=visit.say("Leave for good"), form=visit.form, account=account)


def _refusal(visit: Visit) -> LinkPage:
    return LinkPage(
        title=visit.say("Keep your account"),
        form=visit.form,
        action="/departures/refuse",
        words=(
            visit.say("Somebody who is signed in asked to close your account. If that was you, close this page."),
            visit.say("If it was not you, press the button. The account stays, and everybody is signed out."),
        ),
        button=visit.say("It was not me: keep my account"),
    )
