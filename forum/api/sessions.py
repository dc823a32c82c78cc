"""Signing in and out over HTTP, by bearer token or by cookie."""

from contextlib import suppress
from typing import Annotated

import ua_parser
from fastapi import APIRouter, Header, Request, Response
from pydantic import Field

from forum import sessions, signing_in
from forum.api.dependencies import COOKIE, Anybody, AnyMember, Now, Route, TheHouse, Work, refuse_forgery
from forum.api.problems import documented
from forum.api.wire import LOCATION, Author, Moment, Password, Shown, Text, Uuid, Wanted, answer, fresh, header
from forum.errors import NotFound
from forum.sessions import Transport

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


class SigningIn(Wanted):
    """Who you are."""

    login: Text = Field(min_length=1, max_length=254, description="Handle or e-mail address", examples=["suzie"])
    password: Password
    code: Text | None = Field(
        None,
        max_length=20,
        description="Where a second factor is set up: what the authenticator app shows, or a recovery code",
        examples=["287082"],
    )
    transport: Transport = Field(Transport.BEARER, description="`cookie` for web pages: scripts cannot read it")
    device: Text | None = Field(
        None,
        max_length=100,
        description="The `device` of an earlier sign-in here: others' failures cannot lock you out",
        examples=["q1zV0Wb3yRrM0bqk2cJ9w0m7oXn8tU5sLd4fGh6eAaE"],
    )


class SignedIn(Shown):
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


class Session(Shown):
    """One of your signed-in clients."""

    id: Uuid
    current: bool = Field(description="Whether it is the one that asks")
    transport: Transport
    client: str | None = Field(description="The kind of program and of device", examples=["Firefox on Android"])
    created_at: Moment
    used_at: Moment = Field(description="When it was used last, to within ten minutes")
    expires_at: Moment


class SessionList(Shown):
    """Your sessions, newest first."""

    items: list[Session]
    next: None = Field(description="Always null: sessions are few")


@router.post(
    "/sessions",
    status_code=201,
    response_model=SignedIn,
    responses={201: {"headers": LOCATION | COOKIE_SET}, **documented(401, 403, 413, 422, 429)},
)
async def sign_in(
    request: Request,
    wanted: SigningIn,
    before: Anybody,
    house: TheHouse,
    now: Now,
    user_agent: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Sign in. The same words and time whether the login or the password is wrong.

    Where a second factor is set up and `code` is missing or wrong, the problem is `/problems/second-factor-needed`.
    Show the session that you have, if any: the new one takes its place.
    """
    if wanted.transport == Transport.COOKIE:
        refuse_forgery(request, house.settings)
    shown = signing_in.SignIn(
        login=wanted.login,
        password=wanted.password,
        code=wanted.code,
        address=request.client.host if request.client else "",
        device=wanted.device,
        transport=wanted.transport,
        client=_kind_of_client(user_agent or ""),
        before=before,
    )
    opened = await signing_in.sign_in(house.database, shown, house.throttle, house.settings, now)
    house.doorkeeper.forget(opened.member.id)
    member = Author(handle=opened.member.handle, name=opened.member.name, title=opened.member.title)
    travels_in_cookie = wanted.transport == Transport.COOKIE
    body = SignedIn(token=None if travels_in_cookie else opened.token, device=opened.device, member=member)
    response = answer(body, 201, {"Location": f"/api/v1/me/sessions/{opened.session.id}"})
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


@router.delete("/sessions/current", status_code=204, responses={204: {"headers": CLEARED}, **documented(403, 422)})
async def sign_out(viewer: Anybody, work: Work, house: TheHouse) -> Response:
    """Sign out: this session ends, here at once and everywhere within five seconds.

    The browser is told to forget all that it keeps of this site: cookies, what scripts stored (the `device` too) and
    pages. It is the same answer when nobody was signed in. A page that somebody must leave fast sends it with
    `fetch(…, {method: "DELETE", keepalive: true, credentials: "include"})`, waits for nothing, empties what it shows
    and calls `location.replace(…)`: the request outlives the page. `navigator.sendBeacon` sends no DELETE.
    """
    if viewer.session_id is not None:
        with suppress(NotFound):  # ended elsewhere a moment ago: what was asked for is so
            await sessions.end(work, viewer, viewer.session_id)
        house.doorkeeper.forget(viewer.id)
    response = Response(status_code=204, headers={"Clear-Site-Data": EVERYTHING})
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


@router.get("/me/sessions", response_model=SessionList, responses=documented(401, 422))
async def list_sessions(request: Request, viewer: AnyMember, work: Work, now: Now) -> Response:
    """List where you are signed in."""
    rows = (await work.execute(sessions.mine(viewer, now))).all()
    items = [Session(**row._mapping, current=row.id == viewer.session_id) for row in rows]
    return fresh(request, SessionList(items=items, next=None), shared=False)


@router.delete("/me/sessions", status_code=204, responses=documented(401, 403, 422))
async def end_sessions(viewer: AnyMember, work: Work, house: TheHouse) -> Response:
    """End every session of yours, this one too, and know none of your devices any more."""
    await sessions.end_all(work, viewer.member_id)
    house.doorkeeper.forget(viewer.id)
    return Response(status_code=204)


@router.delete("/me/sessions/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def end_session(id: Uuid, viewer: AnyMember, work: Work, house: TheHouse) -> Response:
    """End one of your sessions, for instance on a phone that was lost."""
    await sessions.end(work, viewer, id)
    house.doorkeeper.forget(viewer.id)
    return Response(status_code=204)


def _kind_of_client(user_agent: str) -> str | None:
    """The kind of program and of device, and no more: the whole User-Agent tells one device from all others."""
    program, device = ua_parser.parse_user_agent(user_agent), ua_parser.parse_os(user_agent)
    return " on ".join(found.family for found in (program, device) if found) or None
