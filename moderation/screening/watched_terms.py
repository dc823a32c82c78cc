"""The charity's own terms: words, phrases and patterns that point a text out, or have somebody read it first."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import re2

from moderation.screening.disguises import Dressed, Word, words_of
from moderation.screening.finding import SignEffect, some_of_each
from moderation.screening.patterns import BadPattern, options

LONGEST_PATTERN = 500  # characters
LARGEST_PATTERN = 10_000  # steps of its program: what is larger would be slow in every post
SHORTEST_TIGHT = 4  # letters: a shorter word in disguise is another word too easily, and is only pointed out
PATTERNS_IN_SET = 100
MATCHES_MAX = 100  # of one text: more would tell a moderator nothing new
_LOOKAROUND = re.compile(r"\(\?(?:[=!]|<[=!])")
_BACK_REFERENCE = re.compile(r"\\[1-9]|\(\?P=")
_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_QUOTES = re.compile(
    r"“[^“”\n]{1,2000}”|„[^„“”\n]{1,2000}[“”]|‘[^‘\n]{1,2000}?’(?!\w)|«[^«»\n]{1,2000}»|\"[^\"\n]{1,2000}\"|"
    r"(?<!\w)'[^'\n]{1,2000}'(?!\w)"
)


class UnusableTerm(BadPattern):
    """A term cannot be sought; the message says why, and so does the code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class TermKind(StrEnum):
    """What a term is."""

    WORD = "word"
    PHRASE = "phrase"
    PATTERN = "pattern"


@dataclass(frozen=True)
class SoughtTerm:
    """A term in one version; without boards, it is sought on all."""

    id: str
    version: str
    kind: TermKind
    text: str
    effect: SignEffect
    boards: frozenset[int] = frozenset()
    in_names: bool = False
    help_kind: str | None = None

    def applies(self, board_id: int | None, *, is_name: bool) -> bool:
        """Return whether it is sought on this board, or in names."""
        return self.in_names if is_name else not self.boards or board_id in self.boards


class TermMatch(NamedTuple):
    """A term in a text, where, and what it leads to there."""

    term: SoughtTerm
    start: int
    end: int
    effect: SignEffect


class _Literal(NamedTuple):
    term: int
    words: tuple[str, ...]


class Termbook:
    """Terms to look for, all at once. To make one takes a moment: it is made once for each version of the list."""

    def __init__(self, terms: Sequence[SoughtTerm]) -> None:
        """Compile them. Raises UnusableTerm for one that cannot be used."""
        self.terms = terms
        self.leads_to_help = any(term.effect == SignEffect.HELP for term in terms)
        self._by_first = defaultdict[str, list[_Literal]](list)
        self._joined = defaultdict[str, list[int]](list)
        self._by_shape = defaultdict[tuple[int, str], list[int]](list)
        patterns = list[tuple[int, str]]()
        for place, term in enumerate(terms):
            if term.kind == TermKind.PATTERN:
                patterns.append((place, term.text))
            elif words := words_of(term.text):
                self._add(place, words)
        self._patterns = _Patterns(patterns)

    def find(self, text: str, board_id: int | None = None, *, is_name: bool = False) -> list[TermMatch]:
        """Return which terms are in a text that apply there, in the order of the text."""
        dressed = Dressed(text)
        found = dict[tuple[int, int, int], bool]()
        for tight, hits in ((False, self._plain(dressed)), (True, self._tight(dressed))):
            for place, start, end in hits:
                if self.terms[place].applies(board_id, is_name=is_name):
                    found.setdefault((start, end, place), tight)
        if not found:
            return []
        quoted = quoted_spans(text)
        matches = []
        for (start, end, place), tight in some_of_each(sorted(found.items()), lambda one: one[0][2], MATCHES_MAX):
            term, span = self.terms[place], dressed.span(start, end)
            is_quoted = any(begin <= span[0] and span[1] <= close for begin, close in quoted)
            if not (term.effect == SignEffect.HELP and is_quoted):
                matches.append(TermMatch(term, *span, _effect(term, is_tight=tight, is_quoted=is_quoted)))
        return _apart(matches)

    def _add(self, place: int, words: tuple[str, ...]) -> None:
        self._by_first[words[0]].append(_Literal(place, words))
        self._joined["".join(words)].append(place)
        if len(words) == 1 and len(words[0]) >= SHORTEST_TIGHT:
            self._by_shape[len(words[0]), words[0][0]].append(place)

    def _plain(self, dressed: Dressed) -> Iterator[tuple[int, int, int]]:
        if not self._by_first.keys().isdisjoint(dressed.words):
            yield from self._in_words(dressed.plain)
        yield from self._patterns.find(dressed.folded)

    def _tight(self, dressed: Dressed) -> Iterator[tuple[int, int, int]]:
        yield from self._in_words(dressed.tight)
        for word in dressed.spelt:
            for reading in word.readings:
                yield from ((place, word.start, word.end) for place in self._joined.get(reading, ()))
        for word in dressed.starred:
            [shape] = word.readings
            for place in self._by_shape.get((len(shape), shape[0]), ()):
                [sought] = words_of(self.terms[place].text)
                if all(char in ("*", letter) for char, letter in zip(shape, sought, strict=True)):
                    yield place, word.start, word.end

    def _in_words(self, words: Sequence[Word]) -> Iterator[tuple[int, int, int]]:
        for at, word in enumerate(words):
            for reading in word.readings:
                for place, sought in self._by_first.get(reading, ()):
                    row = words[at : at + len(sought)]
                    if len(row) == len(sought) and all(
                        one in there.readings for one, there in zip(sought, row, strict=True)
                    ):
                        yield place, word.start, row[-1].end


