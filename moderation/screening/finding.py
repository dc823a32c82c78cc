"""A finding of screening: its kind, its position and the recogniser, never the words themselves."""

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """The kind of a finding, the worst first."""

    CRISIS = "crisis"
    PERSONAL_INFORMATION = "personal_information"


@dataclass(frozen=True)
class TextFinding:
    """A span of a text: the positions, in code points, of its first character and after its last."""

    kind: FindingKind
    start: int
    end: int
    recogniser: str


# The earlier names, until every module that imports them has the new ones.
Finding = TextFinding
Kind = FindingKind
