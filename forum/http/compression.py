"""Compresses what the API answers, but for answers with a secret in them.

Pages compress themselves (`web/visits.py`), and so does what is kept for all (`page_cache.py`).
"""

import asyncio
import gzip
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from pydantic import TypeAdapter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALL = 1_000  # bytes, below which compressing saves nothing that anybody notices
LARGE = 256 * 1024  # bytes, from which compressing takes too long beside others
FASTEST = 1  # of zlib: level 6 takes three times as long for a tenth less
_TYPES = (b"application/json", b"text/plain")
# Fields of answers that nobody else may learn. How long the compressed answer is tells of a secret how far something
# beside it is the same, which others may have had the client send (BREACH). Errors are not compressed for the same
# reason: one of them seals what was asked (`confirm`).
SECRETS = frozenset({"token", "secret", "uri", "challenge", "recovery_codes", "codes", "confirm"})


class Compression:
    """Sends answers above a thousand bytes in fewer, where the client takes that and nothing in them is secret."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and compress its answer if that is to be done."""
        if scope["type"] != "http" or not takes_gzip(_accepted(scope)):
            await self.app(scope, receive, send)
            return
        held: Message | None = None

        async def send_in_fewer_bytes(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_compressible(scope, message):
                held = message
                return
            if held is not None:
                start, content = held, await _compressed(message["body"])
                held = None
                await send({**start, "headers": [*_compressed_headers(start["headers"], len(content))]})
                message = {**message, "body": content}
            await send(message)

        await self.app(scope, receive, send_in_fewer_bytes)


@lru_cache(maxsize=64)  # browsers say it in few ways
def takes_gzip(accepted: str) -> bool:
    """Return whether an Accept-Encoding takes gzip."""
    for coding in accepted.split(","):
        name, _, weight = coding.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def compress(content: bytes, level: int) -> bytes:
    """Return the same bytes for the same content, compressed."""
    return gzip.compress(content, level, mtime=0)


@cache
def has_secret(model: Any) -> bool:
    """Return whether an answer of this type has a secret in it: a text, or several, in a field of such a name."""
    schema = TypeAdapter(model).json_schema(mode="serialization")
    parts = [schema, *schema.get("$defs", {}).values()]
    fields = [(name, field) for part in parts for name, field in part.get("properties", {}).items()]
    return any(name in SECRETS and field.get("type") != "integer" for name, field in fields)


def _accepted(scope: Scope) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-encoding")


def _is_compressible(scope: Scope, start: Message) -> bool:
    """Return whether the answer that begins so is to be compressed. It comes in one piece: its length is known."""
    headers: Mapping[bytes, bytes] = dict(start["headers"])
    if start["status"] >= 400 or int(headers.get(b"content-length", b"0")) < SMALL or b"content-encoding" in headers:
        return False
    model = getattr(scope.get("route"), "response_model", None)
    return headers.get(b"content-type", b"").startswith(_TYPES) and not (model and has_secret(model))


def _compressed_headers(headers: Iterable[tuple[bytes, bytes]], length: int) -> Iterable[tuple[bytes, bytes]]:
    varies = False
    for name, value in headers:
        if name != b"content-length":
            yield name, value
        varies = varies or (name == b"vary" and b"accept-encoding" in value.lower())
    yield b"content-length", b"%d" % length
    yield b"content-encoding", b"gzip"
    if not varies:
        yield b"vary", b"Accept-Encoding"


async def _compressed(content: bytes) -> bytes:
    if len(content) > LARGE:
        return await asyncio.to_thread(compress, content, FASTEST)
    return compress(content, FASTEST)
