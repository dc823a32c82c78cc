"""The phrases of `phrases/*.yaml`, compiled: what is sought, of which kind and level, and what softens it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import sha256
from importlib import resources
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import yaml

from moderation.screening.finding import CrisisKind, Level
from moderation.screening.patterns import BadPattern, Patterns, expand
from moderation.screening.reading import Dictionary

_WORD = re.compile(r"[a-z]+")
# A word of a phrase as people write it; what stands in braces, in brackets or after a backslash is notation.
_WRITTEN = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\\.|(?P<word>[a-z]+(?:'[a-z]+)*)(?P<hyphen>-(?=[a-z]))?")
MOST_STEPS = 6_000  # of a compiled phrase; the longest of ours has 3,300
# Words of which none shows danger.
_ORDINARY = " . hello all and thank you for your kind words . we had a good day in the park with tea and cake . "
_PHRASES = UUID("5f0c9a52-6f0e-4c1b-8d3a-6b5d9a3e7c11")  # the namespace of their ids
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


class Phrase(NamedTuple):
    """A phrase as it is written down."""

    kind: CrisisKind
    level: Level
    text: str

    @property
    def id(self) -> UUID:
        """What it is known by: the same phrase has the same id."""
        return uuid5(_PHRASES, "\n".join(self))

    @property
    def meaning(self) -> Meaning:
        """What it says."""
        return Meaning(self.kind, self.level, bool(NOT.search(self.text)))


class Changes(NamedTuple):
    """What a forum's administrators added to the phrases, and which they switched off."""

    added: tuple[Phrase, ...] = ()
    off: frozenset[UUID] = frozenset()


NO_CHANGES = Changes()


@dataclass(frozen=True)
class Phrasebook:
    """What is sought in one language."""

    version: str
    dictionary: Dictionary
    slots: Mapping[str, Sequence[str]]
    phrases: Sequence[Phrase]
    sought: Sequence[tuple[Patterns, Sequence[Meaning | None]]]  # sets of patterns; None for what is switched off
    harmless: Patterns
    negation: Patterns
    not_negation: Patterns
    negation_leaves: frozenset[CrisisKind]
    scopes: Sequence[Scope]
    together: tuple[Patterns, Sequence[int]]  # words that mean little alone, and the points that each gives
    points_needed: int


@cache
def english() -> Phrasebook:
    """Return the phrases in English."""
    return load(resources.files("moderation.screening.phrases").joinpath("crisis.en.yaml").read_text("utf-8"))


@lru_cache(maxsize=2)
def changed(changes: Changes) -> Phrasebook:
    """Return the phrases in English as administrators changed them.

    A phrase of theirs that this release cannot use is left out: it must not keep the others from being sought.
    """
    book = english()
    if changes == NO_CHANGES:
        return book
    usable = [(phrase, pattern) for phrase in changes.added if (pattern := _compiled(book, phrase))]
    ours = [(patterns, _without(changes.off, book.phrases)) for patterns, _ in book.sought]
    digest = sha256(repr((changes.added, sorted(changes.off))).encode()).hexdigest()
    return replace(
        _with_words(book, [phrase for phrase, _ in usable]),
        version=f"{book.version}+{digest[:6]}",
        sought=[*ours, *((pattern, [phrase.meaning]) for phrase, pattern in usable)],
    )


def alone(phrase: Phrase) -> Phrasebook:
    """Return a book in which only this phrase is sought. Raises BadPattern for one that cannot be used."""
    book = english()
    pattern = Patterns([expand(phrase.text, book.slots)])
    if pattern.steps > MOST_STEPS:
        raise BadPattern("The phrase can be read in too many ways: make it shorter.")
    if pattern.any_in("  ") or pattern.any_in(_ORDINARY):
        raise BadPattern("The phrase is found in nearly everything that people write.")
    return replace(_with_words(book, [phrase]), sought=[(pattern, [phrase.meaning])], together=(Patterns([]), []))


def as_read(text: str) -> str:
    """Return a phrase with its words as texts are read: "do not" for "Don’t", "self harm" for "self-harm"."""
    dictionary = english().dictionary

    def read(found: re.Match[str]) -> str:
        word: str | None = found["word"]
        return dictionary.read(word) + (" " if found["hyphen"] else "") if word else found[0]

    return " ".join(_WRITTEN.sub(read, text.lower().replace("’", "'")).split())


def _compiled(book: Phrasebook, phrase: Phrase) -> Patterns | None:
    try:
        return Patterns([expand(phrase.text, book.slots)])
    except BadPattern:
        return None


def _without(off: Collection[UUID], phrases: Sequence[Phrase]) -> Sequence[Meaning | None]:
    return [None if phrase.id in off else phrase.meaning for phrase in phrases]


def _with_words(book: Phrasebook, phrases: Sequence[Phrase]) -> Phrasebook:
    """Return a book that knows the words of these phrases: none of them is a slip of another word."""
    words = {word for phrase in phrases for word in _WORD.findall(expand(phrase.text, book.slots))}
    return replace(book, dictionary=Dictionary(book.dictionary.written, frozenset(book.dictionary.sought) | words))


def load(source: str) -> Phrasebook:
    """Return the phrases of a file. Raises BadPattern for one that cannot be used."""
    data = yaml.safe_load(source)
    slots: Mapping[str, Sequence[str]] = data["slots"]
    phrases = [
        Phrase(CrisisKind(kind), Level(level), text)
        for kind, levels in data["kinds"].items()
        for level, given in levels.items()
        for text in given
    ]
    patterns = [expand(phrase.text, slots) for phrase in phrases]
    negated, scope = data["scope"].pop("negated"), data["scope"]
    words = {word for pattern in patterns for word in _WORD.findall(pattern)}
    return Phrasebook(
        version=data["version"],
        dictionary=Dictionary({str(short): str(long) for short, long in data["written"].items()}, frozenset(words)),
        slots=slots,
        phrases=phrases,
        sought=[(Patterns(patterns), [phrase.meaning for phrase in phrases])],
        harmless=_patterns(data["harmless"], slots),
        negation=Patterns([_negation(negated)]),
        not_negation=_patterns(negated["unless"], slots),
        negation_leaves=_kinds(negated),
        scopes=[_scope(entry, slots) for entry in scope.values()],
        together=_together(data["together"], slots),
        points_needed=data["together"]["needed"],
    )


def _patterns(phrases: Sequence[str], slots: Mapping[str, Sequence[str]]) -> Patterns:
    return Patterns([expand(phrase, slots) for phrase in phrases])


def _together(entry: Mapping[str, Any], slots: Mapping[str, Sequence[str]]) -> tuple[Patterns, Sequence[int]]:
    strong, weak = entry["strong"], entry["weak"]
    return _patterns([*strong, *weak], slots), [2] * len(strong) + [1] * len(weak)


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
