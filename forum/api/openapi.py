"""The OpenAPI document, exact, and a page to read it on that loads nothing from elsewhere."""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any, get_args

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import iter_route_contexts

from forum.core import errors
from forum.http import problems
from forum.http.current_member import COOKIE, Anybody, AnyMember, CurrentViewer
from forum.http.problems import KINDS, MEDIA_TYPE, Problem, content
from forum.http.responses import header

BASE = "/api/v1"

router = APIRouter(include_in_schema=False)

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
# What the page may load: its own two files, its one script, and the styles that the library writes.
POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{_SCRIPT_DIGEST}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}

DESCRIPTION = """
A moderated peer-support forum.

**Signing in**: `POST /api/v1/sessions` gives a token: send it as `Authorization: Bearer …`. Web pages ask for a cookie
instead. Where a second factor is set up, the first answer is 401 with the code `second_factor_needed`: send the same
again with a `code`. Staff who have not set one up can do only what members can (`roles_withheld`). Some actions need a
sign-in within the last 15 minutes (403, `sign_in_again`): sign in again and show the session that you have.
Where guests may read, a token that has run out is not an error: you are a guest there. Elsewhere you get 401.
**Errors** are problem documents (RFC 9457): `type`, `title`, `status`, `code`, `detail`, and for bad input up to 20
`errors`, each with a pointer to what to change, a `code` and a `detail`. Choose screens and words by `code`: it is
finer than `type`, and both are stable. A field or a query parameter that the request does not have is refused.
**Lists** have `items` and `next`: to go on, send `next` as `after`. **Edits** carry the `revision` or `version` that
was on the screen; a stale one is answered 409, with who changed it and when.
**Posts and threads** are created once however often you send them, with the same `Idempotency-Key` and body. **Reads**
have an `ETag`: send it as `If-None-Match`. What you may not see is 404; what you see but may not do is 403.
**Too many requests** are answered 429 with `Retry-After`. After a 503 nothing was changed: send the request again.
**Answers** may get more fields and more values of an enumeration; none is renamed or removed within this version.
"""
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The `token` of `POST /api/v1/sessions`"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": 'What `POST /api/v1/sessions` sets with `"transport": "cookie"`. Whatever changes something '
        "must then come from a page of this host or of an allowed origin",
    },
}
HEADERS = {
    "ETag": ("Names these very bytes: send it as `If-None-Match`", '"6b1f0c7e2a9d4c58b3e0f1a2"'),
    "Cache-Control": ("Who may keep it", "private, no-cache"),
    "Vary": ("What else it depends on", "Authorization, Cookie"),
    "Link": ("The next page, if there is one (RFC 8288)", '</api/v1/threads/42/posts?after=WzIwXQ>; rel="next"'),
    "WWW-Authenticate": ("How to sign in", "Bearer"),
    "Retry-After": ("Seconds to wait", "5"),
    "RateLimit-Policy": ("The limit: tries and seconds of its window", '"posting";q=1;w=5'),
    "RateLimit": ("What is left of it, and seconds until it is whole again", '"posting";r=0;t=5'),
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of what you have: answered 304 while it is still so",
    "schema": {"type": "string"},
    "examples": {"an ETag": {"value": HEADERS["ETag"][1]}},
}
STALE = {"current": 3, "changed_by": "Suzie", "changed_at": "2026-07-27T16:40:00Z"}
ALWAYS = ("500", "503")
ALWAYS_BELOW_BASE = ("429", *ALWAYS)


class Resource:
    """What clients find under one tag: its text in the document, and the routers that answer."""

    def __init__(self, tag: str, text: str, *routers: APIRouter) -> None:
        self.tag, self.text, self.routers = tag, text, routers


@dataclass(frozen=True)
class Refusal:
    """One way to fail: what it means, an example of each of its kinds, and the headers that come with it."""

    name: str
    meaning: str
    examples: tuple[dict[str, Any], ...]
    headers: tuple[str, ...] = ()
    headers_at_times: tuple[str, ...] = ()


