"""Pieces that are harmless alone and together show who a child in proceedings or a complainant is; and court papers.

The publication of what is likely to identify a child in proceedings under the Children Act 1989 is an offence (section
97(2) of it); who was the victim of a sexual offence is protected for life (Sexual Offences (Amendment) Act 1992,
section 1); and papers of proceedings in private may go to few people (Administration of Justice Act 1960, section 12).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from cachetools import LRUCache

from moderation.screening.finding import Finding, FindingKind
from moderation.screening.personal_information import VERSION, names
from moderation.screening.personal_information import find as find_details
from moderation.screening.personal_information.spans import SIEVE, Recognised
from moderation.screening.personal_information.word_lists import alternatives, phrases, words
from moderation.screening.sieve import Scan

NEEDED = 3  # different pieces that together show who a child is
# One of these is enough where a court is spoken of: few children have it.
STRONG = frozenset({"address", "school", "name"})
# What is covered of a text in which nobody is asked: the rest is a cry for help, and stays.
_IDENTIFYING = frozenset({*STRONG, "place", "judge", "hearing", "professional"})
# Without one of these, it may be about anybody.
_OF_A_CHILD = frozenset({"name", "age", "school"})
_PIECE_OF = {
    "child": "name",
    "birth_date": "age",
    "school": "school",
    "address": "address",
    "postcode": "place",
    "hearing": "hearing",
    "professional": "professional",
}

_COURT, _OFFENCE = SIEVE.add(alternatives("court"), "court"), SIEVE.add(alternatives("offence"))
_KINDS = {*_PIECE_OF.values(), "age", "court", "judge"}
_AGE = SIEVE.add(
    re.compile(
        r"\b(?:is|was|turned|turns|aged|are|who's|just|only|nearly|now) (?:only |just |nearly |now )?(?:1[0-7]|[1-9])"
        r"(?: and (?:1[0-7]|[1-9]))?(?: (?:years?|yrs?|months?|weeks?) old)?(?=[.,;!?)\n]|$| (?:and|now|today|"
        r"yesterday|but|on|next|this|he|she)\b)"
        r"|\b(?:1[0-7]|[1-9])[ -](?:years?|yrs?|months?)[ -]olds?\b|\b(?:only )?(?:1[0-9]|2[0-3]) months old\b"
        r"|\b(?:is|are|turned|aged) (?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
        r"fifteen|"
        r"sixteen|seventeen)\b(?! (?:weeks?|months?|hours?|days?|years? (?:sober|ago)))",
        re.IGNORECASE,
    ),
    "age",
)
_CHILD_NEAR = re.compile(
    r"\b(?:son|daughter|boy|girl|lad|baby|child|children|kids?|twins?|grandson|granddaughter|nephew|niece|eldest|youngest|"
    r"little one|toddler|he|she|they|lo)\b|[A-Z][a-z]+ (?:is|turned)",
    re.IGNORECASE,
)
_JUDGE = re.compile(r"\b(?:hhj|judge|justice|recorder|dj|ddj)\b", re.IGNORECASE)
_OWN_AGE = re.compile(r"\bI(?:['’]?m| am| was| turned)\b[^.\n]{0,12}$")
_SENTENCE = re.compile(r"[.!?\n]")

_PAPER = SIEVE.add(
    re.compile(
        r"^[ \t*#>]*IN THE (?:FAMILY|HIGH|COUNTY|CENTRAL FAMILY) COURT\b.*$|^[ \t*#>]*(?:UPON|AND UPON) (?:READING|"
        r"HEARING|the)\b"
        r"|\bIT IS ORDERED\b|^[ \t*#>]*(?:Case|Claim) (?:No|Number)\.?:? ?\w|^[ \t*#>]*BETWEEN:?\s*$"
        r"|^[ \t*#>]*RECITALS\b"
        r"|\bIN THE MATTER OF\b|\b(?:1st|2nd|first|second) respondent\b|\bThe threshold (?:criteria|document)\b"
        r"|^[ \t*#>]*(?:FINAL )?THRESHOLD\b|\bBefore (?:His|Her) Honour\b|\bthe applicant local authority\b"
        r"|^[ \t*#>]*POSITION STATEMENT\b|^[ \t*#>]*CARE ORDER\b|\bTHE COURT (?:ORDERS|DECLARES|RECORDS)\b|"
        r"\bsealed by the court\b"
        r"|^[ \t*#>]*(?:APPLICANT|RESPONDENT)S?\b.*$|\bSection 31\(2\)",
        re.MULTILINE,
    )
)
_PAPER_SOON = SIEVE.add(
    re.compile("COURT|UPON|ORDERED|THRESHOLD|Case No|respondent|MATTER|Honour|POSITION|threshold|RECITALS")
)

_RELATION = (
    "daughter|son|sister|brother|niece|nephew|granddaughter|grandson|stepdaughter|stepson|cousin|wife|child|"
    "little girl|little boy|kids|mum"
)
_HARMED = SIEVE.add(
    re.compile(
        rf"\b(?:raped|abused|assaulted|molested|groomed|touched|exploited|attacked) (?:my|our|his|her|"
        rf"their) (?:own )?(?:{_RELATION})\b"
        rf"|\b(?:my|our|his|her|their) (?:own |little |young |older |younger )?(?:{_RELATION}) (?:was|were|got|"
        rf"has been|had been|is being) "
        r"(?:raped|molested|groomed|indecently|sexually)",
        re.IGNORECASE,
    )
)
# What nearly every piece has: a number, a capital letter within a sentence, or words about a court.
_PIECE_SOON = SIEVE.add(re.compile(rf"\d|[\w,] [A-ZÀ-Þ][a-zß-ÿ]|\n[A-Z]{{3}}|(?i:\b(?:{phrases('court')}|council)\b)"))
_OWN_STORY = SIEVE.add(
    re.compile(
        r"\b(?:raped|abused|assaulted|molested|groomed|touched|exploited|attacked) me\b"
        r"|\bme (?:was|were) (?:raped|abused)"
        r"|\bI(?:['’]?ve| was| got| had| have)?(?: been| being)? (?:sexually )?"
        r"(?:raped|abused|assaulted|molested|groomed)",
        re.IGNORECASE,
    )
)
_WORD = re.compile(r"[^\W\d_]{3,}")
_NEAR = 200  # characters between words of an offence and a name
_KNOWN_KINDS = LRUCache[bytes, frozenset[str]](4096)  # by a digest of the text: no words are kept


class _Piece(NamedTuple):
    kind: str
    start: int
    end: int


def find(texts: Sequence[str], earlier: Sequence[str], region: str) -> list[tuple[int, Finding]]:
    """Return in which of these texts of one author something is that shows who somebody is, with what they said before.

    `earlier` are the words of the same person in the same thread that others can read.
    """
    scans = list(map(SIEVE.scan, texts))
    pieces = [_pieces(scan, find_details(scan.text, region)) for scan in scans]
    found = [(place, finding) for place, scan in enumerate(scans) for finding in _alone(scan)]
    child = _find_child(pieces, earlier, region)
    return found + ([child] if child else [])


def find_identifying(texts: Sequence[str], earlier: Sequence[str], region: str) -> list[tuple[int, int, int]]:
    """Return which parts of these texts show who a child or a complainant is: of which text, from where to where."""
    kinds = {(finding.recogniser, place) for place, finding in find(texts, earlier, region)}
    shows_child = any(recogniser == "identifies_child" for recogniser, _ in kinds)
    parts = list[tuple[int, int, int]]()
    for place, text in enumerate(texts):
        if shows_child:
            parts += [
                (place, one.start, one.end)
                for one in _pieces(SIEVE.scan(text), find_details(text, region))
                if one.kind in _IDENTIFYING
            ]
        if ("identifies_complainant", place) in kinds:
            parts += [(place, one.start, one.end) for one in _people(text)]
    return sorted({*parts, *_said_again(texts, parts)})


def _said_again(texts: Sequence[str], parts: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield where else in these texts the same words stand: "Alfie" and "ALFIE" too, and each name of a full one."""
    shown = {texts[place][start:end].strip() for place, start, end in parts}
    each = {word for words_ in shown for word in _WORD.findall(words_) if names.is_name(word)}
    for said in filter(None, shown | each):
        same = re.compile(rf"(?<!\w){re.escape(said)}(?!\w)", re.IGNORECASE)
        yield from ((place, *hit.span()) for place, text in enumerate(texts) for hit in same.finditer(text))


