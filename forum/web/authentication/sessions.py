"""Where one is signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from fastapi import Response

from forum.authentication import sessions
from forum.http.fields import Uuid
from forum.http.session_cookie import clear_site
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import OwnVisit

router = page_router()


@dataclass(frozen=True, kw_only=True)
class SessionsPage(Page):
    """One's devices, each with a button to sign it out."""

    template: ClassVar[str] = "account/sessions.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    sessions: Sequence[Any]
    current: UUID | None


@router.get("/me/sessions")
async def show_sessions(visit: OwnVisit) -> Response:
    """Show where one is signed in."""
    rows = await visit.act(sessions.list_sessions)
    title = visit.say("Where you are signed in")
    return visit.show(SessionsPage(title=title, sessions=rows, current=visit.viewer.session_id))


@router.post("/me/sessions/all")
async def end_all(visit: OwnVisit) -> Response:
    """Sign out everywhere, here too."""
    await visit.act(sessions.end_all_sessions)
    response = visit.go("/", done="signed-out")
    clear_site(response)
    return response


@router.post("/me/sessions/{id}/end")
async def end_session(id: Uuid, visit: OwnVisit) -> Response:
    """Sign one device out."""
    await visit.act(sessions.end_session, id)
    return visit.go("/me/sessions", done="ended")
