"""Numbers that belong to one person: NHS, National Insurance, bank, card, vehicle."""

import re
from collections.abc import Iterator

from moderation.screening.personal_information.spans import SIEVE, Recognised, is_luhn
from moderation.screening.sieve import Scan

_DIGITS = SIEVE.add(re.compile(r"\d\d[ -]?\d\d"))  # all of these have that
_NHS = SIEVE.add(re.compile(r"(?<![\w-])\d{3}([ -]?)\d{3}\1\d{4}(?![\w-])"), "nhs_number")
# HM Revenue & Customs, National Insurance Manual NIM39110.
_NI = SIEVE.add(
    re.compile(
        r"(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?(?:\d\d[ -]?){3}[A-D](?!\w)",
        re.IGNORECASE | re.ASCII,
    ),
    "ni_number",
)
_SORT, _ACCOUNT = r"\d\d[ -]?\d\d[ -]?\d\d", r"\d{8}"
_BETWEEN = r"[,;:/. ]{1,3}(?:and )?(?:(?:account|acct?|a/c|number|num|no|is)\.?:? ?){0,4}"
_BANK = SIEVE.add(
    re.compile(
        rf"(?<![\w-])(?:{_SORT}{_BETWEEN}{_ACCOUNT}|{_ACCOUNT}[,;:/. ]{{1,3}}(?:and )?(?:s/?c|"
        rf"sort(?: ?code)?)[: .is]{{0,5}}{_SORT})(?![\w-])",
        re.IGNORECASE,
    ),
    "bank_account",
)
_BANK_CUED = SIEVE.add(
    re.compile(
        rf"\b(?:(?:s/?c|sort ?code)[: .is]{{0,5}}({_SORT})|(?:bank )?(?:account|acct?|a/c)(?: (?:number|num|"
        rf"no))?[: .is]{{0,5}}({_ACCOUNT}))(?![\w-])",
        re.IGNORECASE,
    ),
    "bank_account",
)
_CARD = SIEVE.add(re.compile(r"(?<![\w-])[3-6]\d{3}([ -]?)(?:\d{4}\1\d{4}\1\d{4}|\d{6}\1\d{5})(?![\w-])"), "card")
_IBAN = SIEVE.add(
    re.compile(r"(?<!\w)[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)", re.IGNORECASE | re.ASCII), "iban"
)
_PLATE = SIEVE.add(re.compile(r"(?<!\w)[A-HJ-PR-Y][A-HJ-PR-Y]\d\d ?[A-HJ-PR-Z]{3}(?!\w)"), "vehicle")
_PLATE_CUED = SIEVE.add(
    re.compile(
        r"\b(?:reg|registration|plate|number plate|car|van|vehicle|drives)\b[^\n.]{0,20}?(?<!\w)"
        r"([a-z]{2}\d\d ?[a-z]{3}|[a-z]\d{1,3} ?[a-z]{3}|[a-z]{3} ?\d{1,3} ?[a-z])(?!\w)",
        re.IGNORECASE | re.ASCII,
    ),
    "vehicle",
)


def find(scan: Scan) -> Iterator[Recognised]:
    """Yield numbers with their check digits right, where they have one."""
    if not scan.has(_DIGITS):
        return
    for found in scan.matches(_IBAN):
        if _is_iban(re.sub(r"\s", "", found[0]).upper()):
            yield Recognised("iban", *found.span())
    for found in scan.matches(_CARD):
        if is_luhn(re.sub(r"\D", "", found[0])):
            yield Recognised("card", *found.span())
    yield from (Recognised("bank_account", *found.span()) for found in scan.matches(_BANK))
    for found in scan.matches(_BANK_CUED):
        yield Recognised("bank_account", *found.span(found.lastindex or 0))
    for found in scan.matches(_NHS):
        if _is_nhs(re.sub(r"\D", "", found[0])):
            yield Recognised("nhs_number", *found.span())
    yield from (Recognised("ni_number", *found.span()) for found in scan.matches(_NI))


def find_vehicles(scan: Scan) -> Iterator[Recognised]:
    """Yield number plates: of the present kind in capitals, of any kind where a vehicle is named."""
    yield from (Recognised("vehicle", *found.span()) for found in scan.matches(_PLATE))
    yield from (Recognised("vehicle", *found.span(1)) for found in scan.matches(_PLATE_CUED))


def _is_nhs(digits: str) -> bool:
    """Return whether a number has the check digit of the NHS (modulus 11); 0… is a telephone number."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    return not digits.startswith("0") and (-total) % 11 == int(digits[9])


def _is_iban(written: str) -> bool:
    """Return whether an account number has its check digits (ISO 13616)."""
    if not 15 <= len(written) <= 34:
        return False
    return int("".join(str(int(char, 36)) for char in written[4:] + written[:4])) % 97 == 1
