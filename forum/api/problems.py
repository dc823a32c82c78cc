"""Every error as a problem document (RFC 9457): one table from the domain's words to HTTP's."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from forum import database, errors, logs

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
BUSY = "The forum is busy at this moment. Nothing was changed; please send it again."


class Fault(BaseModel):
    """One thing to change in a request."""

    pointer: str = Field(
        description="Where: `#/title` in the body (RFC 6901), `query/limit`, `path/id`, `header/Idempotency-Key`",
        examples=["#/body_markdown"],
    )
    detail: str = Field(examples=["must not be blank"])


class Problem(BaseModel):
    """What went wrong, and what to do about it. A problem may carry more members that belong to its type."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A stable path that names the kind of problem", examples=["/problems/not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no such thread."])
    errors: list[Fault] | None = Field(None, description="For bad input: each thing to change")


# The domain's errors → status and title; the type is the title's path.
KINDS: Mapping[type[errors.ForumError], tuple[int, str]] = {
    errors.NotSignedIn: (401, "Not signed in"),
    errors.Forbidden: (403, "Not allowed"),
    errors.NotFound: (404, "Not found"),
    errors.Stale: (409, "Stale"),
    errors.Busy: (409, "Busy"),
    errors.Conflict: (409, "Conflict"),
    errors.Invalid: (422, "Not acceptable input"),
    errors.Throttled: (429, "Too often"),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can fail in these ways."""
    schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": schema} for status in statuses}


def problem(
    status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
) -> Response:
    """A problem document as a response."""
    kind = "/problems/" + title.lower().replace(" ", "-")
    content = {"type": kind, "title": title, "status": status, "detail": detail, **members}
    return JSONResponse(jsonable_encoder(content), status, dict(headers or {}), media_type=MEDIA_TYPE)


def register(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(errors.ForumError, _forum_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(PoolTimeoutError, _busy)
    app.add_exception_handler(Exception, _unexpected)


async def _forum_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ForumError)  # noqa: S101 - registered for it alone
    status, title = KINDS[type(error)]
    members: dict[str, Any] = dict(error.facts)
    if pointer := members.pop("pointer", getattr(error, "pointer", None)):
        members["errors"] = [{"pointer": pointer, "detail": error.detail}]
    return problem(status, title, error.detail, headers=_headers(error), **members)


def _headers(error: errors.ForumError) -> dict[str, str]:
    match error:
        case errors.NotSignedIn():
            return {"WWW-Authenticate": "Bearer"}
        case errors.Busy():
            return {"Retry-After": "1"}
        case errors.Throttled(policy=policy):  # draft-ietf-httpapi-ratelimit-headers
            return {
                "Retry-After": str(error.retry_after),
                "RateLimit-Policy": f'"{policy}";q={error.quota};w={error.window}',
                "RateLimit": f'"{policy}";r=0;t={error.retry_after}',
            }
    return {}


async def _invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    faults = [{"pointer": _pointer(fault["loc"]), "detail": _said(fault)} for fault in error.errors()]
    return problem(422, "Not acceptable input", "Some of this cannot be accepted: see `errors`.", errors=faults)


def _pointer(location: tuple[int | str, ...]) -> str:
    where, *path = map(str, location)
    if where == "body":
        # An undecodable body has an offset for a path, which points nowhere in the document.
        steps = [] if path and path[0].isdigit() else path
        return "#" + "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return "/".join((where, *path))


def _said(fault: Mapping[str, Any]) -> str:
    if fault["loc"] == ("body",) and fault["type"] in {"model_attributes_type", "missing"}:
        return "The body must be a JSON object, sent with Content-Type: application/json"
    message = str(fault["msg"]).removeprefix("Value error, ")
    reason = fault.get("ctx", {}).get("error")
    return f"{message}: {reason}" if fault["type"] == "json_invalid" else message


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    phrase = HTTPStatus(error.status_code).phrase.capitalize()
    detail = {
        404: "There is nothing at this address.",
        405: "This address does not answer to that method.",
    }.get(error.status_code, error.detail)
    return problem(error.status_code, phrase, detail, headers=error.headers)


async def _database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)  # noqa: S101 - registered for it alone
    if database.is_passing(error):
        return await _busy(request, error)
    return await _unexpected(request, error)


async def _busy(_request: Request, error: Exception) -> Response:
    log.warning("busy", reason=type(getattr(error, "orig", error)).__name__)
    return problem(503, "Busy", BUSY, headers={"Retry-After": "1"})


async def _unexpected(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", None)
    log.error("unexpected", kind=type(error).__name__, route=route, frames=logs.frames(error))
    return problem(500, "Our mistake", "Something went wrong on our side. Nothing was changed.")
