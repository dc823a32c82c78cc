"""Working days and working hours: Monday to Friday but for holidays, by the clock of the forum's time zone."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from forum.core.settings import Settings
from forum.core.weekly_hours import DAY, WEEK, WeeklyHours, spans, zone_of

SATURDAY, WEEK_LONG = 5, 7
OFFICE_HOURS = (WeeklyHours(WEEK[:SATURDAY], time(9), time(17)),)
_LOOKED_AHEAD = 60  # days: longer than any holidays


@dataclass(frozen=True)
class WorkingCalendar:
    """Which days and hours are for work."""

    zone: ZoneInfo
    holidays: Collection[date] = frozenset()

    def is_working_day(self, day: date) -> bool:
        """Return whether it is a day from Monday to Friday and no holiday."""
        return day.weekday() < SATURDAY and day not in self.holidays

    def days_between(self, since: datetime, until: datetime) -> int:
        """Return how many working days began after `since` and not after `until`.

        A post of Friday is one working day old on Monday.
        """
        first, last = (moment.astimezone(self.zone).date() for moment in (since, until))
        weeks, rest = divmod(max((last - first).days, 0), WEEK_LONG)
        week_days = weeks * SATURDAY + sum((last - n * DAY).weekday() < SATURDAY for n in range(rest))
        return week_days - sum(first < day <= last and day.weekday() < SATURDAY for day in self.holidays)

    def late_before(self, now: datetime, days: int) -> datetime:
        """Return the moment before which everything is older than so many working days, and nothing after it is."""
        day, left = now.astimezone(self.zone).date(), days + 1
        for _ in range(_LOOKED_AHEAD + 7 * days):
            left -= self.is_working_day(day)
            if not left:
                break
            day -= DAY
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def after_hours(self, now: datetime, hours: int) -> datetime:
        """Return when so many hours of work, each from nine to five, will have passed."""
        left = timedelta(hours=hours)
        for span in spans(OFFICE_HOURS, self.zone, now, _LOOKED_AHEAD, but_not=self.holidays):
            start = max(span.start, now)
            if start + left <= span.end:
                return start + left
            left -= max(span.end - start, timedelta())
        return now + left


def calendar_of(settings: Settings) -> WorkingCalendar:
    """Return the calendar of a forum."""
    return WorkingCalendar(zone_of(settings.time_zone), settings.holidays)
