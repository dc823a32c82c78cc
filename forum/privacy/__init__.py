"""Privacy: a copy of what is kept of a member, and leaving, with their words or without."""

from forum.privacy.exporting import MAKE, being_made, content, export, making, one, tidy
from forum.privacy.holds import listed as held_members
from forum.privacy.holds import place, release
from forum.privacy.keeper import Chapter, Keeper, NobodyElse, SafeHtml
from forum.privacy.leaving import (
    DEPART,
    LOOK_AFTER,
    TO_CHANGE_ONES_MIND,
    ask,
    departing,
    go_on,
    look_after,
    of_member,
    refuse,
    stay,
)
from forum.privacy.tables import Departure, Export, ExportPart, Kind, LegalHold, Reason
from forum.privacy.words import ERASE, ERASE_IN_THREAD, erasing, erasing_in_thread

__all__ = [
    "DEPART",
    "ERASE",
    "ERASE_IN_THREAD",
    "LOOK_AFTER",
    "MAKE",
    "TO_CHANGE_ONES_MIND",
    "Chapter",
    "Departure",
    "Export",
    "ExportPart",
    "Keeper",
    "Kind",
    "LegalHold",
    "NobodyElse",
    "Reason",
    "SafeHtml",
    "ask",
    "being_made",
    "content",
    "departing",
    "erasing",
    "erasing_in_thread",
    "export",
    "go_on",
    "held_members",
    "look_after",
    "making",
    "of_member",
    "one",
    "place",
    "refuse",
    "release",
    "stay",
    "tidy",
]