class Look(NamedTuple):
    """Whether texts can show something: by themselves, or together with what their author said before."""

    alone: bool = False
    together: bool = False


def look_at(texts: Sequence[str], details: Sequence[Iterable[Finding]] | None, *, is_first: bool = False) -> Look:
    """Return what texts can show in which these details were found; None where nobody looked for them.

    Without a piece of their own, what was said before adds nothing; with `is_first`, nothing was.
    """
    scans = list(map(SIEVE.scan, texts))
    if not any(scan.may(_PIECE_SOON) or scan.may(_OFFENCE) for scan in scans):
        return Look()
    alone = any(scan.may(_OFFENCE) or (scan.may(_PAPER) and scan.may(_PAPER_SOON)) for scan in scans)
    if is_first and not shows_child(_pieces_of({kind for scan in scans for kind in SIEVE.kinds_in(scan)})):
        return Look(alone)
    if details is None or any(scan.has(_COURT) for scan in scans):
        return Look(alone, together=True)
    return Look(alone, any(any(_each_piece(*each)) for each in zip(scans, details, strict=True)))


def kinds_in(text: str) -> frozenset[str]:
    """Return of which kinds a text can have pieces: no fewer than it has.

    Of somebody who writes often in a thread, the same texts are asked about with each post.
    """
    digest = sha256(text.encode(errors="surrogatepass")).digest()
    kinds = _KNOWN_KINDS.get(digest)
    if kinds is None:
        kinds = _KNOWN_KINDS[digest] = _kinds_in(SIEVE.scan(text))
    return kinds


