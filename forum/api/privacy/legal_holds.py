"""Legal holds over HTTP: for administrators."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import Handle, Moment
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from forum.privacy import legal_holds
from forum.privacy.tables import HoldReason

router = APIRouter(tags=["privacy"], route_class=Route)


class Hold(ResponseBody):
    """A legal hold: nothing of this member is deleted for now."""

    member: Author
    reason: HoldReason
    by: Author
    placed_at: Moment
    departure_due_at: Moment | None = Field(description="When the member wants to be gone; null if they do not leave")


class HoldList(ResponseBody):
    """Every legal hold, the oldest first."""

    items: list[Hold]
    next: None = Field(description="Always null: holds are few")


class HoldWish(RequestBody):
    """Why the law requires it."""

    reason: HoldReason


@router.get("/legal-holds", response_model=HoldList, responses=documented(401, 403, 422))
async def list_holds(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List the legal holds: for administrators."""
    items = [
        Hold.of_row(row, member=Author.of(row, "member"), by=Author.of(row, "by"), departure_due_at=row.due_at)
        for row in await legal_holds.list_holds(work, viewer)
    ]
    return cacheable_response(request, HoldList(items=items, next=None), shared=False)


@router.put("/members/{handle}/legal-hold", status_code=204, responses=documented(401, 403, 404, 413, 422))
async def hold_member(handle: Handle, wish: HoldWish, viewer: AnyMember, work: CurrentWork) -> Response:
    """Keep a member's data from deletion, even if they ask for it: for administrators.

    You must have signed in within the last 15 minutes. It is written to the audit record.
    """
    await legal_holds.place_hold(work, viewer, handle, wish.reason)
    return Response(status_code=204)


@router.delete("/members/{handle}/legal-hold", status_code=204, responses=documented(401, 403, 404, 422))
async def release_member(handle: Handle, viewer: AnyMember, work: CurrentWork) -> Response:
    """End a legal hold: for administrators who signed in within 15 minutes. A departure that it blocked goes on.

    Idempotent.
    """
    await legal_holds.release_hold(work, viewer, handle)
    return Response(status_code=204)
