"""How many of the sentences in `sets/` are found: the half put aside holds the bars. `pytest -s` prints the figures."""

import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from moderation.screening import crisis
from moderation.screening.finding import Finding

SETS = Path(__file__).with_name("sets")
EXPLICIT, DOMAIN, GENTLER = ("present",), ("attempt", "danger", "child"), ("disclosure", "carer", "encouragement")


find = cache(crisis.find)  # several tests count the same sentences


class Sentence(NamedTuple):
    group: str
    kind: str
    text: str

    @property
    def found(self) -> list[Finding]:
        return find(self.text)

    @property
    def is_acute(self) -> bool:
        return any(one.is_acute for one in self.found)


def sentences(half: str, *groups: str) -> list[Sentence]:
    return [one for one in _read(f"crisis_{half}") if one.group in groups or not groups]


def _read(name: str) -> Iterator[Sentence]:
    content: dict[str, Any] = yaml.safe_load((SETS / f"{name}.yaml").read_text())
    for group, kinds in content.items():
        for kind, texts in kinds.items() if isinstance(kinds, dict) else [(group, kinds)]:
            yield from (Sentence(group, kind, text) for text in texts)


def share(of: Sequence[object], name: str, counted: Sequence[bool]) -> float:
    print(f"{name}: {sum(counted)} of {len(of)}")  # noqa: T201 - the figures
    return sum(counted) / len(of)


def test_the_sets_are_as_large_as_they_say() -> None:
    assert len(sentences("seen")) + len(sentences("aside")) >= 300


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_what_people_in_danger_write_is_found(half: str) -> None:
    explicit, domain = sentences(half, *EXPLICIT), sentences(half, *DOMAIN)
    assert share(explicit, f"{half}, explicit, any level", [bool(one.found) for one in explicit]) >= 0.95
    assert share(explicit, f"{half}, explicit, acute", [one.is_acute for one in explicit]) >= 0.90
    assert share(domain, f"{half}, attempt, danger, child: acute", [one.is_acute for one in domain]) >= 0.90


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_what_is_said_of_others_is_found_in_its_kind(half: str) -> None:
    others = sentences(half, *GENTLER)
    kinds = [one.kind in {found.recogniser for found in one.found} for one in others]
    assert share(others, f"{half}, disclosure, carer, encouragement", kinds) >= 0.90


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_hardly_anybody_is_called_for_what_is_denied_quoted_past_or_alleged(half: str) -> None:
    scope = sentences(half, "scope")
    acute = share(
        scope, f"{half}, negated, quoted, past, professional, accused: acute", [one.is_acute for one in scope]
    )
    assert acute <= 0.05


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_ordinary_posts_are_left_alone(half: str) -> None:
    ordinary = list(_read(f"ordinary_{half}"))
    assert share(ordinary, f"{half}, ordinary, acute", [one.is_acute for one in ordinary]) <= 0.01
    assert share(ordinary, f"{half}, ordinary, any level", [bool(one.found) for one in ordinary]) <= 0.03


@pytest.mark.parametrize("half", ["seen", "aside"])
@pytest.mark.parametrize("width", [40, 72])
def test_lines_that_a_machine_broke_hide_nothing_and_call_for_nothing(half: str, width: int) -> None:
    """Each sentence stands within three others, which say nothing, and all of them are broken at so many characters."""
    others = "I wrote to the office on Monday. They answered today, and that was quick."

    def acute(of: Sequence[Sentence]) -> list[bool]:
        texts = [textwrap.fill(f"{others} {one.text.strip()}{_end(one.text)} It rains again.", width) for one in of]
        return [any(found.is_acute for found in find(text)) for text in texts]

    danger, ordinary = sentences(half, *EXPLICIT, *DOMAIN), list(_read(f"ordinary_{half}"))
    assert share(danger, f"{half}, in lines of {width}, danger: acute", acute(danger)) >= 0.90
    assert share(ordinary, f"{half}, in lines of {width}, ordinary: acute", acute(ordinary)) <= 0.02
    scope = sentences(half, "scope")
    assert share(scope, f"{half}, in lines of {width}, negated and so on: acute", acute(scope)) <= 0.10


def test_few_posts_of_a_mixed_community_call_somebody() -> None:
    """Every text of the sets in which nobody is in danger: of every day, denied, past, thanks and adverts."""
    halves = ("seen", "aside")
    posts = [one.text for half in halves for one in (*_read(f"ordinary_{half}"), *sentences(half, "scope"))]
    posts += [text for half in halves for text in _texts(yaml.safe_load((SETS / f"spam_{half}.yaml").read_text()))]
    calls = [text for text in posts if any(found.is_acute for found in find(text))]
    rate = 200 * share(posts, "mixed community: posts that call somebody", [text in calls for text in posts])
    print(f"mixed community: {rate:.1f} calls in 200 posts")  # noqa: T201 - the figures
    assert rate <= 5


def _texts(content: object) -> Iterator[str]:
    """Yield every text in a file of a set that says more than a word."""
    if isinstance(content, str):
        yield from [content] if " " in content else []
    elif isinstance(content, dict | list):
        for each in content.values() if isinstance(content, dict) else content:
            yield from _texts(each)


def _end(text: str) -> str:
    return "" if text.rstrip()[-1] in ".!?" else "."


@pytest.mark.parametrize("half", ["seen", "aside"])
def test_bare_phrases_as_other_products_list_them_are_found(half: str) -> None:
    phrases = list(_read(f"phrases_{half}"))
    acute = [one for one in phrases if one.group == "acute"]
    ordinary = [one for one in phrases if one.group == "ordinary"]
    assert share(acute, f"{half}, bare phrases: any level", [bool(one.found) for one in acute]) >= 0.85
    assert share(acute, f"{half}, bare phrases: acute", [one.is_acute for one in acute]) >= 0.75
    assert share(ordinary, f"{half}, bare ordinary phrases: any level", [bool(one.found) for one in ordinary]) <= 0.03
