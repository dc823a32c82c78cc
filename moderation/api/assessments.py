"""Assessments over HTTP."""

from datetime import date
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BeforeValidator, Field

from forum.api.schemas import Author, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, etag_headers
from forum.http.current_member import CurrentMember
from forum.http.fields import Moment, Words, numeric
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import assessments
from moderation.assessments import TEXT_MAX, AssessmentDraft, AssessmentKind

ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A ZIP: a file for each version, and `index.json`",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)

Kind = Annotated[AssessmentKind, Path(examples=["illegal_content"])]
Version = Annotated[int, Path(ge=1, lt=2**31, examples=[1])]
Day = Annotated[date, Field(examples=["2026-11-29"])]


class AssessmentVersion(ResponseBody):
    """A version of a document, without its text."""

    kind: AssessmentKind
    version: int = Field(examples=[1])
    assessed_on: Day
    next_review_on: Day
    written_at: Moment
    written_by: Author


class AssessmentList(ResponseBody):
    """Every version of every document, the newest of each first."""

    items: list[AssessmentVersion]
    next: None = Field(description="Always null: the list is whole")


class FullAssessment(AssessmentVersion):
    """A version of a document."""

    text: str = Field(examples=["Who can write here: members, after they confirmed an address."])


class AssessmentRequest(RequestBody):
    """Another version of a document."""

    text: Words = Field(
        min_length=1, max_length=TEXT_MAX, examples=["Who can write here: members, after they confirmed an address."]
    )
    assessed_on: Day
    next_review_on: date = Field(
        description="Within a year. Write another version before a significant change", examples=["2027-11-29"]
    )
    version: Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(numeric)] = Field(
        description="The newest version that you saw; 0 if there was none", examples=[0]
    )


@router.get("/assessments", response_model=AssessmentList, responses=documented(401, 403, 422))
async def list_assessments(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List the assessments that the law asks for: for moderators of the whole forum and administrators."""
    shelf = await assessments.read_shelf(work, viewer)
    items = [AssessmentVersion.of_row(row, written_by=Author.of(row, "author")) for row in shelf.versions]
    return cacheable_response(request, AssessmentList(items=items, next=None), shared=False)


@router.get("/assessments.zip", response_class=Response, responses=ARCHIVE | documented(401, 403, 422))
async def get_assessment_archive(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Fetch every version of every assessment as one ZIP: for moderators of the whole forum and administrators."""
    content = await assessments.make_archive(work, viewer)
    headers, is_known = etag_headers(request, f'"{sha256(content).hexdigest()[:24]}"', shared=False)
    if is_known:
        return Response(status_code=304, headers=headers)
    about = {"Content-Disposition": 'attachment; filename="assessments.zip"'}
    return Response(content, headers=headers | about, media_type="application/zip")


@router.get("/assessments/{kind}/{version}", response_model=FullAssessment, responses=documented(401, 403, 404, 422))
async def get_assessment(
    request: Request, kind: Kind, version: Version, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Read a version of an assessment: for moderators of the whole forum and administrators."""
    row = await assessments.get_assessment(work, viewer, kind, version)
    return cacheable_response(request, FullAssessment.of_row(row, written_by=Author.of(row, "author")), shared=False)


@router.put("/assessments/{kind}", response_model=FullAssessment, responses=documented(401, 403, 404, 409, 413, 422))
async def write_assessment(kind: Kind, wanted: AssessmentRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Write another version of an assessment: for administrators. What was written before stays."""
    row = await assessments.write_assessment(work, viewer, kind, AssessmentDraft(**wanted.model_dump()))
    return json_response(FullAssessment.of_row(row, written_by=Author.of(row, "author")))
