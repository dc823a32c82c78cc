"""Links as a reader would follow them: short ones, which hide where they lead, and hosts that look like another."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import resources

import yaml

from moderation.screening.finding import Finding, FindingKind, SignEffect
from moderation.screening.frequent_words import latin_look_alike
from moderation.screening.sieve import Scan, Sieve

VERSION = "1"  # raise it with every change: each finding says with which version it was made
NAMES = ("short_link", "look_alike_link")
_ALIKE_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
_DOT = r"(?:[.。．｡]|[ ]?[\[({][ ]?(?:[.]|dot)[ ]?[\])}][ ]?|[ ]+dot[ ]+)"
SIEVE = Sieve()  # the signs of spam, those in `spam.py` too
_HOST = SIEVE.add(
    re.compile(
        rf"(?<![\w@.-])(?:h(?:tt|xx)ps?(?::|\[:\])?//|//)?(?P<host>\w[\w-]{{0,62}}(?:{_DOT}\w[\w-]{{0,62}}){{1,5}})",
        re.IGNORECASE,
    )
)
_DOTS = re.compile(_DOT, re.IGNORECASE)


@cache
def hosts(kind: str) -> frozenset[str]:
    """Return the `shorteners`, or the hosts of `throw_away_mail`."""
    source = resources.files("moderation.screening.phrases").joinpath("hosts.yaml").read_text("utf-8")
    return frozenset(yaml.safe_load(source)[kind].split())


def find(scan: Scan) -> list[Finding]:
    """Return the short links, and the links to hosts that look like others."""
    found = []
    for match in scan.matches(_HOST):
        labels = [_decoded(label) for label in _DOTS.split(unicodedata.normalize("NFKC", match["host"]).casefold())]
        if name := _name(labels):
            found.append(Finding(FindingKind.SPAM, *match.span(), name, VERSION, effect=SignEffect.POINT_OUT))
    return found


def _name(labels: list[str]) -> str | None:
    if any(".".join(labels[first:]) in hosts("shorteners") for first in range(len(labels) - 1)):
        return "short_link"
    is_latin = labels[-1].isascii() and labels[-1].isalpha() and len(labels[-1]) > 1
    if any(_is_mixed(label) or (is_latin and _is_dressed_up(label)) for label in labels[:-1]):
        return "look_alike_link"
    return None


def _decoded(label: str) -> str:
    """Return a label as people see it: those with `xn--` are written so that they pass through old systems."""
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _is_mixed(label: str) -> bool:
    """Return whether a label has letters of two scripts that look like each other."""
    return not label.isascii() and len(_ALIKE_SCRIPTS.intersection(_scripts(label))) > 1


def _is_dressed_up(label: str) -> bool:
    """Return whether a label is in another script, and each of its letters looks Latin."""
    letters = [char for char in label if char.isalpha()]
    return bool(letters) and not label.isascii() and all(map(_looks_latin, letters))


def _looks_latin(char: str) -> bool:
    return not char.isascii() and latin_look_alike(char) is not None


def _scripts(label: str) -> Iterator[str]:
    return (unicodedata.name(char, "").partition(" ")[0] for char in label if char.isalpha())
