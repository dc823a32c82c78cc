"""What a forum still lacks, over HTTP: for administrators."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.administration import setup
from forum.api.schemas import Next, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route

router = APIRouter(prefix="/administration", tags=["administration"], route_class=Route)


class SetupGap(ResponseBody):
    """Something that the forum still lacks."""

    code: str = Field(examples=["no_moderator"])
    detail: str = Field(description="In words for people", examples=["There is no backup yet."])
    board: str | None = Field(description="The slug of the board that lacks it, if it is one board", examples=["court"])


class SetupGapList(ResponseBody):
    """What the forum still lacks, the gravest first."""

    items: list[SetupGap]
    next: Next


@router.get("/setup", response_model=SetupGapList, responses=documented(401, 403, 422))
async def list_setup_gaps(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List what the forum still lacks before it can look after people: for administrators.

    `forum check` prints the same on the command line.
    """
    gaps = await setup.list_gaps(work, viewer)
    body = SetupGapList(items=[SetupGap.model_validate(gap) for gap in gaps], next=None)
    return cacheable_response(request, body, shared=False)