def _kinds_in(scan: Scan) -> frozenset[str]:
    found = SIEVE.kinds_in(scan)
    if "child" in found and not any(names.find_children(scan)):
        found.remove("child")  # "my son was" reads like a name until one looks
    return frozenset(_pieces_of(found))


def _pieces_of(found: Collection[str]) -> set[str]:
    """Return the kinds of pieces that details of these kinds can be."""
    kinds = {_PIECE_OF.get(kind, kind) for kind in found} & _KINDS
    return kinds | ({"judge"} if "professional" in kinds else set())


def shows_child(kinds: Collection[str]) -> bool:
    """Return whether pieces of these kinds show together who a child is."""
    kinds = set(kinds)
    if "court" in kinds and kinds & STRONG:
        return True
    return len(kinds - {"court"}) >= NEEDED and bool(kinds & _OF_A_CHILD)


def _find_child(pieces: Sequence[Sequence[_Piece]], earlier: Sequence[str], region: str) -> tuple[int, Finding] | None:
    now = {piece.kind for row in pieces for piece in row}
    if not now:
        return None
    before = {piece.kind for text in earlier for piece in _pieces(SIEVE.scan(text), find_details(text, region))}
    if shows_child(before) and not now - before:
        return None  # nothing new: they were asked about it then
    if not shows_child(now | before):
        return None
    rank = ("name", "school", "address")
    place, first = min(
        ((place, piece) for place, row in enumerate(pieces) for piece in row),
        key=lambda each: rank.index(each[1].kind) if each[1].kind in rank else len(rank) + (each[1].kind == "court"),
    )
    told = tuple(sorted(now | before))
    kind = FindingKind.PERSONAL_INFORMATION
    return place, Finding(kind, first.start, first.end, "identifies_child", VERSION, pieces=told)


def _alone(scan: Scan) -> Iterator[Finding]:
    """Yield what one text shows by itself: a pasted paper, or to whom sexual harm was done."""
    kind = FindingKind.PERSONAL_INFORMATION
    marks = [(found.start(), found.end(), found[0].strip(" \t*#>").lower()[:12]) for found in scan.matches(_PAPER)]
    if scan.has(_PAPER_SOON) and len({mark for _, _, mark in marks}) >= 2:
        yield Finding(kind, marks[0][0], marks[-1][1], "court_paper", VERSION)
    offence = scan.search(_OFFENCE)
    if offence is None:
        return
    if harmed := scan.search(_HARMED):
        yield Finding(kind, *harmed.span(), "identifies_complainant", VERSION, pieces=("offence", "relation"))
        return
    if scan.has(_OWN_STORY):
        return  # who it happened to may say so, and whom they name there is asked about as everywhere
    near = [one for one in _people(scan.text) if abs(one.start - offence.start()) <= _NEAR]
    if near:
        yield Finding(kind, near[0].start, near[0].end, "identifies_complainant", VERSION, pieces=("name", "offence"))


def _people(text: str) -> list[Recognised]:
    scan = SIEVE.scan(text)
    return [*names.find_children(scan), *names.find_people(scan)]


def _pieces(scan: Scan, details: Iterable[Finding]) -> list[_Piece]:
    """Return the pieces of a text in which these were found, in its order."""
    return sorted(_each_piece(scan, details), key=lambda piece: piece.start)


def _each_piece(scan: Scan, details: Iterable[Finding]) -> Iterator[_Piece]:
    text = scan.text
    for finding in details:
        if piece := _PIECE_OF.get(finding.recogniser):
            is_judge = piece == "professional" and _JUDGE.search(text, finding.start, finding.end)
            yield _Piece("judge" if is_judge else piece, finding.start, finding.end)
    for found in scan.matches(_AGE):
        before = _SENTENCE.split(text[max(0, found.start() - _NEAR) : found.start()])[-1]
        near = before + text[found.start() : found.end() + 20]
        if not _OWN_AGE.search(before) and _CHILD_NEAR.search(near):
            yield _Piece("age", *found.span())
    yield from (_Piece("place", start, end) for start, end in _towns(scan))
    if court := scan.search(_COURT):
        yield _Piece("court", *court.span())


_PLACE = SIEVE.add(
    re.compile(
        r"\b(?:in|from|near|around|at|outside|to|by) ([A-Z][a-z]{2,14})\b|\b([A-Z][a-z]{2,14})(?: City| County|"
        r" Borough)? [Cc]ouncil\b"
    ),
    "place",
)
_SMALL_PLACE = SIEVE.add(re.compile(r"\b(?:in|from|near) ([a-z]{4,14})\b|\b([a-z]{4,14}) council\b"), "place")


def _towns(scan: Scan) -> Iterator[tuple[int, int]]:
    """Yield the towns and councils that are named: with a capital letter, or, where that is no other word, without."""
    towns = words("towns")
    for found in scan.matches(_PLACE):
        name = found[1] or found[2]
        if name in towns or (found[2] and name not in words("no_names")):
            yield found.span(1 if found[1] else 2)
    for found in scan.matches(_SMALL_PLACE):
        name = (found[1] or found[2]).capitalize()
        if name in towns and name not in words("towns_with_capital"):
            yield found.span(1 if found[1] else 2)
