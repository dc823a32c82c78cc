"""Endorsements over HTTP: an adviser says that what a member wrote is right."""

from fastapi import APIRouter, Response
from pydantic import Field

from forum.api.schemas import RequestBody
from forum.content.endorsements import actions
from forum.http.current_member import CurrentMember
from forum.http.fields import Id, Number
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route

router = APIRouter(tags=["advisers"], route_class=Route)


class EndorsementRequest(RequestBody):
    """Which revision of the post was on the screen."""

    revision: Number | None = Field(None, description="The `revision` of the post that was on the screen", examples=[1])


@router.put("/posts/{id}/endorsement", status_code=204, responses=documented(401, 403, 404, 409, 413, 422))
async def endorse_post(
    id: Id, viewer: CurrentMember, work: CurrentWork, wanted: EndorsementRequest | None = None
) -> Response:
    """Say as an adviser that a member's post is right. Everybody sees your badge below it until it is edited."""
    await actions.endorse(work, viewer, id, wanted.revision if wanted else None)
    return Response(status_code=204)


@router.delete("/posts/{id}/endorsement", status_code=204, responses=documented(401, 403, 404, 422))
async def take_endorsement_back(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Take your endorsement back. Idempotent."""
    await actions.take_back(work, viewer, id)
    return Response(status_code=204)
