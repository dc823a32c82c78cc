"""Languages of the pages: gettext messages from `.po` files, and dates as each language writes them."""

import gettext
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).with_name("locale")
ENGLISH = "en"  # the language of the messages themselves
NAMES: Mapping[str, str] = {"en": "English", "cy": "Cymraeg"}


def mark(message: str) -> str:
    """Return the message; Babel finds it by this call, and `Language.say` translates it where it is shown."""
    return message


@dataclass(frozen=True)
class Language:
    """One language, with the time zone in which its dates are told."""

    code: str
    time_zone: ZoneInfo
    translations: gettext.NullTranslations = field(repr=False, compare=False)

    def say(self, message: str, **values: object) -> str:
        """Return a message in this language, with its `%(name)s` filled in."""
        said = self.translations.gettext(message)
        return said % values if values else said

    def count(self, singular: str, plural: str, number: int, **values: object) -> str:
        """Return a message in the form that this language uses for a number: Welsh has six forms."""
        return self.translations.ngettext(singular, plural, number) % {"num": number, **values}

    def moment(self, at: datetime) -> str:
        """Return a date with its time: "1 Nov 2026, 08:27"."""
        return str(format_datetime(at, "d MMM y, HH:mm", self.time_zone, self.code))

    def clock(self, at: datetime) -> str:
        """Return a time of day: "08:27", with the seconds where they count."""
        return str(format_datetime(at, "HH:mm:ss" if at.second else "HH:mm", self.time_zone, self.code))

    def soon(self, at: datetime, now: datetime) -> str:
        """Return a time of today, or of another day with its date."""
        is_today = at.astimezone(self.time_zone).date() == now.astimezone(self.time_zone).date()
        return self.clock(at) if is_today else self.moment(at)

    def day(self, at: date) -> str:
        """Return a date, or a moment without its time: "1 November 2026"."""
        local = at.astimezone(self.time_zone) if isinstance(at, datetime) else at
        return str(format_date(local, "d MMMM y", self.code))


@cache
def translations_of(code: str) -> gettext.NullTranslations:
    """Return the messages of a language, compiled once in each process: the wheel needs no build step for them."""
    if code == ENGLISH:
        return gettext.NullTranslations()
    with (LOCALE / code / "forum.po").open("rb") as file:
        compiled = io.BytesIO()
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def language_of(code: str, time_zone: str) -> Language:
    """Return a language of `NAMES`, with a time zone of the IANA database."""
    return Language(code, ZoneInfo(time_zone), translations_of(code))


@lru_cache(256)
def preferred(accept_language: str, offered: tuple[str, ...]) -> str:
    """Return the first language that a browser asks for and the forum offers, otherwise the first that it offers.

    RFC 9110 §12.5.4. Weights are read, sub-tags are not: `cy-GB` is Welsh.
    """
    wanted = list[tuple[float, str]]()
    for part in accept_language[:200].split(","):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        wanted.append((quality, tag.strip().partition("-")[0].lower()))
    ordered = sorted(wanted, key=lambda pair: -pair[0])
    return next((tag for quality, tag in ordered if quality > 0 and tag in offered), offered[0])
