"""Pure screening: text in, findings out; no database and no forum."""

from moderation.screening import crisis, personal_information
from moderation.screening.finding import Finding, Kind

__all__ = ["MOST", "Finding", "Kind", "screen"]

MOST = 100  # of each kind in one text: more say nothing new


def screen(text: str, region: str) -> list[Finding]:
    """Everything that is found in a text, in its order; `region` is where a telephone number is dialled from."""
    found = [*crisis.find(text)[:MOST], *personal_information.find(text, region)[:MOST]]
    return sorted(found, key=lambda finding: (finding.start, finding.end, finding.recogniser))
