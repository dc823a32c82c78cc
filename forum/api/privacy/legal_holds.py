"""Legal holds over HTTP: for administrators."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, Handle, Moment, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember, FreshMember
from forum.http.problems import documented
from forum.http.services import Now, Route, WorkSession
from forum.members.queries import get_member, lock_member_row
from forum.permissions import Act, allow
from forum.privacy import account_deletion, legal_holds
from forum.privacy.tables import Reason

router = APIRouter(tags=["privacy"], route_class=Route)


class Hold(ResponseBody):
    """That nothing of a member is deleted for now."""

    member: Author
    reason: Reason
    by: Author
    placed_at: Moment
    departure_due_at: Moment | None = Field(description="When the member wanted to be gone; null: they stay")


class HoldList(ResponseBody):
    """Every legal hold, the oldest first."""

    items: list[Hold]
    next: None = Field(description="Always null: holds are few")


class Holding(RequestBody):
    """Why the law wants it."""

    reason: Reason


@router.get("/legal-holds", response_model=HoldList, responses=documented(401, 403, 422))
async def list_holds(request: Request, viewer: CurrentMember, work: WorkSession) -> Response:
    """List the members of whom nothing is deleted for now: for administrators."""
    allow(Act.HOLD_ACCOUNT, viewer)
    rows = (await work.execute(legal_holds.select_holds())).all()
    items = [
        Hold(
            member=Author.of(row, "member"),
            reason=row.reason,
            by=Author.of(row, "by"),
            placed_at=row.placed_at,
            departure_due_at=row.due_at,
        )
        for row in rows
    ]
    return cacheable_response(request, HoldList(items=items, next=None), shared=False)


@router.put("/members/{handle}/legal-hold", status_code=204, responses=documented(401, 403, 404, 413, 422))
async def hold_member(handle: Handle, holding: Holding, viewer: FreshMember, work: WorkSession, now: Now) -> Response:
    """Have nothing of a member deleted for now, though they ask for it: for administrators.

    It needs a sign-in within the last 15 minutes, and is recorded.
    """
    allow(Act.HOLD_ACCOUNT, viewer)
    member = await lock_member_row(work, (await get_member(work, handle)).id)
    await legal_holds.place_hold(work, viewer, member, holding.reason, now)
    return Response(status_code=204)


@router.delete("/members/{handle}/legal-hold", status_code=204, responses=documented(401, 403, 404, 422))
async def release_member(handle: Handle, viewer: FreshMember, work: WorkSession, now: Now) -> Response:
    """End a legal hold: for administrators, who signed in within 15 minutes. A departure that waited goes on.

    Done twice, it is as done once.
    """
    allow(Act.HOLD_ACCOUNT, viewer)
    member = await lock_member_row(work, (await get_member(work, handle)).id)
    await legal_holds.release_hold(work, viewer, member, now)
    await account_deletion.resume(work, member.id)
    return Response(status_code=204)
