"""A finding of screening: its kind, its position and the recogniser, never the words themselves."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a finding, the worst first."""

    CRISIS = "crisis"
    PERSONAL_INFORMATION = "personal_information"


@dataclass(frozen=True)
class Finding:
    """A span of a text: the positions, in code points, of its first character and after its last."""

    kind: Kind
    start: int
    end: int
    recogniser: str
