"""Templates of answers over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum.advising import answer_templates
from forum.advising.answer_templates import TEXT_MAX, TITLE_MAX, TemplateWords
from forum.api.schemas import RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.fields import Line, Moment, Number, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route

router = APIRouter(prefix="/adviser/templates", tags=["advisers"], route_class=Route)

TEXT = (
    "Markdown with placeholders: `{name}` of whoever is answered, `{board}`, and `{link:what it leads to}` for an "
    "address. Another one is refused. A reply in which one is left is not published"
)
EXAMPLE = "Hello {name}, this page says more: {link:our page on kinship care}"


class AnswerTemplate(ResponseBody):
    """An answer to begin from: fill it in, and change it to fit before you send it."""

    id: Uuid
    version: int = Field(examples=[1])
    title: str = Field(examples=["Kinship care"])
    text: str = Field(description=TEXT, examples=[EXAMPLE])
    changed_at: Moment


class AnswerTemplateList(ResponseBody):
    """Every template of your organisation, by title."""

    items: list[AnswerTemplate]
    next: None = Field(description="Always null: the list is whole")


class AnswerTemplateRequest(RequestBody):
    """What a template shall say."""

    title: Line = Field(min_length=1, max_length=TITLE_MAX, examples=["Kinship care"])
    text: Words = Field(min_length=1, max_length=TEXT_MAX, description=TEXT, examples=[EXAMPLE])


class AnswerTemplateChangeRequest(AnswerTemplateRequest):
    """What a template shall say from now on."""

    version: Number = Field(description="The `version` of the template that was on the screen", examples=[1])


Seen = Annotated[
    int,
    Query(ge=1, lt=2**31, description="The `version` of the template that was on the screen", examples=[1]),
]


@router.get("", response_model=AnswerTemplateList, responses=documented(401, 403, 422))
async def list_answer_templates(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List the templates of your organisation: for advisers."""
    rows = await answer_templates.list_templates(work, viewer)
    page = AnswerTemplateList(items=[AnswerTemplate.model_validate(row) for row in rows], next=None)
    return cacheable_response(request, page, shared=False)


@router.post("", status_code=201, response_model=AnswerTemplate, responses=documented(401, 403, 409, 413, 422))
async def add_answer_template(
    wanted: AnswerTemplateRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Write a template for the advisers of your organisation."""
    words = TemplateWords(wanted.title, wanted.text)
    written = await answer_templates.add_template(work, viewer, words, repeat=key.of(wanted))
    return json_response(AnswerTemplate.model_validate(written), 201)


@router.put("/{id}", response_model=AnswerTemplate, responses=documented(401, 403, 404, 409, 413, 422))
async def change_answer_template(
    id: Uuid, wanted: AnswerTemplateChangeRequest, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Give a template of your organisation other words. Idempotent."""
    words = TemplateWords(wanted.title, wanted.text)
    changed = await answer_templates.change_template(work, viewer, id, wanted.version, words)
    return json_response(AnswerTemplate.model_validate(changed))


@router.delete("/{id}", status_code=204, responses=documented(401, 403, 404, 409, 422))
async def delete_answer_template(id: Uuid, version: Seen, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Delete a template of your organisation."""
    await answer_templates.delete_template(work, viewer, id, version)
    return Response(status_code=204)
