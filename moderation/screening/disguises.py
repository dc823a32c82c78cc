"""Words however they are dressed: as they read plainly, and as they may be meant.

The plain reading takes off case, accents, width, letters of other scripts that look the same, invisible characters and
Markdown's emphasis. The tight reading also takes signs and digits for letters, joins letters that stand apart, and
leaves out letters that are repeated. A word of everyday English is never taken for another one.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate, islice, pairwise, product
from typing import NamedTuple

import re2

from moderation.screening.frequent_words import frequent_english, latin_look_alike
from moderation.screening.patterns import options

VERSION = "1"  # raise it with every change of how words are read
SHORTEST_SPELT = 4  # letters that stand apart: three are initials, or the points of a list
SHORTEST_DOUBLED = 5  # letters: in a shorter word, one that stands twice makes another word: “boob”, “coop”
LONGEST = 60  # characters of a word that can be in disguise; what is longer is no word
READINGS_MAX = 16  # of one word: more are not looked at
# Scripts that put no space between words: each of their letters is read as a word of its own.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:[*_~']+[^\W_{_UNSPACED}]+)*")
_MARKS = re.compile(r"[*_~']")
_CHUNK = re.compile(r"\S+")
# Nothing is hidden in a word of letters, none of which stands twice in a row, with punctuation around it.
_BARE = re.compile(r"""["'(\[]*([^\W\d_]{2,})["')\].,;:?…]*""")
_TWICE = re.compile(r"(.)\1")
_STRETCHED = re.compile(r"(.)\1\1+")
_RUN = re.compile(r"(.)\1*", re.DOTALL)
_SPELT = re.compile(r"(?<![^\W_])(?:[^\W_][ .,·•*_~/|\\+-]{1,3}){2,40}[^\W_](?![^\W_])")
# Hardly any text of ASCII has one: this tells fast.
_SPELT_SOON = re2.compile(r"(?:^|[^a-z0-9])[a-z0-9](?:[ .,*_~/|\\+-]{1,3}[a-z0-9]){2,}(?:$|[^a-z0-9])", options())
_STARRED = re.compile(r"(?<![^\W_*])[^\W\d_]+\*[^\W\d_]+(?![^\W_*])")
_ALONE = re.compile(r"[^\W_]")
_SINGLES = ("a", "i", "o")  # words of one letter, which can stand before letters that stand apart
SINGLES_MAX = 2
_LEET = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s"}
_LEET |= {"!": "il", "|": "il", "€": "e", "+": "t", "£": "l", "(": "c"}
_HAS_LEET = re.compile(r"[0-9@$!|€+£(]")
_HAS_LETTER = re.compile(r"[^\W\d_]")
_EDGES = "\"'.,;:?…()[]{}<>«»“”„‘’-–—/\\`#&=%"
_AT_END = _EDGES + "!|+*_~"
_JOINTS = re.compile(r"[-._/\\·•*~]+")
_NEEDS_CARE = re.compile(r"[./\\]")
# Roads, postcodes and grades: A55, M4, B52, E17. And amounts: 1st, 5pm, 100ml.
_CODE = re.compile(
    r"[a-z]{1,2}\d+[a-z]?|[a-z]{1,2}\d{2,}[a-z]{2}|\d+(?:st|nd|rd|th|ish|s|am|pm|x|k|m|p|g|kg|mg|ml|l|cl|mm|cm|km|ft|in|lbs?|hrs?|h|mins?|"
    r"secs?|yrs?|y|yo|d|wks?|mths?|bn|gb|mb)"
)
# Letters that look Latin only as capitals: they read so in small, too, so that a word is the same in both.
_OTHERS = dict(zip("квмнтзκτμηβεχ", "kbmhtektmnbex", strict=True)) | {"ł": "l", "ø": "o", "đ": "d", "ß": "ss"}


class _PlainFolds(dict[int, str]):
    """Maps each code point to how it reads, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", chr(code)).casefold())
        self[code] = "".join(map(self._read, plain))
        return self[code]

    @staticmethod
    def _read(char: str) -> str:
        if char.isascii():
            return char
        if char.isspace():
            return " "
        if char in "‘’ʼ´":
            return "'"
        category = unicodedata.category(char)
        if category[0] == "M" or category in {"Cf", "Cs"}:  # half of a pair is no character, and no pattern reads it
            return ""
        if char in _OTHERS:
            return _OTHERS[char]
        looks = (latin_look_alike(char) or "").casefold()
        return looks if looks.isalpha() else char


_FOLDS = _PlainFolds()


class Word(NamedTuple):
    """Something that reads as these words: any of them, and where in the folded text it stands."""

    readings: tuple[str, ...]
    start: int
    end: int


class Dressed:
    """A text as it reads plainly and tightly, with the places of its words."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = text.translate(_FOLDS)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words as they read plainly, without their places."""
        found = _WORD.findall(self.folded)
        return tuple(map(_bare, found) if _MARKS.search(self.folded) else found)

    @cached_property
    def plain(self) -> list[Word]:
        """The words as they read plainly."""
        return [Word((_bare(found[0]),), *found.span()) for found in _WORD.finditer(self.folded)]

    @cached_property
    def tight(self) -> list[Word]:
        """The words in order, with what each may be meant as; empty where nothing is in disguise."""
        chunks = set(self.folded.split())
        english = set(filter(str.isalpha, chunks & frequent_english()))  # these are in no disguise
        read = {chunk: _read(chunk) for chunk in chunks - english}
        if all(len(readings) == 1 for readings in read.values()):
            return []
        read.update((word, (word,)) for word in english)
        return [Word(read[found[0]], *_trimmed(found)) for found in _CHUNK.finditer(self.folded)]

    @cached_property
    def starred(self) -> list[Word]:
        """The words with a star for a letter."""
        if "*" not in self.folded:
            return []
        return [Word((found[0],), *found.span()) for found in _STARRED.finditer(self.folded)]

    @cached_property
    def spelt(self) -> list[Word]:
        """The words whose letters stand apart."""
        if self.folded.isascii() and not _SPELT_SOON.search(self.folded):
            return []
        found = []
        for run in _SPELT.finditer(self.folded):
            letters = [letter.start() for letter in _ALONE.finditer(self.folded, *run.span())]
            for first in range(min(len(letters) - SHORTEST_SPELT + 1, SINGLES_MAX + 1)):
                if first and self.folded[letters[first - 1]] not in _SINGLES:
                    break
                joined = "".join(self.folded[at] for at in letters[first:])
                found.append(Word(tuple(_readings(joined)), letters[first], run.end()))
        return found

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the part of the text that this part of the folded text comes from."""
        return self._origins[start], self._origins[end - 1] + 1

    @cached_property
    def _origins(self) -> list[int]:
        lengths = [len(_FOLDS[ord(char)]) for char in self.text]
        ends = pairwise(accumulate(lengths, initial=0))
        return [position for position, (begin, end) in enumerate(ends) for _ in range(end - begin)]


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text as they read plainly."""
    return Dressed(text).words


def _trimmed(chunk: re.Match[str]) -> tuple[int, int]:
    """Return where what is between spaces stands without the punctuation around it."""
    core = chunk[0].strip(_EDGES).rstrip(_AT_END) or chunk[0]
    start = chunk.start() + chunk[0].index(core)
    return start, start + len(core)


def _bare(word: str) -> str:
    return word if word.isalnum() else _MARKS.sub("", word)


def _read(chunk: str) -> tuple[str, ...]:
    """Return what stands between spaces as it may be meant, and last as it reads plainly."""
    bare = _BARE.fullmatch(chunk)
    if bare and not _TWICE.search(chunk):
        return (bare[1],)
    meant = _meant(chunk) if len(chunk) <= 3 * LONGEST else ()
    return (*meant, bare[1] if bare else _bare(chunk.strip(_AT_END)))


def _meant(chunk: str) -> Iterator[str]:
    """Yield what a word between spaces may be meant as, beside how it reads plainly."""
    given = set[str]()
    for core in (chunk.strip(_EDGES).rstrip(_AT_END), chunk.strip(_AT_END)):
        for piece in _pieces(core):
            if 2 < len(piece) <= LONGEST and piece not in given:
                given.add(piece)
                yield from _readings(piece)


def _pieces(core: str) -> Iterator[str]:
    """Yield a word whose parts may be joined, as a whole, and the parts of what is written without a space."""
    parts = [part for part in _JOINTS.split(core) if part]
    if len(parts) < 2:
        yield core
        return
    is_spelt = all(len(part) == 1 for part in parts)
    # A dot without a space after it ends a sentence more often than it hides a word.
    if is_spelt or not _NEEDS_CARE.search(core) or any(len(part) == 1 for part in parts[1:-1]):
        yield "".join(parts)
    yield from (part for part in parts if len(part) > 2)


def _readings(word: str) -> Iterator[str]:
    """Yield what a word may be meant as: signs and digits are letters, and letters stand too often."""
    if word in frequent_english() or word.isdigit():
        return
    if _HAS_LEET.search(word) and (not _HAS_LETTER.search(word) or _CODE.fullmatch(word)):
        return
    shrunk = _STRETCHED.sub(r"\1\1", word)
    shortest = 1 if shrunk != word else SHORTEST_DOUBLED
    letters = [_LEET.get(char, char) for char in shrunk]
    spellings = ("".join(spelling) for spelling in product(*letters))
    meant = (shorter for spelling in spellings for shorter in _shorter(spelling, shortest))
    yield from islice(meant, READINGS_MAX)


def _shorter(word: str, shortest: int) -> Iterator[str]:
    """Yield a word with each letter that stands twice once and twice; no shorter word than that."""
    runs = [run[0] for run in _RUN.finditer(word)]
    for lengths in product(*((len(run), 1) if len(run) > 1 else (1,) for run in runs)):
        if sum(lengths) == len(word) or sum(lengths) >= shortest:
            yield "".join(run[0] * length for run, length in zip(runs, lengths, strict=True))
