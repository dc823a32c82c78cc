"""Every error as a problem document (RFC 9457): one table from the forum's errors to HTTP status codes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from forum.core import database, errors, logs
from forum.http import faults

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
WENT_WRONG = "Something went wrong on our side. Nothing was changed."
FULL = "The forum has no room left to store this. Nothing was changed. Reading goes on; please try again later."
UNWRITABLE = "Nothing can be stored at this moment. Nothing was changed. Please try again in a minute."
BUSY = "The forum is busy at this moment. Nothing was changed. Please try again."


class Fault(BaseModel):
    """One thing to change in a request."""

    pointer: str = Field(
        description="Where it is: `#/title` in the body (RFC 6901), `query/limit`, `path/id`, `header/Idempotency-Key`",
        examples=["#/body_markdown"],
    )
    code: str = Field(description="What is wrong, for programs", examples=["blank"])
    detail: str = Field(description="What is wrong, for people", examples=["must not be blank"])


class Changer(BaseModel):
    """Who made a change."""

    handle: str | None = Field(description="Null for a former member", examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    title: str | None = Field(examples=["Online adviser"])


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]  # a member that a problem does not have is left out, not null


class Problem(BaseModel):
    """What went wrong, and what to do about it. Some types of problems have more members."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="The type of the problem, as a path that never changes", examples=["/problems/not-found"]
    )
    title: str = Field(description="The type in words", examples=["Not found"])
    status: int = Field(examples=[404])
    code: str = Field(
        description="Exactly what is wrong, for programs: it never changes. Choose screens and words by it",
        examples=["thread_not_found"],
    )
    detail: str = Field(description="A sentence for people", examples=["There is no such thread."])
    errors: list[Fault] | SkipJsonSchema[None] = Field(
        None, description="Each thing to change in the request, at most 20", json_schema_extra=_without_default
    )
    current: int | SkipJsonSchema[None] = Field(
        None,
        description="After somebody else's change: the `revision` or `version` now",
        examples=[3],
        json_schema_extra=_without_default,
    )
    changed_by: Changer | None = Field(
        None,
        description="After a change: who made it, if that is known. It can be you, on another device",
        json_schema_extra=_without_default,
    )
    changed_at: datetime | SkipJsonSchema[None] = Field(
        None,
        description="After somebody else's change: when it was made",
        examples=["2026-07-27T16:40:00Z"],
        json_schema_extra=_without_default,
    )
    factors: list[str] | SkipJsonSchema[None] = Field(
        None,
        description="Where a second factor is needed: those that you have set up, `passkey`, `totp` or `recovery_code`",
        examples=[["passkey", "recovery_code"]],
        json_schema_extra=_without_default,
    )

    help: dict[str, Any] | SkipJsonSchema[None] = Field(
        None,
        description="Where words were refused that sound like danger: who helps at once. Show it above all else",
        examples=[{"kind": "suicide", "level": "acute", "words": "These people listen now.", "resources": []}],
        json_schema_extra=_without_default,
    )

    findings: list[dict[str, Any]] | SkipJsonSchema[None] = Field(
        None,
        description="Where a text may show who somebody is: each `field`, `start`, `end` (code points), `words`, "
        "`kind`, `why`, `suggestion` and `effect`",
        json_schema_extra=_without_default,
    )
    confirm: str | SkipJsonSchema[None] = Field(
        None,
        description="With it as `confirm` in the body, the same words are posted as they are, for a day",
        examples=["eyJ…"],
        json_schema_extra=_without_default,
    )


@dataclass(frozen=True)
class ProblemType:
    """A type of problem: its HTTP status, its name in a path, and its name in words."""

    status: int
    slug: str
    title: str