REFUSALS = {
    "401": Refusal(
        "NotSignedIn",
        "Nobody is signed in",
        (content(KINDS[errors.NotSignedIn], "not_signed_in", "Sign in first."),),
        headers=("WWW-Authenticate",),
    ),
    "403": Refusal(
        "NotAllowed",
        "You may not do this, or a page of another site made your browser send it",
        (content(KINDS[errors.Forbidden], "thread_locked", "This thread is locked: it takes no more replies."),),
    ),
    "404": Refusal(
        "NotFound",
        "It does not exist, or you may not see it",
        (content(KINDS[errors.NotFound], "thread_not_found", "There is no such thread."),),
    ),
    "409": Refusal(
        "Conflict",
        "It was changed, closed or taken meanwhile, or the same request is still being worked on",
        (
            content(
                KINDS[errors.Stale],
                "post_changed",
                "This post was edited while you were looking at it. Read it again.",
                **STALE,
            ),
            content(
                KINDS[errors.Conflict],
                "thread_closed_or_moved",
                "This thread was closed or moved a moment ago. Read it again.",
            ),
            content(
                KINDS[errors.Busy],
                "request_in_progress",
                "The same request is still being worked on. Ask again in a moment.",
            ),
        ),
        headers_at_times=("Retry-After",),
    ),
    "413": Refusal(
        "TooLarge",
        "The body is larger than any request needs",
        (
            content(
                problems.REFUSALS[413][0],
                "content_too_large",
                "…",
                errors=[{"pointer": "#", "code": "content_too_large", "detail": "…"}],
            ),
        ),
    ),
    "422": Refusal(
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
    "429": Refusal(
        "TooManyRequests",
        "Too often: wait, then send it again",
        (content(KINDS[errors.Throttled], "limit_posting", "Too often. Please wait 5 seconds and try again."),),
        headers=("Retry-After", "RateLimit-Policy", "RateLimit"),
    ),
    "500": Refusal(
        "InternalError",
        "Something went wrong on our side",
        (content(problems.INTERNAL, "internal_error", problems.WENT_WRONG),),
    ),
    "503": Refusal(
        "ServiceUnavailable",
        "Busy: nothing was changed",
        (content(problems.UNAVAILABLE, "busy", problems.BUSY),),
        headers=("Retry-After",),
    ),
}


def describe(app: FastAPI, name: str, resources: Sequence[Resource]) -> None:
    """Give `app` an OpenAPI document that says what it really does."""
    tags = [{"name": resource.tag, "description": resource.text} for resource in resources]

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, name, tags)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, name: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    routes = [route for route in iter_route_contexts(app.routes) if getattr(route, "include_in_schema", False)]
    made = get_openapi(
        title=name, version="1", openapi_version="3.1.0", description=DESCRIPTION, routes=routes, tags=tags
    )
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components = made["components"]
    components["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
    components["responses"] = {refusal.name: _refused(refusal) for refusal in REFUSALS.values()}
    components["securitySchemes"] = SECURITY_SCHEMES
    for route in routes:
        for method in route.methods or ():
            operation = made["paths"][route.path_format][method.lower()]
            always = ALWAYS_BELOW_BASE if str(route.path).startswith(BASE) else ALWAYS
            _finish(operation, components["schemas"], always)
            operation["security"] = _security(route.dependant)
            if method == "GET" and str(route.path).startswith(BASE):
                _finish_read(operation)
    tidy: dict[str, Any] = _tidied(made)
    return tidy


def _finish(operation: dict[str, Any], schemas: dict[str, Any], always: Sequence[str]) -> None:
    """Say in the words of this API what FastAPI says in its own."""
    summary, *rest = re.split(r"\.\s+", operation.pop("description"), maxsplit=1)
    operation["summary"] = summary.rstrip(".")
    if rest:
        operation["description"] = rest[0]
    for parameter in operation.get("parameters", ()):
        _finish_parameter(parameter)
    responses = operation["responses"]
    for status in (*responses, *always):
        if status in REFUSALS:
            responses[status] = {"$ref": f"#/components/responses/{REFUSALS[status].name}"}
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
    # What is optional is left out; nothing in an address or a header can be null.
    [only] = [kind for kind in schema.pop("anyOf", [{}]) if kind != {"type": "null"}]
    examples = schema.pop("examples", [])
    schema |= only
    schema.pop("description", None)
    parameter.pop("example", None)
    parameter["examples"] = {str(number): {"value": example} for number, example in enumerate(examples, start=1)}
    if not examples:
        del parameter["examples"]


def _finish_read(operation: dict[str, Any]) -> None:
    """Every read below the base goes through `cacheable_response`."""
    headers = _headers("ETag", "Cache-Control", "Vary")
    names = [parameter["name"] for parameter in operation.setdefault("parameters", [])]
    operation["responses"]["200"]["headers"] = headers | (_headers("Link", always=False) if "after" in names else {})
    operation["responses"]["304"] = {"description": "You have it: nothing changed", "headers": headers}
    operation["responses"] = dict(sorted(operation["responses"].items()))
    operation["parameters"].append(IF_NONE_MATCH)


def _refused(refusal: Refusal) -> dict[str, Any]:
    examples = {example["title"]: {"value": example} for example in refusal.examples}
    schema = {"$ref": "#/components/schemas/Problem"}
    headers = _headers(*refusal.headers) | _headers(*refusal.headers_at_times, always=False)
    described = {"description": refusal.meaning, "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}}}
    return described | ({"headers": headers} if headers else {})


def _headers(*names: str, always: bool = True) -> dict[str, Any]:
    return {name: header(*HEADERS[name], always=always) for name in names}


def _security(dependant: Dependant) -> list[dict[str, Any]]:
    asked = set(_asked(dependant))
    either: list[dict[str, Any]] = [{scheme: []} for scheme in SECURITY_SCHEMES]
    if get_args(AnyMember)[1].dependency in asked:
        return either
    anybody = {get_args(kind)[1].dependency for kind in (CurrentViewer, Anybody)}
    return [{}, *either] if anybody & asked else []


def _asked(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _asked(inner)


def _tidied(part: Any, within: str = "") -> Any:
    """The document without the titles that FastAPI derives from names, and with whole numbers as such."""
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
    """The document."""
    document: dict[str, Any] = request.app.openapi()
    return document


@router.get(f"{BASE}/docs")
async def docs(request: Request) -> HTMLResponse:
    """The page."""
    page = PAGE.format(name=_escaped(request.app.title), script=SCRIPT)
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


@router.get(f"{BASE}/docs/{{asset}}")
async def docs_asset(asset: str) -> Response:
    """What the page is made of."""
    if asset not in ASSETS:
        raise errors.NotFound("There is no such file.", code="file_not_found")
    content = (resources.files("fastapi_swagger.resources") / asset).read_bytes()
    return Response(content, media_type=ASSETS[asset], headers={"Cache-Control": "public, max-age=86400"})


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
