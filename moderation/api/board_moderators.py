"""A board's moderators over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Handle, Moment, ResponseBody, Slug
from forum.content import boards
from forum.content.boards import Board
from forum.core.errors import NotFound
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember, FreshMember
from forum.http.problems import documented
from forum.http.services import AppServices, Now, Route, WorkSession
from forum.members.tables import Role
from forum.members.viewer import Viewer
from moderation import board_moderators
from moderation.permissions import Act, allow

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
async def list_team(request: Request, slug: Slug, viewer: CurrentMember, work: WorkSession) -> Response:
    """List who moderates a board: for moderators and administrators."""
    allow(Act.SEE_QUEUE, viewer)
    rows = (await work.execute(board_moderators.of_board(await _board(work, viewer, slug)))).all()
    return cacheable_response(
        request, Team(items=[TeamMember.model_validate(row) for row in rows], next=None), shared=False
    )


@router.put("/boards/{slug}/team/{handle}", status_code=204, responses=documented(401, 403, 404, 422))
async def name_moderator(
    slug: Slug, handle: Handle, viewer: FreshMember, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """Make a member a moderator of this board: for administrators, who signed in within 15 minutes.

    Done twice, it is as done once.
    """
    allow(Act.NAME_TEAM, viewer)
    named = await board_moderators.name(work, viewer, await _board(work, viewer, slug), handle, now)
    services.session_cache.invalidate(named.id)
    return Response(status_code=204)


@router.delete("/boards/{slug}/team/{handle}", status_code=204, responses=documented(401, 403, 404, 422))
async def dismiss_moderator(
    slug: Slug, handle: Handle, viewer: FreshMember, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """Take the role back: for administrators, who signed in within 15 minutes. Done twice, it is as done once."""
    allow(Act.NAME_TEAM, viewer)
    dismissed = await board_moderators.dismiss(work, viewer, await _board(work, viewer, slug), handle, now)
    services.session_cache.invalidate(dismissed.id)
    return Response(status_code=204)


async def _board(work: WorkSession, viewer: Viewer, slug: str) -> Board:
    board = await boards.find_board(work, slug)
    if board is None or not (viewer.moderates(board.id) or Role.ADMINISTRATOR in viewer.roles):
        raise NotFound("There is no such board.")
    return board
