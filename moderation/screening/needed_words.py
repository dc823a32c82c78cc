"""Words without which a pattern is nowhere: of many patterns, hardly any has all of its words in one sentence.

Those that have are sought one by one. Sought all at once, with google-re2, they would cost a new text ten times as
much: it works out what follows from each letter when it first meets it, for all of them together.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from math import prod
from typing import NamedTuple

from moderation.screening.frequent_words import frequent

_TOKEN = re.compile(
    r"\(\?:|[)|?+]|\{\d+(?:,\d*)?\}|\[[^\]]+\]|[a-z0-9']+?(?=[a-z0-9']?\?)|[a-z0-9']+| |(?P<other>.)", re.S
)
_STOP = "."
_SHORT, _RANK_OF_SHORT = 4, 30  # letters of words that are frequent, though the lists leave some of them out
_RARE = 100_000  # the rank of a word that is in no list

Words = frozenset[str]


class _CannotTell(Exception):
    """A pattern has something else in it than words and how often they are there."""


class _PatternPart(NamedTuple):
    """A part of a pattern: words, a class of characters, a space, or others of which one is there."""

    text: str = ""
    either: Sequence[Sequence["_PatternPart"]] = ()
    times: str = ""  # that it is there, if not once: "?", or "{0,3}"

    @property
    def is_word(self) -> bool:
        """Whether it is a word, or letters of one."""
        return self.text not in {"", " "} and not self.text.startswith("[")

    @property
    def may_be_stop(self) -> bool:
        """Whether the end of a sentence can be in it."""
        if self.text.startswith("["):
            return re.fullmatch(self.text, _STOP) is not None
        return any(part.may_be_stop for parts in self.either for part in parts)

    @property
    def begins_with_space(self) -> bool:
        """Whether it is there, and begins with a space however it is read."""
        each_begins = bool(self.either) and all(parts and parts[0].begins_with_space for parts in self.either)
        return not self.is_optional and (self.text == " " or each_begins)

    @property
    def ends_with_space(self) -> bool:
        """Whether it ends with a space however it is read, where it is there."""
        return self.text == " " or (bool(self.either) and all(map(_end_with_space, self.either)))

    @property
    def is_optional(self) -> bool:
        return self.times == "?" or self.times.startswith("{0")


class NeededWords:
    """Which words each of some patterns needs in one sentence: of each of its sets of words, one."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Read the patterns; one that cannot be read, or needs no word, is always sought."""
        self._always = set[int]()
        # By each word of its rarest set, a pattern and its other sets.
        self._by_word = defaultdict[str, list[tuple[int, Sequence[Words]]]](list)
        for place, pattern in enumerate(patterns):
            needed = sorted(_needed_in(pattern), key=_frequency)
            if not needed:
                self._always.add(place)
            for word in needed[0] if needed else ():
                self._by_word[word].append((place, needed[1:]))

    def places_in(self, words: str) -> Sequence[int]:
        """Return which of the patterns can be in a text of words: all that are there, and some others."""
        found = {*self._always}
        for sentence in set(words.split(_STOP)):
            there = set(sentence.split(" "))
            for word in self._by_word.keys() & there:
                for place, others in self._by_word[word]:
                    if not any(map(there.isdisjoint, others)):
                        found.add(place)
        return sorted(found)


def _needed_in(pattern: str) -> Sequence[Words]:
    """Return sets of whole words, of each of which one is in the same sentence wherever the pattern is."""
    try:
        whole = _parse(pattern)
    except _CannotTell:
        return []
    parts = whole.either[0] if len(whole.either) == 1 else [whole]
    return min(_needed_by_sentence(parts), key=lambda needed: (not needed, prod(map(_frequency, needed))))


def _needed_by_sentence(parts: Sequence[_PatternPart]) -> list[list[Words]]:
    """Return what these parts need, between two spaces: by themselves before and after each that may end a sentence."""
    sentences, begins = [list[Words]()], True  # whether a word begins here
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        is_whole = begins and not part.times and (after is None or after.begins_with_space)
        if part.may_be_stop:
            sentences.append([])
        elif is_whole and part.is_word:
            sentences[-1].append(frozenset([part.text]))
        elif is_whole and part.either:
            sentences[-1] += _needed_by_each(part.either)
        begins = part.ends_with_space and (begins or not part.is_optional)
    return sentences


def _needed_by_each(either: Sequence[Sequence[_PatternPart]]) -> list[Words]:
    """Return what is needed where one of several is there: of each the rarest set."""
    each = [needed for parts in either for needed in _needed_by_sentence(parts)]
    if len(each) == 1:
        return each[0]
    return [frozenset[str]().union(*(min(needed, key=_frequency) for needed in each))] if all(each) else []


def _end_with_space(parts: Sequence[_PatternPart]) -> bool:
    return bool(parts) and parts[-1].ends_with_space and not parts[-1].is_optional


def _frequency(needed: Words) -> float:
    """Return how often one of these words is written, in no unit."""
    return sum(1 / (10 + _rank(word)) for word in needed)


def _rank(word: str) -> int:
    return _ranks().get(word, _RANK_OF_SHORT if len(word) < _SHORT else _RARE)


@cache
def _ranks() -> dict[str, int]:
    ranks = dict[str, int]()
    for name in ("us_tv_and_film", "english_wikipedia"):
        for rank, word in enumerate(frequent(name)):
            ranks[word] = min(rank, ranks.get(word, rank))
    return ranks


def _parse(pattern: str) -> _PatternPart:
    tokens = list(_TOKEN.finditer(pattern))
    if any(token["other"] for token in tokens):
        raise _CannotTell
    return _PatternPart(either=_either(iter([*(token[0] for token in tokens), ")"])))


def _either(written: Iterator[str]) -> Sequence[Sequence[_PatternPart]]:
    """Return what stands here until the bracket closes."""
    either = [list[_PatternPart]()]
    for sign in written:
        if sign == ")":
            break
        if sign == "|":
            either.append([])
        elif sign == "(?:":
            either[-1].append(_PatternPart(either=_either(written)))
        elif sign in {"?", "+"} or sign.startswith("{"):
            repeated = either[-1][-1]
            if repeated.times or (repeated.is_word and sign != "?"):
                raise _CannotTell
            either[-1][-1] = repeated._replace(times=sign)
        else:
            either[-1].append(_PatternPart(sign))
    return either
