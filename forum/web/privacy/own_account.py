"""The page of one's own account: what waits, and the way to everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.privacy import own_account
from forum.privacy.own_account import OwnAccount
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import OwnVisit

router = page_router()


@dataclass(frozen=True, kw_only=True)
class AccountPage(Page):
    """One's own account."""

    template: ClassVar[str] = "account/account.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True

    account: OwnAccount
    more: Sequence[tuple[str, str]]


@router.get("/me")
async def show_account(visit: OwnVisit) -> Response:
    """Show one's own account."""
    account = await visit.act(own_account.read_account)
    more = [(entry.path, visit.say(entry.words)) for entry in visit.parts.own if entry.is_shown(visit.member)]
    return visit.show(AccountPage(title=visit.say("Your account"), account=account, more=more))
