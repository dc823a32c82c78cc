"""Pages of the assessments that the law asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Words
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import assessments
from moderation.assessments import TEXT_MAX, AssessmentDraft, AssessmentKind, AssessmentShelf, OpenAssessment
from moderation.web.pages import ModerationPage, status_of

router = page_router()

KINDS: Mapping[str, str] = {
    AssessmentKind.ILLEGAL_CONTENT: mark("What is against the law: how likely it is here, and what we do"),
    AssessmentKind.CHILDRENS_ACCESS: mark("Whether children can use the forum"),
    AssessmentKind.MEASURES: mark("What we do to keep people safe"),
    AssessmentKind.REVIEW: mark("Our reviews"),
}


class AssessmentForm(FormModel):
    """Another version of a document."""

    text: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]
    assessed_on: date
    next_review_on: date
    version: Annotated[int, Field(ge=0, lt=2**31)]


@dataclass(frozen=True, kw_only=True)
class AssessmentsPage(ModerationPage):
    """Every document."""

    template: ClassVar[str] = "moderation/assessments.html"
    documents: ClassVar[Mapping[str, str]] = KINDS

    shelf: AssessmentShelf
    today: date


@dataclass(frozen=True, kw_only=True)
class AssessmentPage(ModerationPage):
    """One document, in one version, and the form for another."""

    template: ClassVar[str] = "moderation/assessment.html"

    read: OpenAssessment
    today: date
    in_a_year: date


@router.get("/moderation/assessments")
async def show_assessments(visit: MemberVisit) -> Response:
    """Show every document."""
    shelf = await visit.act(assessments.read_shelf)
    return visit.show(AssessmentsPage(title=visit.say(mark("Assessments")), shelf=shelf, today=visit.now.date()))


@router.get("/moderation/assessments.zip")
async def download_assessments(visit: MemberVisit) -> Response:
    """Give all documents as one archive."""
    content = await visit.act(assessments.make_archive)
    headers = {"Content-Disposition": 'attachment; filename="assessments.zip"', "Cache-Control": "no-store"}
    return Response(content, headers=visit.headers | headers, media_type="application/zip")


@router.get("/moderation/assessments/{kind}")
async def show_assessment(kind: AssessmentKind, visit: MemberVisit) -> Response:
    """Show a document: its newest version, or the one that the address names."""
    return visit.show(await _page(visit, kind))


@router.post("/moderation/assessments/{kind}")
async def write_assessment(kind: AssessmentKind, visit: MemberForm) -> Response:
    """Write another version of a document."""
    try:
        wanted = visit.form.parse(AssessmentForm)
        await visit.act(assessments.write_assessment, kind, AssessmentDraft(**wanted.model_dump()))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), kind), status_of(error))
    return visit.go(f"/moderation/assessments/{kind}", done="saved")


async def _page(visit: Visit, kind: AssessmentKind) -> AssessmentPage:
    asked = visit.query("version")
    version = int(asked) if asked.isdecimal() and len(asked) < 9 else None
    read = await visit.act(assessments.read_assessment, kind, version or None)
    today = visit.now.date()
    return AssessmentPage(
        title=visit.say(KINDS[kind]), read=read, today=today, in_a_year=today + timedelta(days=365), form=visit.form
    )
