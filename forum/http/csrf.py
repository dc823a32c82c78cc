"""Refuse writes that a page of another site made a browser send."""

from fastapi import Request

from forum.core.errors import Forbidden
from forum.core.settings import Settings

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def refuse_forgery(request: Request, settings: Settings) -> None:
    """Raise Forbidden when a browser was made to send its cookie by a page that is not ours to trust."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site") in {"same-origin", "none"} or origin in settings.allowed_origins:
        return
    # A proxy that ends TLS may not tell us of it, so https is right in any case; http only where we hear no TLS.
    if origin in {f"{scheme}://{request.headers.get('host')}" for scheme in ("https", request.url.scheme)}:
        return
    raise Forbidden(
        "This came from another site's page. With a cookie, only our own pages may change things.",
        code="cross_site_request",
    )
