"""Leaving over HTTP."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.privacy.exports import lock_own_row
from forum.api.schemas import Mailed, Moment, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, FreshMember
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import AppServices, Now, Route, WorkSession
from forum.privacy import account_deletion
from forum.privacy.tables import Kind as tables_Kind

router = APIRouter(tags=["privacy"], route_class=Route)


Kind = Literal["leave", "erase"]


class Departure(ResponseBody):
    """Whether you are leaving, how, and when."""

    kind: Kind | None = Field(description="Null: you stay")
    asked_at: Moment | None
    due_at: Moment | None = Field(description="Until then you can change your mind")
    waits_since: Moment | None = Field(
        description="It is due, and something that must be kept for now is in its way; it goes on by itself"
    )


STAYS = Departure(kind=None, asked_at=None, due_at=None, waits_since=None)


class Leaving(RequestBody):
    """What shall become of your posts."""

    kind: Kind = Field(description="`leave`: they stay, by a former member; `erase`: their words go too")


@router.get("/me/departure", response_model=Departure, responses=documented(401, 422))
async def get_departure(request: Request, viewer: AnyMember, work: WorkSession) -> Response:
    """Read whether you are leaving, how, and when."""
    departure = await account_deletion.get_for_member(work, viewer.member_id)
    shown = Departure.model_validate(departure) if departure else STAYS
    return cacheable_response(request, shown, shared=False)


@router.put("/me/departure", response_model=Departure, responses=documented(401, 403, 409, 413, 422))
async def leave(leaving: Leaving, viewer: FreshMember, work: WorkSession, now: Now) -> Response:
    """Leave, in 14 days. Until then everything is as before, and you can change your mind.

    It needs a sign-in within the last 15 minutes. A mail tells you, with a link that stops it. To choose the other
    kind begins anew. The last administrator names another one first.
    """
    member = await lock_own_row(work, viewer)
    departure = await account_deletion.request(work, member, tables_Kind(leaving.kind), now)
    return json_response(Departure.model_validate(departure))


@router.delete("/me/departure", status_code=204, responses=documented(401, 403, 422))
async def stay(viewer: AnyMember, work: WorkSession) -> Response:
    """Stay after all. Done twice, it is as done once."""
    member = await lock_own_row(work, viewer)
    await account_deletion.cancel(work, member.id)
    return Response(status_code=204)


@router.post("/departures/refusal", status_code=204, responses=documented(404, 413, 422))
async def refuse_departure(link: Mailed, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Stay, with the link that was mailed: it was not you who wanted to leave. Every session ends."""
    services.session_cache.invalidate(await account_deletion.refuse_by_link(work, link.token, now))
    return Response(status_code=204)
