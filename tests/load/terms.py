"""Watched terms: how long a text takes with 20,000 of them, and beside everything else that screening looks for."""

import random
import statistics
import time
from collections.abc import Callable, Iterator

from rich.table import Table
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from moderation.screening import screen
from moderation.screening.finding import Effect
from moderation.screening.spam import find_signs
from moderation.screening.watched_terms import SoughtTerm, Termbook, TermKind
from tests.support import hostile

TERMS, PATTERNS = 20_000, 200  # the patterns are among the terms
WORDS, ROUNDS = 200, 200
EVERYDAY = 3_000  # of the most frequent words of English
LONGEST = 20_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# What takes the three of them longest, of many that were tried.
UNITS = ("a b ", "a*b ", "g0b5h1te ", "'a ", "a.", "aab", "aabbccddeeffgg1 ", "“", *hostile.HEAVY_UNITS)


def measure() -> Table:
    """Return what ordinary texts of 200 words and hostile ones of 20,000 characters take, in milliseconds."""
    table = Table(title=f"Screening with {TERMS:,} watched terms, {PATTERNS} of them patterns")
    for name in ("text", "terms", "terms, spam, danger, personal information"):
        table.add_column(name, justify="left" if name == "text" else "right")
    chance = random.Random(1)
    book = Termbook([*_terms(chance)])
    everyday = FREQUENCY_LISTS["english_wikipedia"][:EVERYDAY]
    ordinary = [" ".join(chance.choices(everyday, k=WORDS)) for _ in range(ROUNDS)]

    def everything(text: str) -> None:
        book.find(text)
        find_signs(text)
        screen(text, "GB")

    table.add_row(f"{WORDS} words, median", _median(book.find, ordinary), _median(everything, ordinary))
    for size in (LONGEST // 2, LONGEST):
        texts = [(unit * size)[:size] for unit in UNITS]
        table.add_row(f"{size:,} hostile characters, worst", _worst(book.find, texts), _worst(everything, texts))
    return table


def _terms(chance: random.Random) -> Iterator[SoughtTerm]:
    for number in range(TERMS):
        word = "".join(chance.choices(LETTERS, k=chance.randint(5, 12)))
        is_pattern = number < PATTERNS
        kind, text = (TermKind.PATTERN, f"{word}(?:ed|ing)? them+") if is_pattern else (TermKind.WORD, word)
        yield SoughtTerm(str(number), "1", kind, text, Effect.HOLD)


def _median(read: Callable[[str], object], texts: list[str]) -> str:
    return f"{statistics.median(_timed(read, text) for text in texts):.2f}"


def _worst(read: Callable[[str], object], texts: list[str]) -> str:
    return f"{max(min(_timed(read, text) for _ in range(3)) for text in texts):.1f}"


def _timed(read: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    read(text)
    return (time.process_time() - began) * 1000
