"""Public cards of members over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.content.posts.tallies import WRITTEN
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentViewer
from forum.http.fields import Handle, Moment, SoughtHandle
from forum.http.problems import documented
from forum.http.services import Reading, Route
from forum.members import cards

router = APIRouter(tags=["members"], route_class=Route)


class Organisation(ResponseBody):
    """Whom an adviser speaks for."""

    title: str = Field(examples=["Online adviser"])
    organisation: str = Field(examples=["Example Family Charity"])


class Member(ResponseBody):
    """What everybody may know of a member."""

    handle: str = Field(examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    title: str | None = Field(examples=["Online adviser"])
    joined_at: Moment
    posts: int = Field(description="Posts that you may read", examples=[12])
    adviser: Organisation | None = Field(description="Null for a member who is no adviser")


class MemberList(ResponseBody):
    """The members that were asked for and exist."""

    items: list[Member]
    next: None = Field(description="Always null: you named them all")


@router.get("/members", response_model=MemberList, responses=documented(422))
async def list_members(
    request: Request,
    viewer: CurrentViewer,
    reading: Reading,
    handle: Annotated[
        list[SoughtHandle],
        Query(min_length=1, max_length=100, description="Whom: `?handle=suzie&handle=marcus`", examples=[["suzie"]]),
    ],
) -> Response:
    """Read the cards of several members; handles that nobody has are left out."""
    items = [Member.model_validate(card) for card in await cards.list_cards(reading, viewer, handle, WRITTEN)]
    return cacheable_response(request, MemberList(items=items, next=None))


@router.get("/members/{handle}", response_model=Member, responses=documented(404, 422))
async def get_member(request: Request, handle: Handle, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read a member's card."""
    card = await cards.get_card(reading, viewer, handle, WRITTEN)
    return cacheable_response(request, Member.model_validate(card))
