"""The ETag, the 304 answer and the Link header of reads."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from pydantic import (
    BaseModel,
)
from pydantic_core import to_json

# What is the same for every reader: its own browser may keep it, and asks about it each time. `page_cache.py` knows by
# this what it can keep for all.
SHARED = "private, no-cache"
# What of a request changes the answer: `page_cache.py` compresses what it keeps.
VARY = "Accept-Encoding, Authorization, Cookie"


def cacheable_response(
    request: Request,
    body: BaseModel | Mapping[str, Any],
    *,
    shared: bool = True,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return the response to a read: with an ETag, or 304 when the client has the same bytes (RFC 9110 §13).

    A body that is not `shared` was made for this viewer, and no cache may store it. Long pages are given as plain
    dictionaries: to build a model for each row would take most of the time of a request.
    """
    content = to_json(body)
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'  # processors have instructions for SHA-256
    all_headers, is_unchanged = etag_headers(request, tag, shared=shared)
    all_headers |= headers or {}
    if is_unchanged:
        return Response(status_code=304, headers=all_headers)
    return Response(content, headers=all_headers, media_type="application/json")


def etag_headers(request: Request, tag: str, *, shared: bool) -> tuple[dict[str, str], bool]:
    """Return the headers of a read with this ETag, and whether the client already has its bytes.

    The ETag is a weak one: it is the same for the compressed bytes and the plain ones (RFC 9110 §8.8.1).
    """
    cache_control = SHARED if shared else "private, no-store"
    headers = {"ETag": f"W/{tag}", "Cache-Control": cache_control, "Vary": VARY}
    return headers, is_known(request.headers.get("if-none-match"), tag)


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """Return the Link header (RFC 8288) to the next page, if there is one."""
    if cursor is None:
        return {}
    others = [(name, value) for name, value in request.query_params.multi_items() if name not in {"after", "from"}]
    return {"Link": f'<{request.scope["path"]}?{urlencode([*others, ("after", cursor)])}>; rel="next"'}


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Return whether the client has the bytes with this ETag already."""
    if if_none_match is None:
        return False
    known = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
    return "*" in known or tag in known
