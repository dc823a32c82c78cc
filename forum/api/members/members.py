"""Public cards of members over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum.api.schemas import Handle, Moment, ResponseBody, SoughtHandle
from forum.content.posts.queries import WRITTEN
from forum.core.database import Reader
from forum.core.errors import NotFound
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentViewer
from forum.http.problems import documented
from forum.http.services import Reading, Route
from forum.members import names
from forum.members.advisers import CARDS
from forum.members.viewer import Viewer

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
    adviser: Organisation | None = Field(description="Null unless this is an adviser")


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
    """Read several members' cards; those who do not exist are left out."""
    return cacheable_response(request, MemberList(items=await _cards(reading, viewer, handle), next=None))


@router.get("/members/{handle}", response_model=Member, responses=documented(404, 422))
async def get_member(request: Request, handle: Handle, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read a member's card."""
    cards = await _cards(reading, viewer, [handle])
    if not cards:
        raise NotFound("There is no such member.")
    return cacheable_response(request, cards[0])


async def _cards(reading: Reader, viewer: Viewer, handles: Sequence[str]) -> list[Member]:
    rows = await reading.rows(CARDS, handles=[names.folded(handle) for handle in handles])
    if not rows:
        return []
    counts = await reading.rows(WRITTEN, **viewer.sight, member_ids=[row.id for row in rows])
    written: dict[UUID, int] = {row.author_id: row.posts for row in counts}
    return [_card(row, written.get(row.id, 0)) for row in rows]


def _card(row: Any, written: int) -> Member:
    badge = row.adviser_title and Organisation(title=row.adviser_title, organisation=row.adviser_organisation)
    return Member(
        handle=row.handle,
        name=row.name,
        title=row.title,
        joined_at=row.joined_at,
        posts=written,
        adviser=badge or None,
    )
