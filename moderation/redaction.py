"""Redaction: ranges of a text become a marker that says why, and nothing else changes."""

import re
from collections.abc import Iterable, Sequence

from forum.errors import Invalid

Span = tuple[int, int]

SHORTEST_ECHO = 4  # characters: a shorter run of words is repeated by chance


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


def without_echoes(text: str, words: Iterable[str], mark: str) -> str:
    """`text` in which others' repetition of `words` is marked too.

    A quote puts "> " before each line, and a phone changes case and spaces; neither hides the words.
    """
    for said in sorted(words, key=len, reverse=True):
        if len(said.strip()) >= SHORTEST_ECHO:
            pieces = map(re.escape, said.split())
            text = re.sub(r"[\s>]+".join(pieces), lambda _match: mark, text, flags=re.IGNORECASE)
    return text
