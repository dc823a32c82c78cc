"""Texts and times as an export has them."""

import html
import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from forum.core.text import carried
from forum.importers.remarks import Remark
from forum.importers.sources.wxr import BROKEN, CONTROL, Fields
from forum.importers.texts import OF_FEW, sounds_of_few

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
# What WordPress puts into an article itself: the words below a picture, and an address whose page it shows.
_CAPTION = re.compile(
    r"\[(?:wp_)?caption\b([^\[\]]*+)\]([^\[]*+(?:\[(?!/?(?:wp_)?caption\b)[^\[]*+)*+)\[/(?:wp_)?caption\]"
)
_SAID_BELOW = re.compile(r"""\bcaption=(["'])(.*?)\1""", re.DOTALL)
# What plugins put around words that they show to some readers only: [members_only], [wcm_restrict], [um_loggedin].
_FOR_FEW = re.compile(
    r"\[(?P<end>/?)(?P<name>[\w-]{0,40}?(?:member|restrict|privat|protect|hide|hidden|log(?:ged)?[-_]?in|registered|staff"
    r"|password|subscriber|mepr|s2if|um_show|armif|content_?control|eyes_only|premium|user_?role|user_can"
    r"|(?<![a-z])(?:access|paid)(?![a-z]))[\w-]{0,40})(?P<about>[^\[\]]*+)\]",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"<!--\s+(?P<end>/?)wp:(?P<name>[\w/-]++)(?P<about>.*?)(?P<void>/?)-->", re.DOTALL)
# What plugins add to any block: who sees it; and how WordPress and they say that nobody does.
_HAS_READERS = re.compile(
    r'"(?:visibilityByRole|userRoles?|restrict\w*|loggedIn|loginStatus|user_?status)"\s*:\s*[\["{t]'
    r'|"blockVisibility"\s*:\s*false|"hideBlock"\s*:\s*true',
    re.I,
)
_EMBED = re.compile(r"\[embed\b[^\[\]]*+\]([^\[\]]*+)\[/embed\]")
_MEDIA = re.compile(r"\[(?P<kind>gallery|playlist|audio|video)\b(?P<about>[^\[\]]*+)\](?:\[/(?P=kind)\])?")
_MEDIA_AT = re.compile(r"""\b(?:src|mp3|ogg|wav|m4a|mp4|webm|m4v|ogv)=["'](https?://[^"'<>\s]++)["']""")
_MARKS = str.maketrans("", "", CONTROL + BROKEN)


def text_of(fields: Fields, name: str) -> str:
    """Return a text as it was stored, without what XML forbids."""
    return carried(fields.get(name, "").translate(_MARKS))


def article_of(fields: Fields) -> str:
    """Return an article without words for few, and without the marks around pictures and pages of others."""
    shown = without_words_of_few(without_blocks_of_few(text_of(fields, "content:encoded")))
    return _MEDIA.sub(_without_media, _EMBED.sub(r"\1", _CAPTION.sub(_without_caption, shown)))


def without_words_of_few(text: str) -> str:
    """Return an article without what a plugin showed to some readers only, between a mark and its end.

    A mark without an end has no words: it stands for a form to sign in, or the like.
    """
    marks = [*_FOR_FEW.finditer(text)]
    ends: dict[str, list[re.Match[str]]] = {}
    for mark in marks:
        if mark["end"]:
            ends.setdefault(mark["name"].lower(), []).append(mark)
    kept, at = list[str](), 0
    for mark in marks:
        of_name = ends.get(mark["name"].lower(), [])
        following = bisect_left(of_name, mark.end(), key=re.Match.start)
        if mark.start() >= at and not mark["end"] and following < len(of_name):
            kept += text[at : mark.start()], OF_FEW
            at = of_name[following].end()
    return "".join([*kept, text[at:]])


def without_blocks_of_few(text: str) -> str:
    """Return an article without the blocks that only some readers saw; behind a pay wall, that is all that follows."""
    kept, at, few, depth = list[str](), 0, "", 0
    for start, end, block in _blocks(text):
        name = block["name"]
        if depth:
            depth += 0 if name != few or block["void"] else -1 if block["end"] else 1
            at = end
            continue
        if block["end"] or not (_is_wall(block) or (not block["void"] and _is_of_few(block))):
            continue
        kept += text[at:start], OF_FEW
        if block["void"]:
            return "".join(kept)
        few, depth = name, 1
    return "".join(kept) if depth else "".join([*kept, text[at:]])


def _blocks(text: str) -> Iterator[tuple[int, int, re.Match[str]]]:
    """Give where each mark of a block begins and ends, and what it says."""
    end = 0
    while (start := text.find("<!--", end)) >= 0 and (end := text.find("-->", start)) >= 0:
        end += 3
        if block := _BLOCK.fullmatch(text, start, end):
            yield start, end, block


def _is_of_few(block: re.Match[str]) -> bool:
    return sounds_of_few(block["name"]) or _HAS_READERS.search(block["about"]) is not None


def _is_wall(block: re.Match[str]) -> bool:
    return bool(block["void"]) and "paywall" in block["name"]


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


def _without_media(found: re.Match[str]) -> str:
    kind, at = found["kind"], _MEDIA_AT.search(found["about"])
    if at and kind in {"audio", "video"}:
        return f'<{kind} src="{at[1]}"></{kind}>'
    return "<p>[Pictures were attached]</p>" if kind == "gallery" else "<p>[A file was attached]</p>"


def _time(text: str) -> datetime | None:
    try:
        found = datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:  # "0000-00-00 00:00:00", where there was none
        return None
    return found if found.year > 1 else None
