"""Redaction: words of a text are replaced by a mark that says why. The rest of the text stays as it is."""

import difflib
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from forum.core.errors import Invalid

Span = tuple[int, int]
Runs = Mapping[tuple[str, ...], tuple[bool, ...]]

SHORTEST_REPEAT = 4  # characters: fewer may be repeated by chance
MOST_PAIRS = 100_000  # of equal words; an ordinary post of 10,000 characters has about 30,000
RUN = 4  # words in a row that a quote does not repeat by chance
WORD = re.compile(r"[^\W_]+")
LINE = re.compile(r"^.*$", re.MULTILINE)
QUOTE = re.compile(r"(?:^[ \t]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)*>.*(?:\n|\Z))+", re.MULTILINE)
MARKS = re.compile(r"\[removed(?:: rules? [0-9]+(?:, [0-9]+)*(?: and [0-9]+)?)?\]")
WHOLE = re.compile(r".*", re.DOTALL)


def marker(rules: Sequence[int]) -> str:
    """Return what stands where words were taken out: "[removed: rule 10]", "[removed: rules 3 and 10]", "[removed]"."""
    return f"[removed: {rules_in_words(rules)}]" if rules else "[removed]"


def rules_in_words(rules: Sequence[int]) -> str:
    """Return the rules as a reader names them: "rule 10", "rules 3 and 10", "rules 1, 3 and 10"."""
    numbers = [str(number) for number in sorted(set(rules))]
    if len(numbers) == 1:
        return f"rule {numbers[0]}"
    return f"rules {', '.join(numbers[:-1])} and {numbers[-1]}"


