"""Appeals over HTTP: the author's against a statement, the reporter's against a dismissal."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AfterValidator, Field

from forum.api.dependencies import AnyMember, Now, Work
from forum.api.problems import documented
from forum.api.wire import Text, Wanted, answer, visible
from moderation import appeals
from moderation.api.statements import AppealState

router = APIRouter(tags=["appeals"])


class NewAppeal(Wanted):
    """Why you think that the decision was wrong."""

    text: Annotated[Text, AfterValidator(visible)] = Field(min_length=1, max_length=appeals.TEXT_MAX)


class Appeal(AppealState):
    """Your appeal."""

    text: str


@router.post(
    "/statements/{id}/appeal",
    status_code=201,
    response_model=Appeal,
    responses=documented(401, 404, 409, 413, 422),
)
async def appeal_statement(id: UUID, wanted: NewAppeal, viewer: AnyMember, work: Work, now: Now) -> Response:
    """Appeal against a decision. Open to suspended and banned members too; somebody else hears it."""
    lodged = await appeals.lodge(work, viewer, id, wanted.text, now)
    hearers = await appeals.hearers(work, lodged)
    return answer(Appeal(**lodged.model_dump(include=set(Appeal.model_fields)), hearers=hearers), 201)


@router.post(
    "/reports/{id}/appeal",
    status_code=201,
    response_model=Appeal,
    responses=documented(401, 404, 409, 413, 422),
)
async def appeal_report(id: UUID, wanted: NewAppeal, viewer: AnyMember, work: Work, now: Now) -> Response:
    """Appeal against the dismissal of your report."""
    lodged = await appeals.lodge_for_report(work, viewer, id, wanted.text, now)
    hearers = await appeals.hearers(work, lodged)
    return answer(Appeal(**lodged.model_dump(include=set(Appeal.model_fields)), hearers=hearers), 201)
