"""Pages of longer texts: help now, staying safe, what we keep, accessibility, about."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

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


@router.get("/help")
async def show_help(visit: Reading) -> Response:
    """Show who helps at once."""
    text = visit.text("help")
    return visit.show(HelpPage(title=text.title, text=text, lines=visit.text("lines"), indexable=True))


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
