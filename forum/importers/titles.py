"""Titles of old threads as they can stand here. Pure functions."""

import re

from forum.content.lines import refuse_official
from forum.content.threads.tables import TITLE_MAX, TITLE_MIN
from forum.core.errors import Invalid
from forum.core.text import BIDIRECTIONAL, carried, has_seen

_AS_BREACHING = re.compile(r"\b(as)\s+(?=breach)", re.IGNORECASE)


def title_of(old: str) -> str:
    """Return a title as it can stand here: one line, neither too short nor too long, and none that looks like ours."""
    title = " ".join(BIDIRECTIONAL.sub("", carried(old)).split())
    if len(title) < TITLE_MIN or not has_seen(title):
        title = f"Untitled: {title}" if has_seen(title) else "Untitled"
    plain = "".join(char for char in title if char.isalnum() or char in " ,.?'-")
    broken = _AS_BREACHING.sub(r"\1, ", plain)  # which no notice of ours says
    for kept in (title, plain, broken):
        if not _is_refused(shown := kept.strip() or "Untitled"):
            title = shown if len(shown) >= TITLE_MIN else f"Untitled: {shown}"
            break
    else:
        title = "Untitled"
    return title if len(title) <= TITLE_MAX else title[: TITLE_MAX - 1].rstrip() + "…"


def _is_refused(title: str) -> bool:
    try:
        refuse_official(title, "#/title")
    except Invalid:
        return True
    return False


def is_whole(old: str) -> bool:
    """Return whether all that was to be seen of a title stands in ours."""
    whole = "".join(BIDIRECTIONAL.sub("", carried(old)).split())
    return whole in "".join(title_of(old).split()) or not has_seen(whole)
