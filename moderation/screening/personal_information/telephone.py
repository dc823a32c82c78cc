"""Telephone numbers, as people write them: with any gaps, without the leading 0, in words, with letters for digits.

British ones are known by how they read, not by whether they are assigned: a person rings what reads as a number.
"""

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from moderation.screening.personal_information.spans import SIEVE, Recognised, linear
from moderation.screening.sieve import Scan

# Numbers of helplines and offices, which everybody may pass on.
PUBLIC_NUMBER_TYPES = {
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.UAN,
}
_GAP = r"[ ().\-/–]{0,3}"
# Most posts have neither seven digits close together nor words for them: these tell fast.
_DIGITS = SIEVE.add(re.compile(r"[\doOlI](?:[^\w\n]{0,4}[\doOlI]){6}"))
_SPOKEN = SIEVE.add(re.compile(r"\b(?:zero|oh|o|nought|double|treble|triple)(?: |\d|seven)|\b07\d", re.IGNORECASE))
_NATIONAL = SIEVE.add(
    re.compile(
        rf"(?<![\w+])\(?[0O]{_GAP}[12378OolI](?:{_GAP}[0-9OolI]){{8,9}}(?!\w)|(?<![\w+])07\d{{3}} \d{{3}} \d{{4}}(?!\w)"
    ),
    "telephone",
)
_MOBILE = SIEVE.add(re.compile(r"(?<![\w+/£#.-])7[1-9]\d\d[ -]?\d{3}[ -]?\d{3}(?![\w/])"), "telephone")
_ABROAD = SIEVE.add(re.compile(rf"(?<![\w+])(?:\+|00 ?)[1-9](?:{_GAP}\d){{7,14}}(?!\w)"), "telephone")
_LETTERS = str.maketrans("OolI", "0011")
# 03, 0500, 080, 084, 087: helplines and offices (Ofcom, National Telephone Numbering Plan).
_PUBLIC = re.compile(r"03|0500|08(?:0|4|7)")

_VALUES = {"zero": "0", "oh": "0", "o": "0", "nought": "0"} | {
    word: str(value)
    for value, word in enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], start=1)
}
_TIMES = {"double": 2, "treble": 3, "triple": 3}
_TOKEN = rf"(?:{'|'.join([*_VALUES, *_TIMES, 'hundred'])}|\d{{1,6}})"
# A run of digits can be cut in many ways: only google-re2 reads it once.
_WORDS = SIEVE.add(linear(rf"(?i)\b{_TOKEN}(?:[ ,.-]{{0,3}}{_TOKEN}){{2,24}}\b"), "telephone")
_PIECE = re.compile(_TOKEN, re.IGNORECASE)


def find(scan: Scan, region: str) -> Iterator[Recognised]:
    """Yield telephone numbers as they are dialled from `region` or from abroad."""
    yield from _abroad(scan, region)
    if region == "GB":
        yield from _national(scan)
    elif scan.has(_DIGITS):
        yield from _of_region(scan.text, region)
    if region == "GB" and scan.has(_SPOKEN):
        yield from _spoken(scan)


def _national(scan: Scan) -> Iterator[Recognised]:
    for found in scan.matches(_NATIONAL):
        digits = re.sub(r"\D", "", found[0].translate(_LETTERS))
        is_date = "." in found[0] and re.fullmatch(r"\d\d\.\d\d\.(?:\d{4}|\d{4}\.\d\d)", found[0])
        if sum(map(str.isdigit, found[0])) >= 5 and not is_date and not _PUBLIC.match(digits):
            yield Recognised("telephone", *found.span())
    for found in scan.matches(_MOBILE):
        yield Recognised("telephone", *found.span())


def _abroad(scan: Scan, region: str) -> Iterator[Recognised]:
    for found in scan.matches(_ABROAD):
        written = re.sub(r"^00", "+", re.sub(r"\(0\)|[^\d+]", "", found[0]))
        try:
            number = phonenumbers.parse(written, region)
        except NumberParseException:
            continue
        is_number = phonenumbers.is_possible_number(number)
        if is_number and phonenumbers.number_type(number) not in PUBLIC_NUMBER_TYPES:
            yield Recognised("telephone", *found.span())


def _of_region(text: str, region: str) -> Iterator[Recognised]:
    for match in phonenumbers.PhoneNumberMatcher(text, region):
        if phonenumbers.number_type(match.number) not in PUBLIC_NUMBER_TYPES:
            yield Recognised("telephone", match.start, match.end)


def _spoken(scan: Scan) -> Iterator[Recognised]:
    for found in scan.matches(_WORDS):
        digits, times, words = "", 1, 0
        for piece in _PIECE.findall(found[0]):
            word = piece.lower()
            if word in _TIMES:
                times = _TIMES[word]
                continue
            digits += "00" if word == "hundred" else _VALUES.get(word, word) * times
            times, words = 1, words + (not word.isdigit())
        if words and 10 <= len(digits) <= 11 and digits.startswith("0") and not _PUBLIC.match(digits):
            yield Recognised("telephone", *found.span())
