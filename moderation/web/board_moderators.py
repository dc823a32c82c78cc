"""The page of a board's team: who moderates it."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.core.errors import ForumError, NotFound
from forum.http.fields import Slug, SoughtHandle
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import board_moderators
from moderation.board_moderators import TeamReading
from moderation.web.pages import ModerationPage, status_of

router = page_router()


class TeamForm(FormModel):
    """Who joins or leaves the team."""

    handle: SoughtHandle


@dataclass(frozen=True, kw_only=True)
class TeamPage(ModerationPage):
    """Who moderates a board."""

    template: ClassVar[str] = "moderation/team.html"

    reading: TeamReading


@router.get("/boards/{slug}/team")
async def show_team(slug: Slug, visit: MemberVisit) -> Response:
    """Show who moderates a board."""
    return visit.show(await _page(visit, slug))


@router.post("/boards/{slug}/team")
async def appoint(slug: Slug, visit: MemberForm) -> Response:
    """Make a member a moderator of this board."""
    try:
        await visit.act(board_moderators.appoint, slug, visit.form.parse(TeamForm).handle)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error, NotFound), slug), status_of(error))
    return visit.go(f"/boards/{slug}/team", done="saved")


@router.post("/boards/{slug}/team/remove")
async def dismiss(slug: Slug, visit: MemberForm) -> Response:
    """Take the role back."""
    await visit.act(board_moderators.dismiss, slug, visit.form.parse(TeamForm).handle)
    return visit.go(f"/boards/{slug}/team", done="saved")


async def _page(visit: Visit, slug: str) -> TeamPage:
    reading = await visit.act(board_moderators.read_team, slug)
    title = visit.say("Who moderates “%(name)s”", name=reading.board.name)
    return TeamPage(title=title, reading=reading, form=visit.form)
