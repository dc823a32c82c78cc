"""Pages of whom one ignores: what it does, before it is done; and the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.content import ignored
from forum.content.ignored import IgnoreChoice
from forum.core.errors import ForumError
from forum.http.fields import Handle
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import OwnVisit, Visit

router = page_router()


@dataclass(frozen=True, kw_only=True)
class IgnorePage(FormPage):
    """What it means to ignore somebody, and the button."""

    template: ClassVar[str] = "content/ignore.html"
    section: ClassVar[str] = "/"

    choice: IgnoreChoice


@dataclass(frozen=True, kw_only=True)
class IgnoredPage(FormPage):
    """Whom one ignores."""

    template: ClassVar[str] = "content/ignored.html"
    section: ClassVar[str] = "/me"

    members: Sequence[Any]


@router.get("/me/ignored")
async def show_ignored(visit: OwnVisit) -> Response:
    """Show whom one ignores."""
    members = await ignored.list_ignored(visit.reader, visit.viewer)
    return visit.show(IgnoredPage(title=visit.say("People you ignore"), members=members))


@router.get("/members/{handle}/ignore")
async def show_choice(handle: Handle, visit: OwnVisit) -> Response:
    """Show what it means to ignore somebody."""
    return visit.show(await _page(visit, handle))


@router.post("/members/{handle}/ignore")
async def ignore_member(handle: Handle, visit: OwnVisit) -> Response:
    """Ignore somebody."""
    try:
        await visit.act(ignored.ignore, handle)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), handle), 422)
    return visit.go("/me/ignored", done="ignored")


@router.post("/members/{handle}/ignore/end")
async def stop_ignoring(handle: Handle, visit: OwnVisit) -> Response:
    """Stop ignoring somebody."""
    await visit.act(ignored.stop_ignoring, handle)
    return visit.go("/me/ignored", done="not-ignored")


async def _page(visit: Visit, handle: str) -> IgnorePage:
    choice = await ignored.read_choice(visit.reader, visit.viewer, handle)
    return IgnorePage(title=visit.say("Ignore %(name)s", name=choice.name), choice=choice, form=visit.form)
