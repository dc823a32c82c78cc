"""What moderators decided about oneself, why, and the way to a second look; also for members who are shut out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Uuid, Words
from forum.web.forms import FormModel
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit
from moderation import appeals, own_statements
from moderation.own_statements import OwnStatement
from moderation.web import words
from moderation.web.pages import repeat_of, status_of

router = page_router()


class AppealForm(FormModel):
    """Why somebody thinks that a decision was wrong."""

    text: Annotated[Words, Field(max_length=appeals.TEXT_MAX)]


@dataclass(frozen=True, kw_only=True)
class OwnStatementsPage(Page):
    """What was decided about oneself, newest first."""

    template: ClassVar[str] = "own/statements.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True
    told: ClassVar[Mapping[str, str]] = words.TOLD

    statements: Sequence[OwnStatement]


@dataclass(frozen=True, kw_only=True)
class OwnStatementPage(Page):
    """One statement of reasons, as its author reads it, with what came of their appeal."""

    template: ClassVar[str] = "own/statement.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True
    told: ClassVar[Mapping[str, str]] = words.TOLD

    own: OwnStatement


@dataclass(frozen=True, kw_only=True)
class AppealPage(FormPage):
    """The form to ask for a second look at a decision."""

    template: ClassVar[str] = "own/appeal.html"
    section: ClassVar[str] = "/me"

    action: str
    reason: str | None  # of the decision, to have it before one's eyes
    can_appeal: bool
    back: tuple[str, str]  # the page before: its address and its words


@router.get("/me/statements")
async def show_statements(visit: OwnVisit) -> Response:
    """Show what was decided about oneself."""
    found = await visit.act(own_statements.list_own_statements)
    return visit.show(OwnStatementsPage(title=visit.say("What moderators decided about you"), statements=found))


@router.get("/me/statements/{id}")
async def show_statement(id: Uuid, visit: OwnVisit) -> Response:
    """Show one statement of reasons."""
    own = await visit.act(own_statements.get_own_statement, id)
    return visit.show(OwnStatementPage(title=visit.say("What moderators decided, and why"), own=own))


@router.get("/me/statements/{id}/appeal")
async def show_appeal(id: Uuid, visit: OwnVisit) -> Response:
    """Show the form to ask for a second look."""
    return visit.show(await _appeal_page(visit, id))


@router.post("/me/statements/{id}/appeal")
async def appeal(id: Uuid, visit: OwnForm) -> Response:
    """Ask for a second look at a decision about oneself."""
    try:
        await visit.act(appeals.submit, id, visit.form.parse(AppealForm).text, repeat=repeat_of(visit))
    except ForumError as error:
        return visit.show(await _appeal_page(visit.refusing(error), id), status_of(error))
    return visit.go(f"/me/statements/{id}", done="appealed")


@router.get("/me/appeals/{id}")
async def find_appeal(id: Uuid, visit: OwnVisit) -> Response:
    """Go to what one appealed against."""
    found = await visit.act(appeals.get_own_appeal, id)
    if found.statement_id:
        return visit.go(f"/me/statements/{found.statement_id}#appeal")
    return visit.go(f"/me/reports#report-{found.report_id}")


async def _appeal_page(visit: Visit, statement_id: Uuid) -> AppealPage:
    own = await visit.act(own_statements.get_own_statement, statement_id)
    return AppealPage(
        title=visit.say("Ask for a second look"),
        form=visit.form,
        action=f"/me/statements/{statement_id}/appeal",
        reason=own.statement.reason,
        can_appeal=own.can_appeal,
        back=(f"/me/statements/{statement_id}", visit.say("What moderators decided, and why")),
    )
