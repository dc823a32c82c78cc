"""Lists of words and letters that libraries bring, loaded when the first text is screened.

Only what is looked up is kept: the libraries' own tables take 25 MB, what is taken from them 8.
"""

import json
import runpy
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

_KEPT = ("us_tv_and_film", "english_wikipedia", "male_names", "female_names")


@cache
def frequent(name: str) -> Sequence[str]:
    """Return one of zxcvbn's lists, the most frequent first."""
    return _lists()[name]


@cache
def frequent_english(most: int | None = None) -> frozenset[str]:
    """Return the words of films, and so many of an encyclopaedia: people write them, so none is a slip or disguise."""
    return frozenset(frequent("us_tv_and_film")) | frozenset(frequent("english_wikipedia")[:most])


def latin_look_alike(char: str) -> str | None:
    """Return the one character that a letter of another script looks like, if that is one of ASCII (Unicode UTS 39)."""
    return _look_alikes().get(char)


@cache
def _lists() -> Mapping[str, Sequence[str]]:
    # The file alone: the library itself makes tables of ranks of all words, which only passwords need.
    library = find_spec("zxcvbn")
    if library is None or library.origin is None:
        raise ModuleNotFoundError("zxcvbn")
    lists = runpy.run_path(str(Path(library.origin).with_name("frequency_lists.py")))["FREQUENCY_LISTS"]
    return {name: tuple(lists[name]) for name in _KEPT}


@cache
def _look_alikes() -> Mapping[str, str]:
    table = json.loads(resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8"))
    alone = {char: alike[0]["c"] for char, alike in table.items() if len(alike) == 1}
    return {char: looks for char, looks in alone.items() if looks.isascii()}
