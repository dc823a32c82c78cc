"""Copies of everything of one's own over HTTP, leaving, and what holds it up."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from forum.api.dependencies import AnyMember, CurrentMember, FreshMember, Now, Reading, Route, TheHouse, Work
from forum.api.problems import documented
from forum.api.wire import LOCATED, Author, Handle, Mailed, Moment, Shown, Uuid, Wanted, answer, fresh, known
from forum.core.errors import NotFound, NotSignedIn
from forum.members.queries import get_member, lock_member_row
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import Act, allow
from forum.privacy import account_deletion, exports, legal_holds
from forum.privacy.tables import Kind as tables_Kind
from forum.privacy.tables import Reason

router = APIRouter(tags=["privacy"], route_class=Route)

Kind = Literal["leave", "erase"]


class Departure(Shown):
    """Whether you are leaving, how, and when."""

    kind: Kind | None = Field(description="Null: you stay")
    asked_at: Moment | None
    due_at: Moment | None = Field(description="Until then you can change your mind")
    waits_since: Moment | None = Field(
        description="It is due, and something that must be kept for now is in its way; it goes on by itself"
    )


STAYS = Departure(kind=None, asked_at=None, due_at=None, waits_since=None)


class Leaving(Wanted):
    """What shall become of your posts."""

    kind: Kind = Field(description="`leave`: they stay, by a former member; `erase`: their words go too")


class Export(Shown):
    """A copy of everything of your own."""

    id: Uuid
    state: Literal["making", "ready"] = Field(description="`ready`: fetch it at `…/archive`")
    asked_at: Moment
    made_at: Moment | None
    expires_at: Moment | None = Field(description="Until then you can fetch it")
    size: int | None = Field(description="In bytes", examples=[48213])


ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A ZIP: `index.html` to read, and JSON for programs",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Hold(Shown):
    """That nothing of a member is deleted for now."""

    member: Author
    reason: Reason
    by: Author
    placed_at: Moment
    departure_due_at: Moment | None = Field(description="When the member wanted to be gone; null: they stay")


class HoldList(Shown):
    """Every legal hold, the oldest first."""

    items: list[Hold]
    next: None = Field(description="Always null: holds are few")


class Holding(Wanted):
    """Why the law wants it."""

    reason: Reason


@router.post("/me/exports", status_code=201, response_model=Export, responses=LOCATED | documented(401, 403, 422, 429))
async def export(viewer: FreshMember, work: Work, house: TheHouse, now: Now) -> Response:
    """Have a copy made of everything of your own. A notification says when it is ready; it takes the place of the one
    before. While one is being made, that one is the answer. It needs a sign-in within the last 15 minutes.
    """
    member = await _account(work, viewer)
    made = await exports.get_pending(work, member)
    if made is None:
        await house.throttle.hit(house.settings.limit("export"), "exports", viewer.id)
        made = await exports.request_export(work, member, now)
    return answer(_export(made), 201, {"Location": f"/api/v1/me/exports/{made.id}"})


@router.get("/me/exports/{id}", response_model=Export, responses=documented(401, 404, 422))
async def get_export(request: Request, id: Uuid, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """Read whether a copy is ready."""
    return fresh(request, _export(await exports.get_export(reading, viewer, id, now)), shared=False)


@router.get("/me/exports/{id}/archive", response_class=Response, responses=ARCHIVE | documented(401, 404, 422))
async def get_archive(request: Request, id: Uuid, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """Fetch a copy that is ready, as a ZIP."""
    made = await exports.get_export(reading, viewer, id, now)
    if made.size is None:
        raise NotFound("This copy is not ready yet.")
    headers, has = known(request, f'"{made.id}"', shared=False)
    if has:
        return Response(status_code=304, headers=headers)
    about = {"Content-Disposition": f'attachment; filename="export-{made.made_at:%Y-%m-%d}.zip"'}
    about["Content-Length"] = str(made.size)
    return StreamingResponse(
        exports.read_archive(reading, made.id), headers=headers | about, media_type="application/zip"
    )


@router.get("/me/departure", response_model=Departure, responses=documented(401, 422))
async def get_departure(request: Request, viewer: AnyMember, work: Work) -> Response:
    """Read whether you are leaving, how, and when."""
    departure = await account_deletion.get_for_member(work, viewer.member_id)
    shown = Departure.model_validate(departure) if departure else STAYS
    return fresh(request, shown, shared=False)


@router.put("/me/departure", response_model=Departure, responses=documented(401, 403, 409, 413, 422))
async def leave(leaving: Leaving, viewer: FreshMember, work: Work, now: Now) -> Response:
    """Leave, in 14 days. Until then everything is as before, and you can change your mind.

    It needs a sign-in within the last 15 minutes. A mail tells you, with a link that stops it. To choose the other
    kind begins anew. The last administrator names another one first.
    """
    member = await _account(work, viewer)
    departure = await account_deletion.request(work, member, tables_Kind(leaving.kind), now)
    return answer(Departure.model_validate(departure))


@router.delete("/me/departure", status_code=204, responses=documented(401, 403, 422))
async def stay(viewer: AnyMember, work: Work) -> Response:
    """Stay after all. Done twice, it is as done once."""
    member = await _account(work, viewer)
    await account_deletion.cancel(work, member.id)
    return Response(status_code=204)


@router.post("/departures/refusal", status_code=204, responses=documented(404, 413, 422))
async def refuse_departure(link: Mailed, work: Work, house: TheHouse, now: Now) -> Response:
    """Stay, with the link that was mailed: it was not you who wanted to leave. Every session ends."""
    house.doorkeeper.forget(await account_deletion.refuse_by_link(work, link.token, now))
    return Response(status_code=204)


@router.get("/legal-holds", response_model=HoldList, responses=documented(401, 403, 422))
async def list_holds(request: Request, viewer: CurrentMember, work: Work) -> Response:
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
    return fresh(request, HoldList(items=items, next=None), shared=False)


@router.put("/members/{handle}/legal-hold", status_code=204, responses=documented(401, 403, 404, 413, 422))
async def hold_member(handle: Handle, holding: Holding, viewer: FreshMember, work: Work, now: Now) -> Response:
    """Have nothing of a member deleted for now, though they ask for it: for administrators.

    It needs a sign-in within the last 15 minutes, and is recorded.
    """
    allow(Act.HOLD_ACCOUNT, viewer)
    member = await lock_member_row(work, (await get_member(work, handle)).id)
    await legal_holds.place_hold(work, viewer, member, holding.reason, now)
    return Response(status_code=204)


@router.delete("/members/{handle}/legal-hold", status_code=204, responses=documented(401, 403, 404, 422))
async def release_member(handle: Handle, viewer: FreshMember, work: Work, now: Now) -> Response:
    """End a legal hold: for administrators, who signed in within 15 minutes. A departure that waited goes on.

    Done twice, it is as done once.
    """
    allow(Act.HOLD_ACCOUNT, viewer)
    member = await lock_member_row(work, (await get_member(work, handle)).id)
    await legal_holds.release_hold(work, viewer, member, now)
    await account_deletion.resume(work, member.id)
    return Response(status_code=204)


def _export(made: Any) -> Export:
    return Export(
        id=made.id,
        state="ready" if made.made_at else "making",
        asked_at=made.asked_at,
        made_at=made.made_at,
        expires_at=made.expires_at,
        size=made.size,
    )


async def _account(session: AsyncSession, viewer: Viewer) -> Member:
    """The viewer's own row, held until the commit."""
    member = await lock_member_row(session, viewer.member_id)
    if member.left_at:  # a moment ago: this process has not heard of it yet
        raise NotSignedIn("Sign in first.")
    return member
