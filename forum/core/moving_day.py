"""The day on which people come from an old board: whole offices from one address, with passwords half forgotten.

Whoever guesses passwords at one address may guess ten times as often meanwhile, at many logins: the limit for each
login stays. So it ends by itself.
"""

from datetime import datetime, time, timedelta

from limits import RateLimitItem

from forum.core.settings import Settings
from forum.core.weekly_hours import zone_of

LASTS = timedelta(hours=48)
TIMES = 10


def moving_until(settings: Settings, now: datetime) -> datetime | None:
    """Return when the moving day is over; None where there is none now."""
    if settings.moving_day is None:
        return None
    begins = datetime.combine(settings.moving_day, time(), zone_of(settings.time_zone))
    return begins + LASTS if begins <= now < begins + LASTS else None


def limit_at_address(settings: Settings, name: str, now: datetime) -> RateLimitItem:
    """Return the limit of the setting `<name>_limit` for one address: ten times as much on the moving day."""
    limit = settings.limit(name)
    return limit if moving_until(settings, now) is None else type(limit)(limit.amount * TIMES, limit.multiples)
