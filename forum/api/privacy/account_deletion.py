"""Leave the forum over HTTP."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Mailed, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember
from forum.http.fields import Moment
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from forum.privacy import account_deletion
from forum.privacy.tables import DepartureKind

router = APIRouter(tags=["privacy"], route_class=Route)


LeavingKind = Literal["leave", "erase"]


class Departure(ResponseBody):
    """Whether you are leaving, how, and when."""

    kind: LeavingKind | None = Field(description="Null: you stay")
    asked_at: Moment | None
    due_at: Moment | None = Field(description="Until then you can cancel")
    waits_since: Moment | None = Field(
        description="Since when it is due but blocked by something that must be kept for now; it goes on by itself"
    )


STAYS = Departure(kind=None, asked_at=None, due_at=None, waits_since=None)


class DepartureWish(RequestBody):
    """What shall happen to your posts."""

    kind: LeavingKind = Field(
        description="`leave`: they stay, as those of a former member; `erase`: their text is erased too"
    )


@router.get("/me/departure", response_model=Departure, responses=documented(401, 422))
async def get_departure(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """Read whether you are leaving, how, and when."""
    departure = await account_deletion.get_departure(work, viewer)
    shown = Departure.model_validate(departure) if departure else STAYS
    return cacheable_response(request, shown, shared=False)


@router.put("/me/departure", response_model=Departure, responses=documented(401, 403, 409, 413, 422, 429))
async def leave(wish: DepartureWish, viewer: AnyMember, work: CurrentWork) -> Response:
    """Leave, in 14 days. Until then everything is as before, and you can cancel.

    You must have signed in within the last 15 minutes. You get a mail with a link that stops it. To choose the other
    kind begins the 14 days anew. The last administrator must appoint another one first.
    """
    departure = await account_deletion.request_departure(work, viewer, DepartureKind(wish.kind))
    return json_response(Departure.model_validate(departure))


@router.delete("/me/departure", status_code=204, responses=documented(401, 403, 422))
async def stay(viewer: AnyMember, work: CurrentWork) -> Response:
    """Stay after all. Idempotent."""
    await account_deletion.cancel_departure(work, viewer)
    return Response(status_code=204)


@router.post("/departures/refusal", status_code=204, responses=documented(404, 413, 422))
async def refuse_departure(link: Mailed, work: CurrentWork) -> Response:
    """Cancel a departure that was not your wish, with the link that was mailed. Every session ends."""
    await account_deletion.refuse_departure(work, link.token)
    return Response(status_code=204)
