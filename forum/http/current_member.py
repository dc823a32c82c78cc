"""The member who sends a request, and whether they may use the forum."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import cookie_parser

from forum.authentication.sessions import Transport
from forum.core import clock
from forum.core.errors import NotSignedIn
from forum.http.csrf import SAFE_METHODS, refuse_forgery
from forum.http.services import Services, services_of
from forum.members.standing import SHUT_OUT
from forum.members.viewer import GUEST, Viewer
from forum.permissions import refuse_shut_out

COOKIE = "__Host-forum-session"  # RFC 6265bis §4.1.3.2: this host only, over TLS only
_COOKIE = f"{COOKIE}=".encode()
_VIEWERS_VERSION = "forum.viewers_version"  # in the scope of a request: asked once for each, however often it is needed


async def viewer_of(request: Request) -> Viewer:
    """Return who sends a request, in any standing. Raises Forbidden for a cookie that another site's page sends."""
    token, transport = token_in(request.scope["headers"])
    if token is None:
        return GUEST
    services = services_of(request)
    viewer = await _find_viewer(request, services, token)
    if viewer.id and transport == Transport.COOKIE and request.method not in SAFE_METHODS:
        refuse_forgery(request, services.settings)
    return viewer


def known_viewer(request: Request) -> Viewer | None:
    """Return who seems to send a request, as it was known here a moment ago. It may not be so any more."""
    token, _ = token_in(request.scope["headers"])
    if token is None:
        return GUEST
    known = services_of(request).session_cache.get(token)
    return known and known.viewer


def note_viewers_version(request: Request, version: str) -> None:
    """Note a version of all viewers that was read after the request arrived, so that it is not asked for again."""
    request.scope[_VIEWERS_VERSION] = version


async def _find_viewer(request: Request, services: Services, token: str) -> Viewer:
    """Return whose token it is at this moment: looked up anew, unless nobody's session, role or standing changed."""
    cache = services.session_cache
    if known := cache.get(token):
        if _VIEWERS_VERSION not in request.scope:
            note_viewers_version(request, await services.page_versions.ask_viewers())
        if known.version == request.scope[_VIEWERS_VERSION]:
            return known.viewer
    viewer = await cache.load(services.database.reader, token, clock.now())
    if known := cache.get(token):
        note_viewers_version(request, known.version)
    return viewer


# A member in any standing, or a guest.
Anybody = Annotated[Viewer, Depends(viewer_of)]


async def _reading_viewer(request: Request) -> Viewer:
    viewer = await viewer_of(request)
    return GUEST if viewer.standing in SHUT_OUT else viewer


# A reader: a member who is suspended or banned reads as a guest does.
CurrentViewer = Annotated[Viewer, Depends(_reading_viewer)]


# These ask for each other themselves: a dependency of a dependency costs more than most of what a route does.


async def any_member(request: Request) -> Viewer:
    """Return the member who sends a request, in any standing. Raises NotSignedIn, and what `viewer_of` raises."""
    viewer = await viewer_of(request)
    if viewer.id is None:
        raise NotSignedIn("Sign in first.")
    return viewer


# A member in any standing: suspended and banned members too see their account, read statements and appeal.
AnyMember = Annotated[Viewer, Depends(any_member)]


async def _member(request: Request) -> Viewer:
    viewer = await any_member(request)
    refuse_shut_out(viewer)
    return viewer


CurrentMember = Annotated[Viewer, Depends(_member)]


def address_of(request: Request) -> str:
    """Return the internet address from which a request comes; an empty text when it is not known."""
    return request.client.host if request.client else ""


def token_in(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str | None, Transport]:
    """Return the session token in these headers of a request, if there is one, and how it was sent."""
    authorization, cookie = None, None
    for name, value in headers:
        if name == b"authorization" and authorization is None:
            authorization = value
        elif name == b"cookie" and _COOKIE in value:
            cookie = cookie_parser(value.decode("latin-1")).get(COOKIE, cookie)
    if authorization and authorization[:7].lower() == b"bearer " and (token := authorization[7:].strip()):
        return token.decode("latin-1"), Transport.BEARER
    return cookie or None, Transport.COOKIE
