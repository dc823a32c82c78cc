"""People by name, where something beside a name says who they are: a title, a role, a relation or an age.

A name without such a word, and one in small letters without it, is out of reach: every list of names would call half of
the English words one.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from moderation.screening.frequent_words import frequent
from moderation.screening.personal_information.spans import SIEVE, Recognised, linear
from moderation.screening.personal_information.word_lists import english, phrases, words
from moderation.screening.sieve import Scan

_NAME = (
    r"(?:[A-ZÀ-ÖØ-ÞŁŚŻŹ][a-zà-öø-ÿęąłśżźńó]{1,20}(?:['’][A-Z]?[a-z]{1,15})?(?:-[A-Z][a-z]{1,15})?"
    r"|O['’][A-Z][a-z]{2,15})"
)
_SMALL_NAME = r"[a-zà-ÿ]{2,15}(?:-[a-z]{2,12})?"
_AGE = (
    r"(?:1[0-7]|[1-9]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    r"seventeen)"
)
_OLD = r"(?:[ -]?(?:years?|yrs?|yr|y/?o|months?|mths?|weeks?|wks?)(?:[ -]?old)?|yo|mo)?"
_AGED = SIEVE.add(
    re.compile(
        rf"(?<![\w'’])({_NAME})(?:,? (?:is|was|who is|who's|who’s|who was|turned|turns|aged?|just turned|is now|"
        rf"is only|is nearly)|,)? ?"
        rf"(?:\({_AGE}{_OLD}\)|(?<![\w(]){_AGE}{_OLD})(?![\w:%/])(?! (?:days?|weeks?|months?|years?|hours?|minutes?|"
        rf"mins|miles?|times?|of|or|to|"
        r"pm|am|people|children|kids|more|things?|other)\b)(?!\.\d)"
    ),
    "child",
)
_CALLED = r"(?:(?:,| is| was| are| were|, who is|, who's)? (?:called|named)|['’]?s? names? (?:is|was)|['’]s name['’]s)"


_WHOSE_IS = r"(?:my|our|his|her|their|your|the|me|a|an|this|that)"
_BETWEEN = r"(?:(?:[a-z]{2,12}|\d{1,2}|\d{1,2}(?:yr|year|month|week)s?[ -]old) ){0,2}"
_OF_YEARS = r"(?:\d{1,2}[ -]?(?:year|yr|month|mth|week)s?[ -]?olds?|\d{1,2} ?y/?o)"
_JOINED = rf"(?:{_CALLED} |, | \(|: | (?:is|was|are) | )"
_EITHER = rf"({_NAME}|{_SMALL_NAME})"
_ALSO = rf"(?:,? (?:and|&) ({_NAME}))?"
_ROLE = phrases("role")
_CHILDREN, _ADULTS = ("|".join(sorted(words(kin), key=len, reverse=True)) for kin in ("child", "adult"))
_CHILD = SIEVE.add(
    linear(
        rf"(?:\b(?i:{_WHOSE_IS}) {_BETWEEN}(?i:{_CHILDREN}|{_OF_YEARS})(?:['’]s|"
        rf"s['’])?(?: {_BETWEEN}?(?i:{_CHILDREN}))?{_JOINED}{_EITHER}(?:,? ({_NAME}))?{_ALSO}"
        rf"|\b(?i:baby|little|wee|toddler) ({_NAME})\b"
        rf"|\b(?i:mum|mummy|mam|dad|daddy|parent|mother|father|nan|gran) (?:to|of) ({_NAME})(?:,? (?:and|"
        rf"&) ({_NAME}))?\b"
        rf"|\b(?i:their|the kids|the children)(?:['’]s?)? names (?:are|is) ({_NAME})(?:,? (?:and|"
        rf"&) ({_NAME}))?)"
    ),
    "child",
)
_ADULT = SIEVE.add(
    linear(
        rf"\b(?i:{_WHOSE_IS}|ex|best) {_BETWEEN}(?i:{_ADULTS})(?i:[ -](?:husband|wife|partner|"
        rf"in[ -]law))?(?:['’]s)?{_JOINED}{_EITHER}"
        rf"(?: ({_NAME}))?{_ALSO}"
    ),
    "person",
)
_BY_ROLE = SIEVE.add(
    linear(rf"\b(?i:{_ROLE})(?:['’]s)?({_CALLED} |, | \(|: | | (?:is|was) )({_NAME})((?: {_NAME})?)"), "professional"
)
# The titles as people write them, the longest first.
_TITLES = sorted(
    {form for one in phrases("title").split("|") for form in (one, one.title(), one.capitalize(), one.upper())},
    key=len,
    reverse=True,
)
_TITLED = SIEVE.add(
    linear(
        rf"((?:{'|'.join(_TITLES)}))\.? (?:[A-Z]\.? ){{0,2}}({_NAME}|"
        rf"[A-Z]{{2,15}})((?: {_NAME})?)"
    ),
    "professional",
)
_BEFORE_ROLE = SIEVE.add(
    linear(
        rf"({_NAME} {_NAME})(?:,? \(?|, )(?i:my|our|the|his|her|their|"
        rf"a)? ?(?i:{_ROLE})\b"
    ),
    "professional",
)


class _Words(NamedTuple):
    names: frozenset[str]
    no_small_names: frozenset[str]
    no_names: frozenset[str]
    english: frozenset[str]


@cache
def _words() -> _Words:
    names = frozenset({*frequent("female_names"), *frequent("male_names"), *words("names")})
    no_names = frozenset(word.lower() for word in words("no_names"))
    return _Words(names, words("no_small_names") | no_names, no_names, english() - names)


_OWNED = re.compile("['’]s$")
_INSIDE = re.compile(r"[\w'’]")
_WHOSE = re.compile(r"\b(?:my|our|his|her)\s$", re.IGNORECASE)
_SELF = SIEVE.add(
    re.compile(
        rf"\b(?:(?i:my (?:real |full |first )?name(?: is|['’]s|s)?|call me|i am called|i['’]?m called|"
        rf"known as) ({_NAME}|{_SMALL_NAME})((?: {_NAME})?)"
        rf"|(?:I['’]?m|I am|[Ii]ts|[Ii]t['’]s|[Tt]his is) ({_NAME}) ({_NAME}))(?![\w'’])"
    ),
    "person",
)
_SIGNED = SIEVE.add(
    re.compile(
        rf"\b(?i:regards|best wishes|yours|signed|"
        rf"sincerely),?\s{{1,2}}({_NAME})((?: {_NAME})?)[.\s]*$",
        re.MULTILINE,
    ),
    "person",
)


def find_professionals(scan: Scan) -> Iterator[Recognised]:
    """Yield professionals: a title or a role with a name."""
    known = _words()
    for found in scan.matches(_TITLED):
        if _is_title(scan.text, found) and _is_title_of(found[2]):
            second = found[3].strip()
            end = found.end() if second and is_name(second) else found.end(2)
            yield Recognised("professional", found.start(), end)
    for found in scan.matches(_BEFORE_ROLE):
        if _is_full_name(found[1]):
            yield Recognised("professional", *found.span(1))
    for found in scan.matches(_BY_ROLE):
        first, second = found[2], found[3].strip()
        is_full = _is_family_name(first, second)
        if is_name(first) and (
            is_full or "call" in found[1] or "name" in found[1] or _first_of(first).lower() in known.names
        ):
            yield Recognised("professional", found.start(2), found.end() if is_full else found.end(2))


def _is_full_name(words_of: str) -> bool:
    return all(map(is_name, words_of.split()))


def _is_title(text: str, found: re.Match[str]) -> bool:
    """Return whether it is a title: "my sister" is none, and "my DS" is a dear son."""
    title = found[1]
    if _INSIDE.match(text[found.start() - 1 : found.start()]):
        return False
    if title.islower():
        return title not in {"sister", "father", "nurse", "ds", "dc", "di", "pc", "dj", "miss"}
    return title not in {"DS", "DC", "DI"} or not _WHOSE.search(text, max(0, found.start() - 6), found.start())


def find_children(scan: Scan) -> Iterator[Recognised]:
    """Yield names of children: beside a relation, or an age below 18."""
    known = _words()
    for found in scan.matches(_CHILD):
        yield from _named(found, "child")
    for found in scan.matches(_AGED):
        if found[1].split("-")[0].lower() in known.names and is_name(found[1]):
            yield Recognised("child", *found.span(1))


def find_people(scan: Scan) -> Iterator[Recognised]:
    """Yield names of grown-up people beside a relation, and what somebody says is their own name."""
    known = _words()
    for found in scan.matches(_ADULT):
        yield from _named(found, "person")
    yield from (Recognised("person", *found.span(1)) for found in scan.matches(_SIGNED) if is_name(found[1]))
    for found in scan.matches(_SELF):
        if found[1] and _is_either(found[1]):
            is_full = _is_family_name(found[1], found[2].strip())
            yield Recognised("person", found.start(1), found.end(2) if is_full else found.end(1))
        elif found[3] and found[3].lower() in known.names and _is_family_name(found[3], found[4]):
            yield Recognised("person", found.start(3), found.end(4))


def _named(found: re.Match[str], recogniser: str) -> Iterator[Recognised]:
    """Yield the names of a match: the first may be in small letters, and a second of the same person is joined."""
    start, end = -1, -1
    for group in range(1, (found.lastindex or 0) + 1):
        name = found[group]
        if not name:
            continue
        if not _is_either(name):
            break  # nor is what follows it
        if end >= 0 and found.start(group) == end + 1:  # the family name after the first one
            end = found.end(group)
            continue
        if end >= 0:
            yield Recognised(recogniser, start, end)
        start, end = found.span(group)
    if end >= 0:
        yield Recognised(recogniser, start, end)


def _is_family_name(first: str, second: str) -> bool:
    """Return whether the word after a first name is a family name: after one that is known, also "Grey" or "Cook"."""
    known = _words()
    if not second or second.lower() in known.no_names:
        return False
    return is_name(second) or _first_of(first).lower() in known.names


def _is_either(name: str) -> bool:
    return is_name(name) if name[0].isupper() else _is_small_name(name)


def is_name(word: str) -> bool:
    """Return whether a word with a capital letter may be somebody's name."""
    known, first = _words(), _first_of(word).lower()
    return first not in known.no_names and (first in known.names or first not in known.english)


def _first_of(word: str) -> str:
    """Return the first part of a name: "Ellie" of "Ellie-Mae" and of "Ellie’s"."""
    return _OWNED.sub("", word.split("-", maxsplit=1)[0])


def _is_title_of(word: str) -> bool:
    """Return whether a title stands before a name: nearly every word there is one."""
    return word.lower() not in _words().no_names


def _is_small_name(word: str) -> bool:
    known, first = _words(), _first_of(word)
    return first in known.names and first not in known.no_small_names
