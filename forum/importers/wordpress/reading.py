"""Texts and times as an export has them."""

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from forum.core.text import carried
from forum.importers.remarks import Remark
from forum.importers.sources.wxr import BROKEN, CONTROL, Fields

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
# What WordPress puts into an article itself: the words below a picture, and an address whose page it shows.
_CAPTION = re.compile(
    r"\[(?:wp_)?caption\b([^\[\]]*+)\]([^\[]*+(?:\[(?!/?(?:wp_)?caption\b)[^\[]*+)*+)\[/(?:wp_)?caption\]"
)
_SAID_BELOW = re.compile(r"""\bcaption=(["'])(.*?)\1""", re.DOTALL)
_EMBED = re.compile(r"\[embed\b[^\[\]]*+\]([^\[\]]*+)\[/embed\]")
_MARKS = str.maketrans("", "", CONTROL + BROKEN)


def text_of(fields: Fields, name: str) -> str:
    """Return a text as it was stored, without what XML forbids."""
    return carried(fields.get(name, "").translate(_MARKS))


def article_of(fields: Fields) -> str:
    """Return an article without the marks around pictures and pages of others; what stands in them stays."""
    return _EMBED.sub(r"\1", _CAPTION.sub(_without_caption, text_of(fields, "content:encoded")))


def line_of(fields: Fields, name: str) -> str:
    """Return a title or a name: in one line, without tags, its entities resolved once."""
    return as_line(text_of(fields, name))


def as_line(text: str) -> str:
    """Return a stored text in one line, without tags, its entities resolved once."""
    return " ".join(carried(html.unescape(_TAG.sub("", text))).split())


def dropped_from(text: str) -> Iterator[Remark]:
    """Give what was dropped from a text."""
    if CONTROL in text:
        yield Remark.CONTROLS_DROPPED
    if BROKEN in text:
        yield Remark.BYTES_DROPPED


def time_of(fields: Fields, of: str) -> datetime | None:
    """Return when an entry was written: by Greenwich, else by the site's own clock, whose zone no export says."""
    return _time(fields.get(f"{of}_date_gmt", "")) or _time(fields.get(f"{of}_date", ""))


def time_of_feed(fields: Fields) -> datetime | None:
    """Return when an article was published, as the feed says it."""
    try:
        found = parsedate_to_datetime(fields.get("pubDate", ""))
        return found.astimezone(UTC) if found.tzinfo and found.year > 1 else None
    except (ValueError, OverflowError):
        return None


def _without_caption(found: re.Match[str]) -> str:
    below = _SAID_BELOW.search(found[1])
    return f"<p>{found[2]}</p>" + (f"<p>{below[2]}</p>" if below else "")


def _time(text: str) -> datetime | None:
    try:
        found = datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:  # "0000-00-00 00:00:00", where there was none
        return None
    return found if found.year > 1 else None