KINDS: Mapping[type[errors.ForumError], ProblemType] = {
    errors.NotSignedIn: ProblemType(401, "not-signed-in", "Not signed in"),
    errors.SecondFactorNeeded: ProblemType(401, "second-factor-needed", "Second factor needed"),
    errors.Forbidden: ProblemType(403, "forbidden", "Not allowed"),
    errors.RoleWithheld: ProblemType(403, "role-withheld", "Role withheld"),
    errors.SignInAgain: ProblemType(403, "sign-in-again", "Sign in again"),
    errors.NotFound: ProblemType(404, "not-found", "Not found"),
    errors.Stale: ProblemType(409, "stale", "Changed meanwhile"),
    errors.Busy: ProblemType(409, "request-in-progress", "Still being worked on"),
    errors.Conflict: ProblemType(409, "conflict", "Conflict"),
    errors.PersonalInformation: ProblemType(422, "personal-information", "Personal information"),
    errors.Invalid: ProblemType(422, "validation-failed", "Input not accepted"),
    errors.Throttled: ProblemType(429, "too-many-requests", "Too many requests"),
    errors.Overloaded: ProblemType(503, "service-unavailable", "Busy"),
}
INVALID, UNAVAILABLE = KINDS[errors.Invalid], KINDS[errors.Overloaded]
READ_ONLY = ProblemType(503, "read-only", "Nothing can be stored")
STORAGE_FULL = ProblemType(503, "storage-full", "No room left")
INTERNAL = ProblemType(500, "internal-server-error", "Error on our side")
# What the router and the middleware refuse, with a sentence where theirs does not help people.
REFUSALS: Mapping[int, tuple[ProblemType, str | None]] = {
    404: (KINDS[errors.NotFound], "There is nothing at this address."),
    405: (
        ProblemType(405, "method-not-allowed", "Method not allowed"),
        "This address cannot be used in this way.",
    ),
    413: (ProblemType(413, "content-too-large", "Too large"), None),
}
MOST_FAULTS = 20  # of one request: a client can show no more, and a hostile body could have thousands
LONGEST_STEP = 100  # characters of a name in a pointer: what was sent is not sent back at length


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can fail with these statuses; `api/openapi.py` describes each."""
    return {status: {"description": ""} for status in statuses}


def content(kind: ProblemType, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """Return a problem document."""
    about = {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status}
    return {**about, "code": code, "detail": detail, **members}


def problem(
    kind: ProblemType, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
) -> Response:
    """Return a problem document as a response."""
    body = to_json(content(kind, code, detail, **members))
    return Response(body, kind.status, dict(headers or {}), media_type=MEDIA_TYPE)


def register(app: FastAPI) -> None:
    """Have every error of `app` answered with a problem document."""
    app.add_exception_handler(errors.ForumError, _forum_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(PoolTimeoutError, _busy)
    app.add_exception_handler(Exception, _unexpected)


async def _forum_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ForumError)  # noqa: S101 - registered for it alone
    return answer_to(error, request.scope)


def answer_to(error: errors.ForumError, scope: Scope) -> Response:
    """Return the response to an error of the forum. A refusal is logged, without who was refused."""
    if isinstance(error, errors.NotSignedIn | errors.Forbidden | errors.Throttled):
        policy = getattr(error, "policy", None)
        log.info("refused", kind=type(error).__name__, route=_route(scope), method=scope["method"], policy=policy)
    members: dict[str, Any] = dict(error.facts)
    if pointer := members.pop("pointer", getattr(error, "pointer", None)):
        members["errors"] = [{"pointer": pointer, "code": error.code, "detail": error.detail}]
    return problem(KINDS[type(error)], error.code, error.detail, headers=_headers(error), **members)


def _headers(error: errors.ForumError) -> dict[str, str]:
    match error:
        case errors.NotSignedIn():
            return {"WWW-Authenticate": "Bearer"}
        case errors.Busy() | errors.Overloaded():
            return {"Retry-After": "1"}
        case errors.Throttled(policy=policy):  # draft-ietf-httpapi-ratelimit-headers
            return {
                "Retry-After": str(error.retry_after),
                "RateLimit-Policy": f'"{policy}";q={error.quota};w={error.window}',
                "RateLimit": f'"{policy}";r=0;t={error.retry_after}',
            }
    return {}


def invalid(error: RequestValidationError, **members: Any) -> Response:
    """Return the response to a request of which some parts are not as they must be."""
    found = error.errors()
    return _bad_input(
        [
            {
                "pointer": _pointer(fault["loc"], error.body),
                "code": faults.code_of(fault),
                "detail": faults.sentence_of(fault),
            }
            for fault in found[:MOST_FAULTS]
        ],
        **members,
    )


def _bad_input(found: list[dict[str, str]], **members: Any) -> Response:
    return problem(INVALID, "invalid", "Some of this cannot be accepted: see `errors`.", errors=found, **members)


def _pointer(location: tuple[int | str, ...], body: Any) -> str:
    where, *path = location
    if where != "body":
        return "/".join(str(step)[:LONGEST_STEP] for step in location)
    if path and isinstance(path[0], int):  # an undecodable body: its offset points nowhere in the document
        return "#"
    return "#" + "".join("/" + step[:LONGEST_STEP].replace("~", "~0").replace("/", "~1") for step in _steps(path, body))


def _steps(path: Sequence[int | str], body: Any) -> Iterator[str]:
    """Yield the steps to a fault in the body, without the names that Pydantic adds for the members of a union."""
    for step in path[:-1]:
        if isinstance(step, int) or step in body:
            yield str(step)
            body = body[step]
    yield from map(str, path[-1:])


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    status, headers = error.status_code, dict(error.headers or {})
    if status == 400:  # FastAPI's answer where `json` raises something else than a decoding error
        sentence = "The body is not JSON in UTF-8, or is nested too deep."
        return _bad_input([{"pointer": "#", "code": "not_json", "detail": sentence}])
    phrase = HTTPStatus(status).phrase
    unlisted = ProblemType(status, phrase.lower().replace(" ", "-"), phrase.capitalize())
    kind, sentence_for_people = REFUSALS.get(status, (unlisted, None))
    detail, code = sentence_for_people or error.detail, kind.slug.replace("-", "_")
    if status == 405:
        headers["Allow"] = ", ".join(sorted(_methods_here(request)))
    members = {"errors": [{"pointer": "#", "code": code, "detail": detail}]} if status == 413 else {}
    return problem(kind, code, detail, headers=headers, **members)


def _methods_here(request: Request) -> set[str]:
    """Return every method of this path; the router's own answer has those of one route only."""
    path = request.scope["path"]
    routes = [route for route in iter_route_contexts(request.app.routes) if route.path_regex.match(path)]
    return {method for route in routes for method in route.methods or ()}


