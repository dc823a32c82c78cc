"""ETag, 304 and the Link header of reads."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from pydantic import (
    BaseModel,
)
from pydantic_core import to_json


def cacheable_response(
    request: Request,
    body: BaseModel | Mapping[str, Any],
    *,
    shared: bool = True,
    headers: dict[str, str] | None = None,
) -> Response:
    """The response to a read: with an ETag, or 304 when the client has these very bytes (RFC 9110 §13).

    A body that is not `shared` was made for this viewer's eyes and is never kept by anybody. Long pages are given
    as plain members, written as they are: to make models of what the database keeps would take most of the time.
    """
    content = to_json(body)
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'  # the fastest that the processor helps with
    all_headers, has = etag_headers(request, tag, shared=shared)
    all_headers |= headers or {}
    if has:
        return Response(status_code=304, headers=all_headers)
    return Response(content, headers=all_headers, media_type="application/json")


def etag_headers(request: Request, tag: str, *, shared: bool) -> tuple[dict[str, str], bool]:
    """The headers of a read whose bytes `tag` names, and whether the client has these very bytes."""
    kept = "private, no-cache" if shared else "private, no-store"
    headers = {"ETag": tag, "Cache-Control": kept, "Vary": "Authorization, Cookie"}
    return headers, _has(request.headers.get("if-none-match"), tag)


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header (RFC 8288) to the next page, if there is one."""
    if cursor is None:
        return {}
    others = [(name, value) for name, value in request.query_params.multi_items() if name not in {"after", "from"}]
    return {"Link": f'<{request.scope["path"]}?{urlencode([*others, ("after", cursor)])}>; rel="next"'}


def _has(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    known = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
    return "*" in known or tag in known
