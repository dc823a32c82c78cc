"""What every family of recognisers returns, and how a few of their patterns are written."""

import re
from typing import NamedTuple

import re2

from moderation.screening.sieve import Sieve

SIEVE = Sieve()  # every pattern that the families look for in a whole text
DAY = r"(?:[0-2]?\d|3[01])"
MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"  # noqa: E501
YEAR = r"(?:(?:19|20)\d\d|'?\d\d)"
# A day of a month, with its year or without.
DATE = (
    rf"(?:{DAY}(?:[./-]{DAY}[./-]{YEAR})|{DAY} ?(?:st|nd|rd|th)?(?: of)? {MONTH}(?:,? {YEAR}(?!\d))?"
    rf"|(?:19|20)\d\d-[01]\d-[0-3]\d|{MONTH} {DAY}(?:st|nd|rd|th)?(?:,? (?:19|20)\d\d)?)(?![\w/])"
)


class Recognised(NamedTuple):
    """Where a recogniser found something."""

    recogniser: str
    start: int
    end: int


def linear(pattern: str) -> re.Pattern[str]:
    """Return a pattern of google-re2: it finds many alternatives at once, but cannot look around itself."""
    options = re2.Options()
    options.log_errors = False  # it would print the pattern
    compiled: re.Pattern[str] = re2.compile(pattern, options)
    return compiled


def is_luhn(digits: str) -> bool:
    """Return whether digits have the check digit of a bank card (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(one), 10)) if place % 2 else int(one) for place, one in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0
