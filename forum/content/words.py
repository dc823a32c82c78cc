"""Words as people read them: how a text is compared with what it may repeat, and what a quote says.

Words are compared folded: without case, accents and the characters that nobody sees.
"""

import html
import re
import unicodedata
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from operator import or_
from typing import TypeVar

from forum.core.text import INVISIBLE

Item = TypeVar("Item")
Span = tuple[int, int]
Runs = Mapping[tuple[str, ...], tuple[bool, ...]]

RUN = 4  # words in a row that a quote in the same thread does not repeat by chance
COPY = 6  # and in any thread of the forum
SHORTEST_REPEAT = 4  # characters: fewer may be repeated by chance

# What nobody sees, with what surrounds an annotation; and marks that join the letter before.
_UNSEEN = f"{INVISIBLE}\ufff9-\ufffb"
COMBINING = "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
UNSEEN = re.compile(f"[{_UNSEEN}]")
WORD = re.compile(rf"(?:[^\W_][{_UNSEEN}{COMBINING}]*)+")
LINE = re.compile(r"^.*$", re.MULTILINE)
MARKS = re.compile(r"\[removed(?:: rules? [0-9]+(?:, [0-9]+)*(?: and [0-9]+)?)?\]")

_MARK_OR_WORD = re.compile(rf"{MARKS.pattern}|(?P<word>{WORD.pattern})")
_DROPPED = re.compile(f"[{_UNSEEN}{COMBINING}]")


def folded(word: str) -> str:
    """Return a word as it is compared: without case, accents and invisible characters."""
    if word.isascii():
        return word.lower()
    return _DROPPED.sub("", unicodedata.normalize("NFKD", word)).casefold()


def own_lines(text: str) -> list[Span]:
    """Return the lines of a text that are neither empty nor a quote."""
    return [line.span() for line in LINE.finditer(text) if line[0].strip() and not line[0].lstrip().startswith(">")]


def words_in(text: str, start: int, end: int) -> list[re.Match[str]]:
    """Return the words of a part of a text, without those of marks, which nobody wrote."""
    return [found for found in _MARK_OR_WORD.finditer(text, start, end) if found["word"]]


def runs_of(body: str, spans: Sequence[Span]) -> Runs:
    """Return every run of up to `RUN` words of a text, and which of its words the spans take out."""
    words, taken = _marked_words(body, spans)
    runs: dict[tuple[str, ...], tuple[bool, ...]] = {}
    for size in range(1, RUN + 1):
        for run, removal in zip(_windows(words, size), _windows(taken, size), strict=True):
            known = runs.setdefault(run, removal)
            if known != removal:
                runs[run] = tuple(map(or_, known, removal))
    return runs


def repeated(text: str, passages: Sequence[Span], runs: Runs) -> list[Span]:
    """Return where passages of a text repeat words that the runs take out: joined where no word is between them.

    A repeat is known by `RUN` of its words in a row, or by a whole line of it, however short.
    """
    found = list[Span]()
    for row in _rows_in(text, passages):
        words = [folded(word[0]) for word in row]
        for first, run in enumerate(_windows(words, min(RUN, len(row)))):
            found += [row[first + at].span() for at, is_taken in enumerate(runs.get(run, ())) if is_taken]
    return _joined(text, found)


def digests_of_passages(text: str, passages: Sequence[Span]) -> list[int]:
    """Return a number for each run in these passages, of both lengths, by which a repeat of a text is found."""
    runs = set[tuple[str, ...]]()
    for row in _rows_in(text, passages):
        words = [folded(word[0]) for word in row]
        for size in (RUN, COPY):
            runs.update(_windows(words, min(size, len(words))))
    return sorted({_digest(run) for run in runs})


def digests_of_removal(body: str, spans: Sequence[Span], size: int) -> set[int]:
    """Return the numbers of all runs of a text that have a word of these spans.

    With the size `RUN`, those of shorter runs too: a whole line may be as short.
    """
    words, taken = _marked_words(body, spans)
    lengths = (size,) if size > RUN else range(1, size + 1)
    return {
        _digest(run)
        for length in lengths
        for run, removal in zip(_windows(words, length), _windows(taken, length), strict=True)
        if any(removal)
    }


def _marked_words(body: str, spans: Sequence[Span]) -> tuple[list[str], list[bool]]:
    """Return the words of a text as they are compared, and of each whether a span touches it."""
    found, ordered = words_in(body, 0, len(body)), sorted(spans)
    # Of the spans that begin before a word ends, the one that reaches farthest.
    starts, reached = [start for start, _ in ordered], [*accumulate((end for _, end in ordered), max)]
    before = [bisect_left(starts, word.end()) for word in found]
    taken = [count > 0 and reached[count - 1] > word.start() for word, count in zip(found, before, strict=True)]
    return [folded(word[0]) for word in found], taken


