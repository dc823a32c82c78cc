"""Redaction: ranges of a text become a marker that says why, and nothing else changes."""

import difflib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from forum.core.errors import Invalid

Span = tuple[int, int]
Runs = Mapping[tuple[str, ...], tuple[bool, ...]]

SHORTEST_ECHO = 4  # characters: a shorter run of words is repeated by chance
ENOUGH = 4  # words in a row that are no chance in a quote
WORD = re.compile(r"[^\W_]+")
LINE = re.compile(r"^.*$", re.MULTILINE)
QUOTE = re.compile(r"(?:^[ \t]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)*>.*(?:\n|\Z))+", re.MULTILINE)
MARKS = re.compile(r"\[removed(?:: rules? [0-9]+(?:, [0-9]+)*(?: and [0-9]+)?)?\]")
WHOLE = re.compile(r".*", re.DOTALL)


def marker(rules: Sequence[int]) -> str:
    """What stands where words were taken out: "[removed: rule 10]", "[removed: rules 3 and 10]", "[removed]"."""
    return f"[removed: {cited(rules)}]" if rules else "[removed]"


def cited(rules: Sequence[int]) -> str:
    """The rules as a reader names them: "rule 10", "rules 3 and 10", "rules 1, 3 and 10"."""
    numbers = [str(number) for number in sorted(set(rules))]
    if len(numbers) == 1:
        return f"rule {numbers[0]}"
    return f"rules {', '.join(numbers[:-1])} and {numbers[-1]}"


