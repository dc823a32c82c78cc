"""The words of `phrases/personal.en.yaml`, by which personal information is known in English."""

import re
from functools import cache
from importlib import resources

import yaml

from moderation.screening.frequent_words import frequent


@cache
def _read() -> dict[str, str]:
    source = resources.files("moderation.screening.phrases").joinpath("personal.en.yaml").read_text("utf-8")
    lists: dict[str, str] = yaml.safe_load(source)
    return lists


@cache
def words(name: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(_read()[name].split())


@cache
def english() -> frozenset[str]:
    """Return the words that people write most."""
    return frozenset(frequent("us_tv_and_film")[:9000]) | frozenset(frequent("english_wikipedia")[:4000])


def is_english(word: str) -> bool:
    """Return whether a word is one that people write often."""
    return word.lower() in english()


@cache
def phrases(name: str) -> str:
    """Return the phrases of a list as alternatives of a pattern, the longest first."""
    listed = [" ".join(phrase.split()) for phrase in _read()[name].split("|")]
    return "|".join(re.escape(phrase) for phrase in sorted(listed, key=len, reverse=True) if phrase)


@cache
def alternatives(name: str) -> re.Pattern[str]:
    """Return the pattern of the phrases of a list, whatever their case."""
    return re.compile(rf"\b(?:{phrases(name)})\b", re.IGNORECASE)
