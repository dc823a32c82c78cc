"""Passkeys: as a second factor, or instead of a password. The names are those of WebAuthn (level 3)."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from forum.api.schemas import Base64Url, Line, Moment, RequestBody, ResponseBody, Uuid
from forum.authentication.second_factor import enrolment, passkeys
from forum.authentication.second_factor.passkeys import AT_MOST
from forum.authentication.second_factor.tables import Purpose
from forum.authentication.second_factor.webauthn import Party
from forum.core import rate_limits
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, FreshMember
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import AppServices, Now, Route, WorkSession

router = APIRouter(tags=["sessions"], route_class=Route)

CREDENTIAL = {"id": "AhKxlE3cfDnS4qDKyqyeRA", "rawId": "AhKxlE3cfDnS4qDKyqyeRA", "type": "public-key"}
CLIENT_DATA = "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoi4oCmIn0"
AUTHENTICATOR_DATA = "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ"


class Credential(BaseModel):
    """What a device gave. It has more members, and will have others: those that count are here."""

    model_config = ConfigDict(populate_by_name=True)

    id: Base64Url = Field(max_length=1400, examples=["AhKxlE3cfDnS4qDKyqyeRA"])
    raw_id: Base64Url = Field(alias="rawId", max_length=1400, examples=["AhKxlE3cfDnS4qDKyqyeRA"])
    type: Literal["public-key"]


class Attested(BaseModel):
    """What a device says of a passkey that it has just made."""

    client_data_json: Base64Url = Field(alias="clientDataJSON", max_length=8_000, examples=[CLIENT_DATA])
    attestation_object: Base64Url = Field(alias="attestationObject", max_length=8_000, examples=["o2NmbXRkbm9uZQ"])


class Registration(Credential):
    """A new passkey, as `navigator.credentials.create()` gave it and its `toJSON()` writes it."""

    response: Attested


class Asserted(BaseModel):
    """What a device has signed."""

    client_data_json: Base64Url = Field(alias="clientDataJSON", max_length=8_000, examples=[CLIENT_DATA])
    authenticator_data: Base64Url = Field(alias="authenticatorData", max_length=4_000, examples=[AUTHENTICATOR_DATA])
    signature: Base64Url = Field(max_length=2_000, examples=["MEUCIQD1gr0ZxPFDtA"])
    user_handle: Base64Url | None = Field(None, alias="userHandle", max_length=100, examples=["rTsPlCW1bXNwz2N0"])


class Assertion(Credential):
    """A passkey, as `navigator.credentials.get()` gave it and its `toJSON()` writes it."""

    response: Asserted


class NewPasskey(RequestBody):
    """What your device has made."""

    name: Line = Field(min_length=1, max_length=60, description="Your word for it", examples=["My phone"])
    credential: Registration = Field(
        examples=[{**CREDENTIAL, "response": {"clientDataJSON": CLIENT_DATA, "attestationObject": "o2NmbXRkbm9uZQ"}}]
    )


class Passkey(ResponseBody):
    """One of your passkeys."""

    id: Uuid
    name: str = Field(examples=["My phone"])
    backed_up: bool = Field(description="Whether it outlives the loss of the device")
    created_at: Moment
    used_at: Moment | None = Field(description="Null until it was used")


class AddedPasskey(Passkey):
    """Your new passkey. Write the recovery codes down, or print them: they are told once."""

    recovery_codes: list[str] | None = Field(
        description="Null where you had a second factor already, and have its codes",
        examples=[["1-k7wq2-9mzrt", "2-0d3fh-x8v2c"]],
    )


class PasskeyList(ResponseBody):
    """Your passkeys, newest first."""

    items: list[Passkey]
    next: None = Field(description=f"Always null: you have {AT_MOST} at most")


class Options(BaseModel):
    """In the words of WebAuthn, whose names are no others'."""

    model_config = ConfigDict(alias_generator=to_camel, serialize_by_alias=True)


class RelyingParty(Options):
    """Who asks."""

    id: str = Field(description="The host that the passkey is bound to", examples=["forum.test"])
    name: str = Field(description="The domain of the forum's mails", examples=["forum.test"])


class User(Options):
    """Who is asked: nothing that tells who you are here."""

    id: str = Field(description="Random", examples=["rTsPlCW1bXNwz2N0"])
    name: str = Field(examples=["Account"])
    display_name: str = Field(examples=["Account"])


class KeyKind(Options):
    """A kind of key that is taken."""

    type: Literal["public-key"]
    alg: int = Field(description="As COSE numbers them", examples=[-7])


class KnownKey(Options):
    """A passkey that you have."""

    type: Literal["public-key"]
    id: str = Field(examples=["AhKxlE3cfDnS4qDKyqyeRA"])


