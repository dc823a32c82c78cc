"""How well signs of spam are found in the texts in `sets/spam_*`. `pytest -s` prints the figures."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from moderation.screening import personal_information, spam

SETS = Path(__file__).with_name("sets")


def sets(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((SETS / f"{name}.yaml").read_text())
    return content


def reaches(text: str) -> bool:
    """Whether a text says how to reach its author elsewhere: what screening knows of telephone and mail counts, too."""
    found = [one.recogniser for one in (*spam.find_signs(text), *personal_information.find(text, "GB"))]
    return bool({spam.CONTACT, "telephone", "email"}.intersection(found))


def copied(first: str, second: str) -> bool:
    return spam.find_copies(second, [first]) == [0]


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_copies_are_known_and_what_people_say_to_each_other_is_not(half: str) -> None:
    content = sets(f"spam_{half}")
    copies = [copied(*pair) for pair in content["copies"]]
    different = [copied(*pair) for pair in content["different"]]
    thanks = content["thanks"]
    alike = [bool(spam.find_copies(one, [other for other in thanks if other != one])) for one in thanks]
    flagged = [bool(spam.find_signs(text)) or reaches(text) for text in thanks]
    for name, counted in (("copies", copies), ("different", different), ("thanks alike", alike), ("flagged", flagged)):
        print(f"{half}, {name}: {sum(counted)} of {len(counted)}")  # noqa: T201 - the figures
    assert sum(copies) >= 0.9 * len(copies)
    assert sum(different) == sum(alike) == sum(flagged) == 0


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_links_and_contacts_are_read_as_a_reader_would(half: str) -> None:
    content = sets(f"spam_{half}")
    read = [(text, [one.recogniser for one in spam.find_signs(text)]) for text, _ in content["links"]]
    assert read == [(text, [name] if name else []) for text, name in content["links"]]
    reached = [reaches(text) == expected for text, expected in content["contacts"]]
    print(f"{half}, contacts as expected: {sum(reached)} of {len(reached)}")  # noqa: T201
    assert all(reached)


def test_nobody_is_flagged_in_ordinary_posts() -> None:
    texts = [text for half in ("seen", "aside") for text in sets(f"ordinary_{half}")["ordinary"]]
    assert [text for text in texts if spam.find_signs(text)] == []


def test_the_sets_are_as_large_as_they_say() -> None:
    def lines(of: object) -> int:
        if isinstance(of, dict):
            return sum(map(lines, of.values()))
        return len(of) if isinstance(of, list) else 0

    assert sum(lines(sets(f"{kind}_{half}")) for kind in ("terms", "spam") for half in ("seen", "aside")) >= 150


@pytest.mark.parametrize(
    "text", ["", "x" * 20_000, "a." * 10_000, "// " * 6_000, "whatsapp " * 2_000, "bit.ly/a " * 2_000]
)
def test_no_text_breaks_it(text: str) -> None:
    for found in spam.find_signs(text):
        assert 0 <= found.start < found.end <= len(text)
    assert spam.find_copies(text, [text]) in ([], [0])
