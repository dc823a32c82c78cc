"""The dates of a concern: when it is looked at again, and until when it is kept."""

from datetime import date, timedelta

from forum.core.errors import Invalid
from forum.core.work import Work

REVIEWED_WITHIN = timedelta(days=28)
KEPT_AT_MOST = timedelta(days=100 * 366)
# A month from the request (UK GDPR, article 12(3)): the shortest one has 28 days.
DECIDED_WITHIN = timedelta(days=28)


def refuse_late_review(work: Work, review_on: date, pointer: str) -> None:
    """Return when a review is within 28 days, today included. Raises Invalid."""
    today = work.now.date()
    if not today <= review_on <= today + REVIEWED_WITHIN:
        raise Invalid("Choose a day within the next 28 days.", pointer, code="review_too_far")


def refuse_past_end(work: Work, keep_until: date) -> None:
    """Return when a record is kept until a day to come. Raises Invalid."""
    today = work.now.date()
    if not today < keep_until <= today + KEPT_AT_MOST:
        raise Invalid("Choose a day to come, within 100 years.", "#/keep_until", code="keep_until_out_of_range")
