"""Refuse query parameters that a route does not have."""

from collections.abc import Callable
from typing import Any

from fastapi import Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute


async def only_known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have: for routes that are no `Route`, which does so itself."""
    refuse_unknown_parameters(request)


def refuse_unknown_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have: a misspelt one must not be silently ignored."""
    if not request.scope["query_string"]:
        return
    route: APIRoute = request.scope["route"]
    known = _QUERY_NAMES.get(route.endpoint) or _QUERY_NAMES.setdefault(route.endpoint, _query_names(route))
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise RequestValidationError([{"type": "extra", "loc": ("query", name)} for name in unknown])


_QUERY_NAMES: dict[Callable[..., Any], set[str]] = {}  # of each endpoint: FastAPI takes long to find them


def _query_names(route: APIRoute) -> set[str]:
    fields = get_flat_params(route.dependant)
    return {field.alias for field in fields if isinstance(field.field_info, params.Query)}
