"""Of many patterns, those are sought whose words are there, and no pattern is missed by that."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.screening import phrasebook
from moderation.screening.needed_words import NeededWords
from moderation.screening.patterns import IN_SET, BadPattern, Patterns, expand
from moderation.screening.reading import read

BOOK = phrasebook.english()
[(SOUGHT, _)] = BOOK.sought
WRITTEN = [expand(phrase.text, BOOK.slots) for phrase in BOOK.phrases]
# The same in sets, which seek each of them in every text.
IN_SETS = [(first, Patterns(WRITTEN[first : first + IN_SET])) for first in range(0, len(WRITTEN), IN_SET)]


def places_in_sets(words: str) -> list[int]:
    return [first + place for first, together in IN_SETS for place in together.places_in(words)]


@pytest.mark.parametrize(
    ("pattern", "sought_in", "not_sought_in"),
    [
        ("want to die", "to want a die", "want to dye"),
        ("kill(?:s|ed)? (?:him|her)", "killer her", "kill hims"),
        ("dreams? of", "dreamt of", "dreams"),
        ("(?:un)?safe here", "unsafe here", "safe"),
        ("(?:the )?door", "door", "doors"),
        ("near {1i} door now", "now door near", "near now"),
        ("(?:a|b c) d", "d a", "a"),
        ("[a-z]{3}ine now", "codeine now", "codeine"),
        ("(?:a |b){2}c", "anything", None),
        ("end it [.] now or (?:then|[.])", "it end . or now", "end . it now . or"),
        ("heron [!-~] egret", "heron", "owl"),
        ("a (?:heron|[.]) c", "a . c", "b"),
        (r"\w heron", "anything", None),
        ("a.b", "anything", None),
    ],
)
def test_a_pattern_is_sought_where_its_words_are_in_one_sentence(
    pattern: str, sought_in: str, not_sought_in: str | None
) -> None:
    needed = NeededWords([expand(pattern, {})])
    assert needed.places_in(f" . {sought_in} . ") == [0]
    assert not_sought_in is None or needed.places_in(f" . {not_sought_in} . ") == []


def test_no_phrase_is_missed_in_the_sets() -> None:
    sets = Path(__file__).with_name("sets")
    lines = [line for file in sorted(sets.glob("crisis_*.yaml")) for line in file.read_text().splitlines()]
    there = [(words, places_in_sets(words)) for words in (read(line, BOOK.dictionary).words for line in lines)]
    assert [words for words, places in there if SOUGHT.places_in(words) != places] == []
    assert len({place for _, places in there for place in places}) > len(WRITTEN) / 2


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(WRITTEN).flatmap(lambda pattern: st.from_regex(f" heron (?:{pattern}) heron ", fullmatch=True)))
def test_no_phrase_is_missed_however_it_is_put(words: str) -> None:
    assert SOUGHT.places_in(words) == places_in_sets(words) != []


def test_many_patterns_find_what_each_of_them_finds() -> None:
    patterns = [f"heron {number}" for number in range(250)]
    together = Patterns(patterns)
    assert [place for place, _, _ in together.find(" a heron 7 and heron 249 and heron 100 ")] == [7, 100, 249]
    with pytest.raises(BadPattern):
        Patterns([*patterns, "heron ("]).steps  # noqa: B018 - it compiles them all


def test_places_are_counted_in_letters() -> None:
    words = " é heron heron 🦆 owl "
    found = [(place, words[start:end]) for place, start, end in Patterns(["heron", "owl", "[^.]"]).find(words)]
    assert found == [(0, "heron"), (0, "heron"), (1, "owl"), (2, "é"), (2, "🦆")]


def test_each_phrase_can_be_compiled() -> None:
    assert SOUGHT.steps > len(WRITTEN)
