"""The present time."""

from datetime import UTC, datetime

# Within them is every time that people send, and every one that an old board brings along. Near the year 1 or 9999, a
# moment has no date in some zones.
FIRST_YEAR, LAST_YEAR = 1900, 2999


def now() -> datetime:
    """Return the present time in UTC, with its time zone."""
    return datetime.now(UTC)


def is_within_reach(moment: datetime) -> bool:
    """Return whether the year of a moment is one that a forum can have to do with."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR
