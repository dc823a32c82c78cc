"""What one reported, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.core.errors import ForumError
from forum.http.fields import Uuid
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit
from moderation import appeals, own_reports
from moderation.own_reports import OwnReport
from moderation.web import words
from moderation.web.own_statements import AppealForm, AppealPage
from moderation.web.pages import repeat_of, status_of

router = page_router()

REPORTS_A_PAGE = 20


@dataclass(frozen=True, kw_only=True)
class OwnReportsPage(Page):
    """One's own reports, newest first."""

    template: ClassVar[str] = "own/reports.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True
    categories: ClassVar[Mapping[str, str]] = words.CATEGORIES

    reports: Sequence[OwnReport]
    next: str | None


@router.get("/me/reports")
async def show_reports(visit: OwnVisit) -> Response:
    """Show one's own reports."""
    page = await visit.act(own_reports.list_own_reports, visit.query("after") or None, REPORTS_A_PAGE)
    return visit.show(OwnReportsPage(title=visit.say("What you reported"), reports=page.rows, next=page.next))


@router.get("/me/reports/{id}/appeal")
async def show_report_appeal(id: Uuid, visit: OwnVisit) -> Response:
    """Show the form to ask for a second look at a report."""
    return visit.show(await _appeal_page(visit, id))


@router.post("/me/reports/{id}/appeal")
async def appeal_report(id: Uuid, visit: OwnForm) -> Response:
    """Ask for a second look at a report of one's own where nothing was done."""
    try:
        await visit.act(appeals.submit_for_report, id, visit.form.parse(AppealForm).text, repeat=repeat_of(visit))
    except ForumError as error:
        return visit.show(await _appeal_page(visit.refusing(error), id), status_of(error))
    return visit.go(f"/me/reports#report-{id}", done="appealed")


async def _appeal_page(visit: Visit, report_id: Uuid) -> AppealPage:
    own = await visit.act(own_reports.get_own_report, report_id)
    return AppealPage(
        title=visit.say("Ask for a second look"),
        form=visit.form,
        action=f"/me/reports/{report_id}/appeal",
        reason=None,
        can_appeal=own.can_appeal,
        back=(f"/me/reports#report-{report_id}", visit.say("What you reported")),
    )
