"""Acting on sight over HTTP: a moderator opens a case about what they see, and may decide it."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field

from forum.api.schemas import RequestBody
from forum.http.current_member import CurrentMember
from forum.http.fields import Handle, Id, Number, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import on_sight
from moderation.api.cases import Case
from moderation.api.reports import ReportCategory
from moderation.case_priority import Category
from moderation.on_sight import SeenCase, Sighting

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)

FOUND: dict[int | str, dict[str, Any]] = {200: {"model": Case, "description": "The case that is open already"}}


class CaseRequest(RequestBody):
    """What you saw."""

    note: Words = Field(
        min_length=1,
        max_length=5000,
        description="For the other moderators",
        examples=["The same advert as yesterday."],
    )
    category: ReportCategory | None = Field(
        None, description="How grave it is; `other` unless you say so. A case that is open only becomes graver"
    )


class PostCaseRequest(CaseRequest):
    """What you saw in a post."""

    revision: Number = Field(description="The revision of the post that you saw", examples=[1])


@router.post(
    "/posts/{id}/case",
    status_code=201,
    response_model=Case,
    responses=FOUND | documented(401, 403, 404, 409, 413, 422),
)
async def open_post_case(
    id: Id, wanted: PostCaseRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Open a case about a post that you see, without a report, and claim it. You may decide it yourself.

    For moderators of the board, and for administrators where no moderator can decide. If a case is open already, you
    claim that one. With an `Idempotency-Key`, you can safely send it twice.
    """
    sighting = Sighting(wanted.note, _category(wanted), wanted.revision)
    seen = await on_sight.open_on_post(work, viewer, id, sighting, repeat=key.of(wanted))
    return _response(seen)


@router.post(
    "/members/{handle}/case",
    status_code=201,
    response_model=Case,
    responses=FOUND | documented(401, 403, 404, 409, 413, 422),
)
async def open_member_case(
    handle: Handle, wanted: CaseRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Open a case about a member, without a post, and claim it: to warn or to sanction them. You may decide it.

    For moderators of the whole forum. If such a case is open already, you claim that one. With an `Idempotency-Key`,
    you can safely send it twice.
    """
    sighting = Sighting(wanted.note, _category(wanted))
    seen = await on_sight.open_on_member(work, viewer, handle, sighting, repeat=key.of(wanted))
    return _response(seen)


def _category(wanted: CaseRequest) -> Category | None:
    return Category(wanted.category) if wanted.category else None


def _response(seen: SeenCase) -> Response:
    return json_response(Case.of_case(seen.case), 201 if seen.is_new else 200)
