"""The page of a year's numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Path, Response

from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import Reading
from moderation import transparency
from moderation.transparency import FIRST_YEAR, Counted, TransparencyReport
from moderation.web import words

router = page_router()

TITLES: Mapping[str, str] = {
    Counted.REPORTS: mark("Reports"),
    Counted.CASES: mark("Cases"),
    Counted.MEASURES: mark("What was decided"),
    Counted.RULES: mark("Which rules it was about"),
    Counted.APPEALS: mark("Second looks"),
    Counted.COMPLAINTS: mark("Complaints"),
    Counted.CALLS: mark("Calls to people on call"),
}
KINDS: Mapping[str, Mapping[str, str]] = {
    Counted.REPORTS: words.CATEGORIES,
    Counted.CASES: words.CATEGORIES,
    Counted.MEASURES: words.TAKEN,
    Counted.RULES: {},
    Counted.APPEALS: {
        "uphold": mark("The decision stays"),
        "change": mark("Something else was decided instead"),
        "overturn": mark("The decision was undone"),
        "waiting": mark("Not decided yet"),
    },
    Counted.COMPLAINTS: words.COMPLAINTS_ABOUT,
    Counted.CALLS: {"answered": mark("Answered"), "unanswered": mark("Not answered by whoever was called")},
}


@dataclass(frozen=True, kw_only=True)
class TransparencyPage(Page):
    """What happened in moderation in a year."""

    template: ClassVar[str] = "reports/transparency.html"
    section: ClassVar[str] = "/rules"
    has_tools: ClassVar[bool] = True
    titles: ClassVar[Mapping[str, str]] = TITLES
    kinds: ClassVar[Mapping[str, Mapping[str, str]]] = KINDS

    report: TransparencyReport


@router.get("/transparency/{year}")
async def show_transparency_report(year: Annotated[int, Path(ge=FIRST_YEAR, lt=10_000)], visit: Reading) -> Response:
    """Show what happened in moderation in a year that is over."""
    found = await visit.act(transparency.read_report, year)
    title = visit.say(mark("Our year %(year)s in numbers"), year=year)
    return visit.show(TransparencyPage(title=title, report=found, indexable=True))
