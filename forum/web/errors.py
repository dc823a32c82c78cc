"""Every error as a page in the layout of the pages; and one page that needs neither a database nor a template."""

from dataclasses import dataclass, replace
from html import escape
from typing import ClassVar, TypeVar
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from forum.content.crisis_help import Help, find_help_anywhere
from forum.core import database, errors, logs
from forum.http.csrf import SAFE_METHODS, refuse_forgery
from forum.http.current_member import viewer_of
from forum.http.problems import KINDS
from forum.http.services import services_of
from forum.members.standing import SHUT_OUT
from forum.members.viewer import GUEST
from forum.web.authentication.sign_in import SignInPage, again_page, sign_in_page
from forum.web.forms import EMPTY, SECRET, Form, read_form
from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.visits import Visit, guest_visit
from forum.web.words import words_of

log = structlog.get_logger()

NOT_HERE = mark("This page is not here, or not for you")
NOT_OPEN = mark("You cannot open this page")
NOT_NOW = mark("This did not work just now")
NOT_DONE = mark("Nothing was sent and nothing was changed. Please go back and try again in a moment.")


@dataclass(frozen=True, kw_only=True)
class ErrorPage(Page):
    """What went wrong, in words, and what one can do."""

    template: ClassVar[str] = "error.html"
    is_own: ClassVar[bool] = True

    sentence: str
    typed: tuple[str, ...] = ()  # longer texts that were sent: they are shown, so that nothing is lost
    help: Help | None = None  # where what was sent sounds like danger


PageWithHelp = TypeVar("PageWithHelp", ErrorPage, SignInPage)


def register(app: FastAPI) -> None:
    """Have every error of the pages answered with a page."""
    app.add_exception_handler(errors.ForumError, _forum_error)
    app.add_exception_handler(RequestValidationError, _not_found)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(PoolTimeoutError, _database_error)


async def visit_of(request: Request) -> Visit:
    """Return the visit of a request that failed; of a guest where it cannot be told who asks."""
    try:
        member = await viewer_of(request)
    except (errors.ForumError, DBAPIError, PoolTimeoutError, OSError):
        return guest_visit(request)
    return Visit(request, GUEST if member.standing in SHUT_OUT else member, member)


async def _forum_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ForumError)  # noqa: S101 - registered for it alone
    visit = await visit_of(request)
    status = KINDS[_kind(error)].status
    if isinstance(error, errors.NotSignedIn):
        if request.method in SAFE_METHODS:
            return visit.go("/sign-in?" + urlencode({"back": visit.path}))
        kept, back = await _kept(request), visit.came_from
        asked = sign_in_page(visit, kept=kept, kept_path=visit.path, back=back)
        return visit.show(await _with_help(visit, asked, kept), status)
    if isinstance(error, errors.SignInAgain):
        kept, back = await _kept(request), visit.path if request.method in SAFE_METHODS else visit.came_from
        return visit.show(again_page(visit, kept=kept, kept_path=visit.path, back=back), status)
    sent = await _sent(request)
    title = visit.say(_title(error, is_read=request.method in SAFE_METHODS))
    page = ErrorPage(title=title, sentence=words_of(error, visit.language, visit.now), typed=long_texts(sent))
    return visit.show(await _with_help(visit, page, sent), status)


async def _with_help(visit: Visit, page: PageWithHelp, sent: Form | None) -> PageWithHelp:
    """Return the page with help where what was sent sounds like danger, whatever it was refused for."""
    texts = [value for name, value in sent.values.items() if name not in SECRET] if sent else []
    return replace(page, help=await find_help_anywhere(visit.transactions, texts))


def _title(error: errors.ForumError, *, is_read: bool) -> str:
    if isinstance(error, errors.NotFound):
        return NOT_HERE
    return NOT_OPEN if is_read and isinstance(error, errors.Forbidden) else NOT_NOW


async def _kept(request: Request) -> Form | None:
    """Return the form that was sent, to be sent again after signing in; one with passwords has to be typed again."""
    if request.method in SAFE_METHODS:
        return None
    form = await read_form(request)
    return None if form.has_secrets or not form.values else form


async def _sent(request: Request) -> Form:
    """Return the form that was sent, so that nobody's words are lost.

    Nothing of what a page of another site sent, to whatever address: it would put its words into our layout.
    """
    if request.method in SAFE_METHODS:
        return EMPTY
    try:
        refuse_forgery(request, services_of(request).settings)
        return await read_form(request)
    except (errors.Forbidden, HTTPException):  # the latter: it is too long to be read
        return EMPTY


def long_texts(form: Form) -> tuple[str, ...]:
    """Return the texts of a form that took somebody time to write. Passwords never stand in a page."""
    return tuple(
        value
        for name, value in form.values.items()
        if len(value) >= 20 and name not in SECRET and not name.startswith("kept")
    )


def _kind(error: errors.ForumError) -> type[errors.ForumError]:
    return next(above for above in type(error).__mro__ if above in KINDS)


async def _not_found(request: Request, _error: Exception) -> Response:
    return await _forum_error(request, errors.NotFound("There is nothing at this address.", code="not_found"))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    if error.status_code in {404, 405}:
        return await _not_found(request, error)
    visit = guest_visit(request)
    return visit.show(ErrorPage(title=visit.say(NOT_NOW), sentence=visit.say(NOT_DONE)), error.status_code)


async def _database_error(request: Request, error: Exception) -> Response:
    if isinstance(error, DBAPIError) and not database.is_passing(error) and not database.is_full(error):
        return unexpected(request.scope, error)
    log.warning("busy", reason=type(getattr(error, "orig", error)).__name__)
    return plain_page(request, 503)


def unexpected(scope: Scope, error: Exception) -> Response:
    """Log an unexpected error without its message, and return the page about it."""
    route = getattr(scope.get("route"), "path", None)
    log.error("unexpected", kind=type(error).__name__, route=route, frames=logs.frames(error))
    return plain_page(Request(scope), 500)


def throttled(error: errors.ForumError, scope: Scope) -> Response:
    """Return the page for somebody who asks for far more pages than people do: without a look into the database."""
    visit = guest_visit(Request(scope))
    page = ErrorPage(title=visit.say(NOT_NOW), sentence=words_of(error, visit.language, visit.now))
    response = visit.show(page, KINDS[_kind(error)].status)
    response.headers["Retry-After"] = str(getattr(error, "retry_after", 1))
    return response


def plain_page(request: Request, status: int) -> Response:
    """Return a page that needs no database and no template: what happened, and who helps."""
    visit = guest_visit(request)
    name, lines = escape(visit.settings.name), visit.text("lines")
    content = (
        f'<!doctype html><html lang="{visit.language.code}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(visit.say(NOT_NOW))} – {name}</title><style>{visit.branding.style}</style></head>"
        f'<body><main class="narrow"><h1>{escape(visit.say(NOT_NOW))}</h1><p>{escape(visit.say(NOT_DONE))}</p>'
        f'<section class="help" lang="{lines.language}"><h2>{escape(lines.title)}</h2>{lines.html}</section>'
        f'<p><a href="/">{name}</a></p></main></body></html>'
    )
    headers = visit.headers | {"Cache-Control": "no-store", "Retry-After": "5"}
    return Response(content, status, headers, media_type="text/html")
