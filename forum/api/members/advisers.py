"""Advisers over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentViewer
from forum.http.fields import Moment
from forum.http.problems import documented
from forum.http.services import Reading, Route
from forum.members import advisers

router = APIRouter(tags=["advisers"], route_class=Route)


class Adviser(ResponseBody):
    """Somebody whose answers stand out."""

    handle: str = Field(examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    title: str = Field(examples=["Online adviser"])
    organisation: str = Field(examples=["Example Family Charity"])
    since: Moment


class AdviserList(ResponseBody):
    """The advisers of today, by name."""

    items: list[Adviser]
    next: None = Field(description="Always null: advisers are few")


@router.get("/advisers", response_model=AdviserList, responses=documented(422))
async def list_advisers(request: Request, _viewer: CurrentViewer, reading: Reading) -> Response:
    """List the advisers."""
    rows = await advisers.list_advisers(reading)
    return cacheable_response(request, AdviserList(items=[Adviser.model_validate(row) for row in rows], next=None))
