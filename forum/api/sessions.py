"""Signing in and out over HTTP, by bearer token or by cookie."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field

from forum import sessions
from forum.api.dependencies import COOKIE, AnyMember, Now, Route, TheHouse, Work, refuse_forgery
from forum.api.problems import documented
from forum.api.wire import LOCATION, Author, Moment, Password, Shown, Text, Uuid, Wanted, answer, fresh, header
from forum.errors import NotFound, NotSignedIn
from forum.sessions import Transport

router = APIRouter(tags=["sessions"], route_class=Route)


COOKIE_SET = {
    "Set-Cookie": header(
        "The session, when it travels as a cookie",
        f"{COOKIE}=…; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax; Secure",
        always=False,
    )
}


class SigningIn(Wanted):
    """Who you are."""

    login: Text = Field(min_length=1, max_length=254, description="Handle or e-mail address", examples=["suzie"])
    password: Password
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
    client: str | None = Field(description="What the client called itself", examples=["Firefox on a phone"])
    created_at: Moment
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
    house: TheHouse,
    now: Now,
    user_agent: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Sign in. The same words and time whether the login or the password is wrong."""
    if wanted.transport == Transport.COOKIE:
        refuse_forgery(request, house.settings)
    shown = sessions.SignIn(
        login=wanted.login,
        password=wanted.password,
        address=request.client.host if request.client else "",
        device=wanted.device,
        transport=wanted.transport,
        client=user_agent and user_agent[:100],
    )
    opened = await sessions.sign_in(house.database, shown, house.throttle, house.settings.limit("sign_in"), now)
    member = Author(handle=opened.member.handle, name=opened.member.name, title=opened.member.title)
    travels_in_cookie = wanted.transport == Transport.COOKIE
    body = SignedIn(token=None if travels_in_cookie else opened.token, device=opened.device, member=member)
    response = answer(body, 201, {"Location": f"/api/v1/me/sessions/{opened.session.id}", "Cache-Control": "no-store"})
    if travels_in_cookie:
        response.set_cookie(
            COOKIE,
            opened.token,
            max_age=int(sessions.LASTS.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="lax",
        )
    return response


@router.delete("/sessions/current", status_code=204, responses=documented(401, 403, 422))
async def sign_out(viewer: AnyMember, work: Work, house: TheHouse) -> Response:
    """Sign out: this session ends, here at once and everywhere within five seconds."""
    if viewer.session_id is None:
        raise NotSignedIn("Sign in first.")
    with suppress(NotFound):  # ended elsewhere a moment ago: what was asked for is so
        await sessions.end(work, viewer, viewer.session_id)
    house.doorkeeper.forget(viewer.id)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


@router.get("/me/sessions", response_model=SessionList, responses=documented(401, 422))
async def list_sessions(request: Request, viewer: AnyMember, work: Work, now: Now) -> Response:
    """List where you are signed in."""
    rows = (await work.execute(sessions.mine(viewer, now))).all()
    items = [Session(**row._mapping, current=row.id == viewer.session_id) for row in rows]
    return fresh(request, SessionList(items=items, next=None), shared=False)


@router.delete("/me/sessions/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def end_session(id: Uuid, viewer: AnyMember, work: Work, house: TheHouse) -> Response:
    """End one of your sessions, for instance on a phone that was lost."""
    await sessions.end(work, viewer, id)
    house.doorkeeper.forget(viewer.id)
    return Response(status_code=204)
