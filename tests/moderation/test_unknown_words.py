"""Words that no pattern knows are written alike, and no pattern is missed by that."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.screening import phrasebook
from moderation.screening.patterns import Patterns, expand
from moderation.screening.reading import read
from moderation.screening.unknown_words import WordWriter

BOOK = phrasebook.english()
[(SOUGHT, _)] = BOOK.sought
WRITTEN = [expand(phrase.text, BOOK.slots) for phrase in BOOK.phrases]


@pytest.mark.parametrize(
    ("pattern", "words", "written"),
    [
        ("want to die", "i want to dye it", "i want to xx xx"),
        ("kill(?:s|ed|ing)? (?:him|her)", "kills killer him hims", "kills killer him xx"),
        ("dreams? of", "dreams dream drea of", "dreams dream xx of"),
        ("(?:the )?door", "the doors door", "the xx door"),
        ("wake(?: up)?", "wake up waking", "wake up xx"),
        ("[a-z]{3,5}(?:ine|am) now", "codeine now than lam", "codeine now xxx lam"),
        ("my {2}[a-z]{4,10} s", "my an even elephantine 7up don't", "my xx xxxx xxxxxxxxxxx 7up don't"),
        ("(?:a|b){2} c", "abc able xyz", "abc able xx"),
    ],
)
def test_a_word_stays_that_a_pattern_may_have(pattern: str, words: str, written: str) -> None:
    assert WordWriter([expand(pattern, {})]).write(words) == written


@pytest.mark.parametrize("pattern", ["a.b", "x[a-z]{2,3}y[a-z]", "ab{2}", r"\w d"])
def test_where_a_pattern_cannot_be_read_all_words_stay(pattern: str) -> None:
    assert WordWriter([pattern, "heron"]).write("some words") == "some words"


def test_no_phrase_is_missed_in_the_sets() -> None:
    sets = Path(__file__).with_name("sets")
    lines = [line for file in sorted(sets.glob("crisis_*.yaml")) for line in file.read_text().splitlines()]
    there = [(words, set(SOUGHT.places_in(words))) for words in (read(line, BOOK.dictionary).words for line in lines)]
    assert [words for words, places in there if not places.issubset(SOUGHT._may_be_in(words))] == []
    assert len(set().union(*(places for _, places in there))) > len(WRITTEN) / 2


@settings(max_examples=40)
@given(st.sampled_from(WRITTEN).flatmap(lambda pattern: st.from_regex(f" heron (?:{pattern}) heron ", fullmatch=True)))
def test_no_phrase_is_missed_however_it_is_put(words: str) -> None:
    assert set(SOUGHT.places_in(words)).issubset(SOUGHT._may_be_in(words))
    assert SOUGHT.places_in(words)


def test_a_set_of_many_finds_what_each_of_them_finds() -> None:
    patterns = [f"heron {number}" for number in range(250)]
    together = Patterns(patterns)
    assert [place for place, _, _ in together.find(" a heron 7 and heron 249 and heron 100 ")] == [7, 100, 249]
