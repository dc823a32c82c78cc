"""A board's moderators over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import Handle, Moment, Slug
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from moderation import board_moderators

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class TeamMember(ResponseBody):
    """Somebody who moderates a board."""

    handle: str = Field(examples=["orla"])
    name: str = Field(examples=["Orla"])
    title: str | None = Field(examples=["Moderator"])
    whole_forum: bool = Field(description="Whether they moderate every board")
    since: Moment


class Team(ResponseBody):
    """Who moderates a board."""

    items: list[TeamMember]
    next: None = Field(description="Always null: a team is small")


@router.get("/boards/{slug}/team", response_model=Team, responses=documented(401, 403, 404, 422))
async def list_team(request: Request, slug: Slug, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List who moderates a board: for moderators and administrators."""
    rows = await board_moderators.list_moderators(work, viewer, slug)
    team = Team(items=[TeamMember.model_validate(row) for row in rows], next=None)
    return cacheable_response(request, team, shared=False)


@router.put("/boards/{slug}/team/{handle}", status_code=204, responses=documented(401, 403, 404, 422))
async def name_moderator(slug: Slug, handle: Handle, viewer: AnyMember, work: CurrentWork) -> Response:
    """Make a member a moderator of this board: for administrators who signed in within 15 minutes. Idempotent."""
    await board_moderators.appoint(work, viewer, slug, handle)
    return Response(status_code=204)


@router.delete("/boards/{slug}/team/{handle}", status_code=204, responses=documented(401, 403, 404, 422))
async def dismiss_moderator(slug: Slug, handle: Handle, viewer: AnyMember, work: CurrentWork) -> Response:
    """Take the role back: for administrators who signed in within 15 minutes. Idempotent."""
    await board_moderators.dismiss(work, viewer, slug, handle)
    return Response(status_code=204)
