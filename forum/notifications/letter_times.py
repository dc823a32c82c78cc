"""When a letter may leave: at the member's hour in their time zone, never in their quiet hours. Pure functions.

Where the clocks go forward, an hour that a day does not have comes when it would have been. Where they go back, an
hour that a day has twice counts when it comes first. So each day has one letter at most, and one if there is news.
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from forum.core.weekly_hours import zone_of

SOON = timedelta(minutes=10)  # what happens meanwhile is in the same letter
LEAST_GAP = timedelta(hours=3)  # between two letters to whoever wants them soon: eight a day at most


class LetterMode(StrEnum):
    """Which letters a member wants."""

    OFF = "off"
    DAILY = "daily"
    SOON = "soon"


class LetterTimes(NamedTuple):
    """When a member wants letters, and when the last one left."""

    mode: LetterMode
    at: time
    zone: str
    quiet_from: time | None = None
    quiet_to: time | None = None
    paused_until: datetime | None = None
    sent_at: datetime | None = None


def next_time(times: LetterTimes, now: datetime) -> datetime:
    """Return when a letter leaves about what happens now."""
    if times.mode == LetterMode.DAILY:
        return first_free(times, _next_day_hour(times, max(now, times.paused_until or now)))
    return first_free(times, least_gap_over(times, now + SOON))


def least_gap_over(times: LetterTimes, moment: datetime) -> datetime:
    """Return the first moment from this one on that is not too soon after the last letter."""
    if times.mode == LetterMode.DAILY or times.sent_at is None:
        return moment
    return max(moment, times.sent_at + LEAST_GAP)


def first_free(times: LetterTimes, moment: datetime) -> datetime:
    """Return the first moment from this one on that is neither in the quiet hours nor in the pause."""
    moment = max(moment, times.paused_until or moment)
    if times.quiet_to is None or not is_quiet(times, moment):
        return moment
    zone = zone_of(times.zone)
    today = moment.astimezone(zone).date()
    ends = (_moments(today + timedelta(days), times.quiet_to, zone) for days in range(3))
    return min(end for both in ends for end in both if end > moment and not is_quiet(times, end))


def is_quiet(times: LetterTimes, moment: datetime) -> bool:
    """Return whether a moment is in the quiet hours, which may go over midnight."""
    if times.quiet_from is None or times.quiet_to is None:
        return False
    return is_quiet_hour((times.quiet_from, times.quiet_to), moment.astimezone(zone_of(times.zone)).time())


def is_quiet_hour(quiet: tuple[time, time] | None, hour: time) -> bool:
    """Return whether an hour is in the quiet hours."""
    if quiet is None:
        return False
    begins, ends = quiet
    return begins <= hour < ends if begins < ends else hour >= begins or hour < ends


def _next_day_hour(times: LetterTimes, after: datetime) -> datetime:
    zone = zone_of(times.zone)
    today = after.astimezone(zone).date()
    # From yesterday on: in a zone that leaves out a day, its hour is the same moment as that of the next one.
    hours = (_moments(today + timedelta(days), times.at, zone)[0] for days in range(-1, 3))
    return next(hour for hour in hours if hour > after)


def _moments(day: date, hour: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when a day has this hour: the first time, and the second one if it has it twice."""
    first = datetime.combine(day, hour, zone)
    return first.astimezone(UTC), first.replace(fold=1).astimezone(UTC)
