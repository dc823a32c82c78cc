"""Redaction: words of a text are replaced by a mark that says why. The rest of the text stays as it is."""

import difflib
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from forum.content.markup import blanked, quote_spans
from forum.content.posts.lengths import BODY_MAX
from forum.content.words import SHORTEST_REPEAT, UNSEEN, WORD, Runs, Span, repeated, runs_of
from forum.core.errors import Invalid

MOST_PHRASES = 100  # that somebody copies from a post, to be taken out
MOST_PAIRS = 100_000  # of equal words; an ordinary post of 10,000 characters has about 30,000


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

    @property
    def bodies(self) -> Sequence[str]:
        """The texts that it goes out of: revisions of the post."""
        return [body for body, _ in self.versions]

    def apply(self, masked: MaskedText, *, quotes_only: bool = True) -> MaskedText:
        """Return the text without this too. It is looked for in the whole: others may have taken a part of it."""
        rest = without_repeats(MaskedText.unmasked(masked.whole), self.phrases, self.mark)
        for body, spans in self.versions:
            rest = without_quotes(rest, runs_of(body, spans), self.mark, quotes_only=quotes_only)
        spans = masked.from_original(span for span in sorted(rest.gone) if not masked.is_gone(span))
        return self._fitting(masked, spans) if spans else masked

    def _fitting(self, masked: MaskedText, spans: Sequence[Span]) -> MaskedText:
        """Return the text without these spans. Where the marks would make it too long, what is between goes too.

        A mark can be longer than the words: nobody shall keep a post from being removed by quoting it at full length.
        """
        between, everything = [(spans[0][0], spans[-1][1])], [(0, len(masked.text))]
        tries = (masked.without(these, self.mark) for these in (spans, between, everything))
        return next(tried for tried in tries if len(tried.text) <= BODY_MAX)

    def apply_to_text(self, text: str, *, quotes_only: bool = True) -> str:
        """Return `text` without this."""
        return self.apply(MaskedText.unmasked(text), quotes_only=quotes_only).text

    def blank_in(self, text: str) -> str:
        """Return `text` with marks for each character of this: where positions are recorded, which stay right."""
        return blanked(text, self.apply(MaskedText.unmasked(text)).gone)

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


def spans_of_words(text: str, phrases: Iterable[str], *, everywhere: bool = False) -> list[Span]:
    """Return the spans of these words in a text, as somebody copied them from it.

    Raises Invalid for words that are not there, for words that stand there several times, unless they go
    `everywhere`, and for more than `MOST_PHRASES`.
    """
    wanted, seen, spans = list(filter(None, map(str.strip, phrases))), _seen_characters(text), list[Span]()
    if len(wanted) > MOST_PHRASES:
        raise Invalid(f"At most {MOST_PHRASES} pieces can be taken out at once.", "#/spans", code="too_many")
    for phrase in wanted:
        exact = [match.span() for match in re.finditer(re.escape(phrase), text)]
        found = exact or _repeats_of(phrase, *seen)
        if not found:
            detail = f"These words do not stand in the post: {phrase}"
            raise Invalid(detail, "#/spans", code="words_not_found", words=phrase)
        if len(found) > 1 and not everywhere:
            detail = f"These words stand in the post {len(found)} times: {phrase}"
            raise Invalid(detail, "#/spans", code="words_several_times", words=phrase)
        spans += found
    return _merged(sorted(spans))


def without_repeats(masked: MaskedText, phrases: Iterable[str], mark: str) -> MaskedText:
    """Return the text with every repeat of these phrases marked.

    Words are found though a quote puts "> " before each line, a phone changes case and spaces, or somebody adds
    emphasis, or characters that nobody sees.
    """
    places, seen = _seen_characters(masked.text)
    long_enough = dict.fromkeys(phrase for phrase in phrases if len(phrase.strip()) >= SHORTEST_REPEAT)
    for phrase in sorted(long_enough, key=len, reverse=True):
        if spans := _repeats_of(phrase, places, seen):
            masked = masked.without(spans, mark)
            places, seen = _seen_characters(masked.text)
    return masked


def without_quotes(masked: MaskedText, runs: Runs, mark: str, *, quotes_only: bool = True) -> MaskedText:
    """Return the text with quotes marked where they repeat words of these runs that are taken out."""
    passages = quote_spans(masked.text) if quotes_only else [(0, len(masked.text))]
    return masked.without(repeated(masked.text, passages, runs), mark)


def _repeats_of(phrase: str, places: Sequence[int], seen: str) -> list[Span]:
    words = map(re.escape, UNSEEN.sub("", phrase).split())
    found = re.finditer(r"[\s>*_~]+".join(words), seen, flags=re.IGNORECASE)
    return [(places[match.start()], places[match.end() - 1] + 1) for match in found if match[0]]


def _seen_characters(text: str) -> tuple[Sequence[int], str]:
    """Return the text without the characters that nobody sees, and where in it each of the others stands."""
    if not UNSEEN.search(text):
        return range(len(text)), text
    places = [at for at, char in enumerate(text) if not UNSEEN.match(char)]
    return places, "".join(text[at] for at in places)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans, which come in order, joined where they overlap."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
