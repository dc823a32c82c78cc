"""A scan of a text that says which patterns can be in it: most texts have nothing, and then none of them is run.

Of each pattern, google-re2 seeks a looser form, many of them at once: without what it cannot do (to look around, and to
refer back), and with repeats that have no end, so that the scan stays small and no text makes it slow.
"""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import re2
from cachetools import LRUCache

from moderation.screening.patterns import options

_FEW = 4  # repeats that are counted: so many digits tell much, and more would only make the scan larger
_ANYTHING = "(?s:.*)"
_PART = re.compile(
    r"(?P<look>\(\?<?[=!])|(?P<count>\{(?P<least>\d+)(?P<more>,\d*)?\})|(?P<back>\\[1-9])|(?P<space>\\s)|\\.|[^\\]",
    re.DOTALL,
)
_SPACES = r"\s\x0b\x1c-\x1f"  # as `re` knows them; those beyond ASCII are read as one of ASCII
_SCANNED = 512  # texts of which is known what can be in them: the same one is looked through for several things
_IN_SET = 13  # patterns that are sought at once: of more, the ways in which they can go on together multiply
_ALWAYS = 0  # the place of the empty pattern in each set: what finds not even that ran out of memory
_UNSURE = -1  # among the places then: any pattern can be there, or not


_OF_RE2 = type(re2.compile(""))


class SoughtPattern(NamedTuple):
    """A pattern, its place in the scan, and whether it is itself what the scan seeks."""

    pattern: re.Pattern[str]
    place: int
    is_exact: bool


class Scan:
    """A text, and which patterns can be in it."""

    def __init__(self, text: str, places: frozenset[int]) -> None:
        self.text = text
        self.places = places

    def matches(self, sought: SoughtPattern) -> Iterator[re.Match[str]]:
        """Return everywhere where a pattern is: hundreds of harmless places hide nothing that comes after them."""
        return sought.pattern.finditer(self.text) if sought.place in self.places else iter(())

    def search(self, sought: SoughtPattern) -> re.Match[str] | None:
        """Return where a pattern is first, or None."""
        return sought.pattern.search(self.text) if sought.place in self.places else None

    def may(self, sought: SoughtPattern) -> bool:
        """Return whether a pattern can be in the text."""
        return sought.place in self.places

    def has(self, sought: SoughtPattern) -> bool:
        """Return whether a pattern is in the text."""
        if sought.is_exact and self.text.isascii() and _UNSURE not in self.places:
            return self.may(sought)
        return self.search(sought) is not None


class Sieve:
    """Patterns that are sought together."""

    def __init__(self) -> None:
        self.patterns = list[SoughtPattern]()
        self._kinds = dict[str, set[int]]()
        self._sets = list[tuple[int, re2.Set]]()  # and how many patterns are in the sets before
        self._scanned = LRUCache[bytes, frozenset[int]](_SCANNED)  # by a digest of the text: no words are kept

    def add(self, pattern: re.Pattern[str], *kinds: str) -> SoughtPattern:
        """Return a pattern as it is sought; `kinds_in` tells of which of these kinds something can be there."""
        is_exact = isinstance(pattern, _OF_RE2) and loosened(pattern) == f"(?:{pattern.pattern})"
        sought = SoughtPattern(pattern, len(self.patterns) + 1, is_exact)
        self.patterns.append(sought)
        self._sets.clear()  # they are compiled with the next scan
        self._scanned.clear()
        for kind in kinds:
            self._kinds.setdefault(kind, set()).add(sought.place)
        return sought

    def scan(self, text: str) -> Scan:
        """Return which patterns can be in a text."""
        digest = sha256(text.encode(errors="surrogatepass")).digest()
        places = self._scanned.get(digest)
        if places is None:
            places = self._scanned[digest] = self._places_in(text)
        return Scan(text, places)

    def _places_in(self, text: str) -> frozenset[int]:
        self._sets = self._sets or self._compiled()
        plain = text if text.isascii() else text.translate(_AS_ASCII)
        # Both, for patterns of `re` and of google-re2 read it differently.
        readings = [text] if plain == text else [text, plain]
        places = set[int]()
        for before, together in self._sets:
            hits = {place for reading in readings for place in together.Match(reading) or ()}
            if _ALWAYS not in hits:
                return frozenset(range(_UNSURE, len(self.patterns) + 1))
            places.update(before + place for place in hits if place != _ALWAYS)
        return frozenset(places)

    def kinds_in(self, scan: Scan) -> set[str]:
        """Return of which kinds something can be in a text."""
        return {kind for kind, places in self._kinds.items() if not places.isdisjoint(scan.places)}

    def _compiled(self) -> list[tuple[int, re2.Set]]:
        sets = []
        for before in range(0, len(self.patterns), _IN_SET):
            together = re2.Set.SearchSet(options())
            together.Add("")
            for sought in self.patterns[before : before + _IN_SET]:
                together.Add(loosened(sought.pattern))
            together.Compile()
            sets.append((before, together))
        return sets


class _AsAscii(dict[int, str]):
    """Maps each letter, digit and space to one of ASCII: of no others, google-re2 knows the classes and word edges."""

    def __missing__(self, code: int) -> str:
        self[code] = self._read(chr(code))
        return self[code]

    @staticmethod
    def _read(char: str) -> str:
        if char.isascii():
            return char
        if char.isspace():
            return " "
        if char.isdecimal():
            return str(unicodedata.decimal(char))
        if not char.isalnum():
            return char
        plain = unicodedata.normalize("NFKD", char.replace("ı", "i"))[0]
        return plain if plain.isascii() and plain.isalpha() else "A" if char.isupper() else "a"


_AS_ASCII = _AsAscii()


def loosened(pattern: re.Pattern[str]) -> str:
    """Return a pattern of google-re2 that is wherever this one is, and in some more places."""
    written, looser, at, in_class = pattern.pattern, list[str](), 0, False
    while part := _PART.match(written, at):
        at = part.end()
        if part["look"] and not in_class:
            at = _end_of_group(written, part.start())
        else:
            looser.append(_looser(part, in_class=in_class))
        in_class = part[0] == "[" or (in_class and part[0] != "]")
    known = getattr(pattern, "flags", 0)  # those of google-re2 say theirs in the pattern
    flags = "".join(letter for letter, flag in (("i", re.I), ("m", re.M), ("s", re.S)) if known & flag)
    return f"(?{flags}:{''.join(looser)})"


def _looser(part: re.Match[str], *, in_class: bool) -> str:
    if part["space"]:
        return _SPACES if in_class else f"[{_SPACES}]"
    if part["back"] and not in_class:
        return _ANYTHING
    if part["count"] and not in_class:
        least = int(part["least"])
        if not part["more"] and least <= _FEW:
            return part[0]
        return f"{{{min(least, _FEW)},}}" if least else "*"
    return part[0]


def _end_of_group(written: str, at: int) -> int:
    """Return where the group ends that begins there."""
    depth, in_class = 0, False
    while part := _PART.match(written, at):
        if not in_class:
            depth += part[0].startswith("(") - (part[0] == ")")
        in_class = part[0] == "[" or (in_class and part[0] != "]")
        at = part.end()
        if not depth:
            break
    return at
