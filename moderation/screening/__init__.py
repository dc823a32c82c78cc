"""Pure screening: text in, findings out; no database and no forum."""

from moderation.screening import crisis, personal_information, phrasebook
from moderation.screening.finding import CrisisKind, Finding, FindingKind, Level, some_of_each
from moderation.screening.phrasebook import NO_CHANGES, Changes

__all__ = ["FINDINGS_MAX", "NO_CHANGES", "Changes", "CrisisKind", "Finding", "FindingKind", "Level", "screen"]

FINDINGS_MAX = 100  # of each kind in one text: more would tell a moderator nothing new


def screen(text: str, region: str, changes: Changes = NO_CHANGES) -> list[Finding]:
    """Return everything that is found in a text, in its order.

    `region` is where a telephone number is dialled from; `changes` are those of this forum to the phrases.
    """
    text = text.encode(errors="replace").decode()  # half a pair of surrogates is no text; all else stays where it is
    each = (crisis.find(text, phrasebook.changed(changes)), personal_information.find(text, region))
    found = [one for those in each for one in some_of_each(those, _kind_of, FINDINGS_MAX)]
    return sorted(found, key=lambda finding: (finding.start, finding.end, finding.recogniser))


def _kind_of(finding: Finding) -> tuple[str, Level | None]:
    return finding.recogniser, finding.level
