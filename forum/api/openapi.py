"""The OpenAPI document, and a page that shows it and loads nothing from other sites."""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any, get_args

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import iter_route_contexts

from forum.api import generators
from forum.core import errors
from forum.http import problems
from forum.http.caching import VARY
from forum.http.current_member import COOKIE, Anybody, AnyMember, CurrentMember, CurrentViewer
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import KINDS, MEDIA_TYPE, Problem, content
from forum.http.query_parameters import only_known_parameters
from forum.http.responses import header

BASE = "/api/v1"

router = APIRouter(include_in_schema=False, dependencies=[Depends(only_known_parameters)])

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The API of {name}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="docs"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script>{script}</script>
</body>
</html>
"""
SCRIPT = "SwaggerUIBundle({url: 'openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null});"
_SCRIPT_DIGEST = b64encode(sha256(SCRIPT.encode()).digest()).decode()
# The page may load its own two files, its one script, and the styles that the library writes.
POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{_SCRIPT_DIGEST}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}

DESCRIPTION = """
A moderated peer-support forum.

**Signing in**: `POST /api/v1/sessions` gives a token. Send it as `Authorization: Bearer …`. Web pages can ask for a
cookie instead. Where a second factor is set up, the first answer is 401 with the code `second_factor_needed`: send the
same request again with a `code`. Staff without a second factor can do only what members can (`roles_withheld`). Some
actions need a sign-in within the last 15 minutes (403, `sign_in_again`): sign in again and send the session that you
have. Where guests may read, an expired token is not an error: you read as a guest. Elsewhere the answer is 401.
**Errors** are problem documents (RFC 9457): `type`, `title`, `status`, `code` and `detail`. Bad input has up to 20
`errors`, each with a `pointer` to what to change, a `code` and a `detail`. Choose screens and words by `code`: it is
more exact than `type`, and both never change. Unknown fields and unknown query parameters are refused.
**Lists** have `items` and `next`: send `next` as `after` to get the next page. **Edits** send the `revision` or
`version` that was on the screen. If it has changed since, the answer is 409 and says who changed it and when.
**Creating**: send an `Idempotency-Key`, and the same request sent twice creates only one. **Reads** have an
`ETag`: send it as `If-None-Match`. What you may not see is 404. What you can see but may not do is 403.
**Too many requests** are answered 429 with `Retry-After`. After a 503 nothing was changed: send the request again.
**Answers** may get more fields and more enumerated values, but for a value that tells which of two schemas it is (the
`visibility` of a post or a tombstone). Within this version, none is renamed or removed.
"""
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The `token` of `POST /api/v1/sessions`"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": 'The cookie that `POST /api/v1/sessions` sets with `"transport": "cookie"`. With it, requests '
        "that change something must come from a page of this host or of an allowed origin",
    },
}
HEADERS = {
    "ETag": ("The version of this answer: send it as `If-None-Match`", '"6b1f0c7e2a9d4c58b3e0f1a2"'),
    "Cache-Control": ("Who may store the answer", "private, no-cache"),
    "Vary": ("Headers of the request that change the answer", VARY),
    "Link": ("The next page, if there is one (RFC 8288)", '</api/v1/threads/42/posts?after=WzIwXQ>; rel="next"'),
    "WWW-Authenticate": ("How to sign in", "Bearer"),
    "Retry-After": ("How many seconds to wait", "5"),
    "RateLimit-Policy": ("The limit: how many requests in how many seconds", '"posting";q=1;w=5'),
    "RateLimit": ("How many requests are left, and in how many seconds the count starts again", '"posting";r=0;t=5'),
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of the answer that you have. If nothing has changed, the answer is 304",
    "schema": {"type": "string"},
    "examples": {"an ETag": {"value": HEADERS["ETag"][1]}},
}
STALE = {
    "current": 3,
    "changed_by": {"handle": "suzie", "name": "Suzie", "title": "Online adviser"},
    "changed_at": "2026-07-27T16:40:00Z",
}
# Nobody knows what their bytes will be when they begin: they have no ETag.
SENT_WHILE_READ = {"get_board_archive"}
ALWAYS = ("500", "503")
ALWAYS_BELOW_BASE = ("429", *ALWAYS)


class Resource:
    """A tag of the document: its name, its text and its routers."""

    def __init__(self, tag: str, text: str, *routers: APIRouter) -> None:
        self.tag, self.text, self.routers = tag, text, routers


@dataclass(frozen=True)
class ErrorAnswer:
    """An error status in the document: its meaning, an example of each type, and its headers."""

    name: str
    meaning: str
    examples: tuple[dict[str, Any], ...]
    headers: tuple[str, ...] = ()
    optional_headers: tuple[str, ...] = ()


ERROR_ANSWERS = {
    "401": ErrorAnswer(
        "NotSignedIn",
        "You are not signed in",
        (content(KINDS[errors.NotSignedIn], "not_signed_in", "Sign in first."),),
        headers=("WWW-Authenticate",),
    ),
    "403": ErrorAnswer(
        "NotAllowed",
        "You may not do this, or a page of another site made your browser send the request",
        (
            content(
                KINDS[errors.Forbidden], "thread_locked", "This thread is locked. You can read it, but not write in it."
            ),
        ),
    ),
    "404": ErrorAnswer(
        "NotFound",
        "It does not exist, or you may not see it",
        (content(KINDS[errors.NotFound], "thread_not_found", "There is no such thread."),),
    ),
    "409": ErrorAnswer(
        "Conflict",
        "It was changed meanwhile, is in a state that does not allow this, or exists already; or the same request is "
        "still being processed",
        (
            content(
                KINDS[errors.Stale],
                "post_changed",
                "This post was edited while you were looking at it. Please read it again.",
                **STALE,
            ),
            content(
                KINDS[errors.Conflict],
                "thread_locked_or_moved",
                "This thread was locked or moved a moment ago. Please read it again.",
            ),
            content(
                KINDS[errors.Busy],
                "request_in_progress",
                "The same request is still being processed. Try again in a moment.",
            ),
        ),
        optional_headers=("Retry-After",),
    ),
    "413": ErrorAnswer(
        "TooLarge",
        "The body is too large",
        (
            content(
                problems.REFUSALS[413][0],
                "content_too_large",
                "…",
                errors=[{"pointer": "#", "code": "content_too_large", "detail": "…"}],
            ),
        ),
    ),
    "422": ErrorAnswer(
        "NotAcceptable",
        "Something in the request cannot be accepted: `errors` says what",
        (
            content(
                KINDS[errors.Invalid],
                "invalid",
                "Some of this cannot be accepted: see `errors`.",
                errors=[{"pointer": "#/body_markdown", "code": "blank", "detail": "must not be blank"}],
            ),
        ),
    ),
    "429": ErrorAnswer(
        "TooManyRequests",
        "Too many requests: wait, then send it again",
        (content(KINDS[errors.Throttled], "limit_posting", "Too often. Please wait 5 seconds and try again."),),
        headers=("Retry-After", "RateLimit-Policy", "RateLimit"),
    ),
    "500": ErrorAnswer(
        "InternalError",
        "Something went wrong on our side",
        (content(problems.INTERNAL, "internal_error", problems.WENT_WRONG),),
    ),
    "503": ErrorAnswer(
        "ServiceUnavailable",
        "The forum is busy, and nothing was changed",
        (content(problems.UNAVAILABLE, "busy", problems.BUSY),),
        headers=("Retry-After",),
    ),
}


def describe(app: FastAPI, name: str, resources: Sequence[Resource]) -> None:
    """Give `app` an OpenAPI document with these tags."""
    tags = [{"name": resource.tag, "description": resource.text} for resource in resources]

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, name, tags)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, name: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    routes = [route for route in iter_route_contexts(app.routes) if getattr(route, "include_in_schema", False)]
    document = get_openapi(
        title=name, version="1", openapi_version="3.1.0", description=DESCRIPTION, routes=routes, tags=tags
    )
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components = document["components"]
    components["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    components["responses"] = {answer.name: _error_response(answer) for answer in ERROR_ANSWERS.values()}
    components["securitySchemes"] = SECURITY_SCHEMES
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            always = ALWAYS_BELOW_BASE if str(route.path).startswith(BASE) else ALWAYS
            _finish(operation, components["schemas"], always)
            operation["security"] = _security(route.dependant)
            is_stream = "text/event-stream" in operation["responses"].get("200", {}).get("content", {})
            is_whole = not is_stream and operation["operationId"] not in SENT_WHILE_READ
            if method == "GET" and str(route.path).startswith(BASE) and is_whole:
                _finish_read(operation)
    generators.prepare(document)
    tidied: dict[str, Any] = _tidied(document)
    return tidied


def _finish(operation: dict[str, Any], schemas: dict[str, Any], always: Sequence[str]) -> None:
    """Replace FastAPI's texts for an operation and its responses with this API's."""
    summary, *rest = re.split(r"\.\s+", operation.pop("description"), maxsplit=1)
    operation["summary"] = summary.rstrip(".")
    if rest:
        operation["description"] = rest[0]
    for parameter in operation.get("parameters", ()):
        _finish_parameter(parameter)
    responses = operation["responses"]
    for status in (*responses, *always):
        if status in ERROR_ANSWERS:
            responses[status] = {"$ref": f"#/components/responses/{ERROR_ANSWERS[status].name}"}
        elif status == "204":
            responses[status]["description"] = "Done"
        else:
            responses[status]["description"] = _meaning(responses[status], schemas)
    operation["responses"] = dict(sorted(responses.items()))


def _meaning(response: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "application/json" not in response["content"]:
        return str(response["description"])
    reference = response["content"]["application/json"]["schema"]["$ref"]
    meaning: str = schemas[reference.rpartition("/")[2]]["description"]
    return meaning


def _finish_parameter(parameter: dict[str, Any]) -> None:
    schema = parameter["schema"]
    # FastAPI describes an optional parameter as nullable. But an address or a header has no null: one leaves it out.
    [only] = [kind for kind in schema.pop("anyOf", [{}]) if kind != {"type": "null"}]
    examples = schema.pop("examples", [])
    schema |= only
    schema.pop("description", None)
    parameter.pop("example", None)
    parameter["examples"] = {str(number): {"value": example} for number, example in enumerate(examples, start=1)}
    if not examples:
        del parameter["examples"]


def _finish_read(operation: dict[str, Any]) -> None:
    """Describe the headers and the 304 answer of a read: a read below the base uses `cacheable_response`."""
    headers = _headers("ETag", "Cache-Control", "Vary")
    names = [parameter["name"] for parameter in operation.setdefault("parameters", [])]
    operation["responses"]["200"]["headers"] = headers | (_headers("Link", always=False) if "after" in names else {})
    operation["responses"]["304"] = {"description": "Nothing has changed: use what you have", "headers": headers}
    operation["responses"] = dict(sorted(operation["responses"].items()))
    operation["parameters"].append(IF_NONE_MATCH)


def _error_response(answer: ErrorAnswer) -> dict[str, Any]:
    examples = {example["title"]: {"value": example} for example in answer.examples}
    schema = {"$ref": "#/components/schemas/Problem"}
    headers = _headers(*answer.headers) | _headers(*answer.optional_headers, always=False)
    described = {"description": answer.meaning, "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}}}
    return described | ({"headers": headers} if headers else {})


def _headers(*names: str, always: bool = True) -> dict[str, Any]:
    return {name: header(*HEADERS[name], always=always) for name in names}


def _security(dependant: Dependant) -> list[dict[str, Any]]:
    dependencies = set(_dependencies(dependant))
    either: list[dict[str, Any]] = [{scheme: []} for scheme in SECURITY_SCHEMES]
    members = {get_args(kind)[1].dependency for kind in (AnyMember, CurrentMember, IdempotencyKey)}
    if members & dependencies:
        return either
    anybody = {get_args(kind)[1].dependency for kind in (CurrentViewer, Anybody)}
    return [{}, *either] if anybody & dependencies else []


def _dependencies(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _dependencies(inner)


def _tidied(part: Any, within: str = "") -> Any:
    """Return the document without the titles that FastAPI makes from names, and with 1.0 written as 1."""
    if isinstance(part, list):
        return [_tidied(item, within) for item in part]
    if isinstance(part, float) and part.is_integer():
        return int(part)
    if not isinstance(part, dict) or within in {"example", "examples", "default"}:
        return part
    named = within in {"properties", "schemas"}
    return {
        name: _tidied(inner, name if not named else "")
        for name, inner in part.items()
        if named or name != "title" or within == "info"
    }


@router.get(f"{BASE}/openapi.json")
async def openapi(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document


@router.get(f"{BASE}/docs")
async def docs(request: Request) -> HTMLResponse:
    """Return the page that shows the document."""
    page = PAGE.format(name=_escaped(request.app.title), script=SCRIPT)
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


@router.get(f"{BASE}/docs/{{asset}}")
async def docs_asset(asset: str) -> Response:
    """Return a file of the page. Raises NotFound."""
    if asset not in ASSETS:
        raise errors.NotFound("There is no such file.", code="file_not_found")
    content = (resources.files("fastapi_swagger.resources") / asset).read_bytes()
    return Response(content, media_type=ASSETS[asset], headers={"Cache-Control": "public, max-age=86400"})


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
