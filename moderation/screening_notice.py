"""What a computer looks for in what people write, and what that can lead to: said to everybody, without its phrases."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from moderation.screening import disguises, personal_information, phrasebook, spam
from moderation.screening.finding import CrisisKind, DetailKind, FindingKind

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
    FindingKind.WATCHED_TERM: (
        "The charity has terms of its own: slurs, names of people who harm others, phrases of somebody who comes back.",
        "You are shown who helps, or a moderator looks, or one reads your words before they appear.",
        "Nothing waits in which words of danger were found, or that only quotes somebody else.",
        "A list of hate words there is not: it would find more of those who speak against them.",
    ),
    FindingKind.SPAM: (
        "A moderator looks. Of posts by newcomers that say the same, the third waits until one has read it.",
        "Nothing waits in which words of danger were found.",
        "Where it was found is kept until 90 days after the decision.",
    ),
    FindingKind.PERSONAL_INFORMATION: (
        "You are asked before it is posted: you can change it, or post it as it is.",
        "By the settings of the board, a moderator then reads it, sometimes before others can. They can take out what "
        "shows who somebody is.",
        "Where it was found is kept until 90 days after the decision.",
    ),
}


def list_sought() -> Sequence[Sought]:
    """Return everything that is looked for."""
    crisis = [Sought(FindingKind.CRISIS, kind, phrasebook.english().version) for kind in CrisisKind]
    version = personal_information.VERSION
    terms = Sought(FindingKind.WATCHED_TERM, "terms_of_the_charity", disguises.VERSION)
    return [
        *crisis,
        terms,
        *(Sought(FindingKind.SPAM, name, spam.VERSION) for name in spam.NAMES),
        *(Sought(FindingKind.PERSONAL_INFORMATION, kind, version) for kind in DetailKind),
    ]
