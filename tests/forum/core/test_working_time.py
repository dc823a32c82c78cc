"""Days and hours as people who work count them, in London."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from forum.core.working_time import WorkingCalendar

LONDON = ZoneInfo("Europe/London")
CALENDAR = WorkingCalendar(LONDON)
CHRISTMAS = WorkingCalendar(LONDON, frozenset({date(2026, 12, 25), date(2026, 12, 28)}))
MONDAY = datetime(2026, 7, 27, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (MONDAY, MONDAY, 0),
        (MONDAY, MONDAY + timedelta(hours=13), 0),
        (MONDAY, MONDAY + timedelta(hours=14), 1),  # Tuesday has begun
        (MONDAY, MONDAY + timedelta(days=4), 4),  # Friday
        (MONDAY, MONDAY + timedelta(days=5), 4),  # Saturday adds nothing
        (MONDAY, MONDAY + timedelta(days=6), 4),
        (MONDAY, MONDAY + timedelta(days=7), 5),
        (MONDAY - timedelta(days=3), MONDAY, 1),  # written on a Friday
        (MONDAY - timedelta(days=2), MONDAY, 1),
        (MONDAY - timedelta(days=1), MONDAY, 1),
        (MONDAY, MONDAY + timedelta(days=364), 260),
        (MONDAY, MONDAY - timedelta(days=7), 0),  # never less than none
    ],
)
def test_a_thread_grows_old_on_working_days_only(since: datetime, until: datetime, days: int) -> None:
    assert CALENDAR.days_between(since, until) == days


def test_nobody_works_on_a_holiday() -> None:
    thursday = datetime(2026, 12, 24, 16, 0, tzinfo=UTC)
    assert CALENDAR.days_between(thursday, thursday + timedelta(days=5)) == 3
    assert CHRISTMAS.days_between(thursday, thursday + timedelta(days=5)) == 1
    assert CHRISTMAS.after_hours(thursday, 2) == datetime(2026, 12, 29, 10, 0, tzinfo=UTC)


def test_hours_of_work_are_from_nine_to_five() -> None:
    rows = {
        "2026-07-27 09:00": "2026-07-27 11:00",
        "2026-07-27 16:00": "2026-07-28 10:00",
        "2026-07-27 23:00": "2026-07-28 11:00",
        "2026-07-31 16:30": "2026-08-03 10:30",
        "2026-08-01 12:00": "2026-08-03 11:00",
    }
    local = {_local(given): _local(until) for given, until in rows.items()}
    assert {given: CALENDAR.after_hours(given, 2) for given in local} == local


def _local(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=LONDON)


def test_what_is_late_is_older_than_the_target_and_nothing_else() -> None:
    for hours in range(0, 24 * 15, 5):
        now = MONDAY + timedelta(hours=hours)
        for days in (0, 1, 2, 5):
            before = CALENDAR.late_before(now, days)
            assert CALENDAR.days_between(before - timedelta(seconds=1), now) > days
            assert CALENDAR.days_between(before, now) <= days
