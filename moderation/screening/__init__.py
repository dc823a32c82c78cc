"""Screening: find crisis words and personal information in a text, without a database."""

from moderation.screening import crisis, personal_information
from moderation.screening.finding import Finding, FindingKind, Kind, TextFinding

__all__ = ["MOST", "Finding", "FindingKind", "Kind", "TextFinding", "screen"]

MOST = 100  # of each kind in one text: more would not help a moderator


def screen(text: str, region: str) -> list[TextFinding]:
    """Return the findings in a text, in order; `region` is the country of telephone numbers without a country code."""
    found = [*crisis.find(text)[:MOST], *personal_information.find(text, region)[:MOST]]
    return sorted(found, key=lambda finding: (finding.start, finding.end, finding.recogniser))
