"""Appeals over HTTP: an author's against a statement, a reporter's against a dismissal."""

from fastapi import APIRouter, Response
from pydantic import Field

from forum.api.schemas import RequestBody
from forum.http.current_member import AnyMember
from forum.http.fields import Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import appeals
from moderation.api.statements import AppealState

router = APIRouter(tags=["appeals"], route_class=Route)


class AppealRequest(RequestBody):
    """Why you think that the decision was wrong."""

    text: Words = Field(min_length=1, max_length=appeals.TEXT_MAX, examples=["I asked a question; I named nobody."])


@router.post(
    "/statements/{id}/appeal",
    status_code=201,
    response_model=AppealState,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def appeal_statement(
    id: Uuid, wanted: AppealRequest, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Appeal against a decision. Suspended and banned members may too. Somebody else decides the appeal."""
    state = await appeals.submit(work, viewer, id, wanted.text, repeat=key.of(wanted))
    return json_response(AppealState.of(state), 201)


@router.post(
    "/reports/{id}/appeal",
    status_code=201,
    response_model=AppealState,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def appeal_report(
    id: Uuid, wanted: AppealRequest, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Appeal against the dismissal of your report. Somebody else decides the appeal."""
    state = await appeals.submit_for_report(work, viewer, id, wanted.text, repeat=key.of(wanted))
    return json_response(AppealState.of(state), 201)
