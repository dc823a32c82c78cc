"""Placeholders: what somebody fills in before a template becomes an answer. Pure functions.

There are three: `{name}` of whoever is answered, `{board}`, and `{link:…}` for an address, with what it shall lead to.
"""

import re

from forum.content.words import own_lines
from forum.core.errors import Invalid

_BEFORE_A_LINK = re.compile(r"\{link:\s*[^\s{}][^{}\n]{0,99}\}")
_FILLED_BY_US = re.compile(r"\{(name|board)\}")
_ANY = re.compile(f"{_FILLED_BY_US.pattern}|{_BEFORE_A_LINK.pattern}")
_BRACE = re.compile(r"\{[^{}\n]{0,99}\}?|\}")


def refuse_unknown(text: str, pointer: str) -> None:
    """Raise Invalid where a template has a placeholder that nobody could fill, or half of one."""
    if unknown := _BRACE.search(_ANY.sub("", text)):
        detail = f"{unknown[0]} is no placeholder. There are {{name}}, {{board}} and {{link:what it leads to}}."
        raise Invalid(detail, pointer, code="unknown_placeholder")


def fill(text: str, *, name: str | None, board: str) -> str:
    """Return the text with a name and a board in their places. Where there is no name, its place stays."""
    values = {"name": name, "board": board}
    return _FILLED_BY_US.sub(lambda found: values[found[1]] or found[0], text)


def refuse_unfilled(body_markdown: str, pointer: str) -> None:
    """Raise Invalid where something of a template was not filled in. What is quoted is somebody else's."""
    own = (body_markdown[start:end] for start, end in own_lines(body_markdown))
    if left := next(filter(None, map(_ANY.search, own)), None):
        detail = f"{left[0]} comes from a template and is not filled in. Put in what belongs there, or take it out."
        raise Invalid(detail, pointer, code="unfilled_placeholder")