def _windows(items: Sequence[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """Return every run of so many items in a row."""
    return zip(*(islice(items, first, None) for first in range(size)), strict=False)


def _rows_in(text: str, passages: Sequence[Span]) -> Iterator[Sequence[re.Match[str]]]:
    """Yield the words in which a repeat is sought: of each passage in a row, and of each line with fewer than `RUN`."""
    for passage in passages:
        lines = [words_in(text, *line.span()) for line in LINE.finditer(text, *passage)]
        for words in ([word for line in lines for word in line], *(line for line in lines if len(line) < RUN)):
            if sum(len(word[0]) for word in words) >= SHORTEST_REPEAT:
                yield words


def _digest(run: Sequence[str]) -> int:
    return zlib.crc32(" ".join(run).encode()) - 2**31  # as PostgreSQL's integer has it


def _joined(text: str, spans: Collection[Span]) -> list[Span]:
    """Return the spans in order, joined where no word is between them."""
    joined: list[Span] = []
    for start, end in sorted(set(spans)):
        if joined and (start < joined[-1][1] or not WORD.search(text, joined[-1][1], start)):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


# What a quote says, and whether somebody said that

_OPENS, _CLOSES, _LINKED = "\x02", "\x03", "\x04"  # a quote inside a text, and the address of a link
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SOURCED = re.compile(
    r'<blockquote data-post="([0-9]+)" data-author="([^"]*)"[^>]*>\s*<p class="quote-source"[^>]*>[^<]*</p>'
)
_LINK = re.compile(r'<a href="([^"]*)"[^>]*>')
_INLINE = re.compile(r"</?(?:a|em|strong|s|code|span|bdi)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")
_SOURCE = re.compile(rf"({_OPENS} ?@\S+ #[0-9]+)(?: wrote)?:?(?= )")
_OWN_SOURCE = re.compile(rf"{_OPENS} @\S+ #[0-9]+")
_SPACE = re.compile(r"\s+")
# Phones and word processors change these.
_ALIKE = str.maketrans("‘’‚‛“”„‟‐‑‒–—―", "''''\"\"\"\"------")
_GAP = re.compile(r"\[\.\.\.\]|\[removed(?:: rules? [0-9][0-9, and]*)?\]")
_LETTER = re.compile(r"\w")


def said_in(body_html: str) -> str:
    """Return what a rendered text says, with its links and its own quotes marked, in the form that is compared."""
    text = _SOURCED.sub(r"<blockquote>@\2 #\1 ", _CONTROL.sub("", body_html))
    text = text.replace("<blockquote", f" {_OPENS} <blockquote").replace("</blockquote>", f" {_CLOSES} ")
    text = _TAG.sub(" ", _INLINE.sub("", _LINK.sub(rf"{_LINKED}\1{_LINKED}", text)))
    text = unicodedata.normalize("NFKC", html.unescape(text)).translate(_ALIKE).casefold()
    return _SOURCE.sub(r"\1", _SPACE.sub(" ", UNSEEN.sub("", text))).strip()


def said_in_quote(quote_html: str) -> str:
    """Return what a rendered quote says below the line that names its source."""
    return _OWN_SOURCE.sub("", said_in(quote_html).removesuffix(_CLOSES), count=1).strip()


def stands_in(quote: str, text: str) -> bool:
    """Return whether a text says all of a quote: both in the form that is compared.

    The words of the quote stand in the text in the same order, but for what a […] or a moderator's mark leaves out.
    What the text itself quotes is no word of its author, and what the quote quotes is none either.
    """
    if not _LETTER.search(_GAP.sub("", quote)):
        return False
    levels, level, reached = _Levels(text), 0, 0
    for part in _GAP.split(quote):
        if words := part.strip():
            found = levels.find(words, level, reached)
            if found is None:
                return False
            reached = found + len(words)
        level += part.count(_OPENS) - part.count(_CLOSES)
    return True


def find_saying(quote: str, html_texts: Sequence[str]) -> int | None:
    """Return which of these rendered texts, the first one, says all of a quote, or None."""
    return next((place for place, text in enumerate(html_texts) if stands_in(quote, said_in(text))), None)


class _Levels:
    """A text, and how many quotes each part of it is inside."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.turns = [0, *(turn.end() for turn in re.finditer(f"[{_OPENS}{_CLOSES}]", text)), len(text) + 1]
        changes = (1 if text[at - 1] == _OPENS else -1 for at in self.turns[1:-1])
        self.levels = [0, *accumulate(changes)]

    def find(self, words: str, level: int, start: int) -> int | None:
        """Return where the words begin at or after `start`, whole and at this level, or None."""
        at = self.text.find(words, start)
        while at >= 0:
            turn = bisect_right(self.turns, at) - 1
            if self.levels[turn] != level:
                at = self.text.find(words, self.turns[turn + 1])
            elif self._is_inside_word(at) or self._is_inside_word(at + len(words)):
                at = self.text.find(words, at + 1)
            else:
                return at
        return None

    def _is_inside_word(self, at: int) -> bool:
        return 0 < at < len(self.text) and self.text[at - 1].isalnum() and self.text[at].isalnum()
