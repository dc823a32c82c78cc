"""Templates for reasons over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.fields import Line, Moment, Slug, Words
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import reason_templates

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class Template(ResponseBody):
    """A reason to begin from; change it to fit before you send it."""

    slug: str = Field(examples=["name-calling"])
    title: str = Field(examples=["Name-calling"])
    text: str = Field(examples=["You called somebody a name. Say what they did instead."])
    changed_at: Moment


class TemplateList(ResponseBody):
    """Every template, by title."""

    items: list[Template]
    next: None = Field(description="Always null: the list is whole")


class TemplateChange(RequestBody):
    """What the template shall say."""

    title: Line = Field(min_length=1, max_length=120, examples=["Name-calling"])
    text: Words = Field(min_length=1, max_length=5000, examples=["Say what they did."])


@router.get("/templates", response_model=TemplateList, responses=documented(401, 403, 422))
async def list_templates(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List the templates for reasons: for moderators."""
    rows = await reason_templates.list_templates(work, viewer)
    page = TemplateList(items=[Template.model_validate(row) for row in rows], next=None)
    return cacheable_response(request, page, shared=False)


@router.put("/templates/{slug}", response_model=Template, responses=documented(401, 403, 413, 422))
async def write_template(slug: Slug, change: TemplateChange, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Write a template, or replace it: for moderators of the whole forum and administrators. Idempotent."""
    written = await reason_templates.write_template(work, viewer, slug, change.title, change.text)
    return json_response(Template.model_validate(written))


@router.delete("/templates/{slug}", status_code=204, responses=documented(401, 403, 404, 422))
async def discard_template(slug: Slug, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Delete a template: for moderators of the whole forum and administrators."""
    await reason_templates.delete_template(work, viewer, slug)
    return Response(status_code=204)
