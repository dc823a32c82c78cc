"""Lists of words and letters that libraries bring, loaded when the first text is screened: 20 MB for who only reads."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any


@cache
def frequent(name: str) -> Sequence[str]:
    """Return one of zxcvbn's lists, the most frequent first: `us_tv_and_film`, `english_wikipedia`, `male_names`, …"""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - see above

    words: Sequence[str] = FREQUENCY_LISTS[name]
    return words


@cache
def frequent_english(most: int | None = None) -> frozenset[str]:
    """Return the words of films, and so many of an encyclopaedia: people write them, so none is a slip or disguise."""
    return frozenset(frequent("us_tv_and_film")) | frozenset(frequent("english_wikipedia")[:most])


@cache
def look_alikes() -> Mapping[str, Sequence[Any]]:
    """Return for each letter those of other scripts that look like it (Unicode UTS 39)."""
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415 - see above

    letters: Mapping[str, Sequence[Any]] = confusables_data
    return letters