class Selection(Options):
    """Which devices are asked."""

    resident_key: str = Field(examples=["required"])
    require_resident_key: bool
    user_verification: str = Field(examples=["preferred"])


class CreationOptions(Options):
    """What `PublicKeyCredential.parseCreationOptionsFromJSON` takes."""

    rp: RelyingParty
    user: User
    challenge: str = Field(description="Answered once, within five minutes", examples=["Rz5tYw0aBqVqg2JH1Xv6Ow"])
    pub_key_cred_params: list[KeyKind]
    timeout: int = Field(description="Milliseconds", examples=[300000])
    exclude_credentials: list[KnownKey]
    authenticator_selection: Selection
    attestation: str = Field(examples=["none"])


class RequestOptions(Options):
    """What `PublicKeyCredential.parseRequestOptionsFromJSON` takes."""

    challenge: str = Field(description="Answered once, within five minutes", examples=["Rz5tYw0aBqVqg2JH1Xv6Ow"])
    timeout: int = Field(description="Milliseconds", examples=[300000])
    rp_id: str = Field(examples=["forum.test"])
    allow_credentials: list[KnownKey] = Field(description="Always empty: it would tell who has an account")
    user_verification: str = Field(examples=["required"])


class Asking(RequestBody):
    """What the passkey is to be shown for."""

    purpose: Literal[Purpose.SIGN_IN, Purpose.SECOND_FACTOR] = Field(
        description="`sign_in` without a password, or `second_factor` beside one"
    )


@router.get("/me/passkeys", response_model=PasskeyList, responses=documented(401, 422))
async def list_passkeys(request: Request, viewer: AnyMember, work: WorkSession) -> Response:
    """List your passkeys."""
    items = [Passkey.model_validate(row) for row in (await work.execute(passkeys.mine(viewer))).all()]
    return cacheable_response(request, PasskeyList(items=items, next=None), shared=False)


@router.post(
    "/me/passkey-challenges",
    status_code=201,
    response_model=CreationOptions,
    responses=documented(401, 403, 409, 422, 429),
)
async def begin_passkey(viewer: FreshMember, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Begin to make a passkey: what to ask the device for, with `navigator.credentials.create()`.

    Send what it gives with `POST /me/passkeys`, within five minutes. Of several that you began, the last one counts.
    """
    await services.rate_limits.hit(services.settings.limit("passkey"), "passkey", viewer.id)
    options = await passkeys.begin(work, viewer, Party.of(services.settings), now)
    return json_response(CreationOptions.model_validate(options), 201)


@router.post(
    "/me/passkeys",
    status_code=201,
    response_model=AddedPasskey,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 409, 413, 422),
)
async def add_passkey(wanted: NewPasskey, viewer: FreshMember, services: AppServices, now: Now) -> Response:
    """Take the passkey that your device has made. Every other session of yours ends, and you are told by mail.

    From now on it is asked for beside your password, and opens a session alone with `POST /sessions/passkey`.
    """
    services.session_cache.invalidate(viewer.id)
    added = await enrolment.add_passkey(
        services.database, viewer, wanted.name, as_json(wanted.credential), Party.of(services.settings), now
    )
    services.session_cache.invalidate(viewer.id)
    body = AddedPasskey(**added.passkey.model_dump(), recovery_codes=added.recovery_codes)
    return json_response(body, 201, {"Location": f"/api/v1/me/passkeys/{added.passkey.id}"})


@router.delete("/me/passkeys/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_passkey(id: Uuid, viewer: FreshMember, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Do without one of your passkeys. Every other session of yours ends.

    Where it was the last second factor, the recovery codes go too, and roles count no longer.
    """
    await enrolment.remove_passkey(work, viewer, id, now)
    services.session_cache.invalidate(viewer.id)
    return Response(status_code=204)


@router.post("/passkey-challenges", status_code=201, response_model=RequestOptions, responses=documented(413, 422, 429))
async def ask_for_passkey(
    request: Request, asking: Asking, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """Begin to show a passkey: what to ask the device for, with `navigator.credentials.get()`.

    Send what it gives with `POST /sessions/passkey`, or beside a password as the `passkey` of `POST /sessions`.
    """
    address = rate_limits.network(request.client.host if request.client else "")
    await services.rate_limits.hit(services.settings.limit("passkey"), "passkey", address)
    options = passkeys.ask(work, Purpose(asking.purpose), Party.of(services.settings), now)
    return json_response(RequestOptions.model_validate(options), 201)


def as_json(credential: Credential) -> dict[str, Any]:
    """The credential in the names that WebAuthn gives its members."""
    return credential.model_dump(by_alias=True)
