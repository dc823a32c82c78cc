"""Leave at once: the session ends, the browser forgets this site, and shows an everyday one."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.authentication import sessions
from forum.http.session_cookie import clear_site
from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import AnybodyVisit, Visit

router = page_router()


@dataclass(frozen=True, kw_only=True)
class LeavePage(Page):
    """A page that leads away. It does not say of what forum it is."""

    template: ClassVar[str] = "around/leave.html"
    is_own: ClassVar[bool] = True


@router.get("/leave")
async def show_leave(visit: AnybodyVisit) -> Response:
    """Lead away, for somebody who comes back to this address. It changes nothing: the form did."""
    return visit.show(_page(visit))


@router.post("/leave")
async def leave(visit: AnybodyVisit) -> Response:
    """Sign out, have the browser forget this site, and lead away.

    By a page that refreshes itself: browsers do not follow a redirect to another site after a form that may only be
    sent to this one.
    """
    await visit.act(sessions.sign_out)
    response = visit.show(_page(visit))
    clear_site(response)
    return response


def _page(visit: Visit) -> LeavePage:
    return LeavePage(title=visit.say(mark("Leaving")))
