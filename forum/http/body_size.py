"""How large a body may be, and of how many parts: what its fields can take at most, so that none is read at length."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from forum.core.errors import Invalid

# Enough for every request without long texts: passkeys have up to 20 KB.
ORDINARY = 32 * 1024
# No request needs more.
LARGEST = 512 * 1024
# One character outside of the Basic Multilingual Plane, as JSON that is all ASCII has it: two \uXXXX escapes.
BYTES_A_CHARACTER = 12
# Texts of ASCII alone, such as the bytes of a passkey, are as long as they look.
BASE64URL = "^[A-Za-z0-9_-]+$"
# Fields and items that a body may have beyond what its route takes: each is named in the answer, the first 20 at least.
SURPLUS = 200
# No request needs more: to parse so many takes a millisecond.
MOST_PARTS = 20_000


@cache
def largest_body(model: Any) -> int:
    """Return how many bytes a body of this type may have."""
    schema = TypeAdapter(model).json_schema()
    return min(max(ORDINARY, _bytes(schema, schema.get("$defs", {})) + ORDINARY // 2), LARGEST)


@cache
def most_parts(model: Any) -> int:
    """Return of how many parts a body of this type may be, as `refuse_crowded` counts them."""
    schema = TypeAdapter(model).json_schema()
    return min(_parts(schema, schema.get("$defs", {})) + SURPLUS, MOST_PARTS)


def refuse_crowded(body: bytes, most: int) -> None:
    """Raise Invalid for JSON of more parts: strings, lists, objects, and commas between them.

    Counted without parsing it, in a tenth of the time: 20,000 unknown fields held the event loop for 6 ms. It also
    raises for UTF-16 and UTF-32, which `json` would read and in which nothing could be counted (RFC 8259 §8.1).
    """
    if len(body) <= most:
        return
    if b"\0" in body:  # UTF-8 has this byte for NUL alone, which JSON escapes
        raise Invalid("The body is not JSON in UTF-8.", "#", code="not_json")
    bare = body.replace(rb"\\", b"").replace(rb"\"", b"")  # in which each `"` begins or ends a string
    parts = bare.count(b'"') // 2
    if parts <= most:
        outside = b"".join(bare.split(b'"')[::2])
        parts += sum(map(outside.count, (b",", b"[", b"{")))
    if parts > most:
        raise Invalid("The body has far more fields and items than this request takes.", "#", code="too_many")


def _bytes(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> int:
    """Return how many bytes all texts of a document of this schema can have together."""
    if "$ref" in schema:
        return _bytes(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    variants = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if variants:
        return max(_bytes(variant, definitions) for variant in variants)
    if schema.get("type") == "array":
        return int(schema.get("maxItems", 1)) * _bytes(schema.get("items", {}), definitions)
    members = schema.get("properties", {}).values()
    each = 1 if schema.get("pattern") == BASE64URL else BYTES_A_CHARACTER
    return each * int(schema.get("maxLength", 0)) + sum(_bytes(member, definitions) for member in members)


def _parts(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> int:
    """Return of how many parts a document of this schema can be at most."""
    if "$ref" in schema:
        return _parts(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if variants := [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        return max(_parts(variant, definitions) for variant in variants)
    if schema.get("type") == "array":
        kinds = [schema["items"]] if "items" in schema else schema["prefixItems"]
        return 1 + int(schema["maxItems"]) * (1 + max(_parts(kind, definitions) for kind in kinds))
    members = schema.get("properties", {}).values()
    return 1 + sum(2 + _parts(member, definitions) for member in members)


def bounded(receive: Receive, limit: int) -> Receive:
    """Return a `receive` that refuses what is larger, without reading all of it. It raises a HTTPException of 413."""
    size = 0

    async def receive_and_count() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise HTTPException(413, f"This request may have at most {limit} bytes.")
        return message

    return receive_and_count
