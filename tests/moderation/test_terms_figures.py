"""How well watched terms are found in the sentences in `sets/terms_*`. `pytest -s` prints the figures."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from moderation.screening.finding import SignEffect
from moderation.screening.patterns import BadPattern
from moderation.screening.watched_terms import (
    LONGEST_PATTERN,
    SoughtTerm,
    Termbook,
    TermKind,
    check_text,
)

SETS = Path(__file__).with_name("sets")
HOLD, CASE, POINT_OUT = SignEffect.HOLD, SignEffect.CASE, SignEffect.POINT_OUT


def sets(half: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((SETS / f"terms_{half}.yaml").read_text())
    return content


def term(text: str, kind: TermKind | None = None, **more: Any) -> SoughtTerm:
    kind = kind or (TermKind.PHRASE if " " in text else TermKind.WORD)
    return SoughtTerm(text, "1", kind, text, **{"effect": HOLD} | more)


def effects(sought: str, text: str, kind: TermKind | None = None) -> list[tuple[str, SignEffect]]:
    """The very words in which a term is found, and what it leads to there."""
    found = Termbook([term(sought, kind)]).find(text)
    return [(text[match.start : match.end], match.effect) for match in found]


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_a_term_is_found_in_disguise_and_never_inside_innocent_words(half: str) -> None:
    content = sets(half)
    for group in ("disguised", "phrases", "scripts"):
        for sought, texts in content[group].items():
            hits = sum(bool(effects(sought, text)) for text in texts)
            print(f"{half}, {group}: {hits} of {len(texts)}")  # noqa: T201 - the figures
            assert hits / len(texts) >= 10 / 12
    innocent = [bool(effects(sought, text)) for sought, text in content["innocent"]]
    quoted = [effects(sought, text) for sought, text in content["quoted"]]
    held = [found for found in quoted if any(effect == HOLD for _, effect in found)]
    print(f"{half}, innocent: {sum(innocent)} of {len(innocent)}; quoted and held: {len(held)} of {len(quoted)}")  # noqa: T201
    assert sum(innocent) == len(held) == 0
    assert all(quoted)


@pytest.mark.parametrize(
    ("sought", "kind", "text", "expected"),
    [
        ("muppet", TermKind.WORD, "You MUPPET, and “muppet”.", [("MUPPET", HOLD), ("muppet", CASE)]),
        ("café", TermKind.WORD, "the CAFE", [("CAFE", HOLD)]),
        ("tax dodger", TermKind.PHRASE, "a tax-\ndodger", [("tax-\ndodger", HOLD)]),
        # A short word in disguise can be another word.
        ("oaf", TermKind.WORD, "an oaf", [("oaf", HOLD)]),
        ("oaf", TermKind.WORD, "an o@f", [("o@f", POINT_OUT)]),
        ("cheap loans?", TermKind.PATTERN, "Cheap  loan! cheap loan, cheap loans", [("cheap loan", HOLD)] * 1),
        (r"cheap\s+loans?", TermKind.PATTERN, "cheaper, Cheap  loan", [("Cheap  loan", HOLD)]),
        (r"\d{3}-\d{4}", TermKind.PATTERN, "555-1234 and 5551-2345", [("555-1234", HOLD)]),
        ("кафе[а-я]*", TermKind.PATTERN, "в КАФЕ", [("КАФЕ", HOLD)]),
        ("b[aeiou]d", TermKind.PATTERN, "abad bed béd", [("bed", HOLD), ("béd", HOLD)]),
        ("(a+)+", TermKind.PATTERN, "aaaa" * 2, [("aaaa" * 2, HOLD)]),
    ],
)
def test_what_a_term_leads_to(sought: str, kind: TermKind, text: str, expected: list[tuple[str, SignEffect]]) -> None:
    found = effects(sought, text, kind)
    assert found[: len(expected)] == expected


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (TermKind.WORD, "two words", "has no spaces"),
        (TermKind.WORD, "!?", "at least one letter"),
        (TermKind.PHRASE, "\u200b", "at least one letter"),
        (TermKind.PATTERN, "a" * (LONGEST_PATTERN + 1), "500 characters"),
        (TermKind.PATTERN, "you(?= toad)", "look ahead"),
        (TermKind.PATTERN, "(?<!not )toad", "look ahead"),
        (TermKind.PATTERN, r"(a)\1", "refer back"),
        (TermKind.PATTERN, "(toad", "missing"),
        (TermKind.PATTERN, "toad)|(x", "unexpected"),
        (TermKind.PATTERN, "a*", "empty text"),
        (TermKind.PATTERN, "(?:[a-z]{1,900}){1,900}", "is"),
        (TermKind.PATTERN, r"[\pL\pN]{1,999}", "too large"),
    ],
)
def test_what_cannot_be_sought_is_refused_with_the_reason(kind: TermKind, text: str, why: str) -> None:
    with pytest.raises(BadPattern, match=why):
        check_text(kind, text)
    if kind == TermKind.PATTERN and len(text) <= LONGEST_PATTERN and "large" not in why and "empty" not in why:
        with pytest.raises(BadPattern):
            Termbook([term(text, kind)])


def test_a_term_is_sought_on_its_boards_and_in_names_only_where_it_says_so() -> None:
    book = Termbook([term("toad", boards=frozenset({1})), term("newt", in_names=True)])
    text = "a toad and a newt"
    assert [match.term.text for match in book.find(text, 1)] == ["toad", "newt"]
    assert [match.term.text for match in book.find(text, 2)] == ["newt"]
    assert [match.term.text for match in book.find("N3wt the toad", is_name=True)] == ["newt"]


def test_no_term_hides_another() -> None:
    found = Termbook([term("toad"), term("newt")]).find("toad " * 200 + "newt")
    assert {one.term.text for one in found} == {"toad", "newt"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 20_000,
        "😟" * 2_000,
        "مرحبا " * 3_000,
        "Z\u0351\u036f\u0321" * 5_000,
        "\x00a\ud800b",
        "07700 900123 " * 1_500,
        ">" * 50 + " toad",
        '"' * 20_000,
        "a." * 10_000,
        "0" * 20_000,
        "a*b " * 5_000,
    ],
)
def test_no_text_breaks_it(text: str) -> None:
    patterns = ["(a+)+b", "(?:to){2,}ad", r"\pL{3,20}x"]
    book = Termbook([term("toad"), term("bad toad"), *(term(one, TermKind.PATTERN) for one in patterns)])
    for match in book.find(text):
        assert 0 <= match.start < match.end <= len(text)
