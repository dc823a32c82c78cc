"""The relying party of WebAuthn, and what a device tells of a passkey: `webauthn.py` reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from forum.core.settings import Settings

LIFETIME = timedelta(minutes=5)

# A PublicKeyCredential as its own toJSON() writes it.
Credential = Mapping[str, Any]


@dataclass(frozen=True)
class Party:
    """The relying party: the host that passkeys are bound to, a name, and the origins that may ask for them."""

    host: str
    name: str
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "Party":
        """Return this forum: its public address, allowed origins below the same host, and the configured apps."""
        site = urlsplit(settings.public_url)
        host = site.hostname or ""
        port = "" if site.port in {None, {"http": 80, "https": 443}[site.scheme]} else f":{site.port}"
        near = {origin for origin in settings.allowed_origins if _is_at(urlsplit(origin).hostname or "", host)}
        origins = {f"{site.scheme}://{host}{port}", *near, *settings.passkey_origins}
        return cls(host, settings.mail_from.partition("@")[2], frozenset(origins))


@dataclass(frozen=True)
class CreatedCredential:
    """The public half of a passkey that a device has just made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backed_up: bool


@dataclass(frozen=True)
class AssertionResult:
    """What a device says of itself when it signs."""

    sign_count: int
    backed_up: bool


def _is_at(host: str, party: str) -> bool:
    return host == party or host.endswith(f".{party}")
