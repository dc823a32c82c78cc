"""Who is on call over HTTP: the rota, and that somebody is here."""

from datetime import time
from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field, StringConstraints

from forum.api.schemas import Author, RequestBody, ResponseBody
from forum.core.weekly_hours import Weekday
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.fields import BoardSlug, HourOfDay, Moment, SoughtHandle, Text, numeric
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import on_call
from moderation.on_call import HERE_MAX, MOST_SHIFTS, Rota, ShiftWish

router = APIRouter(prefix="/moderation/on-call", tags=["moderation"], route_class=Route)

Weekdays = Annotated[list[Weekday], Field(min_length=1, max_length=7, examples=[["friday", "saturday"]])]
Board = Annotated[BoardSlug | None, Field(description="Null: every board that they moderate", examples=["court"])]


class Shift(ResponseBody):
    """When somebody is on call."""

    member: Author
    board: Board
    weekdays: Weekdays = Field(description="On which it begins")
    starts: HourOfDay
    ends: HourOfDay = Field(description="One that is not after `starts` is on the next day", examples=["07:00"])
    zone: str = Field(examples=["Europe/London"])


class Presence(ResponseBody):
    """That somebody said that they are here."""

    member: Author
    until: Moment


class RotaPage(ResponseBody):
    """Who is on call when: of two at the same time, the first is called first, and before them who is here."""

    items: list[Shift]
    next: None = Field(description="Always null: the rota is whole")
    here: list[Presence]
    version: str = Field(description="Send it back to change the rota", examples=["4f53cda18c2baa0c"])

    @classmethod
    def of(cls, rota: Rota) -> Self:
        """Return the rota as the API shows it."""
        shifts = [
            Shift.of_row(row, member=Author.of(row, "member"), starts=f"{row.starts:%H:%M}", ends=f"{row.ends:%H:%M}")
            for row in rota.shifts
        ]
        here = [Presence.of_row(row, member=Author.model_validate(row)) for row in rota.here]
        return cls(items=shifts, next=None, here=here, version=rota.version)


class ShiftRequest(RequestBody):
    """When somebody shall be on call."""

    handle: SoughtHandle = Field(examples=["suzie"])
    board: Board = None
    weekdays: Weekdays
    starts: HourOfDay
    ends: HourOfDay = Field(description="One that is not after `starts` is on the next day", examples=["07:00"])
    zone: Annotated[Text, StringConstraints(min_length=1, max_length=60)] | None = Field(
        None, description="Null: the forum's", examples=["Europe/London"]
    )


class RotaRequest(RequestBody):
    """The whole rota, in the order in which people are called."""

    version: Annotated[Text, StringConstraints(min_length=1, max_length=40), Field(examples=["4f53cda18c2baa0c"])]
    items: list[ShiftRequest] = Field(
        max_length=MOST_SHIFTS,
        examples=[[{"handle": "suzie", "weekdays": ["friday"], "starts": "22:00", "ends": "07:00"}]],
    )


class HereRequest(RequestBody):
    """For how long you are here."""

    hours: Annotated[int, Field(ge=1, le=HERE_MAX, examples=[4]), BeforeValidator(numeric)]


class Here(ResponseBody):
    """Until when you are here."""

    until: Moment


@router.get("", response_model=RotaPage, responses=documented(401, 403, 422))
async def get_rota(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read who is on call when: for moderators and administrators."""
    rota = await on_call.read_rota(work, viewer)
    return cacheable_response(request, RotaPage.of(rota), shared=False)


@router.put("", status_code=204, responses=documented(401, 403, 409, 413, 422))
async def write_rota(wanted: RotaRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Write who is on call when: for administrators. Idempotent."""
    wishes = [
        ShiftWish(
            handle=shift.handle,
            board=shift.board,
            weekdays=shift.weekdays,
            starts=time.fromisoformat(shift.starts),
            ends=time.fromisoformat(shift.ends),
            zone=shift.zone,
        )
        for shift in wanted.items
    ]
    await on_call.write_rota(work, viewer, wishes, wanted.version)
    return Response(status_code=204)


@router.put("/here", response_model=Here, responses=documented(401, 403, 413, 422))
async def say_here(wanted: HereRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Say that you are here for some hours: you are called first, to what cannot wait. For moderators. Idempotent."""
    return json_response(Here(until=await on_call.say_here(work, viewer, wanted.hours)))


@router.delete("/here", status_code=204, responses=documented(401, 403, 422))
async def say_gone(viewer: CurrentMember, work: CurrentWork) -> Response:
    """Say that you are no longer here. For moderators. Idempotent."""
    await on_call.say_gone(work, viewer)
    return Response(status_code=204)
