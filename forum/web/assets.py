"""The style sheet, the script and the icon: hashed, compressed once, and the same for a year."""

import gzip
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from forum.core.errors import NotFound
from forum.http.services import services_of
from forum.web.routing import page_router

STATIC = Path(__file__).with_name("static")
BASE = "/static/"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"
A_DAY = "public, max-age=86400"
_COMMENT = re.compile(rb"^ *//.*\n", re.MULTILINE)
ROBOTS = "User-agent: *\nDisallow: /api/\nDisallow: /me\nDisallow: /sign-in\nDisallow: /join\nDisallow: /admin\n"

router = page_router()


@dataclass(frozen=True)
class Asset:
    """A file of the wheel, with its address, which changes with its bytes."""

    path: str
    content: bytes
    compressed: bytes
    media_type: str


def make_asset(stem: str, suffix: str, content: bytes) -> Asset:
    """Return a file with its address."""
    if suffix == ".js":
        content = _COMMENT.sub(b"", content)  # they are for us, and weigh a tenth of what a phone loads
    digest = sha256(content).hexdigest()[:12]
    return Asset(f"{BASE}{stem}.{digest}{suffix}", content, gzip.compress(content, 9, mtime=0), TYPES[suffix])


ASSETS = {
    file.name: make_asset(file.stem, file.suffix, file.read_bytes())
    for file in sorted(STATIC.iterdir())
    if file.suffix in TYPES
}
_BY_PATH = {asset.path: asset for asset in ASSETS.values()}

# The styles of every page are written into it: on a slow line, asking for a file takes longer than its bytes.
INLINE_STYLE = ASSETS["house.css"].content.decode()
DARK_ACCENT = "#9ad6cf"


def policy(digest: str) -> str:
    """Return what a page may load: nothing of others; of styles within it, only the one with this hash."""
    return (
        f"default-src 'none'; style-src 'sha256-{digest}' 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


@router.get("/favicon.ico")
async def get_favicon(request: Request) -> Response:
    """Lead browsers that look for an icon at its old address to the mark."""
    own: Asset | None = request.app.state.branding.mark
    return RedirectResponse((own or ASSETS["mark.svg"]).path, 302, {"Cache-Control": A_DAY})


@router.get("/robots.txt")
async def get_robots() -> Response:
    """Tell programs that read the web what is not for them. Pages that nobody should find say so themselves."""
    return Response(ROBOTS, headers={"Cache-Control": A_DAY}, media_type="text/plain")


@router.get("/manifest.webmanifest")
async def get_manifest(request: Request) -> Response:
    """Return what a phone needs to put the forum on its first screen: only under a name that tells nothing."""
    name = services_of(request).settings.app_name
    if name is None:
        raise NotFound("There is nothing at this address.", code="not_found")
    icon = {"src": ASSETS["plain.svg"].path, "sizes": "any", "type": "image/svg+xml"}
    content = {"name": name, "short_name": name, "start_url": "/", "display": "browser", "icons": [icon]}
    return JSONResponse(content, headers={"Cache-Control": A_DAY}, media_type="application/manifest+json")


@router.get(BASE + "{name}")
async def get_asset(request: Request, name: str) -> Response:
    """Return a file of the pages."""
    own: Asset | None = request.app.state.branding.mark
    asset = own if own and own.path == BASE + name else _BY_PATH.get(BASE + name)
    if asset is None:
        raise NotFound("There is nothing at this address.", code="not_found")
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
