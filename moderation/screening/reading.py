"""A text as it is read for crisis words: small letters, short forms written out, one space between words.

However a word is dressed (accents, full width, emphasis, invisible letters, apostrophes) and however it is written on a
phone, it reads the same. Each word remembers where it stands in the text.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import re2

from moderation.screening.frequent_words import frequent_english, latin_look_alike
from moderation.screening.patterns import options

STOP = "."  # the end of a sentence or line
SHORTEST_SLIP = 4  # letters: a slip in a shorter word makes another word too easily
LONGEST_WORD = 30  # what is longer is no word, and is read by its beginning
FEWEST_LINES, NARROWEST = 3, 40  # lines of a paragraph, and characters, by which one tells that a machine broke them
_STOPS = frozenset(".!?;:\n>")
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.!?;:\n>]")
_BLOCK = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
# What is left where a machine turned apostrophes into spaces: "don t", "i m".
_LOST = re.compile(
    r"\b(do|does|did|ca|wo|is|are|was|were|have|has|had|could|would|should|ai)n t\b"
    r"|\b(i|you|we|they|he|she|it|that|there|what) (m|ve|ll|re)\b"
)
# A word whose letters stand apart: "k i l l", "k.y.s". It does not begin with "a" or "I", which are words.
_SPELT = re.compile(r"(?<![\w'])[b-hj-z](?:[ .][a-z]){2,}(?![\w'])")
# Words that sound alike: "won't to" and "want too" mean "want to" before what somebody wants to do.
_WONT = re.compile(r"\bwon'?t(?= too? [a-z])")
_TOO = re.compile(
    r"\b((?:want|wish|need|plann?(?:ing)?|try(?:ing)?|tried|going|ready|about) +)too"
    r"(?= [a-z])(?! (?:much|many|far|long|soon)\b)"
)
_MARKED = re.compile(r"[a-z]+(?:![a-z]+)+")  # "k!ll"
# Hardly any text has one of these: this tells fast.
_DRESSED_SOON = re2.compile(
    rf"{_LOST.pattern}|\b[b-hj-z](?:[ .][a-z]){{2}}\b|\bwon'?t too? |\w too [a-z]|[a-z]![a-z]", options()
)
# A line that ends with one of these goes on in the next, which then does not begin with "I".
_OPEN = r"\b(?:a|an|the|my|your|our|their|his|to|of|from|and|or|but|because|if|not|never|do(?:es)?n'?t|didn'?t)"
_UNFINISHED = re.compile(rf"({_OPEN})( *\n *)(?!i\b|i'?(?:m|d|ll|ve)\b)(?=[a-z0-9])")
# The end of a line within a paragraph, which can be the end of a sentence, or not. Points of a list stay apart.
_WRAPPED = re.compile(r"(?<=[a-z0-9',]) *\n(?=[a-z0-9'])(?!\d{1,2}[.)])")
# Hardly any text has one of these: this tells fast.
_UNFINISHED_SOON = re2.compile(rf"{_OPEN} *\n *[a-z0-9]", options())
_WRAPPED_SOON = re2.compile(r"[a-z0-9',] *\n[a-z0-9']", options())
_LONG = re.compile(r"(.)\1{2,}")  # "dieeee"
_DIGITS = [str.maketrans("0134578", letters) for letters in ("oieastb", "oleastb")]  # "d1e", "se1f"
_ENDINGS = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'s": "s"}
_ENGLISH_MOST = 12_000  # of the encyclopaedia: rarer words are more often slips of others


class _Folds(dict[int, str]):
    """Maps each code point to how it reads, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKD", chr(code)).casefold()
        self[code] = "".join(map(self._read, plain))
        return self[code]

    @staticmethod
    def _read(char: str) -> str:
        if char == "\n":
            return char
        if char.isspace() or char in "-‐‑‒–—/":
            return " "
        if char in "'’‘ʼ`´":
            return "'"
        # Accents, invisible characters and Markdown's emphasis do not split a word.
        if char in "*_~" or unicodedata.category(char) in {"Mn", "Cf"}:
            return ""
        looks = "" if char.isascii() else latin_look_alike(char) or ""
        return looks.lower() if looks.isalpha() else char


_FOLDS = _Folds()
_SIGNS_BEYOND = re.compile(r"[^\w\x00-\x7f]+")  # beyond ASCII, and no letters: mostly emoji
_NOTHING = "\0"  # in the place of what does not split a word
# The same for a text of ASCII, and what is neither word nor stop there: with a table of so few, Python is much faster.
_ASCII_FOLDS = "".join(_FOLDS[code] or _NOTHING for code in range(128))
_ASCII_GAPS = str.maketrans(
    {char: " " for char in map(chr, range(128)) if not char.isalnum() and char not in _STOPS | {"'"}}
)


