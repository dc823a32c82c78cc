"""What routes ask for: a unit of work, a reader, the viewer, the throttle, a safe repeat."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.api.wire import storable
from forum.authentication.sessions import SessionCache, Transport
from forum.core import clock
from forum.core.api_quota import Traffic
from forum.core.database import Database, Reader, is_passing
from forum.core.errors import Forbidden, NotSignedIn, SignInAgain
from forum.core.gate import Gate
from forum.core.idempotency import Repeat
from forum.core.rate_limits import Throttle
from forum.core.settings import Settings
from forum.members.tables import Standing
from forum.members.viewer import GUEST, Viewer
from forum.passwords.breached_passwords import Breaches

COOKIE = "__Host-forum-session"  # RFC 6265bis §4.1.3.2: this host only, over TLS only
FRESH_FOR = timedelta(minutes=15)
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class House:
    """What one process of the forum is made of; `app.py` builds it."""

    settings: Settings
    database: Database
    gate: Gate
    doorkeeper: SessionCache
    throttle: Throttle
    traffic: Traffic
    breaches: Breaches | None = None


def house_of(request: Request) -> House:
    """What the process that answers this request is made of.

    A dependency of a dependency costs more than most of what the routes do: what many routes need asks the request.
    """
    house: House = request.app.state.house
    return house


async def _house(request: Request) -> House:
    return house_of(request)


TheHouse = Annotated[House, Depends(_house)]


async def _now() -> datetime:
    return clock.now()


Now = Annotated[datetime, Depends(_now)]


async def _work(house: TheHouse) -> AsyncIterator[AsyncSession]:
    async with house.database.work() as session:
        yield session


# "function" ends before the answer leaves: what a client was told is on disk, and a failed commit is an error.
Work = Annotated[AsyncSession, Depends(_work, scope="function")]


async def _reading(request: Request) -> Reader:
    return house_of(request).database.reader


Reading = Annotated[Reader, Depends(_reading)]


class Route(APIRoute):
    """A route that reads once more when the database could not answer for a passing reason.

    A migration in another process makes every prepared statement of ours fail exactly once. A write is not sent
    again by us: it answers 503, and the client knows best.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        answer = super().get_route_handler()

        async def answer_reads_again(request: Request) -> Response:
            try:
                return await answer(request)
            except DBAPIError as error:
                if request.method not in SAFE_METHODS or not is_passing(error):
                    raise
            return await answer(request)

        return answer_reads_again


async def _viewer(request: Request) -> Viewer:
    token, transport = _token(request)
    if token is None:
        return GUEST
    house = house_of(request)
    viewer = house.doorkeeper.recall(token) or await house.doorkeeper.recognise(
        house.database.reader, token, clock.now()
    )
    if viewer.id and transport == Transport.COOKIE and request.method not in SAFE_METHODS:
        refuse_forgery(request, house.settings)
    return viewer


# Whoever it is, with the session that they show, if it is one.
Anybody = Annotated[Viewer, Depends(_viewer)]
SHUT_OUT = {Standing.SUSPENDED, Standing.BANNED, Standing.LEFT}


async def _reading_viewer(request: Request) -> Viewer:
    viewer = await _viewer(request)
    return GUEST if viewer.standing in SHUT_OUT else viewer


# Whoever reads; who is suspended or banned reads as a guest does.
CurrentViewer = Annotated[Viewer, Depends(_reading_viewer)]


async def _any_member(viewer: Anybody) -> Viewer:
    if viewer.id is None:
        raise NotSignedIn("Sign in first.")
    return viewer


# A member, whatever their standing: to see their own account, read statements and appeal.
AnyMember = Annotated[Viewer, Depends(_any_member)]


async def _fresh_member(viewer: AnyMember, now: Now) -> Viewer:
    if viewer.signed_in_at is None or now - viewer.signed_in_at > FRESH_FOR:
        raise SignInAgain(
            "This needs a sign-in within the last 15 minutes. Sign in again with POST /api/v1/sessions, showing this "
            "session: the new one takes its place."
        )
    return viewer


# A member who signed in a short while ago, for what somebody who found their phone must not do.
FreshMember = Annotated[Viewer, Depends(_fresh_member)]


async def _member(viewer: AnyMember) -> Viewer:
    if viewer.standing in SHUT_OUT:
        raise Forbidden(
            f"Your account is {viewer.standing}. You can read why at /api/v1/me/statements, and appeal there."
        )
    return viewer


CurrentMember = Annotated[Viewer, Depends(_member)]


def _token(request: Request) -> tuple[str | None, Transport]:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip(), Transport.BEARER
    return request.cookies.get(COOKIE), Transport.COOKIE


def refuse_forgery(request: Request, settings: Settings) -> None:
    """Raise Forbidden when a browser was made to send its cookie by a page that is not ours to trust."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site") in {"same-origin", "none"} or origin in settings.allowed_origins:
        return
    # A proxy that ends TLS may not tell us of it, so https is right in any case; http only where we hear no TLS.
    if origin in {f"{scheme}://{request.headers.get('host')}" for scheme in ("https", request.url.scheme)}:
        return
    raise Forbidden("This came from another site's page. With a cookie, only our own pages may change things.")


def _as_key(key: str | None) -> str | None:
    return None if key is None else storable(key)


@dataclass(frozen=True)
class RepeatKey:
    """The Idempotency-Key of a request, if it has one."""

    member: Viewer
    route: str
    key: str | None

    def of(self, body: BaseModel) -> Repeat | None:
        """The safe repeat of this body."""
        if self.key is None or self.member.id is None:
            return None
        return Repeat(self.member.id, self.route, self.key, body.model_dump_json().encode())


async def _repeat_key(
    request: Request,
    member: CurrentMember,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="The same key and body give the same result again for 24 hours: safe to send twice.",
            examples=["0197-7f3a-reply-1"],
        ),
    ] = None,
) -> RepeatKey:
    return RepeatKey(member, request.url.path, idempotency_key)


IdempotencyKey = Annotated[RepeatKey, Depends(_repeat_key)]


async def only_known_parameters(request: Request) -> None:
    """Refuse query parameters that the route does not have: a misspelt one must not be silently ignored."""
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    known = _QUERY_NAMES.get(route.endpoint) or _QUERY_NAMES.setdefault(route.endpoint, _query_names(route))
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        faults: list[Any] = [
            {"type": "extra", "loc": ("query", name), "msg": "There is no such parameter here."} for name in unknown
        ]
        raise RequestValidationError(faults)


_QUERY_NAMES: dict[Callable[..., Any], set[str]] = {}  # of each endpoint: to find them takes long


def _query_names(route: APIRoute) -> set[str]:
    fields = get_flat_params(route.dependant)
    return {field.alias for field in fields if isinstance(field.field_info, params.Query)}


async def throttle_posting(house: TheHouse, member: CurrentMember, now: Now) -> None:
    """Count one post of this member; newcomers are asked to go slower. Raises Throttled."""
    name = "newcomer_posting" if member.is_newcomer(house.settings.newcomer_days, now) else "posting"
    await house.throttle.hit(house.settings.limit(name), "posting", member.id)


async def throttle_editing(house: TheHouse, member: CurrentMember) -> None:
    """Count one edit of this member. Raises Throttled."""
    await house.throttle.hit(house.settings.limit("editing"), "editing", member.id)
