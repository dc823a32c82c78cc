"""What a computer looks for in what people write, and what that can lead to: said to everybody, without its phrases."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from moderation.screening import personal_information, phrasebook
from moderation.screening.finding import CrisisKind, FindingKind

COMPLAIN = (
    "If you think that this was used in another way than it says here, complain: somebody answers within 14 days. "
    "Of what was decided about your own words, you can ask for a second look."
)


class Sought(NamedTuple):
    """Something that is looked for, and by which version of what recognises it."""

    kind: FindingKind
    recogniser: str
    version: str


# What each of these can lead to, in the order in which it happens.
LEADS_TO: Mapping[FindingKind, Sequence[str]] = {
    FindingKind.CRISIS: (
        "You are shown who helps at once; nothing is asked, and no post is held back by it.",
        "A moderator reads it. Where danger seems near, those who can decide are called.",
        "Words of such danger that are refused, in a closed thread for example, are read by a moderator too.",
        "Where they are found is kept until 90 days after the decision. Your copy of your data says when and what.",
    ),
    FindingKind.PERSONAL_INFORMATION: (
        "A moderator reads it, and can take out what gives somebody away.",
        "Where it was found is kept until 90 days after the decision.",
    ),
}


def list_sought() -> Sequence[Sought]:
    """Return everything that is looked for."""
    crisis = [Sought(FindingKind.CRISIS, kind, phrasebook.english().version) for kind in CrisisKind]
    version = personal_information.VERSION
    return [*crisis, *(Sought(FindingKind.PERSONAL_INFORMATION, name, version) for name in personal_information.NAMES)]