@dataclass(frozen=True)
class Dictionary:
    """How words are written on a phone, and which words are found also with a slip of one letter."""

    written: Mapping[str, str]
    sought: Collection[str]  # short ones too, in which no slip is looked for

    @cached_property
    def _by_gap(self) -> Mapping[str, Sequence[str]]:
        """Return for each sought word, with each of its letters left out once, the words."""
        found = defaultdict[str, list[str]](list)
        for word in sorted(self.sought):
            if len(word) >= SHORTEST_SLIP:
                for gap in {word, *_gaps(word)}:
                    found[gap].append(word)
        return found

    @cached_property
    def _known(self) -> dict[str, str]:
        """Stops, and words of English that were read before, and how: people write the same ones again and again."""
        return dict.fromkeys(_STOPS, STOP)

    def reads(self, tokens: Iterable[str]) -> list[str]:
        """Return how folded words and stops read: each as `read` does, and fast for words of English."""
        known, others = self._known, dict[str, str]()
        return [known.get(token) or others.get(token) or self._learn(token, others) for token in tokens]

    def _learn(self, token: str, others: dict[str, str]) -> str:
        """Return how a word reads that is not known, and note it: for good if it is one of English."""
        meant = self.read(token)
        kept = self._known if token in frequent_english(_ENGLISH_MOST) or token in self.sought else others
        kept[token] = meant
        return meant

    def read(self, token: str) -> str:
        """Return a folded word as it reads: several words for a short form, the right word for a slip of one letter."""
        bare = token.replace("'", "")
        if meant := self.written.get(token) or self.written.get(bare) or self.written.get(token.replace("'", " ")):
            return meant
        if 2 < len(bare) == token.count("'") + 1:
            return bare  # its letters stood apart
        if token.startswith("t'"):  # as in the north of England: "t'bridge"
            return f"the {self.read(token[2:])}"
        stem, mark, _ = token.rpartition("'")
        if mark and (ending := _ENDINGS.get(token[len(stem) :])):
            return f"{self.read(stem)} {ending}"
        if bare.endswith("nt") and mark:
            return f"{bare[:-2]} not"
        return self._without_slip(bare)

    def _without_slip(self, word: str) -> str:
        """Return the sought word of which this is a slip: a letter left out, too many, wrong or with its neighbour."""
        if word.endswith("in") and word not in self.sought and f"{word}g" in self.sought:
            return f"{word}g"  # as it is spoken: "breathin"
        if word in frequent_english(_ENGLISH_MOST) or word in self.sought:
            return word[:LONGEST_WORD]
        if meant := self._undressed(word[:LONGEST_WORD]):
            return meant
        if not SHORTEST_SLIP - 1 <= len(word) <= LONGEST_WORD // 2 or not word.isascii() or not word.isalpha():
            return word[:LONGEST_WORD]
        slips = {meant for gap in [word, *_gaps(word)] for meant in self._by_gap.get(gap, ()) if _is_slip(word, meant)}
        return min(slips, key=lambda meant: (*_unlikeliness(word, meant), meant), default=word)

    def _undressed(self, word: str) -> str | None:
        """Return the sought word that was written with digits for letters, or with a letter many times."""
        if _LONG.search(word):
            fewer = [_LONG.sub(r"\1\1", word), _LONG.sub(r"\1", word)]
        elif word.isascii() and word.isalnum() and not word.isalpha() and not word.isdigit():
            fewer = [word.translate(letters) for letters in _DIGITS]
        else:
            return None
        return next((self.written.get(one, one) for one in fewer if one in self.sought or one in self.written), None)

    def undress(self, folded: str) -> str:
        """Return a folded text in which words that were written apart, or as others that sound alike, are themselves.

        Each stays as long as it was, so that each word keeps its place.
        """
        if _DRESSED_SOON.search(folded):
            folded = _LOST.sub(lambda lost: lost[0].replace(" ", "'"), folded)
            folded = _SPELT.sub(self._joins, folded)
            folded = _WONT.sub(lambda wont: "want".ljust(len(wont[0])), folded)
            folded = _TOO.sub(r"\1to ", folded)
            folded = _MARKED.sub(self._joins, folded)
        if self._apart and self._apart[0].search(folded):
            folded = self._apart[1].sub(lambda apart: apart[0].replace(" ", "'"), folded)
        return folded

    @cached_property
    def _apart(self) -> tuple["re2._Regexp", re.Pattern[str]] | None:
        """Return what finds the short forms of several words, with google-re2, which tells fast, and with `re`."""
        either = "|".join(re.escape(written) for written in self.written if " " in written)
        return (re2.compile(rf"\b(?:{either})\b", options()), re.compile(rf"\b(?:{either})\b")) if either else None

    def _joins(self, parted: re.Match[str]) -> str:
        """Return a word with marks between its letters that do not part it, if it is sought: "k.m.s", "k!ll"."""
        bare = re.sub("[ .]", "", parted[0])
        if "!" in bare:
            plain = bare.replace("!", "i")
            return plain if plain in self.sought or plain in self.written else parted[0]
        return re.sub("[ .]", "'", parted[0]) if bare in self.sought or bare in self.written else parted[0]


def _gaps(word: str) -> Iterator[str]:
    """Yield a word without each of its letters."""
    return (word[:at] + word[at + 1 :] for at in range(len(word)))


