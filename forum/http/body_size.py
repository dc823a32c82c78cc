"""How many bytes a request may have: what its texts can take at most, so that no other body is read at length."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

# Enough for every request without long texts: passkeys have up to 20 KB.
ORDINARY = 32 * 1024
# No request needs more.
LARGEST = 512 * 1024
# One character outside of the Basic Multilingual Plane, as JSON that is all ASCII has it: two \uXXXX escapes.
BYTES_A_CHARACTER = 12
# Texts of ASCII alone, such as the bytes of a passkey, are as long as they look.
BASE64URL = "^[A-Za-z0-9_-]+$"


@cache
def largest_body(model: Any) -> int:
    """Return how many bytes a body of this type may have."""
    schema = TypeAdapter(model).json_schema()
    return min(max(ORDINARY, _bytes(schema, schema.get("$defs", {})) + ORDINARY // 2), LARGEST)


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
