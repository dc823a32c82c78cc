"""A member who lost their mailbox gets another address: two administrators say the same, each on this page."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import EmailStr, Field

from forum.core.errors import ForumError
from forum.http.fields import Handle
from forum.privacy import account_overview, lost_mailboxes
from forum.privacy.account_overview import AccountOverview
from forum.web.administration.accounts import path_of
from forum.web.forms import FormModel
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm, Visit

router = page_router()


class MailboxForm(FormModel):
    """The address that is the member's now."""

    email: Annotated[EmailStr, Field(max_length=254)]


@dataclass(frozen=True, kw_only=True)
class LostMailboxPage(FormPage):
    """What happens when an address is replaced, and the form for the one that is the member's now."""

    template: ClassVar[str] = "privacy/lost_mailbox.html"
    section: ClassVar[str] = "/admin"

    overview: AccountOverview
    path: str


@router.get("/admin/people/{handle}/lost-mailbox")
async def show_lost_mailbox(handle: Handle, visit: MemberVisit) -> Response:
    """Show the form for the address that is the member's now."""
    return visit.show(await _page(visit, handle))


@router.post("/admin/people/{handle}/lost-mailbox")
async def replace_mailbox(handle: Handle, visit: OwnForm) -> Response:
    """Say that a member lost their mailbox, and which address is theirs now; a second administrator says the same."""
    try:
        known = await visit.act(lost_mailboxes.replace_mailbox, handle, visit.form.parse(MailboxForm).email)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), handle), 422)
    return visit.go(path_of(handle), done="mailbox-agreed" if known.agreed_at else "mailbox-proposed")


@router.post("/admin/people/{handle}/lost-mailbox/withdraw")
async def withdraw_mailbox(handle: Handle, visit: OwnForm) -> Response:
    """Keep the address that a member has."""
    await visit.act(lost_mailboxes.withdraw, handle)
    return visit.go(path_of(handle), done="mailbox-kept")


async def _page(visit: Visit, handle: str) -> LostMailboxPage:
    overview = await visit.act(account_overview.read_overview, handle)
    title = visit.say("%(name)s lost their mailbox", name=overview.account.name)
    return LostMailboxPage(title=title, overview=overview, path=path_of(overview.account.handle), form=visit.form)
