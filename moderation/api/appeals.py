"""Appeals over HTTP: the author's against a statement, the reporter's against a dismissal."""

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from forum.api.schemas import RequestBody, Uuid, Words
from forum.http.current_member import AnyMember
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import Now, Route, WorkSession
from moderation import appeals
from moderation.api.statements import AppealState, appeal_state

router = APIRouter(tags=["appeals"], route_class=Route)


class NewAppeal(RequestBody):
    """Why you think that the decision was wrong."""

    text: Words = Field(min_length=1, max_length=appeals.TEXT_MAX, examples=["I asked a question; I named nobody."])


@router.post(
    "/statements/{id}/appeal",
    status_code=201,
    response_model=AppealState,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def appeal_statement(id: Uuid, wanted: NewAppeal, viewer: AnyMember, work: WorkSession, now: Now) -> Response:
    """Appeal against a decision. Open to suspended and banned members too; somebody else hears it."""
    return await _lodged(work, await appeals.submit(work, viewer, id, wanted.text, now))


@router.post(
    "/reports/{id}/appeal",
    status_code=201,
    response_model=AppealState,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def appeal_report(id: Uuid, wanted: NewAppeal, viewer: AnyMember, work: WorkSession, now: Now) -> Response:
    """Appeal against the dismissal of your report."""
    return await _lodged(work, await appeals.submit_for_report(work, viewer, id, wanted.text, now))


async def _lodged(session: AsyncSession, appeal: appeals.Appeal) -> Response:
    return json_response(await appeal_state(session, appeal), 201)
