"""The clock: one time zone, and days as people who work count them."""

from datetime import UTC, datetime, timedelta

import pytest

from forum.core import clock

MONDAY = datetime(2026, 7, 27, 9, 0, tzinfo=UTC)


def test_now_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    now = clock.now()
    assert now.utcoffset() == timedelta(0)
    assert before <= now <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (MONDAY, MONDAY, 0),
        (MONDAY, MONDAY + timedelta(hours=14), 0),
        (MONDAY, MONDAY + timedelta(hours=15), 1),  # Tuesday has begun
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
    assert clock.working_days(since, until) == days
