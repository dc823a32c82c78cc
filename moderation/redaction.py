"""Redaction: ranges of a text become a marker that says why, and nothing else changes."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from forum.errors import Invalid

Span = tuple[int, int]

SHORTEST_ECHO = 4  # characters: a shorter run of words is repeated by chance
ENOUGH = 4  # words in a row that are no chance in a quote
WORD = re.compile(r"[^\W_]+")
LINE = re.compile(r"^.*$", re.MULTILINE)
QUOTE = re.compile(r"(?:^[ \t]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)*>.*(?:\n|\Z))+", re.MULTILINE)
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


@dataclass(frozen=True)
class Taken:
    """What a measure takes out of a text, to be found again wherever somebody repeats it."""

    said: str
    spans: Sequence[Span]
    mark: str
    phrases: Sequence[str]  # marked wherever they stand; the rest of the spans in quotes only

    def out_of(self, text: str, *, quotes_only: bool = True) -> str:
        """`text` without what was taken out of `said`."""
        rest = without_echoes(text, self.phrases, self.mark)
        return without_quotes(rest, self.said, self.spans, self.mark, quotes_only=quotes_only)

    def is_in(self, text: str) -> bool:
        """Whether a text by the same author, or one that quotes them, says it."""
        return self.out_of(text, quotes_only=False) != text


def replaced(before: str, after: str) -> list[Span]:
    """The ranges of `before` of which nothing is left in `after`, word by word."""
    old, new = list(WORD.finditer(before)), list(WORD.finditer(after))
    same = difflib.SequenceMatcher(None, [word[0] for word in old], [word[0] for word in new], autojunk=False)
    gone = [(first, last) for kind, first, last, *_ in same.get_opcodes() if kind in {"delete", "replace"}]
    return [(old[first].start(), old[last - 1].end()) for first, last in gone]


def without_echoes(text: str, words: Iterable[str], mark: str) -> str:
    """`text` in which others' repetition of `words` is marked too.

    A quote puts "> " before each line, a phone changes case and spaces, somebody adds emphasis; none hides the words.
    """
    for said in sorted(words, key=len, reverse=True):
        if len(said.strip()) >= SHORTEST_ECHO:
            pieces = map(re.escape, said.split())
            text = re.sub(r"[\s>*_~]+".join(pieces), lambda _match: mark, text, flags=re.IGNORECASE)
    return text


def without_quotes(text: str, said: str, spans: Sequence[Span], mark: str, *, quotes_only: bool = True) -> str:
    """`text` in which quotes of a part of `said` are marked where they repeat what the spans take out of it.

    A quote is known by `ENOUGH` of its words in a row, or by a whole line of it, however short.
    """
    runs = _runs(said, spans)
    echoed: list[Span] = []
    for passage in (QUOTE if quotes_only else WHOLE).finditer(text):
        lines = [list(WORD.finditer(text, *line.span())) for line in LINE.finditer(text, *passage.span())]
        for words in ([word for line in lines for word in line], *(line for line in lines if len(line) < ENOUGH)):
            size = min(ENOUGH, len(words))
            if sum(len(word[0]) for word in words) < SHORTEST_ECHO:
                continue
            for first in range(len(words) - size + 1):
                run = words[first : first + size]
                taken = runs.get(tuple(word[0].casefold() for word in run), ())
                echoed += [word.span() for word, is_taken in zip(run, taken, strict=False) if is_taken]
    return redacted(text, _joined(text, echoed), mark)


def _runs(said: str, spans: Sequence[Span]) -> dict[tuple[str, ...], tuple[bool, ...]]:
    """Every run of up to `ENOUGH` words, and which of its words are taken out wherever it stands."""
    words = [
        (word[0].casefold(), any(start < word.end() and word.start() < end for start, end in spans))
        for word in WORD.finditer(said)
    ]
    runs: dict[tuple[str, ...], tuple[bool, ...]] = {}
    for size in range(1, ENOUGH + 1):
        for first in range(len(words) - size + 1):
            run, taken = zip(*words[first : first + size], strict=True)
            known = runs.get(run, (False,) * size)
            runs[run] = tuple(one or other for one, other in zip(known, taken, strict=True))
    return runs


def _joined(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those joined between which there is no word."""
    joined: list[Span] = []
    for start, end in sorted(set(spans)):
        if joined and (start < joined[-1][1] or not WORD.search(text, joined[-1][1], start)):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
