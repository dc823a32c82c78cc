"""Schools and nurseries by name."""

import re
from collections.abc import Iterator

from moderation.screening.personal_information.spans import SIEVE, Recognised, linear
from moderation.screening.personal_information.word_lists import is_english, words
from moderation.screening.sieve import Scan

_WORD = r"[A-Z][\w'’.&-]{0,20}"
_KIND = (
    r"(?:Primary|Infants?|Juniors?|Secondary|Grammar|Comprehensive|High|Nursery|Academy|Pre-?[Ss]chool|Playgroup|College|"
    r"School|Sixth Form|Kindergarten|Day Nursery|Children['’]s Centre)"
)
_SCHOOL = SIEVE.add(
    re.compile(
        rf"(?<![\w'’])((?:{_WORD} |and |of |the ){{1,5}}?)({_KIND}(?: (?:School|Academy|Nursery|"
        rf"College))?)(?: (?:for|of) (?:Girls|Boys))?(?![\w'’])(?! of\b)"
        rf"|(?<![\w'’])Ysgol(?: {_WORD}){{1,3}}"
    ),
    "school",
)
_CALLED = SIEVE.add(
    re.compile(
        rf"\b(?:school|nursery|pre-?school|playgroup|college)(?: is|['’]s)? (?:called|"
        rf"named) ({_WORD}(?: {_WORD}){{0,3}})"
    ),
    "school",
)
_HALF_SMALL = SIEVE.add(
    re.compile(
        rf"(?<![\w'’])((?:{_WORD} ){{1,4}})((?:primary|infants?|juniors?|nursery|academy|pre-?school|school|"
        rf"secondary|high school)"
        r"(?: school)?)(?![\w'’])"
    ),
    "school",
)
_SMALL = SIEVE.add(
    re.compile(
        r"\b(?:goes to|go to|went to|attends|starts?|started|starting|pupil at|is at|are at|was at|moved from|moved to|"
        r"at) "
        r"((?:st\.? )?(?:[a-z'’]{3,15} ){1,3})((?:primary|infants?|juniors?|secondary|grammar|high|nursery|academy|"
        r"pre-?school|catholic)"
        r"(?: (?:school|academy|nursery|primary))*)\b"
    ),
    "school",
)
_SOON = SIEVE.add(
    linear(
        r"(?i)\b(?:primary|infants?|juniors?|secondary|grammar|comprehensive|high|nursery|academy|pre-?school|playgroup|college|"
        r"school|sixth form|kindergarten|ysgol|centre)\b"
    )
)


def find(scan: Scan) -> Iterator[Recognised]:
    """Yield schools and nurseries: with capital letters anywhere, without them where a child goes there."""
    if not scan.has(_SOON):
        return
    for found in scan.matches(_SCHOOL):
        if found[1] is None:
            yield Recognised("school", *found.span())
            continue
        start, named = found.start(), found[1].split()
        while named and (named[0] in words("no_school") or not named[0][0].isupper()):
            start += len(named.pop(0)) + 1
        if named and not _is_figure_of_speech(found):
            yield Recognised("school", start, found.end())
    yield from (Recognised("school", *found.span(1)) for found in scan.matches(_CALLED))
    for found in scan.matches(_HALF_SMALL):
        named = found[1].split()
        if named[0] not in words("no_school") and not (len(named) == 1 and is_english(named[0])):
            yield Recognised("school", *found.span())
    for found in scan.matches(_SMALL):
        if words("no_small_school").isdisjoint(found[1].split()):
            yield Recognised("school", found.start(1), found.end(2))


def _is_figure_of_speech(found: re.Match[str]) -> bool:
    """Return whether "High" alone ends it, which ends much else: "Sky High"; it needs a word that says so before."""
    before = found.string[max(0, found.start() - 12) : found.start()]
    return found[2] == "High" and not re.search(r"\b(?:at|to|from|attends|school is|in|and) $", before)
