"""The page of a board's opening hours, for administrators."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field, StringConstraints

from forum.administration import board_settings
from forum.content.boards import Board
from forum.content.opening_hours import (
    HOURS_MISSING,
    MOST_CLOSED_DAYS,
    MOST_HOURS,
    TOO_MANY_HOURS,
    OpeningHours,
    Outside,
)
from forum.core.errors import ForumError, Invalid
from forum.core.weekly_hours import WEEK, Weekday, WeeklyHours
from forum.http.fields import HourOfDay, Slug, Text
from forum.web.administration import labels
from forum.web.administration.labels import options
from forum.web.forms import FormModel
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm, Visit

router = page_router()

HOUR = r"([01][0-9]|2[0-3]):[0-5][0-9]"
# Hours that the board has already: "monday+tuesday 09:00 17:00".
KeptHours = Annotated[str, StringConstraints(pattern=rf"^[a-z]+(\+[a-z]+){{0,6}} {HOUR} {HOUR}$", max_length=100)]
_BETWEEN_DAYS = re.compile(r"[\s,;]+")


class HoursForm(FormModel):
    """The hours that stay, hours to add, and what is so outside them."""

    version: Annotated[int, Field(ge=1, lt=2**31)]
    kept: Annotated[list[KeptHours], Field(max_length=MOST_HOURS)] = Field(default_factory=list)
    weekdays: Annotated[list[Weekday], Field(max_length=7)] = Field(default_factory=list)
    opens: HourOfDay | None = None
    closes: HourOfDay | None = None
    closed_on: Annotated[Text, Field(max_length=20 * MOST_CLOSED_DAYS)] = ""
    outside: Outside
    zone: Annotated[Text, Field(max_length=60)] | None = None

    def hours(self) -> OpeningHours:
        """Return the hours. Raises Invalid for days without hours, and for days that are none."""
        week = [_hours_of(one) for one in self.kept]
        if self.weekdays or self.opens or self.closes:
            if not (self.weekdays and self.opens and self.closes):
                missing = "weekdays" if not self.weekdays else "closes" if self.opens else "opens"
                raise Invalid(HOURS_MISSING, f"#/{missing}", code="hours_missing")
            days = [str(day) for day in WEEK if day in self.weekdays]
            week.append(WeeklyHours(days, time.fromisoformat(self.opens), time.fromisoformat(self.closes)))
        if not week:
            raise Invalid(HOURS_MISSING, "#/weekdays", code="hours_missing")
        if len(week) > MOST_HOURS:
            raise Invalid(TOO_MANY_HOURS, "#/weekdays", code="too_many_hours")
        return OpeningHours(self.zone or "", week, frozenset(self._closed_days()), self.outside)

    def _closed_days(self) -> list[date]:
        try:
            return [date.fromisoformat(day) for day in _BETWEEN_DAYS.split(self.closed_on.strip()) if day]
        except ValueError:
            raise Invalid("Write each day as 2026-12-25.", "#/closed_on", code="not_a_day") from None


@dataclass(frozen=True, kw_only=True)
class HoursPage(FormPage):
    """The opening hours of a board, and the form to change them."""

    template: ClassVar[str] = "administration/hours.html"
    section: ClassVar[str] = "/admin"
    weekdays: ClassVar[Mapping[str, str]] = labels.WEEKDAYS

    board: Board
    hours: OpeningHours | None
    zone: str
    day_choices: Sequence[tuple[str, str]]
    outside_choices: Sequence[tuple[str, str]]

    @property
    def kept(self) -> list[tuple[str, WeeklyHours]]:
        """The present hours, each as the form sends it."""
        return [(_as_kept(one), one) for one in (self.hours.week if self.hours else ())]

    @property
    def closed_days(self) -> str:
        """The closed days, each on a line."""
        return "\n".join(day.isoformat() for day in sorted(self.hours.closed_on)) if self.hours else ""


@router.get("/admin/boards/{slug}/hours")
async def show_hours(slug: Slug, visit: MemberVisit) -> Response:
    """Show when people look after a board."""
    return visit.show(await _page(visit, slug))


@router.post("/admin/boards/{slug}/hours")
async def set_hours(slug: Slug, visit: OwnForm) -> Response:
    """Say when people look after a board."""
    try:
        wanted = visit.form.parse(HoursForm)
        await visit.act(board_settings.set_hours, slug, wanted.version, wanted.hours())
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), slug), 422)
    return visit.go(f"/admin/boards/{slug}/hours", done="saved")


@router.post("/admin/boards/{slug}/hours/remove")
async def remove_hours(slug: Slug, visit: OwnForm) -> Response:
    """Have a board always open."""
    await visit.act(board_settings.remove_hours, slug)
    return visit.go(f"/admin/boards/{slug}/hours", done="saved")


async def _page(visit: Visit, slug: str) -> HoursPage:
    board = await visit.act(board_settings.get_board, slug)
    hours = OpeningHours.of_json(board.hours) if board.hours else None
    return HoursPage(
        title=visit.say("Opening hours of “%(name)s”", name=board.name),
        board=board,
        hours=hours,
        zone=hours.zone if hours else visit.settings.time_zone,
        day_choices=options(visit, labels.WEEKDAYS),
        outside_choices=options(visit, labels.OUTSIDE),
        form=visit.form,
    )


def _as_kept(hours: WeeklyHours) -> str:
    return f"{'+'.join(hours.weekdays)} {hours.starts:%H:%M} {hours.ends:%H:%M}"


def _hours_of(kept: str) -> WeeklyHours:
    days, starts, ends = kept.split(" ")
    return WeeklyHours(days.split("+"), time.fromisoformat(starts), time.fromisoformat(ends))