def checked(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans in order, `[start, end)` in code points of `text`; Invalid when one is empty, outside or overlaps."""
    ordered = sorted((start, end) for start, end in spans)
    reached = 0
    for start, end in ordered:
        if not reached <= start < end <= len(text):
            raise Invalid(
                f"The span {start} to {end} is empty, overlaps another or lies outside the {len(text)} characters.",
                "#/measures",
            )
        reached = end
    return ordered


def redacted(text: str, spans: Iterable[Span], mark: str) -> str:
    """`text` with each span replaced by `mark`; Invalid as `checked` says."""
    kept, reached = [], 0
    for start, end in checked(text, spans):
        kept += [text[reached:start], mark]
        reached = end
    return "".join([*kept, text[reached:]])


def excerpts(text: str, spans: Iterable[Span]) -> list[str]:
    """The words that the spans take out."""
    return [text[start:end] for start, end in checked(text, spans)]


def own_lines(text: str) -> list[Span]:
    """The lines of a text that say something and quote nobody."""
    return [line.span() for line in LINE.finditer(text) if line[0].strip() and not line[0].lstrip().startswith(">")]


@dataclass(frozen=True)
class MaskedText:
    """A whole text, the same as words were taken out of it, and which span of the whole each character stands for."""

    whole: str
    text: str
    origins: Sequence[Span]
    gone: Sequence[Span] = ()

    @classmethod
    def of(cls, text: str) -> "MaskedText":
        """The whole text: each character stands for itself."""
        return cls(text, text, [(at, at + 1) for at in range(len(text))])

    def without(self, spans: Iterable[Span], mark: str) -> "MaskedText":
        """The text with each span replaced by `mark`, which stands for all that the span stood for."""
        ordered = checked(self.text, spans)
        gone, origins, reached = self._meant(ordered), list[Span](), 0
        for (start, end), meant in zip(ordered, gone, strict=True):
            origins += [*self.origins[reached:start], *[meant] * len(mark)]
            reached = end
        origins += self.origins[reached:]
        return MaskedText(self.whole, redacted(self.text, ordered, mark), origins, [*self.gone, *gone])

    def to_original(self, spans: Iterable[Span]) -> list[Span]:
        """What these spans of the text stand for in the whole; of a mark that they touch, all of it."""
        return _merged(self._meant(checked(self.text, spans)))

    def from_original(self, spans: Iterable[Span]) -> list[Span]:
        """Where the text has, or a mark stands for, something of these spans of the whole."""
        found = [
            (
                bisect_right(self.origins, start, key=lambda origin: origin[1]),
                bisect_left(self.origins, end, key=lambda origin: origin[0]),
            )
            for start, end in spans
        ]
        return _merged(found)

    def is_gone(self, span: Span) -> bool:
        """Whether all of this span of the whole is gone already."""
        return any(start <= span[0] and span[1] <= end for start, end in self.gone)

    def _meant(self, spans: Iterable[Span]) -> list[Span]:
        return [(self.origins[start][0], self.origins[end - 1][1]) for start, end in spans]


@dataclass(frozen=True)
class Removal:
    """What a measure takes out of a post, to be found again wherever somebody repeats it."""

    wordings: Sequence[tuple[str, Sequence[Span]]]  # how the post said it, and which spans of that go
    mark: str
    phrases: Sequence[str]  # marked wherever they stand; the rest of the spans in quotes only

    def apply(self, masked: MaskedText, *, quotes_only: bool = True) -> MaskedText:
        """`told` without what was taken out: looked for in the whole, for others may have taken a part of it."""
        rest = without_echoes(MaskedText.of(masked.whole), self.phrases, self.mark)
        for said, spans in self.wordings:
            rest = without_quotes(rest, runs_of(said, spans), self.mark, quotes_only=quotes_only)
        return masked.without(
            masked.from_original(span for span in sorted(rest.gone) if not masked.is_gone(span)), self.mark
        )

    def apply_to_text(self, text: str, *, quotes_only: bool = True) -> str:
        """`text` without what was taken out."""
        return self.apply(MaskedText.of(text), quotes_only=quotes_only).text

    def occurs_in(self, text: str) -> bool:
        """Whether a text by the same author, or one that quotes them, says it."""
        return any(text == said for said, _ in self.wordings) or self.apply_to_text(text, quotes_only=False) != text


def replaced(before: str, after: str) -> list[Span]:
    """The ranges of `before` of which nothing is left in `after`, word by word."""
    old, new = list(WORD.finditer(before)), list(WORD.finditer(after))
    same = difflib.SequenceMatcher(None, [word[0] for word in old], [word[0] for word in new], autojunk=False)
    gone = [(first, last) for kind, first, last, *_ in same.get_opcodes() if kind in {"delete", "replace"}]
    return [(old[first].start(), old[last - 1].end()) for first, last in gone]


def without_echoes(masked: MaskedText, words: Iterable[str], mark: str) -> MaskedText:
    """`told` in which others' repetition of `words` is marked too.

    A quote puts "> " before each line, a phone changes case and spaces, somebody adds emphasis; none hides the words.
    """
    for said in sorted(words, key=len, reverse=True):
        if len(said.strip()) >= SHORTEST_ECHO:
            pieces = map(re.escape, said.split())
            echoes = re.finditer(r"[\s>*_~]+".join(pieces), masked.text, flags=re.IGNORECASE)
            masked = masked.without([echo.span() for echo in echoes], mark)
    return masked


def without_quotes(masked: MaskedText, runs: Runs, mark: str, *, quotes_only: bool = True) -> MaskedText:
    """`told` in which quotes are marked where they repeat words of these runs that are taken out.

    A quote is known by `ENOUGH` of its words in a row, or by a whole line of it, however short.
    """
    text, echoed = masked.text, list[Span]()
    for passage in (QUOTE if quotes_only else WHOLE).finditer(text):
        lines = [_words(text, *line.span()) for line in LINE.finditer(text, *passage.span())]
        for words in ([word for line in lines for word in line], *(line for line in lines if len(line) < ENOUGH)):
            size = min(ENOUGH, len(words))
            if sum(len(word[0]) for word in words) < SHORTEST_ECHO:
                continue
            for first in range(len(words) - size + 1):
                run = words[first : first + size]
                removal = runs.get(tuple(word[0].casefold() for word in run), ())
                echoed += [word.span() for word, is_taken in zip(run, removal, strict=False) if is_taken]
    return masked.without(_joined(text, echoed), mark)


def runs_of(said: str, spans: Sequence[Span]) -> Runs:
    """Every run of up to `ENOUGH` words of a text, and which of its words the spans take out."""
    words = [
        (word[0].casefold(), any(start < word.end() and word.start() < end for start, end in spans))
        for word in _words(said, 0, len(said))
    ]
    runs: dict[tuple[str, ...], tuple[bool, ...]] = {}
    for size in range(1, ENOUGH + 1):
        for first in range(len(words) - size + 1):
            run, removal = zip(*words[first : first + size], strict=True)
            known = runs.get(run, (False,) * size)
            runs[run] = tuple(one or other for one, other in zip(known, removal, strict=True))
    return runs


def _words(text: str, start: int, end: int) -> list[re.Match[str]]:
    """The words of a part of a text; those of a mark are nobody's."""
    marks = [mark.span() for mark in MARKS.finditer(text, start, end)]
    words = WORD.finditer(text, start, end)
    return [word for word in words if not any(first < word.start() < last for first, last in marks)]


def _joined(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those joined between which there is no word."""
    joined: list[Span] = []
    for start, end in sorted(set(spans)):
        if joined and (start < joined[-1][1] or not WORD.search(text, joined[-1][1], start)):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that come in order, those made one that overlap."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
