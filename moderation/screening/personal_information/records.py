"""Numbers and dates of courts, police and births, and where somebody else can be found on the network."""

import re
from collections.abc import Iterator

from moderation.screening.personal_information.spans import DATE, DAY, SIEVE, Recognised, linear
from moderation.screening.personal_information.word_lists import is_english
from moderation.screening.sieve import Scan

_CASE = SIEVE.add(
    re.compile(r"(?<![\w-])[A-Z]{2} ?\d\d ?[CPFDZJ] ?\d{3,5}(?!-?\w)", re.IGNORECASE | re.ASCII), "court_number"
)
_CASE_CUED = SIEVE.add(
    re.compile(
        r"\b(?:case|claim|court) ?(?:no|number|ref|reference)\b\.?(?: is|:)? ?([A-Z0-9][A-Z0-9/-]{4,19})(?!\w)",
        re.IGNORECASE,
    ),
    "court_number",
)
_CITATION = SIEVE.add(
    re.compile(
        r"(?<!\w)(?:\[(?:19|20)\d\d\]|(?:19|20)\d\d) (?:EWCA (?:Civ|Crim)|EWHC|EWFC|EWCOP|UKSC|UKHL|UKPC|CSOH|CSIH|"
        r"NICA|NIFam|"
        r"NIQB|ECHR) \d{1,4}(?: ?\((?:B|Fam|Admin|QB|KB|Ch)\))?",
        re.IGNORECASE,
    ),
    "citation",
)
_POLICE = SIEVE.add(
    re.compile(
        r"(?:\b(?:crime|police|incident|occurrence|log|cad|crn)\b ?(?:log |report )?(?:ref|reference|number|no|num|"
        r"log|cad)?\b"
        r"(?: ?(?:number|no))?\.?(?: is|:)? ?|\bURN ?:? ?)"
        rf"((?=[A-Z0-9/-]{{0,19}}\d)[A-Z0-9][A-Z0-9/-]{{4,23}}(?!\w)|\d{{1,5}} of {DATE})",
        re.IGNORECASE,
    ),
    "police_reference",
)
_URN = SIEVE.add(re.compile(r"\bURN ?:? ?[0-9]{2}[A-Z0-9]{2}[0-9]{5,9}(?!\w)", re.IGNORECASE), "police_reference")
_DATE = SIEVE.add(re.compile(rf"(?<![\w/]){DATE}", re.IGNORECASE), "birth_date", "hearing")
_BORN = re.compile(
    r"\b(?:d\.?o\.?b\.?|date of birth|born|birthday|birthdate|bday)(?!\w)(?: ?(?:is|was|:|on|the|in|-))*[ :,-]{0,3}$",
    re.IGNORECASE,
)
_BORN_AFTER = re.compile(
    r" (?:is|was) (?:my|his|her|their|our|the)(?: \w{1,12}['’]?s?){0,2} (?:date of birth|birthday|"
    r"d\.?o\.?b)\b",
    re.IGNORECASE,
)
_BORN_SOON = SIEVE.add(linear(r"(?i)\b(?:d\.?o\.?b|birth|born|birthdate|bday)"))
_COURT = r"(?:hearing|hearings|court|trial|irh|cmh|cmc|dra|fhdra|judge|hhj|magistrates|tribunal|barrister)"
_BEFORE_DATE = re.compile(rf"\b{_COURT}\b(?:(?!\b{_COURT}\b)[^.\n!?]){{0,45}}$", re.IGNORECASE)
_AFTER_DATE = re.compile(rf"^[^.\n!?]{{0,30}}?\b{_COURT}\b", re.IGNORECASE)
_COURT_SOON = SIEVE.add(linear(rf"(?i)\b{_COURT}\b"))
_COURT_DAY = SIEVE.add(
    re.compile(rf"\b(?:court|hearing)\b[^.\n!?\d]{{0,20}} on the {DAY}(?:st|nd|rd|th)\b", re.IGNORECASE), "hearing"
)

