"""The style sheet, the script and the icon: hashed, compressed once, and the same for a year."""

import gzip
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastapi import Request, Response

from forum.core.errors import NotFound
from forum.web.routing import page_router

STATIC = Path(__file__).with_name("static")
BASE = "/static/"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"

router = page_router()


@dataclass(frozen=True)
class Asset:
    """A file of the wheel, with its address, which changes with its bytes."""

    path: str
    content: bytes
    compressed: bytes
    media_type: str


def _load(file: Path) -> Asset:
    content = file.read_bytes()
    digest = sha256(content).hexdigest()[:12]
    return Asset(
        f"{BASE}{file.stem}.{digest}{file.suffix}",
        content,
        gzip.compress(content, 9, mtime=0),
        TYPES[file.suffix],
    )


ASSETS = {file.name: _load(file) for file in sorted(STATIC.iterdir()) if file.suffix in TYPES}
_BY_PATH = {asset.path: asset for asset in ASSETS.values()}

# The styles of every page are written into it: on a slow line, asking for a file takes longer than its bytes.
INLINE_STYLE = ASSETS["house.css"].content.decode()
_DIGEST = b64encode(sha256(INLINE_STYLE.encode()).digest()).decode()

# What a page may load: nothing of others. `style-src` names the one style in it by its hash.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}' 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@router.get(BASE + "{name}")
async def get_asset(request: Request, name: str) -> Response:
    """Return a file of the pages."""
    asset = _BY_PATH.get(BASE + name)
    if asset is None:
        raise NotFound("There is nothing at this address.", code="not_found")
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
