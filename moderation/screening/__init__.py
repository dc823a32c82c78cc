"""Pure screening: text in, findings out; no database and no forum."""

from moderation.screening import crisis, personal_information
from moderation.screening.finding import CrisisKind, Finding, FindingKind, Level

__all__ = ["FINDINGS_MAX", "CrisisKind", "Finding", "FindingKind", "Level", "screen"]

FINDINGS_MAX = 100  # of each kind in one text: more would tell a moderator nothing new


def screen(text: str, region: str) -> list[Finding]:
    """Return everything that is found in a text, in its order; `region` is where a telephone number is dialled from."""
    found = [*crisis.find(text)[:FINDINGS_MAX], *personal_information.find(text, region)[:FINDINGS_MAX]]
    return sorted(found, key=lambda finding: (finding.start, finding.end, finding.recogniser))
