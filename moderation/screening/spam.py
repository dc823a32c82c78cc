"""Signs of spam: links that hide where they lead, how to reach somebody elsewhere, the same words again."""

import re
from collections.abc import Sequence
from itertools import islice

from moderation.screening import links
from moderation.screening.disguises import words_of
from moderation.screening.finding import Finding, FindingKind, SignEffect

VERSION = "2"  # raise it with every change
CONTACT, NEAR_COPY = "contact", "near_copy"
NAMES = (*links.NAMES, CONTACT, NEAR_COPY)
SHORTEST_COPY = 60  # characters of one's own words: short thanks are alike
# The words in a row that are compared, and how much of them two texts share that say the same: Jaccard's index. Shorter
# runs forgive more changed words, and so must be shared more.
RUNS = ((4, 0.6), (2, 0.7))
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_APP = r"(?:whats?[ ]?app|telegram|signal|viber|snap(?:chat)?|tg|insta(?:gram)?)"
_NETWORK = rf"(?:{_APP}|kik|discord|messenger|tik[ ]?tok|facebook|fb)"
# Before what is asked of the reader: of others, somebody only tells. "She can ring me on WhatsApp."
_ASKED = r"(?:^|[,.;:!?(\n]|\b(?:please|pls|plz|just|and|so|or|then|(?:can|could) y?o?u|y?o?u can|feel free to))"
_OFFERED = r"(?:add|message|msg|dm|pm|inbox|text|find|follow|contact|ring|call|hit|get) (?:me|us)(?: up)?|hmu"
_ELSEWHERE = links.SIEVE.add(
    re.compile(
        r"(?<![\w.])(?:wa\.me|t\.me|telegram\.me|signal\.me|chat\.whatsapp\.com|api\.whatsapp\.com)/[\w+@.-]{2,60}|"
        rf"(?<!\w){_APP}\b[^\n]{{0,20}}?(?:(?<!\w)@\w{{3,40}}|\+?\d(?:[ ().-]{{0,2}}\d){{6,14}})",
        re.IGNORECASE,
    )
)
# Nobody says yet where: "add me on snap".
_ASKED_ELSEWHERE = links.SIEVE.add(
    re.compile(
        rf"{_ASKED}[ ]?(?P<asked>(?:{_OFFERED}) (?:over )?(?:on|at|via|through) (?:my )?{_NETWORK}\b(?! ?group))|"
        rf"\b(?:can|could|shall|let'?s?) (?:we |us )?(?:talk|chat|speak|move|go) (?:on|over|to) {_NETWORK}\b|"
        rf"\bwhat'?s (?:your|ur) (?:{_NETWORK}|number|e-?mail)(?=[ ]?(?:[?.!,\n]|$))|"
        rf"\b(?:drop|give|send|dm|pm|inbox|message|msg) me (?:your|ur) (?:{_NETWORK}|number|e-?mail)\b",
        re.IGNORECASE,
    )
)


def find_signs(text: str) -> list[Finding]:
    """Return links that hide where they lead, and how a text says that its author can be reached elsewhere."""
    scan = links.SIEVE.scan(text)
    elsewhere = [found.span() for found in scan.matches(_ELSEWHERE)]
    asked = [found.span("asked" if found["asked"] else 0) for found in scan.matches(_ASKED_ELSEWHERE)]
    others = [span for span in asked if not any(span[0] < end and start < span[1] for start, end in elsewhere)]
    return [*links.find(scan), *(contact_at(*span) for span in [*elsewhere, *others])]


def contact_at(start: int, end: int) -> Finding:
    """Return the finding that these words say how to reach somebody."""
    return Finding(FindingKind.SPAM, start, end, CONTACT, VERSION, effect=SignEffect.CASE)


def own_words(text: str) -> str:
    """Return a text without the lines that it quotes."""
    return _QUOTED.sub("", text).strip()


def find_copies(text: str, others: Sequence[str]) -> list[int]:
    """Return which of these texts say the same, by their places: a short text copies nothing."""
    own = own_words(text)
    if len(own) < SHORTEST_COPY:
        return []
    mine = _runs(own)
    return [place for place, other in enumerate(others) if _are_alike(mine, _runs(own_words(other)))]


def _runs(text: str) -> list[frozenset[tuple[str, ...]]]:
    words = words_of(text)
    return [frozenset(zip(*(islice(words, first, None) for first in range(size)), strict=False)) for size, _ in RUNS]


def _are_alike(one: Sequence[frozenset[object]], other: Sequence[frozenset[object]]) -> bool:
    return any(
        len(mine & theirs) >= least * len(mine | theirs) and mine
        for (_, least), mine, theirs in zip(RUNS, one, other, strict=True)
    )
