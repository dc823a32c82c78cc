"""The switch of each thread and board, and the page of what one is told of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.content import subscriptions
from forum.content.reading import THREADS_A_PAGE
from forum.content.subscriptions import Mode
from forum.http.fields import Id, Slug, Text
from forum.web.forms import FormModel
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit, own_path

router = page_router()


class SwitchForm(FormModel):
    """Whether somebody wants to be told, and the page on which the switch stood."""

    mode: Mode
    back: Text | None = None


@dataclass(frozen=True, kw_only=True)
class SubscriptionsPage(Page):
    """Threads and boards of which the member is told, or wants to hear nothing."""

    template: ClassVar[str] = "content/subscriptions.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    subscriptions: Sequence[Any]
    next: str | None


@router.get("/me/subscriptions")
async def show_subscriptions(visit: OwnVisit) -> Response:
    """Show what one follows."""
    after = visit.query("after") or None
    page = await subscriptions.list_subscriptions(visit.reader, visit.viewer, after, THREADS_A_PAGE)
    return visit.show(
        SubscriptionsPage(title=visit.say("What you are told of"), subscriptions=page.rows, next=page.next)
    )


@router.post("/threads/{id}/subscription")
async def switch_thread(id: Id, visit: OwnForm) -> Response:
    """Turn notifications of a thread on or off."""
    wanted = visit.form.parse(SwitchForm)
    await visit.act(subscriptions.follow_thread, id, wanted.mode)
    return _back(visit, wanted, f"/threads/{id}")


@router.post("/boards/{slug}/subscription")
async def switch_board(slug: Slug, visit: OwnForm) -> Response:
    """Turn notifications of a board on or off."""
    wanted = visit.form.parse(SwitchForm)
    await visit.act(subscriptions.follow_board, slug, wanted.mode)
    return _back(visit, wanted, f"/boards/{slug}")


def _back(visit: Visit, wanted: SwitchForm, place: str) -> Response:
    return visit.go(
        own_path(wanted.back) if wanted.back else place, done="not-told" if wanted.mode == Mode.OFF else "told"
    )
