"""Whether a text has words of another again, however they are written."""

from collections.abc import Iterable, Sequence

from forum.content.words import RUN, SHORTEST_REPEAT
from forum.members.names import skeleton
from moderation import redaction

LONG_ENOUGH = 8  # letters and digits: fewer may stand within another word by chance


def bring_back(phrases: Iterable[str], texts: Iterable[str], present: str) -> bool:
    """Return whether texts have words of these phrases that the present text has not.

    Words are known without case, spaces, signs and invisible characters, and in letters that look alike.
    """
    new, old = _Text("\n".join(texts)), _Text(present)
    runs = {run for phrase in phrases for run in _runs(phrase)}
    return any(new.has(run) and not old.has(run) for run in runs)


def gone(before: str, after: str) -> list[str]:
    """Return the words of one text of which none is left in another."""
    return redaction.excerpts(before, redaction.replaced(before, after))


class _Text:
    """A text as it is compared: its letters and digits in one row, and its words apart."""

    def __init__(self, text: str) -> None:
        self.letters = _letters(text)
        self.words = " ".join(["", *filter(None, map(_letters, text.split())), ""])

    def has(self, run: Sequence[str]) -> bool:
        """Whether these words are in the text one after the other; long ones also without the spaces between."""
        letters = "".join(run)
        return f" {' '.join(run)} " in self.words or (len(letters) >= LONG_ENOUGH and letters in self.letters)


def _runs(phrase: str) -> list[tuple[str, ...]]:
    """Return the runs of words of a phrase by which it is known; none where it is too short to be."""
    words = [*filter(None, map(_letters, phrase.split()))]
    size = min(RUN, len(words))
    runs = [tuple(words[first : first + size]) for first in range(len(words) - size + 1)]
    return [run for run in runs if len("".join(run)) >= SHORTEST_REPEAT]


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, skeleton(text)))
