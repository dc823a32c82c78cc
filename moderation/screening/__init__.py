"""Pure screening: text in, findings out; no database and no forum."""

from moderation.screening import crisis, personal_information, phrasebook
from moderation.screening.finding import CrisisKind, Finding, FindingKind, Level
from moderation.screening.phrasebook import NO_CHANGES, Changes

__all__ = ["FINDINGS_MAX", "NO_CHANGES", "Changes", "CrisisKind", "Finding", "FindingKind", "Level", "screen"]

FINDINGS_MAX = 100  # of each kind in one text: more would tell a moderator nothing new


def screen(text: str, region: str, changes: Changes = NO_CHANGES) -> list[Finding]:
    """Return everything that is found in a text, in its order.

    `region` is where a telephone number is dialled from; `changes` are those of this forum to the phrases.
    """
    danger = crisis.find(text, phrasebook.changed(changes))
    found = [*danger[:FINDINGS_MAX], *personal_information.find(text, region)[:FINDINGS_MAX]]
    return sorted(found, key=lambda finding: (finding.start, finding.end, finding.recogniser))
