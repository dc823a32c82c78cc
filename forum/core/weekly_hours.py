"""Hours of the week by the clock of a time zone. Pure functions; what they give is in UTC, because clocks change.

Where the clocks go forward, an hour that a day does not have comes when it would have been. Where they go back, an
hour that a day has twice counts when it comes first.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

DAY = timedelta(days=1)


class Weekday(StrEnum):
    """A day of the week, in order."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


WEEK = tuple(Weekday)


class WeeklyHours(NamedTuple):
    """Hours on some weekdays. What ends at the hour of its beginning, or before it, ends on the next day."""

    weekdays: Sequence[str]  # on which it begins
    starts: time
    ends: time


class HoursSpan(NamedTuple):
    """From when until when something is."""

    start: datetime
    end: datetime


def spans(
    hours: Sequence[WeeklyHours], zone: ZoneInfo, now: datetime, days: int, *, but_not: Collection[date] = ()
) -> Iterator[HoursSpan]:
    """Give when these hours are, in order of their beginning, from yesterday on, over so many days.

    On a day of `but_not` none begins. Hours that a change of the clocks leaves nothing of are left out.
    """
    yesterday = now.astimezone(zone).date() - DAY
    for day in (yesterday + number * DAY for number in range(days + 1)):
        begun = [one for one in hours if WEEK[day.weekday()] in one.weekdays and day not in but_not]
        found = (_span(one, day, zone) for one in begun)
        yield from sorted(span for span in found if span.start < span.end)


def _span(hours: WeeklyHours, day: date, zone: ZoneInfo) -> HoursSpan:
    last = day + DAY if hours.ends <= hours.starts else day
    start, end = (datetime.combine(*moment, zone) for moment in ((day, hours.starts), (last, hours.ends)))
    return HoursSpan(start.astimezone(UTC), end.astimezone(UTC))


@cache
def known_zones() -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; for a name that a newer list of zones no longer has, that of London."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return ZoneInfo("Europe/London")
