"""The cookie of a session, and what is kept of the program that signs in."""

from datetime import datetime
from functools import cache

from fastapi import Response
from ua_parser import CachingResolver, Parser
from ua_parser.caching import S3Fifo
from ua_parser.loaders import load_lazy_builtins
from ua_parser.re2 import Resolver

from forum.authentication.sign_in import SignedIn
from forum.http.current_member import COOKIE

MOST_CLIENTS = 2_000  # whose kind is remembered
EVERYTHING = '"cache", "cookies", "storage"'


def set_session_cookie(response: Response, opened: SignedIn, now: datetime) -> None:
    """Set the cookie of a new session, for as long as the session lasts."""
    response.set_cookie(
        COOKIE,
        opened.token,
        max_age=int((opened.session.expires_at - now).total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def clear_site(response: Response) -> None:
    """Have the browser delete everything that it stores of this site: after signing out."""
    response.headers["Clear-Site-Data"] = EVERYTHING
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def kind_of_client(user_agent: str) -> str | None:
    """Return the kind of program and of device, and no more: the whole User-Agent identifies a device."""
    parser = _parser()
    program, device = parser.parse_user_agent(user_agent), parser.parse_os(user_agent)
    return " on ".join(found.family for found in (program, device) if found) or None


@cache
def _parser() -> Parser:
    """Return what knows programs and systems; what it could know of the makes of devices takes most of its memory."""
    programs, systems, _ = load_lazy_builtins()
    return Parser(CachingResolver(Resolver((programs, systems, [])), S3Fifo(MOST_CLIENTS)))
