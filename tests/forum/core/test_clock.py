"""The clock: one time zone."""

from datetime import UTC, datetime, timedelta

from forum.core import clock


def test_now_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    now = clock.now()
    assert now.utcoffset() == timedelta(0)
    assert before <= now <= datetime.now(UTC)
