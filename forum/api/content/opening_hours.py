"""Opening hours of a board over HTTP: the shape of them, and a board at this moment."""

from datetime import date, time
from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field, StringConstraints

from forum.api.schemas import RequestBody, ResponseBody
from forum.content import before_writing
from forum.content.boards import HELD_WHILE_CLOSED, Publication
from forum.content.opening_hours import MOST_CLOSED_DAYS, MOST_HOURS, OpeningHours, Outside
from forum.core.weekly_hours import Weekday, WeeklyHours
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentViewer
from forum.http.fields import HourOfDay, Moment, Number, Slug, Text, textual
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route

router = APIRouter(tags=["boards"], route_class=Route)

Day = Annotated[date, BeforeValidator(textual), Field(examples=["2026-12-25"])]
OutsideHours = Annotated[
    Outside,
    Field(
        description="What becomes of a new post outside them: it appears; first posts, or all, wait for a moderator; "
        "or nothing can be written"
    ),
]
Weekdays = Annotated[list[Weekday], Field(min_length=1, max_length=7, description="On which they begin")]
Closes = Annotated[HourOfDay, Field(description="One that is not after `opens` is on the next day", examples=["17:00"])]


class HoursOfWeek(RequestBody):
    """Hours on some weekdays."""

    weekdays: Weekdays = Field(examples=[["monday", "tuesday"]])
    opens: HourOfDay = Field(examples=["09:00"])
    closes: Closes


class HoursRequest(RequestBody):
    """When people look after a board."""

    version: Number = Field(description="Of the board that was on your screen", examples=[1])
    zone: Annotated[Text, StringConstraints(min_length=1, max_length=60)] | None = Field(
        None, description="By the clock of which time zone. Null: the forum's", examples=["Europe/London"]
    )
    week: list[HoursOfWeek] = Field(
        min_length=1,
        max_length=MOST_HOURS,
        examples=[[{"weekdays": ["monday", "tuesday"], "opens": "09:00", "closes": "17:00"}]],
    )
    closed_on: list[Day] = Field(
        default_factory=list,
        max_length=MOST_CLOSED_DAYS,
        description="Days on which none of the hours begin",
        examples=[["2026-12-25"]],
    )
    outside: OutsideHours = Field(examples=["hold_all"])

    def hours(self) -> OpeningHours:
        """Return the hours; the zone is empty for the forum's."""
        week = [
            WeeklyHours(
                [str(day) for day in Weekday if day in one.weekdays],
                time.fromisoformat(one.opens),
                time.fromisoformat(one.closes),
            )
            for one in self.week
        ]
        return OpeningHours(self.zone or "", week, frozenset(self.closed_on), self.outside)


class OpenHours(ResponseBody):
    """Hours on some weekdays."""

    weekdays: Weekdays = Field(examples=[["monday", "tuesday"]])
    opens: HourOfDay = Field(examples=["09:00"])
    closes: Closes


class BoardHours(ResponseBody):
    """When people look after a board."""

    zone: str = Field(description="By the clock of which time zone", examples=["Europe/London"])
    week: list[OpenHours]
    closed_on: list[Day] = Field(description="Days on which none of the hours begin")
    outside: OutsideHours

    @classmethod
    def of(cls, hours: object) -> Self | None:
        """Return the hours that a board's row has; None where it is always open."""
        return cls.model_validate(hours) if hours else None


class Attendance(ResponseBody):
    """Whether somebody is on call, for what cannot wait."""

    now: bool = Field(examples=[False])
    next_at: Moment | None = Field(description="From when on somebody is. Null where nobody can say")


class BoardNow(ResponseBody):
    """A board at this moment: what to say before somebody writes there."""

    is_open: bool = Field(description="Whether people look after it now. A board without hours is always open")
    until: Moment | None = Field(description="Until when that is so. Null: for longer than a week")
    opening_hours: BoardHours | None = Field(description="Null: it is always open")
    publication: Publication = Field(description="When others see what is written now")
    is_read_only: bool = Field(description="Whether nothing can be written now", examples=[False])
    before_you_write: str | None = Field(
        description="What to show beside the form for a new post. Null where posts appear at once",
        examples=[HELD_WHILE_CLOSED[Publication.HOLD_ALL]],
    )
    attendance: Attendance | None = Field(description="Null on a forum without moderation")


@router.get("/boards/{slug}/now", response_model=BoardNow, responses=documented(404, 422))
async def get_board_now(request: Request, slug: Slug, viewer: CurrentViewer, work: CurrentWork) -> Response:
    """Read whether people look after a board now, what becomes of what you write, and whether somebody is on call."""
    read = await before_writing.read_board_now(work, viewer, slug)
    before = read.before
    body = BoardNow(
        is_open=before.opening.is_open,
        until=before.opening.until,
        opening_hours=BoardHours.of(read.board.hours),
        publication=before.policy.publication,
        is_read_only=before.opening.is_read_only,
        before_you_write=before_writing.before_you_write(read.board, work.now),
        attendance=Attendance(**before.attendance._asdict()) if before.attendance else None,
    )
    return cacheable_response(request, body)
