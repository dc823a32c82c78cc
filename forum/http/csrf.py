"""Protection against cross-site request forgery: another site's page that makes a browser send a request."""

from fastapi import Request

from forum.core.errors import Forbidden
from forum.core.settings import Settings

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def refuse_forgery(request: Request, settings: Settings) -> None:
    """Raise Forbidden when a page of another site made the browser send its cookie."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site") in {"same-origin", "none"} or origin in settings.allowed_origins:
        return
    # Behind a proxy that ends TLS the request may come as http, so https is always right; http only for plain HTTP.
    if origin in {f"{scheme}://{request.headers.get('host')}" for scheme in ("https", request.url.scheme)}:
        return
    sentence = "This came from a page of another site, so it was refused. Please use the forum's own pages."
    raise Forbidden(sentence, code="cross_site_request")
