"""What screening finds: of which kind, where, and what recognised it; not the words themselves."""

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """What screening looks for, worst first."""

    CRISIS = "crisis"
    PERSONAL_INFORMATION = "personal_information"


@dataclass(frozen=True)
class Finding:
    """A span of a text, in code points: the first, and the one after the last."""

    kind: FindingKind
    start: int
    end: int
    recogniser: str