async def _database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)  # noqa: S101 - registered for it alone
    if database.is_full(error):
        return storage_full()
    if database.is_read_only(error):
        return read_only()
    if database.is_passing(error):
        return await _busy(request, error)
    return internal_error(request.scope, error)


def storage_full() -> Response:
    """Log that the disk is full, and return the response to whoever wants to write."""
    log.error("storage_full")
    return problem(STORAGE_FULL, "storage_full", FULL, headers={"Retry-After": "60"})


def read_only() -> Response:
    """Log that the database takes no writes, and return the response to whoever wants to write."""
    log.error("read_only")
    return problem(READ_ONLY, "read_only", UNWRITABLE, headers={"Retry-After": "5"})


async def _busy(_request: Request, error: Exception) -> Response:
    log.warning("busy", reason=type(getattr(error, "orig", error)).__name__)
    return problem(UNAVAILABLE, "busy", BUSY, headers={"Retry-After": "1"})


async def _unexpected(request: Request, error: Exception) -> Response:
    return internal_error(request.scope, error)


def internal_error(scope: Scope, error: Exception) -> Response:
    """Log an unexpected error without its message, and return the response to it."""
    log.error("unexpected", kind=type(error).__name__, route=_route(scope), frames=logs.frames(error))
    return problem(INTERNAL, "internal_error", WENT_WRONG)


def _route(scope: Scope) -> str | None:
    """Return the path of the route with the names of its parameters, not their values."""
    return getattr(scope.get("route"), "path", None)
