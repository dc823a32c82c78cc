"""The OpenAPI document, exact, and a page to read it on that loads nothing from elsewhere."""

from base64 import b64encode
from hashlib import sha256
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from forum.api.problems import Problem

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
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)
ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}

DESCRIPTION = """
A moderated peer-support forum.

**Errors** are problem documents (RFC 9457): `type`, `title`, `status`, `detail`, and for bad input `errors`, each
with a pointer to what to change. **Lists** have `items` and `next`; send `next` as `after` to go on. **Edits** carry
the `revision` or `version` that was on the screen; a stale one is answered 409 with who changed it, and when.
**Creating POSTs** take an `Idempotency-Key`: the same key and body give the same result again. **Reads** have an
`ETag`; send it as `If-None-Match`. What you may not see is 404; what you see but may not do is 403.
"""


def describe(app: FastAPI, name: str) -> None:
    """Give `app` an OpenAPI document that says what it really does."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, name)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, name: str) -> dict[str, Any]:
    made = get_openapi(title=name, version="1", openapi_version="3.1.0", description=DESCRIPTION, routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"), Problem=problem)
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    made["components"]["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The `token` of `POST /api/v1/sessions`",
        },
    }
    for path in made["paths"].values():
        for operation in path.values():
            # Without a session the same address answers a guest, or 401 where that is documented.
            needs_one = "401" in operation["responses"] and operation["operationId"] != "sign_in"
            operation["security"] = [{"bearer": []}] if needs_one else [{}, {"bearer": []}]
    return made


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
        return Response(status_code=404)
    content = (resources.files("fastapi_swagger.resources") / asset).read_bytes()
    return Response(content, media_type=ASSETS[asset], headers={"Cache-Control": "public, max-age=86400"})


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
