"""Finds words of the glossary in posts as HTML, and explains them there: pure functions.

A word counts where it stands alone and as it is written, "SW" and not "sw": not in code, in a link, or in the line that
says who is quoted.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

import re2

# A tag of HTML that was made safe: within quotation marks, a ">" does not end it.
_TAG = re.compile(r'(<[^>"]*(?:"[^"]*"[^>"]*)*>)')
_LEFT_OUT = re.compile(r'<(?:(?P<tag>a|code|pre)\b|(?P<source>p)\b[^>]*\bclass="quote-source")')
_ASCII_WORD = re.compile(r"\w", re.ASCII)


class Term(NamedTuple):
    """A word, what it means, and where more about it is."""

    term: str
    meaning: str
    see_url: str | None


class Finder:
    """Finds these terms in posts."""

    def __init__(self, terms: Sequence[Term]) -> None:
        """Compile them, in time that grows with their number."""
        self.terms = terms
        self._by_name = {term.term.encode(): term for term in terms}
        longest_first = sorted((term.term for term in terms), key=len, reverse=True)
        self._rough = re2.compile(b"|".join(map(_roughly, longest_first))) if terms else None

    def find(self, bodies: Sequence[str]) -> tuple[Term, ...]:
        """Return the terms that stand in these posts, in the order of the alphabet."""
        if self._rough is None:
            return ()
        # Most posts have none: one pass over the bytes of all says so, 25 KB in 0.03 ms.
        likely = sorted({self._by_name[name] for name in self._rough.findall("\n".join(bodies).encode())})
        if not likely:
            return ()
        exact = _exactly(likely)
        found = {name for body in bodies for text, is_own in _pieces(body) if is_own for name in exact.findall(text)}
        return tuple(term for term in likely if term.term in found)


def explain(html: str, terms: Sequence[Term]) -> str:
    """Return a post in which each of these terms says what it means where it first stands."""
    if not terms:
        return html
    left = {term.term: term for term in terms}
    exact = _exactly(terms)

    def explained(found: re.Match[str]) -> str:
        term = left.pop(found[0], None)
        return f'<abbr title="{escape(term.meaning)}">{found[0]}</abbr>' if term else found[0]

    return "".join(exact.sub(explained, text) if is_own else text for text, is_own in _pieces(html))


def _roughly(name: str) -> bytes:
    """Return a pattern that finds a name wherever it can stand alone: re2 knows the edges of ASCII words only."""
    before, after = (r"\b" if _ASCII_WORD.match(letter) else "" for letter in (name[0], name[-1]))
    return f"{before}{re.escape(name)}{after}".encode()


def _exactly(terms: Iterable[Term]) -> re.Pattern[str]:
    """Return a pattern for whole words; `&amp;` has none in it."""
    names = sorted((term.term for term in terms), key=len, reverse=True)
    return re.compile(rf"(?<![\w&])(?:{'|'.join(map(re.escape, names))})(?!\w)")


def _pieces(html: str) -> Iterator[tuple[str, bool]]:
    """Yield a post in pieces, each with whether it is text of its author's own."""
    closes: str | None = None  # the end of what is left out
    for number, piece in enumerate(_TAG.split(html)):
        is_tag = number % 2 == 1
        if is_tag and closes is None and (opened := _LEFT_OUT.match(piece)):
            closes = f"</{opened['tag'] or opened['source']}>"
        elif is_tag and piece == closes:
            closes = None
        yield piece, not is_tag and closes is None
