"""What each board does with what may show who somebody is, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.fields import Slug
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import detail_effects
from moderation.detail_effects import BoardEffects, Treatment
from moderation.screening.finding import DetailKind

router = APIRouter(prefix="/administration", tags=["administration"], route_class=Route)


class KindEffect(ResponseBody):
    """What a board does with one kind."""

    kind: DetailKind = Field(examples=["telephone"])
    effect: Treatment = Field(examples=["ask_and_case"])


class BoardDetails(ResponseBody):
    """What a board does with each kind of what may show who somebody is."""

    items: list[KindEffect]
    next: None = Field(description="Always null: the list is whole")


class KindEffectRequest(RequestBody):
    """What a board shall do with one kind."""

    kind: DetailKind = Field(examples=["telephone"])
    effect: Treatment = Field(examples=["ask"])


class BoardDetailsRequest(RequestBody):
    """What a board shall do. Kinds that are not named stay as they are."""

    items: Annotated[
        list[KindEffectRequest],
        Field(min_length=1, max_length=len(DetailKind), examples=[[{"kind": "telephone", "effect": "ask"}]]),
    ]


@router.get("/boards/{slug}/details", response_model=BoardDetails, responses=documented(401, 403, 404, 422))
async def list_details(request: Request, slug: Slug, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read what a board does with each kind of what may show who somebody is: for administrators."""
    read = await detail_effects.read_effects(work, viewer, slug)
    return cacheable_response(request, _response(read), shared=False)


@router.put("/boards/{slug}/details", response_model=BoardDetails, responses=documented(401, 403, 404, 413, 422))
async def set_details(slug: Slug, wanted: BoardDetailsRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Choose what a board does: for administrators. Idempotent.

    `tell` points it out; the others ask the author first, and then publish it, have a moderator look at it, or hold it
    until a moderator has. Words of danger are never asked about nor held.
    """
    effects = {one.kind: one.effect for one in wanted.items}
    return json_response(_response(await detail_effects.set_effects(work, viewer, slug, effects)))


def _response(read: BoardEffects) -> BoardDetails:
    items = [KindEffect(kind=kind, effect=effect) for kind, effect in read.effects.items()]
    return BoardDetails(items=items, next=None)
