"""JSON responses and the headers that the OpenAPI document describes."""

from typing import Any

from fastapi import Response
from pydantic import (
    BaseModel,
)


def header(description: str, example: str, *, always: bool = True) -> dict[str, Any]:
    """Return the OpenAPI description of a response header."""
    required = {"required": True} if always else {}
    return {"description": description, **required, "schema": {"type": "string"}, "example": example}


# The `responses` of a route that creates something.
LOCATION = {"Location": header("The path of what was created", "/api/v1/posts/4711")}


CREATED_WITH_LOCATION: dict[int | str, dict[str, Any]] = {201: {"headers": LOCATION}}


def json_response(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return the response with this body."""
    return Response(body.model_dump_json(), status, headers, media_type="application/json")
