"""The phrases of `phrases/*.yaml`, compiled: what is sought, of which kind and level, and what softens it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

from moderation.screening.finding import CrisisKind, Level
from moderation.screening.patterns import Patterns, expand
from moderation.screening.reading import Dictionary

_WORD = re.compile(r"[a-z]+")
NOT = re.compile(r"\b(?:not|never|no|nobody|nothing|without)\b")


@dataclass(frozen=True)
class Scope:
    """Words around a phrase by which it means less: denied, reported, past, said to others, or said by an accuser."""

    patterns: Patterns
    unless: Patterns | None
    leaves: frozenset[CrisisKind]  # a worry of these kinds is left, of others nothing
    is_before: bool  # whether the words stand before the phrase, or anywhere in its sentence


class Meaning(NamedTuple):
    """What a phrase says. The "not" of one that `has_not` is the danger itself: "don't want to be here"."""

    kind: CrisisKind
    level: Level
    has_not: bool


@dataclass(frozen=True)
class Phrasebook:
    """What is sought in one language."""

    version: str
    dictionary: Dictionary
    phrases: Patterns
    meanings: Sequence["Meaning"]  # of each phrase
    harmless: Patterns
    negation: Patterns
    not_negation: Patterns
    negation_leaves: frozenset[CrisisKind]
    scopes: Sequence[Scope]
    together: Sequence[tuple[int, Patterns]]  # points, and what gives them
    points_needed: int


@cache
def english() -> Phrasebook:
    """Return the phrases in English."""
    return load(resources.files("moderation.screening.phrases").joinpath("crisis.en.yaml").read_text("utf-8"))


def load(source: str) -> Phrasebook:
    """Return the phrases of a file. Raises BadPattern for one that cannot be used."""
    data = yaml.safe_load(source)
    slots: Mapping[str, Sequence[str]] = data["slots"]
    phrases, meanings = list[str](), list[Meaning]()
    for kind, levels in data["kinds"].items():
        for level, given in levels.items():
            phrases += [expand(phrase, slots) for phrase in given]
            meanings += [Meaning(CrisisKind(kind), Level(level), bool(NOT.search(phrase))) for phrase in given]
    negated, scope = data["scope"].pop("negated"), data["scope"]
    words = {word for phrase in phrases for word in _WORD.findall(phrase)}
    return Phrasebook(
        version=data["version"],
        dictionary=Dictionary({str(short): str(long) for short, long in data["written"].items()}, frozenset(words)),
        phrases=Patterns(phrases),
        meanings=meanings,
        harmless=_patterns(data["harmless"], slots),
        negation=Patterns([_negation(negated)]),
        not_negation=_patterns(negated["unless"], slots),
        negation_leaves=_kinds(negated),
        scopes=[_scope(entry, slots) for entry in scope.values()],
        together=[
            (points, _patterns([phrase], slots))
            for points, name in ((2, "strong"), (1, "weak"))
            for phrase in data["together"][name]
        ],
        points_needed=data["together"]["needed"],
    )


def _patterns(phrases: Sequence[str], slots: Mapping[str, Sequence[str]]) -> Patterns:
    return Patterns([expand(phrase, slots) for phrase in phrases])


def _negation(entry: Mapping[str, Any]) -> str:
    """Return the pattern of a "not" right before a phrase, with nothing between them but words that carry it on."""
    between = "|".join(word.lower() for word in entry["between"])
    return f"(?:{'|'.join(entry['before'])})(?: (?:{between})){{0,6}} §"


def _scope(entry: Mapping[str, Any], slots: Mapping[str, Sequence[str]]) -> Scope:
    is_before = "before" in entry
    unless = _patterns(entry["unless"], slots) if "unless" in entry else None
    return Scope(_patterns(entry["before" if is_before else "inside"], slots), unless, _kinds(entry), is_before)


def _kinds(entry: Mapping[str, Any]) -> frozenset[CrisisKind]:
    return frozenset(map(CrisisKind, entry["leaves"]))
