"""Patterns that no text can make slow: google-re2, whose time grows with the text and nothing else.

They are read against words with one space between them and around them, so that a word's edge is a space: re2's own
`\\b` knows only ASCII.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import re2

from moderation.screening.needed_words import NeededWords

LONGEST = 20_000  # characters of one pattern, its slots filled in
MEMORY = 256 << 20  # bytes that all states of one set may take; what is not needed is not taken
IN_SET = 100  # patterns at most: a set works out what follows for all of them at once, and of many the ways multiply
_UNBOUNDED = re.compile(r"(?<!\\)[*+]|\{\d+,\}")
_SLOT = re.compile(r"\{([a-z_]+)\}")
_WORDS = re.compile(r"\{(\d)(i?)\}")
_TOO_MANY_WORDS = re.compile(r"\{\d+i\}")
_EDGES = re.compile(r"^(?:\{\di?\})+|(?: ?\{\di?\})+$")


class BadPattern(ValueError):
    """A pattern cannot be used; the message says why."""


def options() -> "re2.Options":
    """Return the options of every pattern: nothing is written to stderr, for a pattern can be somebody's own words."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.max_mem = MEMORY
    chosen.never_capture = True
    return chosen


def expand(phrase: str, slots: Mapping[str, Sequence[str]]) -> str:
    """Return a phrase as a pattern: its slots filled in, `{2}` as up to two words. Raises BadPattern."""
    expanded = phrase
    for _ in range(4):  # slots in slots
        expanded = _SLOT.sub(lambda slot: f"(?:{'|'.join(_slot(slots, slot[1]))})", expanded)
    if _UNBOUNDED.search(expanded):
        raise BadPattern("A repeat needs an upper bound, as in {0,3}.")
    expanded = _WORDS.sub(_any_words, _EDGES.sub("", expanded.strip())).strip()
    if _TOO_MANY_WORDS.search(expanded):
        raise BadPattern("At most nine words can stand between, as in {9i}.")
    if len(expanded) > LONGEST:
        raise BadPattern("The phrase is too long, its slots filled in.")
    return expanded


def _any_words(most: re.Match[str]) -> str:
    """Return the pattern of up to so many words; "I" begins another thought, and is not among them unless it may be."""
    word = "[^ .]+" if most[2] else "(?:[^ .i]|[^ .]{2,})"
    return f"(?:{word} ){{0,{most[1]}}}"


def _slot(slots: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    if name not in slots:
        raise BadPattern(f"There is no slot {{{name}}}.")
    return slots[name]


@contextmanager
def _refused() -> Iterator[None]:
    """Raise BadPattern for what google-re2 refuses."""
    try:
        yield
    except re2.error as error:
        raise BadPattern(
            "This is no pattern: a bracket is missing, or something that google-re2 does not know."
        ) from error


def _set(patterns: Sequence[str]) -> "re2.Set":
    """Return patterns that are sought at once. Raises BadPattern."""
    together = re2.Set.SearchSet(options())
    with _refused():
        for pattern in patterns:
            together.Add(pattern)
        together.Compile()
    return together


class Patterns:
    """Several patterns: a few are sought at once, and of many those whose words are there, one by one."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile them. Raises BadPattern: of many, which are ours, when one is first sought."""
        # Each by itself is compiled when it is first sought: hardly any text has one.
        self._each: list[Any] = [f" (?:{pattern}) " for pattern in patterns]
        self._set = _set(self._each) if len(patterns) <= IN_SET else None
        self._needed = NeededWords(patterns) if self._set is None else None

    @property
    def steps(self) -> int:
        """How large they are together: what it costs to read a text with them grows with it."""
        return sum(self._pattern(place).programsize for place in range(len(self._each)))

    def _pattern(self, place: int) -> Any:
        """Return one of them, compiled."""
        if isinstance(self._each[place], str):
            with _refused():
                self._each[place] = re2.compile(self._each[place], options())
        return self._each[place]

    def find(self, words: str) -> Iterator[tuple[int, int, int]]:
        """Yield which pattern is where in a text of words, without the spaces around it."""
        encoded = words.encode()  # once: of a text, google-re2 would count all letters before each place anew
        for place in self._may_be_in(words):
            at, end, pattern = 0, 0, self._pattern(place)  # in bytes, and in letters
            while found := pattern.search(encoded, at):
                start = end + len(encoded[at : found.start() + 1].decode())
                end = start + len(found[0][1:-1].decode())
                yield place, start, end
                at = found.end() - 1

    def places_in(self, words: str) -> Sequence[int]:
        """Return which patterns are in a text of words."""
        places = self._may_be_in(words)
        return places if self._needed is None else [place for place in places if self._pattern(place).search(words)]

    def _may_be_in(self, words: str) -> Sequence[int]:
        """Return which patterns are in a text of words, and perhaps, of many, some that are not."""
        if self._needed is not None:
            return self._needed.places_in(words)
        return sorted(self._set.Match(words) or ()) if self._set is not None else ()

    def find_first(self, words: str) -> Iterator[tuple[int, int]]:
        """Yield where each pattern that is in a text of words is first."""
        for place in self.places_in(words):
            if found := self._pattern(place).search(words):
                yield found.start() + 1, found.end() - 1

    def any_in(self, words: str) -> bool:
        """Return whether one of them is in a text of words."""
        return bool(self.places_in(words))
