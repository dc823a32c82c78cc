"""Titles and content warnings: plain lines, in which nothing may look as if the forum had put it there."""

import re
import unicodedata

from forum.content.words import MARKS, UNSEEN
from forum.core.errors import Invalid
from forum.members.names import find_badge, skeleton

_BRACKETED = re.compile(r"\[[^\[\]]*\]")
_NOTICE = re.compile(r"\b(?:edited|removed)\s+by\b.*\bas\s+breach\w*\s+rules?\b")


def refuse_official(line: str, pointer: str, *, ours: str = "") -> None:
    """Raise Invalid where a line has what only the forum puts there: a badge, a "[removed: rule 2]", a notice.

    In a body a typed mark becomes text; a line is text already, and nothing would tell it from one of ours. A mark
    that stands in `ours`, the line before an edit, may stay.
    """
    typed = line
    for mark in MARKS.findall(ours):
        typed = typed.replace(mark, "", 1)
    plain = unicodedata.normalize("NFKC", UNSEEN.sub("", typed)).casefold()
    official = find_badge(typed) or next(filter(_is_mark, _BRACKETED.findall(plain)), None)
    if official or _NOTICE.search(plain):
        what = official or "This"
        raise Invalid(
            f"{what} looks as if the forum had put it there. Please leave it out.", pointer, code="looks_official"
        )


def _is_mark(bracketed: str) -> bool:
    look, removed = skeleton(bracketed), skeleton("removed")
    return look == removed or look.startswith(removed + skeleton("rule"))
