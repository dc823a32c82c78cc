"""Where somebody is in the order of events: the whole snapshot of the database that they have seen.

Not the highest id: transactions commit in another order than they begin, so a row with a lower id may appear later. Nor
the oldest transaction under way: all would wait for the longest. What is new is what the last snapshot did not show.
"""

import re
from dataclasses import dataclass

FARTHEST = 100_000  # transactions between the oldest under way and the newest: more would be a scan of all events
LONGEST = 1_000  # characters; a snapshot names each transaction that was under way
_EPOCH = re.compile("[0-9a-z]{1,32}")
_SNAPSHOT = re.compile(r"([1-9][0-9]{0,18}):([1-9][0-9]{0,18}):([0-9]+(?:,[0-9]+)*)?")


@dataclass(frozen=True, slots=True)
class Cursor:
    """An epoch, and a snapshot as PostgreSQL writes it."""

    epoch: str
    snapshot: str

    def __str__(self) -> str:
        """Return it as the id of an event."""
        return f"{self.epoch}.{self.snapshot}"

    def can_follow(self, other: "Cursor") -> bool:
        """Return whether this is a later moment of the same database, or the same moment."""
        return self.epoch == other.epoch and _end(other.snapshot) <= _end(self.snapshot)


def parse(text: str) -> Cursor | None:
    """Return the cursor that a client sent, or None where it is none: PostgreSQL would refuse it."""
    epoch, _, snapshot = text.partition(".")
    found = _SNAPSHOT.fullmatch(snapshot)
    if len(text) > LONGEST or found is None or not _EPOCH.fullmatch(epoch):
        return None
    begin, end = int(found[1]), int(found[2])
    under_way = [int(xid) for xid in found[3].split(",")] if found[3] else []
    if not begin <= end < min(begin + FARTHEST, 2**63) or under_way != sorted(set(under_way)):
        return None
    return Cursor(epoch, snapshot) if all(begin <= xid < end for xid in under_way) else None


def _end(snapshot: str) -> int:
    """Return the first transaction that had not begun."""
    return int(snapshot.split(":")[1])
