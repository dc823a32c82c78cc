"""What may show who somebody is, or where: telephone numbers, e-mail addresses, UK postcodes."""

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import PhoneNumberType

from moderation.screening.finding import Finding, FindingKind

NAMES = ("telephone", "email", "postcode")
VERSION = "1"  # raise it with every change: each finding says with which version it was made
# Numbers of helplines and offices, which everybody may pass on.
PUBLIC_NUMBER_TYPES = {
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.UAN,
}
# Most posts have neither seven digits close together nor the end of a postcode. These two patterns tell fast, so
# that the slow search is only begun where it may find something.
_DIGITS = re.compile(r"\d(?:[^\w\n]{0,4}\d){6}")
_ENDING = re.compile(r"[0-9][a-z]{2}(?!\w)", re.IGNORECASE | re.ASCII)
# Every repetition has an upper bound, so that no text takes long.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_AREAS = (
    "AB|AL|BA|BB|BD|BF|BH|BL|BN|BR|BS|BT|CA|CB|CF|CH|CM|CO|CR|CT|CV|CW|DA|DD|DE|DG|DH|DL|DN|DT|DY|EC|EH|EN|EX|FK|FY|"
    "GL|GU|GY|HA|HD|HG|HP|HR|HS|HU|HX|IG|IM|IP|IV|JE|KA|KT|KW|KY|LA|LD|LE|LL|LN|LS|LU|ME|MK|ML|NE|NG|NN|NP|NR|NW|OL|"
    "OX|PA|PE|PH|PL|PO|PR|RG|RH|RM|SA|SE|SG|SK|SL|SM|SN|SO|SP|SR|SS|ST|SW|SY|TA|TD|TF|TN|TQ|TR|TS|TW|UB|WA|WC|WD|WF|"
    "WN|WR|WS|WV|YO|ZE|B|E|G|L|M|N|S|W"
)
_POSTCODE = re.compile(
    rf"(?<!\w)(?:{_AREAS})[0-9][0-9A-Z]? {{0,2}}[0-9]([ABD-HJLNP-UW-Z]{{2}})(?!\w)", re.IGNORECASE | re.ASCII
)
ORDINALS = {"st", "nd", "rd", "th"}  # "E3 2nd floor"


def find(text: str, region: str) -> list[Finding]:
    """Return telephone numbers as they are dialled from `region` or from abroad, e-mail addresses and UK postcodes."""
    spans = [("telephone", span) for span in _telephones(text, region)]
    if "@" in text:
        spans += [("email", match.span()) for match in _EMAIL.finditer(text)]
    if region == "GB" and _ENDING.search(text):
        spans += [("postcode", match.span()) for match in _POSTCODE.finditer(text) if match[1] not in ORDINALS]
    spans.sort(key=lambda found: found[1])
    kind = FindingKind.PERSONAL_INFORMATION
    return [Finding(kind, start, end, recogniser, VERSION) for recogniser, (start, end) in spans]


def _telephones(text: str, region: str) -> Iterator[tuple[int, int]]:
    if not _DIGITS.search(text):
        return
    for match in phonenumbers.PhoneNumberMatcher(text, region):
        if phonenumbers.number_type(match.number) not in PUBLIC_NUMBER_TYPES:
            yield match.start, match.end
