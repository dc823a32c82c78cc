"""What time it is, said once: aware, in UTC; and how people count days."""

from datetime import UTC, datetime, timedelta

SATURDAY = 5


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def working_days(since: datetime, until: datetime) -> int:
    """Whole working days (Monday to Friday, UTC) that began after `since` and not after `until`.

    Written on a Friday and looked at on the Monday, something is one working day old.
    """
    days = (until.date() - since.date()).days
    return sum((since.date() + timedelta(days=n)).weekday() < SATURDAY for n in range(1, days + 1))
