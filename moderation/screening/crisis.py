"""Words of danger, to oneself, to a child or to somebody else, in English.

What is near calls people (`acute`); what may be is looked at in the queue (`worry`). Moderators who are alarmed for
nothing too often stop reacting: so what is denied, reported, past, said to others or only alleged means less or
nothing, and quoted blocks are somebody else's words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from moderation.screening import phrasebook
from moderation.screening.finding import CrisisKind, Finding, FindingKind, Level, some_of_each
from moderation.screening.phrasebook import NOT, Meaning, Phrasebook, Scope
from moderation.screening.reading import STOP, Reading, read

RANK = {kind: place for place, kind in enumerate(CrisisKind)}
MATCHES_MAX = 100  # in one text: more would tell a moderator nothing new, and each is looked at in its sentence
SENTENCE_MAX = 500  # characters before a phrase, and after it, that can change what it means


@dataclass(frozen=True)
class _Match:
    kind: CrisisKind
    level: Level
    start: int
    end: int


def find(text: str, book: Phrasebook | None = None) -> list[Finding]:
    """Return the words of danger in a text: those that the book has phrases for, without one ours."""
    book = book or phrasebook.english()
    reading = read(text, book.dictionary)
    matches = _in_text(book, reading)
    if "\n" in reading.folded and (unwrapped := reading.unwrapped):
        # Many end a sentence with a line alone, so each line is read by itself; this adds what goes on in the next.
        more = [one for one in _in_text(book, unwrapped) if "\n" in reading.text[one.start : one.end]]
        matches = _apart([*matches, *more]) if more else matches
    return [Finding(FindingKind.CRISIS, one.start, one.end, one.kind, book.version, one.level) for one in matches]


def _in_text(book: Phrasebook, reading: Reading) -> list[_Match]:
    """Return the matches that count, where they stand in the text that was read."""
    found = _apart(list(_matches(book, reading.words)))
    return [_Match(one.kind, one.level, *reading.span(one.start, one.end)) for one in found]


def _matches(book: Phrasebook, words: str) -> Iterator[_Match]:
    sought = list(_sought(book, words))
    found = some_of_each(sought, lambda one: one[0], MATCHES_MAX)
    harmless = [(start, end) for _, start, end in islice(book.harmless.find(words), MATCHES_MAX)] if found else []
    for meaning, start, end in found:
        if any(start < other_end and other_start < end for other_start, other_end in harmless):
            continue
        left = _level_in_scope(book, words, meaning, start, end)
        if left:
            yield _Match(meaning.kind, left, start, end)
    # What is beyond is not looked at in its sentence: somebody reads the text.
    beyond = {meaning.kind: (start, end) for meaning, start, end in sorted(set(sought).difference(found))}
    yield from (_Match(kind, Level.WORRY, start, end) for kind, (start, end) in beyond.items())
    yield from _together(book, words)


def _sought(book: Phrasebook, words: str) -> Iterator[tuple[Meaning, int, int]]:
    for patterns, meanings in book.sought:
        for place, start, end in patterns.find(words):
            if meaning := meanings[place]:
                yield meaning, start, end


def _level_in_scope(book: Phrasebook, words: str, meaning: Meaning, start: int, end: int) -> Level | None:
    """Return what is left of a phrase in its sentence."""
    begin = max(words.rfind(f" {STOP} ", 0, start + 1) + 2, start - SENTENCE_MAX)
    close = words.find(f" {STOP} ", end - 1, end + SENTENCE_MAX)
    close = close if close >= 0 else min(end + SENTENCE_MAX, len(words) - 1)
    before, sentence = words[begin:start], words[begin : close + 1]
    leaves = [scope.leaves for scope in book.scopes if _holds(scope, before, sentence)]
    if not meaning.has_not and (NOT.search(words, start, end) or _is_negated(book, before)):
        leaves.append(book.negation_leaves)
    if not leaves:
        return meaning.level
    is_left = meaning.level == Level.ACUTE and all(meaning.kind in kinds for kinds in leaves)
    return Level.WORRY if is_left else None


def _holds(scope: Scope, before: str, sentence: str) -> bool:
    if not scope.patterns.any_in(before if scope.is_before else sentence):
        return False
    return not (scope.unless and scope.unless.any_in(sentence))


def _is_negated(book: Phrasebook, before: str) -> bool:
    return book.negation.any_in(f"{before}§ ") and not book.not_negation.any_in(f"{before} ")


def _together(book: Phrasebook, words: str) -> Iterator[_Match]:
    """Yield a worry where several words are in one text that each alone mean little."""
    patterns, points = book.together
    if sum(points[place] for place in patterns.places_in(words)) >= book.points_needed:
        start, end = min(patterns.find_first(words), key=lambda hit: hit[0])
        yield _Match(CrisisKind.SUICIDE, Level.WORRY, start, end)


def _apart(matches: list[_Match]) -> list[_Match]:
    """Return the matches without those that overlap one that counts more, in their order."""
    kept = list[_Match]()
    for match in sorted(matches, key=lambda one: (one.level != Level.ACUTE, RANK[one.kind], one.start - one.end)):
        if all(match.end <= other.start or other.end <= match.start for other in kept):
            kept.append(match)
    return sorted(kept, key=lambda one: one.start)
