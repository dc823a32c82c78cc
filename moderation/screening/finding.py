"""What screening finds: of which kind, where, and what recognised it; not the words themselves."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

Found = TypeVar("Found")


class FindingKind(StrEnum):
    """What screening looks for, worst first."""

    CRISIS = "crisis"
    PERSONAL_INFORMATION = "personal_information"
    WATCHED_TERM = "watched_term"  # of the charity's own
    SPAM = "spam"


class SignEffect(StrEnum):
    """What a watched term, or a sign of spam, leads to, the gentlest first."""

    HELP = "help"  # its author is shown who helps
    POINT_OUT = "point_out"  # a moderator looks when there is time
    CASE = "case"  # a moderator decides
    HOLD = "hold"  # a moderator reads it before it appears


class CrisisKind(StrEnum):
    """Which danger somebody is in: the recogniser of a finding of the kind `crisis`."""

    ATTEMPT = "attempt"  # already done
    CHILD_IN_DANGER = "child_in_danger"
    DANGER = "danger"  # another person, now
    ENCOURAGEMENT = "encouragement"  # of somebody else
    CARER = "carer"  # somebody dear to the author
    DISCLOSURE = "disclosure"  # a child said that somebody hurts them
    SUICIDE = "suicide"
    SELF_HARM = "self_harm"


class DetailKind(StrEnum):
    """What may show who somebody is: the recogniser of a finding of the kind `personal_information`.

    Of two spans that overlap, the one that stands first here is kept.
    """

    EMAIL = "email"
    HANDLE = "handle"
    IBAN = "iban"
    CARD = "card"
    BANK_ACCOUNT = "bank_account"
    NHS_NUMBER = "nhs_number"
    NI_NUMBER = "ni_number"
    TELEPHONE = "telephone"
    CITATION = "citation"
    COURT_NUMBER = "court_number"
    POLICE_REFERENCE = "police_reference"
    BIRTH_DATE = "birth_date"
    HEARING = "hearing"
    ADDRESS = "address"
    POSTCODE = "postcode"
    VEHICLE = "vehicle"
    SCHOOL = "school"
    PROFESSIONAL = "professional"
    CHILD = "child"
    PERSON = "person"
    # Of several pieces, also in what the author said before.
    IDENTIFIES_CHILD = "identifies_child"
    IDENTIFIES_COMPLAINANT = "identifies_complainant"
    COURT_PAPER = "court_paper"


class Level(StrEnum):
    """How near the danger is: `acute` calls people, `worry` waits in the queue."""

    ACUTE = "acute"
    WORRY = "worry"


@dataclass(frozen=True)
class Finding:
    """A span of a text, in code points: the first, and the one after the last."""

    kind: FindingKind
    start: int
    end: int
    recogniser: str
    version: str = ""
    level: Level | None = None  # of a finding of the kind `crisis`
    effect: SignEffect | None = None  # of a watched term, or a sign of spam
    pieces: tuple[str, ...] = ()  # what an identification is put together from

    @property
    def is_acute(self) -> bool:
        """Whether it calls people."""
        return self.level == Level.ACUTE


def some_of_each(found: Sequence[Found], kind_of: Callable[[Found], Hashable], most: int) -> Sequence[Found]:
    """Return what was found, or so many of very many, with the first ones of each kind: a hundred hide no other."""
    if len(found) <= most:
        return found
    counted, places = Counter[Hashable](), list[tuple[int, int]]()
    for place, one in enumerate(found):
        counted[kind_of(one)] += 1
        places.append((counted[kind_of(one)], place))
    return [found[place] for _, place in sorted(sorted(places)[:most], key=lambda each: each[1])]
