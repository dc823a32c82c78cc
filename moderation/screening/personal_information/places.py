"""E-mail addresses, British postcodes and street addresses."""

import re
from collections.abc import Iterator

from moderation.screening.personal_information.spans import SIEVE, Recognised, linear
from moderation.screening.personal_information.word_lists import words
from moderation.screening.sieve import Scan

# Every repetition has an upper bound, so that no text takes long.
_EMAIL = SIEVE.add(
    re.compile(r"(?<![\w.+-])[\w+-][\w.+'-]{0,63}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])"), "email"
)
_AT, _DOT = r"(?: ?[\[({] ?(?:at|@) ?[\])}] ?| at | @ )", r"(?: ?[\[({] ?(?:dot|\.) ?[\])}] ?| dot | \. |\.)"
_ENDS = "com|org|net|uk|co|info|edu|gov|ie|eu|io|me|scot|wales|cymru"
_SPELT = SIEVE.add(
    re.compile(
        rf"(?<![\w.+-])([\w+-][\w.+-]{{0,63}}){_AT}[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{0,3}}{_DOT}(?:{_ENDS})(?![\w-])",
        re.IGNORECASE,
    ),
    "email",
)

_AREAS = (
    "AB|AL|BA|BB|BD|BF|BH|BL|BN|BR|BS|BT|CA|CB|CF|CH|CM|CO|CR|CT|CV|CW|DA|DD|DE|DG|DH|DL|DN|DT|DY|EC|EH|EN|EX|FK|FY|"
    "GL|GU|GY|HA|HD|HG|HP|HR|HS|HU|HX|IG|IM|IP|IV|JE|KA|KT|KW|KY|LA|LD|LE|LL|LN|LS|LU|ME|MK|ML|NE|NG|NN|NP|NR|NW|OL|"
    "OX|PA|PE|PH|PL|PO|PR|RG|RH|RM|SA|SE|SG|SK|SL|SM|SN|SO|SP|SR|SS|ST|SW|SY|TA|TD|TF|TN|TQ|TR|TS|TW|UB|WA|WC|WD|WF|"
    "WN|WR|WS|WV|YO|ZE|B|E|G|L|M|N|S|W"
)
_POSTCODE = SIEVE.add(
    re.compile(
        rf"(?<!\w)(?:(?:{_AREAS})[0-9](?:[0-9]|[ABCDEFGHJKMNPRSTUVWXY])?(?: {{0,2}}|-)[0-9]([ABD-HJLNP-UW-Z]{{2}})"
        r"|GIR ?0AA|(?:ASCN|BBND|BIQQ|FIQQ|PCRN|SIQQ|STHL|TDCU|TKCA) ?1ZZ)(?!\w)",
        re.IGNORECASE | re.ASCII,
    ),
    "postcode",
)
ORDINALS = {"st", "nd", "rd", "th"}  # "E3 2nd floor"

