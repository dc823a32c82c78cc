"""Words that no pattern knows, written alike: a set of patterns then meets few texts that are new to it.

google-re2 works out what follows from each letter when it first meets it, and that is what a new text costs. Most words
of a text stand in none of the patterns: to these they are only some word, of so many letters. What a set finds in a
text, it also finds where the text is written like this, and at times a little more.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from moderation.screening.frequent_words import frequent_english

_TOKEN = re.compile(
    r"\(\?:|[)|?+]|\{\d+(?:,\d*)?\}|\[[^\]]+\]|[a-z0-9']+?(?=[a-z0-9']?\?)|[a-z0-9']+| |(?P<other>.)", re.S
)
_BOUNDS = re.compile(r"\d+")
_LETTER = re.compile("[a-z]")


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
    def is_some_letters(self) -> bool:
        """Whether it is any letters."""
        return self.text.startswith("[") and (self.text.startswith("[^") or bool(_LETTER.search(self.text)))

    @property
    def begins_with_space(self) -> bool:
        """Whether it is there, and begins with a space however it is read."""
        return not self.is_optional and (self.text == " " or self._is_spaced)

    @property
    def _is_spaced(self) -> bool:
        return bool(self.either) and all(parts and parts[0].begins_with_space for parts in self.either)

    @property
    def is_optional(self) -> bool:
        return self.times == "?" or self.times.startswith("{0")

    def leaves_word(self, *, before_end: bool) -> bool:
        """Whether a word that stands right before it is over there, if one is over right before what follows it."""
        return self.begins_with_space or (self.is_optional and before_end and (self.text == " " or self._is_spaced))


class KnownWords:
    """The words that stand in some patterns, as a whole or by how they begin or end."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Read the patterns; of one that it cannot read, it knows every word."""
        self.whole, self.beginnings, self.endings = set[str](), set[str](), set[str]()
        self.lengths = {2}  # between two of these, it is the same how long a word is
        try:
            for pattern in patterns:
                self._learn([_parse(pattern)], ends=True)
        except _CannotTell:
            self.beginnings.add("")

    def _learn(self, parts: Sequence[_PatternPart], *, ends: bool) -> None:
        """Note the words of these parts, after which a word `ends`, or goes on."""
        after, after_ends = None, False  # the part behind, and whether a word ends behind that
        for part in reversed(parts):
            if part.either:
                again = part.times in {"", "?"} or part._replace(times="").begins_with_space
                for each in part.either:
                    self._learn(each, ends=ends and again)
            elif part.is_some_letters:
                least, most = _bounds(part.times)
                self.lengths |= {length for length in (least, most + 1) if length > 1}
                if not ends:
                    self.endings |= _endings(after, is_last=after_ends)
            elif part.is_word:
                (self.whole if ends else self.beginnings).add(part.text)
            after, after_ends, ends = part, ends, part.leaves_word(before_end=ends)


class WordWriter(dict[str, str]):
    """How words are written for these patterns. Of what is no word of English or of these, nothing is kept."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Read the patterns."""
        known = KnownWords(patterns)
        self._whole, self._beginnings, self._endings = known.whole, tuple(known.beginnings), tuple(known.endings)
        self._lengths = sorted(known.lengths)

    def write(self, words: str) -> str:
        """Return a text of words with all those alike that no pattern knows."""
        apart = words.split(" ")
        written = {word: self[word] for word in set(apart)}  # each once: what is not kept takes longer
        return " ".join(map(written.__getitem__, apart))

    def __missing__(self, word: str) -> str:
        written = word if self._may_have(word) else "x" * self._lengths[bisect_right(self._lengths, len(word)) - 1]
        if word in frequent_english() or word in self._whole:
            self[word] = written
        return written

    def _may_have(self, word: str) -> bool:
        """Return whether a word may stand in one of the patterns, other than as some word."""
        if len(word) < 2 or not word.isascii() or not word.isalpha():
            return True
        return word in self._whole or word.startswith(self._beginnings) or word.endswith(self._endings)


def _endings(part: _PatternPart | None, *, is_last: bool) -> set[str]:
    """Return what a word ends with that begins with any letters."""
    if part is None or not is_last or part.times or not part.either:
        raise _CannotTell
    if not all(len(each) == 1 and each[0].is_word and not each[0].times for each in part.either):
        raise _CannotTell
    return {each[0].text for each in part.either}


def _bounds(times: str) -> tuple[int, int]:
    """Return how often something is there at least and at most."""
    if not times.startswith("{"):
        return (0 if times == "?" else 1), (0 if times == "+" else 1)
    numbers = [int(number) for number in _BOUNDS.findall(times)]
    return numbers[0], numbers[-1] if not times.endswith(",}") else numbers[0] - 1


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
