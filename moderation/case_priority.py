"""How urgent a case is: its category, and what moves it within its category."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum


class Category(StrEnum):
    """Why somebody should look, worst first."""

    RISK = "risk"
    ENCOURAGEMENT = "encouragement"  # of somebody else, to harm themselves
    INTIMATE_IMAGE = "intimate_image"
    ILLEGAL = "illegal"
    PERSONAL_INFORMATION = "personal_information"
    RULE = "rule"
    APPEAL = "appeal"
    HELD = "held"
    OTHER = "other"
    SPAM = "spam"


# What hurts to read: its words are folded until somebody wants them.
HEAVY = frozenset({Category.RISK, Category.ENCOURAGEMENT, Category.INTIMATE_IMAGE, Category.ILLEGAL})
# Of each category: how grave it is, and within what time it should be decided.
GRAVITY: Mapping[Category, tuple[int, timedelta]] = {
    Category.RISK: (90, timedelta(hours=1)),
    Category.ENCOURAGEMENT: (85, timedelta(hours=1)),
    Category.INTIMATE_IMAGE: (80, timedelta(hours=4)),
    Category.ILLEGAL: (70, timedelta(hours=12)),
    Category.PERSONAL_INFORMATION: (60, timedelta(hours=4)),
    Category.RULE: (40, timedelta(days=2)),
    Category.APPEAL: (35, timedelta(days=7)),
    Category.HELD: (30, timedelta(hours=12)),
    Category.OTHER: (20, timedelta(days=3)),
    Category.SPAM: (10, timedelta(days=3)),
}


def start_of(category: Category, *, is_flagged: bool) -> tuple[int, timedelta]:
    """Return how grave a case of this category is, and its time; one step graver where a trusted flagger reported it.

    The step is that of the next graver category. The gravest stays as it is.
    """
    gravity, within = GRAVITY[category]
    if not is_flagged:
        return gravity, within
    graver_ones = [one for one in GRAVITY.values() if one[0] > gravity]
    step = min(graver_ones, default=(gravity, within))
    return step[0], min(within, step[1])


def priority(
    category: Category, reports: int, reporter_score: int = 0, findings: int = 0, *, is_flagged: bool = False
) -> int:
    """Return how urgent a case is; lower is more urgent.

    The category counts most. Reports (at most nine count), findings of screening (at most four count) and the
    reporter's score (upheld minus dismissed reports, from -5 to 5) only order the cases of one category: together
    they never outweigh a graver category. What a trusted flagger reported counts as one step graver.
    """
    gravity, _ = start_of(category, is_flagged=is_flagged)
    return -(gravity * 12 + min(reports, 9) * 5 + min(findings, 4) + max(-5, min(5, reporter_score)))


def graver(first: Category, second: Category) -> Category:
    """Return the graver of two categories."""
    return max(first, second, key=lambda category: GRAVITY[category][0])