_STREETS = (
    "street|road|rd|avenue|ave|lane|drive|crescent|terrace|close|way|court|gardens|place|grove|hill|walk|row|mews|"
    "square|rise|view|parade|park|green|croft|fold|mount|gate|villas|buildings|house|wharf"
)
_STREET_SOON = SIEVE.add(linear(rf"(?i)\b(?:{_STREETS}|st|cl|the crescent)\b"))
_UNIT = r"(?:(?:flat|unit|apartment|apt|room) ?\w{1,4},? )"
_CAPITAL = r"[A-Z][\w'’.-]{0,24}"
_TYPE = "(?:" + "|".join(f"[{one[0].upper()}{one[0]}]{one[1:]}" for one in [*_STREETS.split("|"), "st", "cl"]) + ")"
_WRITTEN = SIEVE.add(
    re.compile(
        rf"(?<![\w£.,:/-])(?i:{_UNIT})?\d{{1,4}}[a-hA-H]?,? (?:{_CAPITAL} ){{1,3}}{_TYPE}\b(?:, {_CAPITAL}){{0,2}}"
        rf"|(?<![\w£.,:/-])(?i:{_UNIT})?\d{{1,4}}[a-hA-H]?,? The (?:Crescent|Avenue|Street|Lane|Green|Close|Drive|Grove|Mount|Terrace|Square|Mews)\b"  # noqa: E501
        rf"|(?<!\w)(?i:{_UNIT})(?:{_CAPITAL} ){{1,2}}"
        r"(?:House|Court|Tower|Towers|Lodge|Mansions|Point|Heights|Buildings)\b"
        rf"(?:, (?:\d{{1,4}} )?(?:{_CAPITAL} ){{1,3}}{_TYPE}\b)?"
        rf"|(?<!\w)The (?:Old |New )?{_CAPITAL}(?: {_CAPITAL})?, (?:{_CAPITAL} ){{1,2}}(?:Lane|Road|Street|Close|Drive|Way|Hill)\b"  # noqa: E501
    ),
    "address",
)
_DIGIT = SIEVE.add(re.compile(r"\d"))
_CAPITAL_STREET = SIEVE.add(re.compile(rf"[A-Z][\w'’.-]{{1,24}} {_TYPE}\b"))
_LIVED_IN = SIEVE.add(
    re.compile(
        r"\b(?i:live|lives|living|lived|moved|house|flat|home|staying|we are|we're|i'm|im|are) (?:\w{2,8} )?(?:on|"
        r"in|at|to) "
        rf"((?:{_CAPITAL} ){{1,2}}(?:Street|Road|Rd|Avenue|Lane|Drive|Crescent|Terrace|Close|Grove|Gardens|Mews|"
        rf"Square|Way|Court))\b"
    ),
    "address",
)
_WORD = r"[a-z][a-z'’-]{2,24}"
_SMALL = SIEVE.add(
    re.compile(
        rf"(?<![\w£.,:/-])(?i:{_UNIT})?\d{{1,4}}[a-h]? ((?:{_WORD} ){{1,2}})"
        r"(street|road|rd|avenue|ave|lane|drive|crescent|terrace|close|grove|gardens|mews|square|court|place|way|st)\b",
        re.IGNORECASE,
    ),
    "address",
)
_LIVES = re.compile(
    r"\b(?:live|lives|living|lived|moved|move|address|address is|im|i'm|staying|stay)\b[^.\n]{0,25}$", re.I
)


def find_emails(scan: Scan) -> Iterator[Recognised]:
    """Yield e-mail addresses, also spelt out."""
    yield from (Recognised("email", *found.span()) for found in scan.matches(_EMAIL))
    for found in scan.matches(_SPELT):
        if found[1].lower() not in words("no_mailbox"):
            yield Recognised("email", *found.span())


def find_postcodes(scan: Scan) -> Iterator[Recognised]:
    """Yield British postcodes."""
    for found in scan.matches(_POSTCODE):
        if found[1] not in ORDINALS:
            yield Recognised("postcode", *found.span())


def find_addresses(scan: Scan) -> Iterator[Recognised]:
    """Yield houses in streets: with capital letters anywhere, without them where a number stands before."""
    if not scan.has(_STREET_SOON):
        return
    is_written, has_digit = scan.has(_CAPITAL_STREET), scan.has(_DIGIT)
    if is_written or has_digit:
        yield from (Recognised("address", *found.span()) for found in scan.matches(_WRITTEN))
    for found in scan.matches(_LIVED_IN) if is_written else ():
        if found[1].split()[0] not in {"Family", "Crown", "County", "High", "The", "Youth"}:
            yield Recognised("address", *found.span(1))
    for found in scan.matches(_SMALL):
        is_plain = found[2].lower() in {"drive", "close", "court", "place", "way", "st", "lane", "square"}
        if words("no_street").isdisjoint(found[1].lower().split()) and (
            not is_plain or _LIVES.search(scan.text, max(0, found.start() - 40), found.start())
        ):
            yield Recognised("address", *found.span())
