"""Messages of the charity for whoever cried for help: somebody who answers begins with one, and changes it to fit.

Each is short and warm, promises nothing, and names who listens now. Nobody has to find words of their own at night.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from forum.content.crisis_help import help_for
from forum.core.gate import Danger
from forum.core.settings import Settings
from moderation.case_priority import Category

MOST_LINES = 2  # more is a list to choose from, which is too much at such a moment
_LISTEN = "self_harm"  # the kind of help that is of people who listen, and of no emergency number


class FirstWords(NamedTuple):
    """A message to begin from. The title is for whoever sends it."""

    slug: str
    title: str
    text: str


_WITH_YOU = (
    "I have read what you wrote, and I am with you in this. You do not have to be alone with it. These people listen: "
    "{lines}. If you have hurt yourself or taken something, please ring 999, also if you feel well. You can answer me "
    "here."
)
_SAFE_NOW = (
    "I have read what you wrote, and I am thinking of you. Are you safe at this moment? If you are not, please ring "
    "999. These people listen, too: {lines}. You need not explain anything. You can answer me here, with one word."
)
_GOOD_TO_WRITE = (
    "Thank you for writing how it is. Nothing in it was wrong to say. I cannot be in the room with you. These people "
    "listen: {lines}. In danger, please ring 999. You can answer me here."
)
# Titles are messages of the pages, too: `moderation/web/words.py`.
_MESSAGES = (
    FirstWords("with-you", "I am with you", _WITH_YOU),
    FirstWords("safe-now", "Are you safe now?", _SAFE_NOW),
    FirstWords("good-to-write", "It is good that you wrote", _GOOD_TO_WRITE),
)


def first_words_for(category: str, settings: Settings, now: datetime) -> Sequence[FirstWords]:
    """Return the messages to begin from in a case of this category: of somebody in danger, or none."""
    if category != Category.RISK:
        return ()
    resources = help_for(Danger(_LISTEN, None), settings, now).resources
    reached = [line for line in resources if line.telephone or line.text]
    lines = "; ".join(
        f"{line.name}, {line.telephone}" if line.telephone else f"{line.name}, by text to {line.text}"
        for line in reached[:MOST_LINES]
    )
    return [one._replace(text=one.text.format(lines=lines)) for one in _MESSAGES]
