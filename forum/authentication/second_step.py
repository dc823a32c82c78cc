"""Between the two steps of a sign-in: a sealed note that the password was right a moment ago.

Pages ask for the code on a page of its own, and neither the page nor the browser may keep the password meanwhile. The
note is a cookie and no row: there is nothing to delete, to copy or to erase. It opens nothing without the second
factor, whose tries are limited, and a new password makes it void.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from forum.core import sealed_notes
from forum.core.settings import Settings

LASTS = timedelta(minutes=10)  # to find the phone; the codes themselves change every 30 seconds
_PURPOSE = "second-step"


@dataclass(frozen=True)
class PasswordStep:
    """Whose password was right, which one it was, and which second factors they have."""

    member_id: UUID
    password: str
    factors: tuple[str, ...]

    def is_of(self, password_hash: str) -> bool:
        """Return whether this is still the password of which `password_hash` is stored."""
        return hmac.compare_digest(self.password, _digest(password_hash))


def seal(settings: Settings, member_id: UUID, password_hash: str, factors: Sequence[str], now: datetime) -> str:
    """Return a note, which nobody else can write, that the password with this stored hash was right."""
    note = {"member": str(member_id), "password": _digest(password_hash), "factors": list(factors)}
    return sealed_notes.seal(settings, _PURPOSE, note, now + LASTS)


def unseal(settings: Settings, sealed: str, now: datetime) -> PasswordStep | None:
    """Return what a note says; None when it is none of ours, or too old."""
    note = sealed_notes.unseal(settings, _PURPOSE, sealed, now)
    return PasswordStep(UUID(note["member"]), note["password"], tuple(note["factors"])) if note else None


def _digest(password_hash: str) -> str:
    return sha256(password_hash.encode()).hexdigest()
