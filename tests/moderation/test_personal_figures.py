"""How much of the personal information in `sets/` is found: the half put aside holds the bars. `-s` prints it."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from moderation.screening import personal_information
from moderation.screening.finding import DetailKind
from moderation.screening.personal_information import combinations

SETS = Path(__file__).with_name("sets")
MARK = re.compile(r"\{(\w+)\|([^}]*)\}")
# What is counted together: the kinds, and the least recall and precision.
NUMBERS = ("telephone", "email", "postcode", "nhs_number", "ni_number", "bank_account", "iban", "card")
RECORDS = (
    "court_number",
    "citation",
    "birth_date",
    "handle",
    "address",
    "school",
    "hearing",
    "police_reference",
    "vehicle",
)
NAMES = ("professional", "child", "person")
BARS = {NUMBERS: (0.95, 0.95), RECORDS: (0.85, 0.9), NAMES: (0.8, 0.85)}


class Marked(NamedTuple):
    """Something that is to be found, and where."""

    kind: str
    start: int
    end: int

    def is_found_by(self, other: "Marked") -> bool:
        """Whether the same kind was found where at least half of this is."""
        shared = min(self.end, other.end) - max(self.start, other.start)
        return other.kind == self.kind and 2 * shared >= self.end - self.start


class Count(NamedTuple):
    """How often each kind was there, was found, and was found where it is not."""

    there: Counter[str]
    found: Counter[str]
    wrongly: Counter[str]


def lines(half: str) -> Iterator[tuple[str, list[Marked]]]:
    """The lines of a half, without their marks, and what is marked."""
    for line in (SETS / f"personal_{half}.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            text, marks, at = "", list[Marked](), 0
            for mark in MARK.finditer(line):
                text += line[at : mark.start()]
                marks.append(Marked(mark[1], len(text), len(text) + len(mark[2])))
                text, at = text + mark[2], mark.end()
            yield text + line[at:], marks


def count(half: str) -> Count:
    there, found, wrongly = Counter[str](), Counter[str](), Counter[str]()
    for text, marks in lines(half):
        left = [Marked(one.recogniser, one.start, one.end) for one in personal_information.find(text, "GB")]
        for mark in marks:
            there[mark.kind] += 1
            if hit := next((one for one in left if mark.is_found_by(one)), None):
                left.remove(hit)
                found[mark.kind] += 1
        wrongly.update(one.kind for one in left)
    return Count(there, found, wrongly)


def test_the_sets_are_as_large_as_they_say() -> None:
    assert sum(1 for half in ("seen", "aside") for _ in lines(half)) >= 400
    assert {mark.kind for _, marks in lines("aside") for mark in marks} <= set(DetailKind)


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_what_shows_who_somebody_is_is_found_and_hardly_anything_else(half: str) -> None:
    counted = count(half)
    for kinds, (recall, precision) in BARS.items():
        there, found, wrongly = (sum(each[kind] for kind in kinds) for each in counted)
        print(f"{half}, {', '.join(kinds)}: {found} of {there}, {wrongly} wrongly")  # noqa: T201 - the figures
        assert found / there >= recall, counted
        assert found / (found + wrongly) >= precision, counted


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_what_shows_who_a_child_is_is_found_over_three_posts(half: str) -> None:
    counted = Counter[tuple[str, bool]]()
    for thread in (SETS / f"threads_{half}.txt").read_text().split("\n== ")[1:]:
        expected, *posts = thread.strip().split("\n")
        found = set[str]()
        for number, post in enumerate(posts):
            new = {finding.recogniser for _, finding in combinations.find([post], posts[:number], "GB")}
            # What tells fast that a text need not be looked through lets through whatever is found then.
            kinds = set().union(*map(combinations.kinds_in, posts[: number + 1]))
            assert not new or combinations.shows_child(kinds) or combinations.look_at([post], None).alone
            found |= new
        counted[expected, "identifies_child" in found] += 1
    right, wrong = counted["identifies", True], counted["harmless", True]
    print(f"{half}, threads: {right} of {right + counted['identifies', False]}, {wrong} wrongly")  # noqa: T201
    assert sum(counted.values()) >= 30
    assert right / (right + counted["identifies", False]) >= 0.85
    assert right / (right + wrong) >= 0.9
