"""Sign in and out over HTTP, with a bearer token or with a cookie."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import Field, StringConstraints

from forum.api.schemas import Author, RequestBody, ResponseBody
from forum.authentication import sessions
from forum.authentication import sign_in as authentication_sign_in
from forum.authentication.sessions import Transport
from forum.http.caching import cacheable_response
from forum.http.credentials import AUTHENTICATOR_DATA, CLIENT_DATA, CREDENTIAL, Assertion, as_json
from forum.http.csrf import refuse_forgery
from forum.http.current_member import COOKIE, Anybody, AnyMember, address_of
from forum.http.fields import Moment, Password, Text, Uuid
from forum.http.problems import documented
from forum.http.responses import LOCATION, header, json_response
from forum.http.services import CurrentTransactions, CurrentWork, Route, services_of
from forum.http.session_cookie import EVERYTHING, clear_site, kind_of_client, set_session_cookie
from forum.members.viewer import Viewer

router = APIRouter(tags=["sessions"], route_class=Route)


COOKIE_SET = {
    "Set-Cookie": header(
        "The session, when it is sent as a cookie",
        f"{COOKIE}=…; HttpOnly; Max-Age=7776000; Path=/; SameSite=lax; Secure",
        always=False,
    )
}


CLEARED = {"Clear-Site-Data": header("What the browser deletes of this site", EVERYTHING)}
SIGNED = {"clientDataJSON": CLIENT_DATA, "authenticatorData": AUTHENTICATOR_DATA, "signature": "MEUCIQD1gr0ZxPFDtA"}
TokenTransport = Annotated[Transport, Field(description="`cookie` for web pages, as scripts cannot read it")]
KnownDevice = Annotated[
    Annotated[Text, StringConstraints(max_length=100)] | None,
    Field(
        description="The `device` of an earlier sign-in here: wrong sign-ins of others cannot lock you out",
        examples=["q1zV0Wb3yRrM0bqk2cJ9w0m7oXn8tU5sLd4fGh6eAaE"],
    ),
]


class SigningIn(RequestBody):
    """Who you are."""

    login: Text = Field(
        min_length=1,
        max_length=254,
        description="Handle or e-mail address, or the name on an old board that moved here",
        examples=["suzie"],
    )
    password: Password
    code: Text | None = Field(
        None,
        max_length=20,
        description="When a second factor is set up: what the authenticator app shows, or a recovery code",
        examples=["287082"],
    )
    passkey: Assertion | None = Field(
        None,
        description="Instead of a code: a passkey that answers a challenge for `second_factor`",
        examples=[{**CREDENTIAL, "response": SIGNED}],
    )
    transport: TokenTransport = Transport.BEARER
    device: KnownDevice = None


class PasskeySigningIn(RequestBody):
    """Who you are, without a password."""

    credential: Assertion = Field(
        description="A passkey that answers a challenge for `sign_in`", examples=[{**CREDENTIAL, "response": SIGNED}]
    )
    transport: TokenTransport = Transport.BEARER
    device: KnownDevice = None


class SignedIn(ResponseBody):
    """Your new session."""

    token: str | None = Field(
        description="Send it as `Authorization: Bearer …`; null when it is sent as a cookie",
        examples=["pS7yQ4nB1uC6vD8xE0zF2gH5jK9lM3oR7tW1aY4iUeI"],
    )
    device: str = Field(
        description="Store it on this device, and send it with the next sign-in",
        examples=["q1zV0Wb3yRrM0bqk2cJ9w0m7oXn8tU5sLd4fGh6eAaE"],
    )
    member: Author


class Session(ResponseBody):
    """One of your signed-in clients."""

    id: Uuid
    current: bool = Field(description="Whether it is the session of this request")
    transport: Transport
    client: str | None = Field(description="The kind of program and of device", examples=["Firefox on Android"])
    created_at: Moment
    used_at: Moment = Field(description="When it was used last, to within ten minutes")
    expires_at: Moment


class SessionList(ResponseBody):
    """Your sessions, newest first."""

    items: list[Session]
    next: None = Field(description="Always null: sessions are few")


@dataclass(frozen=True)
class RequestContext:
    """What a request says beside its body: from where it comes, with which program, and who was signed in."""

    request: Request
    before: Viewer
    user_agent: str

    def values_for(self, wanted: SigningIn | PasskeySigningIn) -> dict[str, Any]:
        """Return the context of a sign-in. Raises Forbidden when another site's page asks for a cookie."""
        if wanted.transport == Transport.COOKIE:
            refuse_forgery(self.request, services_of(self.request).settings)
        return {
            "address": address_of(self.request),
            "device": wanted.device,
            "transport": wanted.transport,
            "client": kind_of_client(self.user_agent),
            "before": self.before,
        }


