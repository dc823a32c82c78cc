"""How a delivery is signed, as Standard Webhooks 1.0 says: HMAC-SHA256 over its id, the time and the body."""

import base64
import hmac
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from forum.administration.webhooks.tables import BOTH_SIGN_FOR, Webhook
from forum.core.secret_key import keyed_digest
from forum.core.settings import Settings


def secret_of(settings: Settings, webhook: Webhook) -> str:
    """Return the secret that a service verifies with, as it is shown to an administrator once."""
    return f"whsec_{base64.b64encode(_key(settings, webhook.id, webhook.secret_number)).decode()}"


def keys_of(settings: Settings, webhook: Webhook, now: datetime) -> tuple[bytes, ...]:
    """Return the keys that sign now: the present one, and for a day after it was renewed the one before."""
    numbers = [webhook.secret_number]
    if webhook.renewed_at and now < webhook.renewed_at + BOTH_SIGN_FOR:
        numbers.append(webhook.secret_number - 1)
    return tuple(_key(settings, webhook.id, number) for number in numbers)


def headers_of(delivery_id: UUID, at: datetime, body: bytes, keys: tuple[bytes, ...]) -> dict[str, str]:
    """Return the headers of one try. The time is that of the try, so that an old one cannot be sent again by others."""
    seconds = int(at.timestamp())
    content = f"{delivery_id}.{seconds}.".encode() + body
    digests = (base64.b64encode(hmac.digest(key, content, sha256)).decode() for key in keys)
    return {
        "webhook-id": str(delivery_id),
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{digest}" for digest in digests),
    }


def _key(settings: Settings, webhook_id: UUID, number: int) -> bytes:
    return keyed_digest(settings, "webhook", f"{webhook_id}:{number}".encode())