def _is_slip(word: str, meant: str) -> bool:
    """Return whether two words differ by one letter, or by two neighbours that changed places."""
    if word[0] != meant[0] and sorted(word) != sorted(meant):
        return False  # the first letter is hardly ever wrong: "rang" is no "hang"
    longer, shorter = max(word, meant, key=len), min(word, meant, key=len)
    if len(longer) != len(shorter):
        return shorter in set(_gaps(longer))
    differing = [at for at, (one, other) in enumerate(zip(word, meant, strict=True)) if one != other]
    if len(differing) == 1:
        return True
    first, second = (differing[0], differing[-1]) if len(differing) == 2 else (0, 0)
    return second == first + 1 and word[first] == meant[second] and word[second] == meant[first]


def _unlikeliness(word: str, meant: str) -> tuple[bool, bool]:
    """Return how unlikely a slip is: letters change places sooner than one is left out, and that than one is wrong."""
    return sorted(meant) != sorted(word), len(meant) == len(word)


@dataclass(frozen=True)
class Reading:
    """The words of a text with a space between them and around them, and where each comes from."""

    text: str
    words: str
    folded: str
    dictionary: Dictionary

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the part of the text from which these words were read; stops at its beginning are no part of it."""
        starts, tokens = self._places
        first, last = bisect_right(starts, start) - 1, bisect_left(starts, end) - 1
        while first < last and self.words.startswith(f"{STOP} ", starts[first]):
            first += 1
        return self._origins[tokens[first][0]], self._origins[tokens[last][1] - 1] + 1

    @cached_property
    def unwrapped(self) -> "Reading | None":
        """The same with the lines of each paragraph joined; None where there is nothing to join."""
        if not _WRAPPED_SOON.search(self.folded):
            return None
        joined = _WRAPPED.sub(lambda wrap: " " * len(wrap[0]), self.folded)
        return _reading(self.text, joined, self.dictionary) if joined != self.folded else None

    @cached_property
    def _places(self) -> tuple[list[int], list[tuple[int, int]]]:
        """For each word, where it begins in `words`, and the part of the folded text that it was read from."""
        starts, tokens, length = [1], [(0, 1)], len(f" {STOP} ")
        found = [*_TOKEN.finditer(self.folded)]
        for token, reads in zip(found, self.dictionary.reads(token[0] for token in found), strict=True):
            for word in reads.split(" "):
                starts.append(length)
                tokens.append(token.span())
                length += len(word) + 1
        return starts, tokens

    @cached_property
    def _origins(self) -> list[int]:
        """For each character of the folded text, the position in the written text that it comes from."""
        lengths = [len(_FOLDS[ord(char)]) for char in self.text]
        ends = pairwise(accumulate(lengths, initial=0))
        return [position for position, (begin, end) in enumerate(ends) for _ in range(end - begin)]


def read(text: str, dictionary: Dictionary) -> Reading:
    """Read a text. Blocks that are quoted with `>` are somebody else's words, and are left out."""
    own = _BLOCK.sub(lambda block: " " * len(block[0]), text) if ">" in text else text
    folded = _folded(own)
    if "\n" in folded:
        folded = "\n\n".join(map(_unwrapped, folded.split("\n\n")))
        if _UNFINISHED_SOON.search(folded):
            folded = _UNFINISHED.sub(lambda end: f"{end[1]}{' ' * len(end[2])}", folded)
    return _reading(own, folded, dictionary)


def _reading(own: str, folded: str, dictionary: Dictionary) -> Reading:
    folded = dictionary.undress(folded)
    words = " ".join(dictionary.reads(_tokens(folded)))
    return Reading(own, f" {STOP} {words}{words and ' '}{STOP} ", folded, dictionary)


def _unwrapped(paragraph: str) -> str:
    """Join the lines that a machine broke: none had room for the first word of the next."""
    lines = paragraph.split("\n")
    widest = max(map(len, lines))
    if len(lines) < FEWEST_LINES or widest < NARROWEST:
        return paragraph
    is_full = (len(line) + 1 + len(after.partition(" ")[0]) > widest for line, after in pairwise(lines))
    return " ".join(lines) if all(is_full) else paragraph


def _folded(text: str) -> str:
    if not text.isascii() or _NOTHING in text:
        return text.translate(_FOLDS)
    return text.translate(_ASCII_FOLDS).replace(_NOTHING, "")


def _tokens(folded: str) -> list[str]:
    """Return the words and stops of a folded text: as `_TOKEN` finds them, in a third of the time for ASCII."""
    if not folded.isascii():
        folded = _SIGNS_BEYOND.sub(" ", folded)
        if not folded.isascii():
            return _TOKEN.findall(folded)
    apart = folded.translate(_ASCII_GAPS)
    for stop in _STOPS:
        if stop in apart:
            apart = apart.replace(stop, f" {stop} " if stop != "\n" else f" {STOP} ")
    tokens = apart.split()
    if "'" not in apart:
        return tokens
    return [word for token in tokens for word in ((token,) if "'" not in token else _TOKEN.findall(token))]
