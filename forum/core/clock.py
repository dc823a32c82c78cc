"""The present time, and working days."""

from datetime import UTC, datetime, timedelta

SATURDAY = 5


def now() -> datetime:
    """Return the present time in UTC, with its time zone."""
    return datetime.now(UTC)


def working_days(since: datetime, until: datetime) -> int:
    """Return how many working days (Monday to Friday, UTC) began after `since` and not after `until`.

    A post of Friday is one working day old on Monday.
    """
    days = (until.date() - since.date()).days
    return sum((since.date() + timedelta(days=n)).weekday() < SATURDAY for n in range(1, days + 1))
