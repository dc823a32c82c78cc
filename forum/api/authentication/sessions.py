"""Signing in and out over HTTP, by bearer token or by cookie."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import ua_parser
from fastapi import APIRouter, Header, Request, Response
from pydantic import Field, StringConstraints

from forum.api.authentication.passkeys import AUTHENTICATOR_DATA, CLIENT_DATA, CREDENTIAL, Assertion, as_json
from forum.api.schemas import Author, Moment, Password, RequestBody, ResponseBody, Text, Uuid
from forum.authentication import sessions
from forum.authentication import sign_in as authentication_sign_in
from forum.authentication.sessions import Transport
from forum.core.errors import NotFound
from forum.http.caching import cacheable_response
from forum.http.csrf import refuse_forgery
from forum.http.current_member import COOKIE, Anybody, AnyMember
from forum.http.problems import documented
from forum.http.responses import LOCATION, header, json_response
from forum.http.services import AppServices, Now, Route, Services, WorkSession
from forum.members.viewer import Viewer

router = APIRouter(tags=["sessions"], route_class=Route)


COOKIE_SET = {
    "Set-Cookie": header(
        "The session, when it travels as a cookie",
        f"{COOKIE}=…; HttpOnly; Max-Age=7776000; Path=/; SameSite=lax; Secure",
        always=False,
    )
}


EVERYTHING = '"cache", "cookies", "storage"'
CLEARED = {"Clear-Site-Data": header("What the browser forgets of this site", EVERYTHING)}
SIGNED = {"clientDataJSON": CLIENT_DATA, "authenticatorData": AUTHENTICATOR_DATA, "signature": "MEUCIQD1gr0ZxPFDtA"}
Travelling = Annotated[Transport, Field(description="`cookie` for web pages: scripts cannot read it")]
KnownDevice = Annotated[
    Annotated[Text, StringConstraints(max_length=100)] | None,
    Field(
        description="The `device` of an earlier sign-in here: others' failures cannot lock you out",
        examples=["q1zV0Wb3yRrM0bqk2cJ9w0m7oXn8tU5sLd4fGh6eAaE"],
    ),
]


class SigningIn(RequestBody):
    """Who you are."""

    login: Text = Field(min_length=1, max_length=254, description="Handle or e-mail address", examples=["suzie"])
    password: Password
    code: Text | None = Field(
        None,
        max_length=20,
        description="Where a second factor is set up: what the authenticator app shows, or a recovery code",
        examples=["287082"],
    )
    passkey: Assertion | None = Field(
        None,
        description="In the place of a code: a passkey that answers a challenge for `second_factor`",
        examples=[{**CREDENTIAL, "response": SIGNED}],
    )
    transport: Travelling = Transport.BEARER
    device: KnownDevice = None


class PasskeySigningIn(RequestBody):
    """Who you are, without a password."""

    credential: Assertion = Field(
        description="A passkey that answers a challenge for `sign_in`", examples=[{**CREDENTIAL, "response": SIGNED}]
    )
    transport: Travelling = Transport.BEARER
    device: KnownDevice = None


class SignedIn(ResponseBody):
    """Your new session."""

    token: str | None = Field(
        description="Send it as `Authorization: Bearer …`; null when it travels as a cookie",
        examples=["pS7yQ4nB1uC6vD8xE0zF2gH5jK9lM3oR7tW1aY4iUeI"],
    )
    device: str = Field(
        description="Keep it on this device, and send it with the next sign-in",
        examples=["q1zV0Wb3yRrM0bqk2cJ9w0m7oXn8tU5sLd4fGh6eAaE"],
    )
    member: Author


class Session(ResponseBody):
    """One of your signed-in clients."""

    id: Uuid
    current: bool = Field(description="Whether it is the one that asks")
    transport: Transport
    client: str | None = Field(description="The kind of program and of device", examples=["Firefox on Android"])
    created_at: Moment
    used_at: Moment = Field(description="When it was used last, to within ten minutes")
    expires_at: Moment


class SessionList(ResponseBody):
    """Your sessions, newest first."""

    items: list[Session]
    next: None = Field(description="Always null: sessions are few")


UserAgent = Annotated[str | None, Header(include_in_schema=False)]


@router.post(
    "/sessions",
    status_code=201,
    response_model=SignedIn,
    responses={201: {"headers": LOCATION | COOKIE_SET}, **documented(401, 403, 413, 422, 429)},
)
async def sign_in(
    request: Request, wanted: SigningIn, before: Anybody, services: AppServices, now: Now, user_agent: UserAgent = None
) -> Response:
    """Sign in. The same words and time whether the login or the password is wrong.

    Where a second factor is set up and missing or wrong, the problem is `/problems/second-factor-needed`, and its
    `factors` are those that you have. Show the session that you have, if any: the new one takes its place.
    """
    shown = authentication_sign_in.SignIn(
        login=wanted.login,
        password=wanted.password,
        code=wanted.code,
        passkey=as_json(wanted.passkey) if wanted.passkey else None,
        **_place(request, wanted, before, services, user_agent),
    )
    opened = await authentication_sign_in.sign_in(
        services.database, shown, services.rate_limits, services.settings, now
    )
    return _opened(opened, services, now)


@router.post(
    "/sessions/passkey",
    status_code=201,
    response_model=SignedIn,
    responses={201: {"headers": LOCATION | COOKIE_SET}, **documented(401, 403, 413, 422, 429)},
)
async def sign_in_by_passkey(
    request: Request,
    wanted: PasskeySigningIn,
    before: Anybody,
    services: AppServices,
    now: Now,
    user_agent: UserAgent = None,
) -> Response:
    """Sign in with a passkey alone. The device must have asked for a fingerprint, a face or a PIN.

    Show the session that you have, if any: the new one takes its place.
    """
    shown = authentication_sign_in.PasskeySignIn(
        passkey=as_json(wanted.credential), **_place(request, wanted, before, services, user_agent)
    )
    opened = await authentication_sign_in.sign_in_by_passkey(
        services.database, shown, services.rate_limits, services.settings, now
    )
    return _opened(opened, services, now)


@router.delete("/sessions/current", status_code=204, responses={204: {"headers": CLEARED}, **documented(403, 422)})
async def sign_out(viewer: Anybody, work: WorkSession, services: AppServices) -> Response:
    """Sign out: this session ends, here at once and everywhere within five seconds.

    The browser is told to forget all that it keeps of this site: cookies, what scripts stored (the `device` too) and
    pages. It is the same answer when nobody was signed in. A page that somebody must leave fast sends it with
    `fetch(…, {method: "DELETE", keepalive: true, credentials: "include"})`, waits for nothing, empties what it shows
    and calls `location.replace(…)`: the request outlives the page. `navigator.sendBeacon` sends no DELETE.
    """
    if viewer.session_id is not None:
        with suppress(NotFound):  # ended elsewhere a moment ago: what was asked for is so
            await sessions.end(work, viewer, viewer.session_id)
        services.session_cache.invalidate(viewer.id)
    response = Response(status_code=204, headers={"Clear-Site-Data": EVERYTHING})
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


@router.get("/me/sessions", response_model=SessionList, responses=documented(401, 422))
async def list_sessions(request: Request, viewer: AnyMember, work: WorkSession, now: Now) -> Response:
    """List where you are signed in."""
    rows = (await work.execute(sessions.mine(viewer, now))).all()
    items = [Session(**row._mapping, current=row.id == viewer.session_id) for row in rows]
    return cacheable_response(request, SessionList(items=items, next=None), shared=False)


@router.delete("/me/sessions", status_code=204, responses=documented(401, 403, 422))
async def end_sessions(viewer: AnyMember, work: WorkSession, services: AppServices) -> Response:
    """End every session of yours, this one too, and know none of your devices any more."""
    await sessions.end_all(work, viewer.member_id)
    services.session_cache.invalidate(viewer.id)
    return Response(status_code=204)


@router.delete("/me/sessions/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def end_session(id: Uuid, viewer: AnyMember, work: WorkSession, services: AppServices) -> Response:
    """End one of your sessions, for instance on a phone that was lost."""
    await sessions.end(work, viewer, id)
    services.session_cache.invalidate(viewer.id)
    return Response(status_code=204)


def _place(
    request: Request, wanted: SigningIn | PasskeySigningIn, before: Viewer, services: Services, user_agent: str | None
) -> dict[str, Any]:
    """What a request says beside who somebody is; Forbidden when another site's page asks for a cookie."""
    if wanted.transport == Transport.COOKIE:
        refuse_forgery(request, services.settings)
    return {
        "address": request.client.host if request.client else "",
        "device": wanted.device,
        "transport": wanted.transport,
        "client": _kind_of_client(user_agent or ""),
        "before": before,
    }


def _opened(opened: authentication_sign_in.SignedIn, services: Services, now: datetime) -> Response:
    """The answer that carries a new session."""
    services.session_cache.invalidate(opened.member.id)
    member = Author(handle=opened.member.handle, name=opened.member.name, title=opened.member.title)
    travels_in_cookie = opened.session.transport == Transport.COOKIE
    body = SignedIn(token=None if travels_in_cookie else opened.token, device=opened.device, member=member)
    response = json_response(body, 201, {"Location": f"/api/v1/me/sessions/{opened.session.id}"})
    if travels_in_cookie:
        response.set_cookie(
            COOKIE,
            opened.token,
            max_age=int((opened.session.expires_at - now).total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="lax",
        )
    return response


def _kind_of_client(user_agent: str) -> str | None:
    """The kind of program and of device, and no more: the whole User-Agent tells one device from all others."""
    program, device = ua_parser.parse_user_agent(user_agent), ua_parser.parse_os(user_agent)
    return " on ".join(found.family for found in (program, device) if found) or None