_SITE = (
    r"(?:facebook|fb|instagram|tiktok|twitter|x|snapchat|linkedin|threads|youtube|reddit|t|wa|m\.me|onlyfans|discord)"
    r"\.(?:com|me|net|gg|co\.uk)"
)
_PROFILE = SIEVE.add(
    re.compile(rf"(?<![\w@.-])(?:https?://)?(?:www\.|m\.|en-gb\.)?{_SITE}/[@\w][\w./?=&@+-]{{1,80}}", re.IGNORECASE),
    "handle",
)
_NETWORK = (
    r"(?:insta(?:gram)?|ig|snap(?:chat)?|tik ?tok|twitter|telegram|discord|kik|messenger|facebook|fb|"
    r"whats ?app|signal|xbox|psn|reddit)"
)
_HANDLE = SIEVE.add(
    re.compile(
        rf"\b{_NETWORK}\b(?: (?:name|handle|user ?name|account|id|page|profile)\b)?"
        r"( ?(?:is|:|as|-|under|@)+ ?(?:my |me |the )?)?[ :]{0,2}(@?[A-Za-z0-9_][\w.]{2,29}(?:#\d{4})?)",
        re.IGNORECASE,
    ),
    "handle",
)
_HANDLE_FIRST = SIEVE.add(
    re.compile(
        rf"(?<![\w/.])(@[\w.]{{3,30}}|u/[\w-]{{3,20}}) (?:on|over on|"
        rf"is my) (?:my )?{_NETWORK}\b",
        re.IGNORECASE,
    ),
    "handle",
)
_HANDLE_AFTER = SIEVE.add(
    re.compile(
        rf"\b(?:me|i'?m|us) on (?:my )?{_NETWORK} ?[,:-] ?(?:it'?s |i'?m |as )?([A-Za-z][\w.]{{4,29}})", re.IGNORECASE
    ),
    "handle",
)
_REAL_NAME = SIEVE.add(
    re.compile(
        rf"\b(?i:{_NETWORK})\b ?(?i:(?:name )?(?:is|:|as|"
        rf"under|-)?) ?((?:[A-Z][a-z'’]+(?:-[A-Z][a-z]+)?)(?: [A-Z][a-z'’]+(?:-[A-Z][a-z]+)?){{1,2}})"
    ),
    "handle",
)


def find_courts(scan: Scan) -> Iterator[Recognised]:
    """Yield numbers of cases, and neutral citations."""
    yield from (Recognised("citation", *found.span()) for found in scan.matches(_CITATION))
    yield from (Recognised("court_number", *found.span()) for found in scan.matches(_CASE))
    for found in scan.matches(_CASE_CUED):
        if sum(char.isdigit() for char in found[1]) >= 3:
            yield Recognised("court_number", *found.span(1))


def find_police(scan: Scan) -> Iterator[Recognised]:
    """Yield the numbers that the police give."""
    yield from (Recognised("police_reference", *found.span()) for found in scan.matches(_URN))
    for found in scan.matches(_POLICE):
        if sum(char.isdigit() for char in found[1]) >= 4 or " of " in found[1].lower():
            yield Recognised("police_reference", *found.span(1))


def find_dates(scan: Scan) -> Iterator[Recognised]:
    """Yield dates of birth, and dates of a hearing: each only with a word that says so beside it."""
    is_born, is_court = scan.has(_BORN_SOON), scan.has(_COURT_SOON)
    for found in scan.matches(_DATE):
        start, end = found.span()
        before, after = scan.text[max(0, start - 60) : start], scan.text[end : end + 45]
        if is_born and (_BORN.search(before) or _BORN_AFTER.match(after)):
            yield Recognised("birth_date", start, end)
        elif is_court and (cue := _BEFORE_DATE.search(before)):
            yield Recognised("hearing", start - len(before) + cue.start(), end)
        elif is_court and _AFTER_DATE.search(after):
            yield Recognised("hearing", start, end)
    yield from (Recognised("hearing", *found.span()) for found in scan.matches(_COURT_DAY))


def find_handles(scan: Scan) -> Iterator[Recognised]:
    """Yield profiles elsewhere on the network: links, and names beside the network that they are on."""
    yield from (Recognised("handle", *found.span()) for found in scan.matches(_PROFILE))
    for found in scan.matches(_HANDLE):
        if _is_handle(found[2], is_cued=bool(found[1])):
            yield Recognised("handle", *found.span(2))
    yield from (Recognised("handle", *found.span(1)) for found in scan.matches(_HANDLE_FIRST))
    for found in scan.matches(_HANDLE_AFTER):
        if _is_handle(found[1], is_cued=True):
            yield Recognised("handle", *found.span(1))
    for found in scan.matches(_REAL_NAME):
        if not is_english(found[1].split()[0]):
            yield Recognised("handle", *found.span(1))


def _is_handle(word: str, *, is_cued: bool) -> bool:
    """Return whether a word beside a network is a name there: one that is no English word, unless it says so itself."""
    if word.startswith("@") or "_" in word or "#" in word:
        return True
    return is_cued and not word.isdigit() and any(char.isdigit() or char == "." for char in word.rstrip("."))