async def _context(
    request: Request, before: Anybody, user_agent: Annotated[str, Header(include_in_schema=False)] = ""
) -> RequestContext:
    return RequestContext(request, before, user_agent)


Context = Annotated[RequestContext, Depends(_context)]


_SIGNED_IN = {**documented(401, 403, 413, 422, 429), 201: {"headers": LOCATION | COOKIE_SET}}


@router.post("/sessions", status_code=201, response_model=SignedIn, responses=_SIGNED_IN)
async def sign_in(wanted: SigningIn, context: Context, transactions: CurrentTransactions) -> Response:
    """Sign in. The answer is the same, after the same time, whether the login or the password is wrong.

    When a second factor is set up and is missing or wrong, the problem's type is `/problems/second-factor-needed`, and
    its `factors` are those that you have. If you send the session that you have, the new one replaces it.
    """
    attempt = authentication_sign_in.PasswordSignIn(
        login=wanted.login,
        password=wanted.password,
        code=wanted.code,
        passkey=as_json(wanted.passkey) if wanted.passkey else None,
        **context.values_for(wanted),
    )
    return _signed_in(await authentication_sign_in.sign_in(transactions, attempt), transactions.now)


@router.post("/sessions/passkey", status_code=201, response_model=SignedIn, responses=_SIGNED_IN)
async def sign_in_by_passkey(wanted: PasskeySigningIn, context: Context, transactions: CurrentTransactions) -> Response:
    """Sign in with a passkey alone. The device must have asked for a fingerprint, a face or a PIN.

    If you send the session that you have, the new one replaces it.
    """
    attempt = authentication_sign_in.PasskeySignIn(passkey=as_json(wanted.credential), **context.values_for(wanted))
    return _signed_in(await authentication_sign_in.sign_in_by_passkey(transactions, attempt), transactions.now)


@router.delete("/sessions/current", status_code=204, responses={204: {"headers": CLEARED}, **documented(403, 422)})
async def sign_out(viewer: Anybody, work: CurrentWork) -> Response:
    """Sign out: this session ends, at once and everywhere.

    The browser is told to delete everything that it stores of this site: cookies, what scripts stored (the `device`
    too) and pages. The answer is the same when nobody was signed in. A page that somebody must leave fast sends it with
    `fetch(…, {method: "DELETE", keepalive: true, credentials: "include"})`, does not wait for the answer, empties what
    it shows and calls `location.replace(…)`: the request goes on without the page. `navigator.sendBeacon` cannot send
    it.
    """
    await sessions.sign_out(work, viewer)
    response = Response(status_code=204)
    clear_site(response)
    return response


@router.get("/me/sessions", response_model=SessionList, responses=documented(401, 422))
async def list_sessions(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """List where you are signed in."""
    rows = await sessions.list_sessions(work, viewer)
    items = [Session.of_row(row, current=row.id == viewer.session_id) for row in rows]
    return cacheable_response(request, SessionList(items=items, next=None), shared=False)


@router.delete("/me/sessions", status_code=204, responses=documented(401, 403, 422))
async def end_sessions(viewer: AnyMember, work: CurrentWork) -> Response:
    """End every session of yours, this one too, and forget all your devices."""
    await sessions.end_all_sessions(work, viewer)
    return Response(status_code=204)


@router.delete("/me/sessions/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def end_session(id: Uuid, viewer: AnyMember, work: CurrentWork) -> Response:
    """End one of your sessions, for instance on a phone that was lost."""
    await sessions.end_session(work, viewer, id)
    return Response(status_code=204)


def _signed_in(opened: authentication_sign_in.SignedIn, now: datetime) -> Response:
    member = Author(handle=opened.member.handle, name=opened.member.name, title=opened.member.title)
    in_cookie = opened.session.transport == Transport.COOKIE
    body = SignedIn(token=None if in_cookie else opened.token, device=opened.device, member=member)
    response = json_response(body, 201, {"Location": f"/api/v1/me/sessions/{opened.session.id}"})
    if in_cookie:
        set_session_cookie(response, opened, now)
    return response
