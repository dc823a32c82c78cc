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


class BackForm(FormModel):
    """The page on which the switch stood."""

    back: Text | None = None


class SwitchForm(BackForm):
    """Whether somebody wants to be told."""

    mode: Mode


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
        SubscriptionsPage(title=visit.say("What we tell you about"), subscriptions=page.rows, next=page.next)
    )


@router.post("/threads/{id}/subscription")
async def switch_thread(id: Id, visit: OwnForm) -> Response:
    """Turn notifications of a thread on or off."""
    wanted = visit.form.parse(SwitchForm)
    await visit.act(subscriptions.follow_thread, id, wanted.mode)
    return _back(visit, wanted, f"/threads/{id}", _said(wanted.mode))


@router.post("/boards/{slug}/subscription")
async def switch_board(slug: Slug, visit: OwnForm) -> Response:
    """Turn notifications of a board on or off."""
    wanted = visit.form.parse(SwitchForm)
    await visit.act(subscriptions.follow_board, slug, wanted.mode)
    return _back(visit, wanted, f"/boards/{slug}", _said(wanted.mode))


@router.post("/threads/{id}/subscription/forget")
async def forget_thread(id: Id, visit: OwnForm) -> Response:
    """Forget what somebody chose for a thread: they are told of answers, and what they chose for the board counts."""
    wanted = visit.form.parse(BackForm)
    await visit.act(subscriptions.forget_thread, id)
    return _back(visit, wanted, f"/threads/{id}", "told-as-usual")


@router.post("/boards/{slug}/subscription/forget")
async def forget_board(slug: Slug, visit: OwnForm) -> Response:
    """Forget what somebody chose for a board: they are told of answers, and in threads what they chose for these."""
    wanted = visit.form.parse(BackForm)
    await visit.act(subscriptions.forget_board, slug)
    return _back(visit, wanted, f"/boards/{slug}", "told-as-usual")


def _said(mode: Mode) -> str:
    return "not-told" if mode == Mode.OFF else "told"


def _back(visit: Visit, wanted: BackForm, place: str, done: str) -> Response:
    return visit.go(own_path(wanted.back) if wanted.back else place, done=done)
