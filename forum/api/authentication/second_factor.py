"""Whether a second factor is set up; an authenticator app, and recovery codes."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Moment, RequestBody, ResponseBody, Text
from forum.authentication.second_factor import enrolment, tables, totp
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, FreshMember
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import AppServices, Now, Route, WorkSession

router = APIRouter(tags=["sessions"], route_class=Route)


class SecondFactor(ResponseBody):
    """How it stands with your second factor."""

    since: Moment | None = Field(description="Null where none is set up")
    authenticator_app: bool = Field(description="Whether one is set up")
    passkeys: int = Field(description="How many you have", examples=[1])
    recovery_codes: int = Field(description="How many are left", examples=[8])
    required: bool = Field(description="Whether you have a role: it counts only where a second factor was shown")


class Enrolment(ResponseBody):
    """What an authenticator app needs. It counts once you sent a code that the app shows."""

    secret: str = Field(description="To type in, in base32", examples=["HID2BNDWBZQYZUP2H4TUJSHZD7R5ZG2T"])
    uri: str = Field(
        description="To open on the phone itself",
        examples=["otpauth://totp/forum.test:Account?secret=HID2BNDWBZQYZUP2H4TUJSHZD7R5ZG2T&issuer=forum.test"],
    )
    qr_svg: str = Field(description="To scan with the phone: a picture that loads nothing", examples=["<svg>…</svg>"])


class Confirmation(RequestBody):
    """A code that the app shows."""

    code: Text = Field(min_length=6, max_length=20, examples=["287082"])


class RecoveryCodes(ResponseBody):
    """Write them down, or print them: they are told once. Each signs you in once, in the place of a code."""

    recovery_codes: list[str] = Field(examples=[["1-k7wq2-9mzrt", "2-0d3fh-x8v2c"]])


@router.get("/me/second-factor", response_model=SecondFactor, responses=documented(401, 422))
async def get_second_factor(request: Request, viewer: AnyMember, work: WorkSession) -> Response:
    """See whether a second factor is set up, and how many recovery codes are left."""
    state = await tables.get_state(work, viewer.member_id)
    required = viewer.is_staff or viewer.withheld
    body = SecondFactor(
        since=state.since,
        authenticator_app=state.app_since is not None,
        passkeys=state.passkeys,
        recovery_codes=state.recovery_codes,
        required=required,
    )
    return cacheable_response(request, body, shared=False)


@router.post("/me/second-factor", status_code=201, response_model=Enrolment, responses=documented(401, 403, 422))
async def begin_second_factor(viewer: FreshMember, work: WorkSession, services: AppServices) -> Response:
    """Set up an authenticator app, or move to another: what it needs, which `PUT` confirms.

    Until then, an app that is set up already counts. What the app shows beside its codes is the domain of the forum's
    mails, which gives neither the forum nor you away.
    """
    begun = await enrolment.begin(work, viewer, services.settings.mail_from.partition("@")[2])
    body = Enrolment(secret=begun.secret, uri=begun.uri, qr_svg=totp.qr_code(begun.uri))
    return json_response(body, 201)


@router.put("/me/second-factor", response_model=RecoveryCodes, responses=documented(401, 403, 409, 413, 422, 429))
async def confirm_second_factor(
    confirmation: Confirmation, viewer: FreshMember, services: AppServices, now: Now
) -> Response:
    """Confirm the app with a code that it shows. Every other session of yours ends, and you are told by mail."""
    await services.rate_limits.hit(services.settings.limit("second_factor"), "second-factor", viewer.id)
    services.session_cache.invalidate(viewer.id)
    codes = await enrolment.confirm(services.database, viewer, confirmation.code, now)
    services.session_cache.invalidate(viewer.id)
    return json_response(RecoveryCodes(recovery_codes=list(codes)), 200)


@router.post(
    "/me/second-factor/recovery-codes",
    status_code=201,
    response_model=RecoveryCodes,
    responses=documented(401, 403, 404, 422, 429),
)
async def renew_recovery_codes(viewer: FreshMember, services: AppServices, now: Now) -> Response:
    """Have other recovery codes. The earlier ones open nothing from then on."""
    await services.rate_limits.hit(services.settings.limit("second_factor"), "second-factor", viewer.id)
    codes = await enrolment.renew(services.database, viewer, now)
    return json_response(RecoveryCodes(recovery_codes=list(codes)), 201)


@router.delete("/me/second-factor", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_second_factor(viewer: FreshMember, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Do without any second factor. Every other session of yours ends; roles count no longer."""
    await enrolment.remove(work, viewer, now)
    services.session_cache.invalidate(viewer.id)
    return Response(status_code=204)


@router.delete("/me/second-factor/authenticator-app", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_authenticator_app(viewer: FreshMember, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Do without the authenticator app, and keep your passkeys. Every other session of yours ends.

    Where you have none, it was the last second factor: the recovery codes go too, and roles count no longer.
    """
    await enrolment.remove_app(work, viewer, now)
    services.session_cache.invalidate(viewer.id)
    return Response(status_code=204)
