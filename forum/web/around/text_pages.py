"""Pages of longer texts: help now, staying safe, what we keep, accessibility, about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.content.crisis_help import ShownLine, list_regional, list_regions
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.texts import Text
from forum.web.visits import Reading, Visit

router = page_router()


@dataclass(frozen=True, kw_only=True)
class TextPage(Page):
    """A text of the charity, or of the wheel."""

    template: ClassVar[str] = "around/text.html"

    text: Text


@dataclass(frozen=True, kw_only=True)
class HelpPage(TextPage):
    """Help now: the numbers that stand on the first page too, then more."""

    template: ClassVar[str] = "around/help.html"
    section: ClassVar[str] = "/help"

    lines: Text
    regions: Sequence[str]
    region: str | None  # the one that the reader chose
    regional: Sequence[ShownLine]  # who helps there


@router.get("/help")
async def show_help(visit: Reading) -> Response:
    """Show who helps at once, and who does in the region that the reader chose, by its place in the list."""
    text, regions = visit.text("help"), list_regions(visit.settings)
    region = {str(number): name for number, name in enumerate(regions, start=1)}.get(visit.query("region"))
    page = HelpPage(
        title=text.title,
        text=text,
        lines=visit.text("lines"),
        regions=regions,
        region=region,
        regional=list_regional(visit.settings, region, visit.now) if region else (),
        indexable=True,
    )
    return visit.show(page)


@router.get("/safety")
async def show_safety(visit: Reading) -> Response:
    """Show how to stay safe here, and what leaving at once does."""
    return _show(visit, "safety")


@router.get("/privacy")
async def show_privacy(visit: Reading) -> Response:
    """Show what is kept of whom."""
    return _show(visit, "privacy")


@router.get("/accessibility")
async def show_accessibility(visit: Reading) -> Response:
    """Show how these pages can be used."""
    return _show(visit, "accessibility")


@router.get("/about")
async def show_about(visit: Reading) -> Response:
    """Show who is here."""
    return _show(visit, "about")


def _show(visit: Visit, name: str) -> Response:
    text = visit.text(name)
    return visit.show(TextPage(title=text.title, text=text, indexable=True))
