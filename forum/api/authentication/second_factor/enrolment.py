"""Set up a second factor over HTTP: an authenticator app, and recovery codes."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.authentication.second_factor import enrolment, totp
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember
from forum.http.fields import Moment, Text
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentTransactions, CurrentWork, Route

router = APIRouter(tags=["sessions"], route_class=Route)


class SecondFactor(ResponseBody):
    """Your second factors."""

    since: Moment | None = Field(description="Null when none is set up")
    authenticator_app: bool = Field(description="Whether one is set up")
    passkeys: int = Field(description="How many you have", examples=[1])
    recovery_codes: int = Field(description="How many are left", examples=[8])
    required: bool = Field(description="Whether you have a role: it counts only with a second factor")


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
    """Write them down, or print them: they are shown once. Each can be used once, instead of a code."""

    recovery_codes: list[str] = Field(examples=[["1-k7wq2-9mzrt", "2-0d3fh-x8v2c"]])


@router.get("/me/second-factor", response_model=SecondFactor, responses=documented(401, 422))
async def get_second_factor(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """Read whether a second factor is set up, and how many recovery codes are left."""
    state = await enrolment.get_second_factor(work, viewer)
    body = SecondFactor(
        since=state.since,
        authenticator_app=state.app_since is not None,
        passkeys=state.passkeys,
        recovery_codes=state.recovery_codes,
        required=viewer.is_staff or viewer.withheld,
    )
    return cacheable_response(request, body, shared=False)


@router.post("/me/second-factor", status_code=201, response_model=Enrolment, responses=documented(401, 403, 422))
async def begin_second_factor(viewer: AnyMember, work: CurrentWork) -> Response:
    """Begin to set up an authenticator app, or to move to another one. You must have signed in within 15 minutes.

    An app that you have set up already works until you confirm the new one. Beside its codes, the app shows the domain
    of the forum's mails, which reveals neither the forum nor you.
    """
    begun = await enrolment.begin_enrolment(work, viewer)
    body = Enrolment(secret=begun.secret, uri=begun.uri, qr_svg=totp.qr_code(begun.uri))
    return json_response(body, 201)


@router.put("/me/second-factor", response_model=RecoveryCodes, responses=documented(401, 403, 409, 413, 422, 429))
async def confirm_second_factor(
    confirmation: Confirmation, viewer: AnyMember, transactions: CurrentTransactions
) -> Response:
    """Confirm the app with a code that it shows. Every other session of yours ends, and you are told by mail.

    You must have signed in within 15 minutes.
    """
    codes = await enrolment.confirm_enrolment(transactions, viewer, confirmation.code)
    return json_response(RecoveryCodes(recovery_codes=list(codes)), 200)


@router.post(
    "/me/second-factor/recovery-codes",
    status_code=201,
    response_model=RecoveryCodes,
    responses=documented(401, 403, 404, 422, 429),
)
async def renew_recovery_codes(viewer: AnyMember, transactions: CurrentTransactions) -> Response:
    """Get new recovery codes. The earlier ones no longer work. You must have signed in within 15 minutes."""
    codes = await enrolment.renew_recovery_codes(transactions, viewer)
    return json_response(RecoveryCodes(recovery_codes=list(codes)), 201)


@router.delete("/me/second-factor", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_second_factor(viewer: AnyMember, work: CurrentWork) -> Response:
    """Turn off two-factor authentication. Every other session of yours ends; roles no longer count.

    You must have signed in within 15 minutes.
    """
    await enrolment.turn_off_second_factor(work, viewer)
    return Response(status_code=204)


@router.delete("/me/second-factor/authenticator-app", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_authenticator_app(viewer: AnyMember, work: CurrentWork) -> Response:
    """Remove the authenticator app, and keep your passkeys. Every other session of yours ends.

    If you have no passkey, it was the last second factor: the recovery codes go too, and roles no longer count. You
    must have signed in within 15 minutes.
    """
    await enrolment.remove_authenticator_app(work, viewer)
    return Response(status_code=204)
