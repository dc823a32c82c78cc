"""Saying that one's own thread needs no answer any more, over HTTP."""

from fastapi import APIRouter, Response

from forum.advising import answers
from forum.http.current_member import CurrentMember
from forum.http.fields import Id
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route

router = APIRouter(tags=["threads"], route_class=Route)


@router.put("/threads/{id}/answered", status_code=204, responses=documented(401, 403, 404, 422))
async def mark_answered(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Say that this helped: nothing in your own thread waits for an adviser any more. Idempotent.

    When you or somebody else ask something later, it waits again.
    """
    await answers.mark_answered(work, viewer, id)
    return Response(status_code=204)
