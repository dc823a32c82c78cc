"""No pattern is missed by the scan that says which patterns can be in a text."""

import re
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest

from moderation.screening import links
from moderation.screening.personal_information.spans import SIEVE
from moderation.screening.sieve import Sieve, loosened

SETS = Path(__file__).with_name("sets")
MARK = re.compile(r"\{\w+\|([^}]*)\}")
# Letters, digits and spaces that `re` takes for others, or for a part of a word.
DRESSED = ("i", "ı"), ("s", "ſ"), ("k", "K"), ("a", "é"), ("e", "Я"), (" ", "\u00a0"), (" ", "\x1f"), ("1", "١")


def texts() -> Iterator[str]:
    dresses = cycle(DRESSED)
    for file in sorted(SETS.glob("*.*")):
        for line in file.read_text().splitlines():
            plain = MARK.sub(r"\1", line)
            yield from (plain, plain.upper(), plain.replace(*next(dresses)))


def test_what_is_in_a_text_is_never_left_out() -> None:
    found = set[tuple[int, int]]()
    for text in texts():
        for number, sieve in enumerate((SIEVE, links.SIEVE)):
            scan = sieve.scan(text)
            there = [sought for sought in sieve.patterns if sought.pattern.search(text)]
            assert [sought.pattern.pattern for sought in there if not scan.may(sought)] == [], text
            assert [sought for sought in sieve.patterns if sought.is_exact and scan.has(sought)] == [
                sought for sought in there if sought.is_exact
            ]
            found.update((number, sought.place) for sought in there)
    assert len(found) > 50  # nearly all of them are in one of the sentences


@pytest.mark.parametrize(
    ("pattern", "looser"),
    [
        (r"(?<![\w)])\d{3}(?!\d|[)(])", r"(?:\d{3})"),
        (r"([ -]?)\d{1,3}\1x{0,4}y{8}", r"(?:([ -]?)\d{1,}(?s:.*)x*y{4,})"),
        (r"[(?=\s]\s", r"(?:[(?=\s\x0b\x1c-\x1f][\s\x0b\x1c-\x1f])"),
        (r"(?=a(b|c)(?!d))e|(?<=\()f", r"(?:e|f)"),
    ],
)
def test_a_pattern_is_loosened_by_what_looks_around_refers_back_or_counts_far(pattern: str, looser: str) -> None:
    assert loosened(re.compile(pattern)) == looser


def test_a_pattern_that_is_added_late_is_sought_too() -> None:
    sieve = Sieve()
    first = sieve.add(re.compile("heron", re.IGNORECASE))
    assert sieve.scan("A Heron").has(first)
    second = sieve.add(re.compile("^reeds$", re.MULTILINE))
    scan = sieve.scan("a heron\nreeds\n")
    assert scan.has(first)
    assert [found[0] for found in scan.matches(second)] == ["reeds"]