def checked(text: str, spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, `[start, end)` in code points of `text`.

    Raises Invalid when one is empty, overlaps another or lies outside the text.
    """
    ordered = sorted((start, end) for start, end in spans)
    reached = 0
    for start, end in ordered:
        if not reached <= start < end <= len(text):
            detail = f"The span {start} to {end} is empty, overlaps another or lies outside the {len(text)} characters."
            raise Invalid(detail, "#/measures", code="span_invalid")
        reached = end
    return ordered


def redacted(text: str, spans: Iterable[Span], mark: str) -> str:
    """Return `text` with each span replaced by `mark`. Raises Invalid as `checked` does."""
    kept, reached = [], 0
    for start, end in checked(text, spans):
        kept += [text[reached:start], mark]
        reached = end
    return "".join([*kept, text[reached:]])


def excerpts(text: str, spans: Iterable[Span]) -> list[str]:
    """Return the words that the spans take out."""
    return [text[start:end] for start, end in checked(text, spans)]


def own_lines(text: str) -> list[Span]:
    """Return the lines of a text that are neither empty nor a quote."""
    return [line.span() for line in LINE.finditer(text) if line[0].strip() and not line[0].lstrip().startswith(">")]


@dataclass(frozen=True)
class MaskedText:
    """A text out of which words were taken: the whole, what is left, and where in the whole each character is from."""

    whole: str
    text: str
    origins: Sequence[Span]
    gone: Sequence[Span] = ()

    @classmethod
    def unmasked(cls, text: str) -> "MaskedText":
        """Return a text out of which nothing was taken: each character stands for itself."""
        return cls(text, text, [(at, at + 1) for at in range(len(text))])

    def without(self, spans: Iterable[Span], mark: str) -> "MaskedText":
        """Return the text with each span replaced by `mark`, which stands for all that the span stood for."""
        ordered = checked(self.text, spans)
        gone, origins, reached = self._meant(ordered), list[Span](), 0
        for (start, end), meant in zip(ordered, gone, strict=True):
            origins += [*self.origins[reached:start], *[meant] * len(mark)]
            reached = end
        origins += self.origins[reached:]
        return MaskedText(self.whole, redacted(self.text, ordered, mark), origins, [*self.gone, *gone])

    def to_original(self, spans: Iterable[Span]) -> list[Span]:
        """Return which spans of the whole these spans stand for; where they touch a mark, all that it stands for."""
        return _merged(self._meant(checked(self.text, spans)))

    def from_original(self, spans: Iterable[Span]) -> list[Span]:
        """Return where the text has something of these spans of the whole, or a mark that stands for it."""
        found = [
            (
                bisect_right(self.origins, start, key=lambda origin: origin[1]),
                bisect_left(self.origins, end, key=lambda origin: origin[0]),
            )
            for start, end in spans
        ]
        return _merged(found)

    def is_gone(self, span: Span) -> bool:
        """Whether all of this span of the whole was taken out already."""
        return any(start <= span[0] and span[1] <= end for start, end in self.gone)

    def _meant(self, spans: Iterable[Span]) -> list[Span]:
        return [(self.origins[start][0], self.origins[end - 1][1]) for start, end in spans]


@dataclass(frozen=True)
class Removal:
    """What a measure takes out of a post, so that it can be found wherever somebody repeats it."""

    versions: Sequence[tuple[str, Sequence[Span]]]  # the body in a revision, and which spans of it go
    mark: str
    phrases: Sequence[str]  # taken out wherever they stand; the rest of the spans in quotes only

    def apply(self, masked: MaskedText, *, quotes_only: bool = True) -> MaskedText:
        """Return the text without this too. It is looked for in the whole: others may have taken a part of it."""
        rest = without_repeats(MaskedText.unmasked(masked.whole), self.phrases, self.mark)
        for body, spans in self.versions:
            rest = without_quotes(rest, runs_of(body, spans), self.mark, quotes_only=quotes_only)
        return masked.without(
            masked.from_original(span for span in sorted(rest.gone) if not masked.is_gone(span)), self.mark
        )

    def apply_to_text(self, text: str, *, quotes_only: bool = True) -> str:
        """Return `text` without this."""
        return self.apply(MaskedText.unmasked(text), quotes_only=quotes_only).text

    def occurs_in(self, text: str) -> bool:
        """Whether a text by the same author, or one that quotes them, has these words."""
        return any(text == body for body, _ in self.versions) or self.apply_to_text(text, quotes_only=False) != text


def replaced(before: str, after: str) -> list[Span]:
    """Return the spans of `before` of which no word is left in `after`. It can take seconds."""
    old, new = list(WORD.finditer(before)), list(WORD.finditer(after))
    words_before, words_after = [word[0] for word in old], [word[0] for word in new]
    # difflib looks at all pairs of equal words, again for each part that it finds. Where they are too many (16 seconds
    # for one sentence 400 times), it ignores the commonest words: more counts as replaced, never less.
    counts_before, counts_after = Counter(words_before), Counter(words_after)
    pairs = sum(count * counts_after[word] for word, count in counts_before.items())
    same = difflib.SequenceMatcher(None, words_before, words_after, autojunk=pairs > MOST_PAIRS)
    gone = [(first, last) for kind, first, last, *_ in same.get_opcodes() if kind in {"delete", "replace"}]
    return [(old[first].start(), old[last - 1].end()) for first, last in gone]


def without_repeats(masked: MaskedText, phrases: Iterable[str], mark: str) -> MaskedText:
    """Return the text with every repeat of these phrases marked.

    Words are found though a quote puts "> " before each line, a phone changes case and spaces, or somebody adds
    emphasis.
    """
    for phrase in sorted(phrases, key=len, reverse=True):
        if len(phrase.strip()) >= SHORTEST_REPEAT:
            words = map(re.escape, phrase.split())
            repeats = re.finditer(r"[\s>*_~]+".join(words), masked.text, flags=re.IGNORECASE)
            masked = masked.without([repeat.span() for repeat in repeats], mark)
    return masked


def without_quotes(masked: MaskedText, runs: Runs, mark: str, *, quotes_only: bool = True) -> MaskedText:
    """Return the text with quotes marked where they repeat words of these runs that are taken out.

    A quote is known by `RUN` of its words in a row, or by a whole line of it, however short.
    """
    text, repeated = masked.text, list[Span]()
    for passage in (QUOTE if quotes_only else WHOLE).finditer(text):
        lines = [_words(text, *line.span()) for line in LINE.finditer(text, *passage.span())]
        for words in ([word for line in lines for word in line], *(line for line in lines if len(line) < RUN)):
            size = min(RUN, len(words))
            if sum(len(word[0]) for word in words) < SHORTEST_REPEAT:
                continue
            for first in range(len(words) - size + 1):
                run = words[first : first + size]
                removal = runs.get(tuple(word[0].casefold() for word in run), ())
                repeated += [word.span() for word, is_taken in zip(run, removal, strict=False) if is_taken]
    return masked.without(_joined(text, repeated), mark)


def runs_of(body: str, spans: Sequence[Span]) -> Runs:
    """Return every run of up to `RUN` words of a text, and which of its words the spans take out."""
    words = [
        (word[0].casefold(), any(start < word.end() and word.start() < end for start, end in spans))
        for word in _words(body, 0, len(body))
    ]
    runs: dict[tuple[str, ...], tuple[bool, ...]] = {}
    for size in range(1, RUN + 1):
        for first in range(len(words) - size + 1):
            run, removal = zip(*words[first : first + size], strict=True)
            known = runs.get(run, (False,) * size)
            runs[run] = tuple(before or now for before, now in zip(known, removal, strict=True))
    return runs


def _words(text: str, start: int, end: int) -> list[re.Match[str]]:
    """Return the words of a part of a text, without those of marks, which nobody wrote."""
    marks = [mark.span() for mark in MARKS.finditer(text, start, end)]
    words = WORD.finditer(text, start, end)
    return [word for word in words if not any(first < word.start() < last for first, last in marks)]


def _joined(text: str, spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, joined where no word is between them."""
    joined: list[Span] = []
    for start, end in sorted(set(spans)):
        if joined and (start < joined[-1][1] or not WORD.search(text, joined[-1][1], start)):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans, which come in order, joined where they overlap."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
