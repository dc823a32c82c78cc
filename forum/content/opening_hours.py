"""Opening hours of a board: when people look after it, and what becomes of what is written at other times.

A board without hours is always open. Everything here is pure: what a board has is JSON in its row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from forum.core.errors import Invalid
from forum.core.weekly_hours import WEEK, WeeklyHours, known_zones, spans, zone_of

MOST_HOURS = 21  # three times a day
MOST_CLOSED_DAYS = 100
HOURS_MISSING = "Say on which days, from when until when."
TOO_MANY_HOURS = f"A board has at most {MOST_HOURS} hours in a week."
_FORESEEN = timedelta(days=8)  # what stays open for longer has no end that anybody needs to know
# Each of a hundred closed days can take away one week's only hours.
_DAYS_SEARCHED = 7 * (MOST_CLOSED_DAYS + 2)


class Outside(StrEnum):
    """What becomes of a new post outside the opening hours."""

    PUBLISH = "publish"
    HOLD_NEWCOMERS = "hold_newcomers"
    HOLD_ALL = "hold_all"
    READ_ONLY = "read_only"


class Opening(NamedTuple):
    """Whether a board is open now, until when that is so, and what is so while it is closed."""

    is_open: bool
    until: datetime | None = None  # None: for longer than a week, or for good
    outside: Outside | None = None  # None for a board without hours

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written now."""
        return not self.is_open and self.outside == Outside.READ_ONLY


ALWAYS = Opening(is_open=True)


@dataclass(frozen=True)
class OpeningHours:
    """When people look after a board, by the clock of a time zone. On a closed day none of the hours begin."""

    zone: str
    week: Sequence[WeeklyHours]
    closed_on: Collection[date]
    outside: Outside

    @classmethod
    def of_json(cls, hours: Mapping[str, Any]) -> "OpeningHours":
        """Return the hours that a board's row has."""
        week = [
            WeeklyHours(one["weekdays"], time.fromisoformat(one["opens"]), time.fromisoformat(one["closes"]))
            for one in hours["week"]
        ]
        closed_on = frozenset(map(date.fromisoformat, hours["closed_on"]))
        return cls(hours["zone"], week, closed_on, Outside(hours["outside"]))

    def as_json(self) -> dict[str, Any]:
        """Return them as a board's row has them."""
        return {
            "zone": self.zone,
            "week": [
                {"weekdays": [*one.weekdays], "opens": f"{one.starts:%H:%M}", "closes": f"{one.ends:%H:%M}"}
                for one in self.week
            ],
            "closed_on": [day.isoformat() for day in sorted(self.closed_on)],
            "outside": str(self.outside),
        }

    def refuse_impossible(self) -> None:
        """Return when these hours make sense. Raises Invalid."""
        if self.zone not in known_zones():
            raise Invalid("must be the name of a time zone, such as Europe/London", "#/zone", code="unknown_zone")
        if not self.week or any(not set(one.weekdays) or set(one.weekdays) - set(WEEK) for one in self.week):
            raise Invalid(HOURS_MISSING, "#/week", code="hours_missing")
        if len(self.week) > MOST_HOURS:
            raise Invalid(TOO_MANY_HOURS, "#/week", code="too_many_hours")
        if len(self.closed_on) > MOST_CLOSED_DAYS:
            raise Invalid(f"At most {MOST_CLOSED_DAYS} days.", "#/closed_on", code="too_many_closed_days")

    def at(self, now: datetime) -> Opening:
        """Return whether the board is open at a time, and until when that is so."""
        until: datetime | None = None
        for span in spans(self.week, zone_of(self.zone), now, _DAYS_SEARCHED, but_not=self.closed_on):
            if span.end <= now:
                continue
            if span.start > (until or now):
                break
            until = max(span.end, until or span.end)
            if until > now + _FORESEEN:
                return Opening(is_open=True, outside=self.outside)
        else:
            return Opening(is_open=until is not None, until=until, outside=self.outside)
        return Opening(is_open=until is not None, until=until or span.start, outside=self.outside)


def opening_of(board: Any, now: datetime) -> Opening:
    """Return whether a board is open at a time."""
    return OpeningHours.of_json(board.hours).at(now) if board.hours else ALWAYS
