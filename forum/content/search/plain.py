"""What a post says in its author's own words, without Markdown and without what it quotes: pure functions."""

import html
import re
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from forum.core.text import INVISIBLE

MOST_TERMS = 8
# Of Unicode's private use: what PostgreSQL puts around each hit and between passages. No text keeps its own.
OPENS, CLOSES, GAP = "\ue000", "\ue001", "\ue002"

_TAG = re.compile(r"<(?P<end>/?)(?P<name>[a-z][a-z0-9]*)(?P<about>[^>]*)>")
_INLINE = {"a", "em", "strong", "s", "code", "span", "bdi"}
_NEW_LINE = "\x1e"  # no text that is kept has it
_SPACES = re.compile(r"\s+")
_DROPPED = re.compile(f"[{OPENS}{CLOSES}{GAP}{INVISIBLE}]")
_MARKS = re.compile(f"[{OPENS}{CLOSES}]")
_TERM = re.compile(r"\w+(?:['\u2019.-]\w+)*")


class Snippet(NamedTuple):
    """Some words of a text, and where in them the hits are: each from a start to an end, in code points."""

    text: str
    spans: Sequence[tuple[int, int]]

    @property
    def parts(self) -> Sequence[tuple[str, bool]]:
        """The text in pieces, each with whether it is a hit."""
        edges = [0, *(edge for span in self.spans for edge in span), len(self.text)]
        return [(self.text[start:end], at % 2 == 1) for at, (start, end) in enumerate(pairwise(edges)) if end > start]


def plain_text(body_html: str) -> str:
    """Return what rendered HTML says, in one line: without quotes, and without the marks of what was taken out."""
    return " ".join(plain_lines(body_html))


def plain_lines(body_html: str) -> Sequence[str]:
    """Return what rendered HTML says, each paragraph, item or cell in a line of its own."""
    parts, quotes, removed, done = list[str](), 0, 0, 0
    for tag in _TAG.finditer(body_html):
        if not quotes and not removed:
            parts.append(body_html[done : tag.start()])
        done = tag.end()
        name, is_end = tag["name"], bool(tag["end"])
        if name == "blockquote":
            quotes += -1 if is_end else 1
        elif name == "span" and (removed or 'class="removed"' in tag["about"]):
            removed += -1 if is_end else 1
        if name not in _INLINE or removed:
            parts.append("… " if removed and not is_end else _NEW_LINE)
    if not quotes and not removed:
        parts.append(body_html[done:])
    lines = _DROPPED.sub("", html.unescape("".join(parts))).split(_NEW_LINE)
    return [line for line in (_SPACES.sub(" ", line).strip() for line in lines) if line]


def kept_terms(query: str) -> str:
    """Return a query with its first terms only: each costs a look into the index."""
    terms = (term for term in _TERM.finditer(query) if term[0].lower() != "or")
    ninth = next(islice(terms, MOST_TERMS, None), None)
    return query[: ninth.start()] if ninth else query


def snippet_of(marked: str, said: str) -> Snippet:
    """Return passages of a text, in which PostgreSQL marked the hits, as plain text with their places."""
    passages = _MARKS.sub("", marked).split(GAP)
    edges = ("" if said.startswith(passages[0]) else "… ", "" if said.endswith(passages[-1]) else " …")
    parts, spans, at, start = [edges[0]], list[tuple[int, int]](), len(edges[0]), 0
    for part in re.split(f"([{OPENS}{CLOSES}{GAP}])", marked):
        if part == OPENS:
            start = at
        elif part == CLOSES:
            spans.append((start, at))
        else:
            words = " … " if part == GAP else part
            parts.append(words)
            at += len(words)
    return Snippet("".join([*parts, edges[1]]), spans)