class _Patterns:
    """Patterns, sought in sets, and then each where it is."""

    def __init__(self, patterns: Sequence[tuple[int, str]]) -> None:
        self._places = [place for place, _ in patterns]
        self._each = [_compiled(pattern) for _, pattern in patterns]
        self._sets = []
        for first in range(0, len(patterns), PATTERNS_IN_SET):
            together = re2.Set.SearchSet(_options())
            for _, pattern in patterns[first : first + PATTERNS_IN_SET]:
                together.Add(_whole(pattern))
            together.Add(" ")  # is in every text, so that a set that ran out of memory is known by not finding it
            together.Compile()
            self._sets.append((first, min(PATTERNS_IN_SET, len(patterns) - first), together))

    def find(self, folded: str) -> Iterator[tuple[int, int, int]]:
        """Yield which pattern is where."""
        if not self._sets:
            return
        text = f" {folded} "
        for first, count, together in self._sets:
            hits = set(together.Match(text) or ())
            for number in sorted(hits - {count}) if count in hits else range(count):
                yield from self._find(first + number, text)

    def _find(self, number: int, text: str) -> Iterator[tuple[int, int, int]]:
        at, pattern = 0, self._each[number]
        for _ in range(MATCHES_MAX):
            found = pattern.search(text, at)
            if not found:
                return
            # Of the match, the first and the last character are the edges; and the text has one more before it.
            yield self._places[number], found.start(), found.end() - 2
            at = found.end() - 1


def check_text(kind: TermKind, text: str) -> None:
    """Return when a term can be sought. Raises UnusableTerm, whose message says why not."""
    if kind == TermKind.PATTERN:
        _check_pattern(text)
    elif not words_of(text):
        raise UnusableTerm("A term needs at least one letter or digit.", "term_without_letters")
    elif kind == TermKind.WORD and re.search(r"\s", text.strip()):
        raise UnusableTerm("A word has no spaces in it. Choose “phrase” for several words.", "word_with_spaces")


def _check_pattern(text: str) -> None:
    if len(text) > LONGEST_PATTERN:
        raise UnusableTerm(f"A pattern has {LONGEST_PATTERN} characters at most.", "pattern_too_long")
    if _LOOKAROUND.search(text):
        raise UnusableTerm("A pattern cannot look ahead or behind: no (?= (?! (?<= (?<!.", "pattern_looks_around")
    if _BACK_REFERENCE.search(text):
        raise UnusableTerm("A pattern cannot refer back to what it found: no \\1, no (?P=.", "pattern_refers_back")
    pattern = _compiled(text)
    if pattern.programsize > LARGEST_PATTERN:
        raise UnusableTerm("This pattern is too large: use smaller numbers of repeats.", "pattern_too_large")
    if re2.compile(text, _options()).fullmatch(""):
        raise UnusableTerm("This pattern is also in an empty text: it would be everywhere.", "pattern_matches_nothing")


def _compiled(pattern: str) -> "re2._Regexp":
    try:
        re2.compile(pattern, _options())  # by itself: a stray bracket must not close ours
        return re2.compile(_whole(pattern), _options())
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else ""
        raise UnusableTerm(f"This is not a pattern: {reason or 'it cannot be read'}.", "pattern_unusable") from error


def _whole(pattern: str) -> str:
    r"""Return a pattern with word edges of our own: re2's \b knows only ASCII."""
    return rf"[^\pL\pN](?:{_folded(pattern)})[^\pL\pN]"


def _folded(pattern: str) -> str:
    """Return a pattern as texts are read: letters with accents without them."""
    return "".join(char if char.isascii() else Dressed(char).folded for char in pattern)


def _options() -> "re2.Options":
    chosen = options()
    chosen.case_sensitive = False
    return chosen


def quoted_spans(text: str) -> list[tuple[int, int]]:
    """Return what stands in quotation marks, and the lines that are quoted with `>`."""
    return [found.span() for pattern in (_LINE, _QUOTES) for found in pattern.finditer(text)]


def _effect(term: SoughtTerm, *, is_tight: bool, is_quoted: bool) -> SignEffect:
    is_short = sum(char.isalnum() for char in term.text) < SHORTEST_TIGHT
    if is_tight and is_short and term.effect != SignEffect.HELP:
        return SignEffect.POINT_OUT
    return SignEffect.CASE if is_quoted and term.effect == SignEffect.HOLD else term.effect


def _apart(matches: Iterable[TermMatch]) -> list[TermMatch]:
    """Return the matches without those of a term that overlap an earlier one of the same term."""
    reached, kept = dict[str, int](), list[TermMatch]()
    for match in sorted(matches, key=lambda one: (one.start, -one.end)):
        if match.start >= reached.get(match.term.id, 0):
            reached[match.term.id] = match.end
            kept.append(match)
    return kept


def contain(term: SoughtTerm, texts: Sequence[str]) -> list[bool]:
    """Return of each of these texts whether a term is in it."""
    book = Termbook([term])
    return [bool(book.find(text)) for text in texts]


# The terms that another process has compiled, by the name of the list: those that it was asked for last.
_compiled_last: dict[str, Termbook] = {}


def find_by_name(
    name: str, terms: Sequence[SoughtTerm] | None, text: str, board_id: int | None, *, is_name: bool
) -> list[TermMatch] | None:
    """Return as `Termbook.find` does, in a process that keeps the list which it was given under this name last.

    Returns None where it does not know the list: then it must be given the terms.
    """
    if terms is not None and name not in _compiled_last:
        book = Termbook(terms)
        _compiled_last.clear()
        _compiled_last[name] = book
    known = _compiled_last.get(name)
    return known.find(text, board_id, is_name=is_name) if known else None
