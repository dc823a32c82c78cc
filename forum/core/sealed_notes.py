"""Notes that the forum gives out and takes back: nobody else can write one, and there is no row to keep or to erase."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BinasciiError
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from forum.core.secret_key import keyed_digest
from forum.core.settings import Settings


def seal(settings: Settings, purpose: str, note: Mapping[str, Any], until: datetime) -> str:
    """Return a note for one purpose, which is one of ours until then."""
    content = json.dumps({**note, "until": int(until.timestamp())}, separators=(",", ":")).encode()
    return f"{_written(content)}.{_written(keyed_digest(settings, purpose, content))}"


def unseal(settings: Settings, purpose: str, sealed: str, now: datetime) -> Mapping[str, Any] | None:
    """Return what a note says; None when it is none of ours, or too old."""
    first, _, second = sealed.partition(".")
    try:
        content, given = urlsafe_b64decode(first), urlsafe_b64decode(second)
    except (BinasciiError, ValueError):
        return None
    if not hmac.compare_digest(given, keyed_digest(settings, purpose, content)):
        return None
    note: dict[str, Any] = json.loads(content)
    return note if datetime.fromtimestamp(note["until"], UTC) > now else None


def _written(content: bytes) -> str:
    return urlsafe_b64encode(content).decode()
