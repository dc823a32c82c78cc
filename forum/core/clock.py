"""The present time."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time in UTC, with its time zone."""
    return datetime.now(UTC)
