"""Between the two steps of a sign-in: a sealed note that the password was right a moment ago.

Pages ask for the code on a page of its own, and neither the page nor the browser may keep the password meanwhile. The
note is a cookie and no row: there is nothing to delete, to copy or to erase. It opens nothing without the second
factor, whose tries are limited, and a new password makes it void.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BinasciiError
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from forum.core.secret_key import keyed_digest
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
    note = {
        "member": str(member_id),
        "password": _digest(password_hash),
        "factors": list(factors),
        "until": int((now + LASTS).timestamp()),
    }
    content = json.dumps(note, separators=(",", ":")).encode()
    return f"{_written(content)}.{_written(keyed_digest(settings, _PURPOSE, content))}"


def unseal(settings: Settings, sealed: str, now: datetime) -> PasswordStep | None:
    """Return what a note says; None when it is none of ours, or too old."""
    first, _, second = sealed.partition(".")
    try:
        content, seal_ = urlsafe_b64decode(first), urlsafe_b64decode(second)
    except (BinasciiError, ValueError):
        return None
    if not hmac.compare_digest(seal_, keyed_digest(settings, _PURPOSE, content)):
        return None
    note = json.loads(content)
    if datetime.fromtimestamp(note["until"], UTC) <= now:
        return None
    return PasswordStep(UUID(note["member"]), note["password"], tuple(note["factors"]))


def _digest(password_hash: str) -> str:
    return sha256(password_hash.encode()).hexdigest()


def _written(content: bytes) -> str:
    return urlsafe_b64encode(content).decode()
