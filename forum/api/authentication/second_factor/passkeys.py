"""Passkeys over HTTP: as a second factor, or instead of a password. The names are those of WebAuthn (level 3)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from forum.api.schemas import RequestBody, ResponseBody
from forum.authentication.second_factor import enrolment, passkeys
from forum.authentication.second_factor.passkeys import AT_MOST
from forum.authentication.second_factor.tables import Purpose
from forum.http.caching import cacheable_response
from forum.http.credentials import CLIENT_DATA, CREDENTIAL, Registration, as_json
from forum.http.current_member import AnyMember, address_of
from forum.http.fields import Line, Moment, Uuid
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentTransactions, CurrentWork, Route

router = APIRouter(tags=["sessions"], route_class=Route)


PasskeyName = Annotated[Line, Field(min_length=1, max_length=60, description="Your name for it", examples=["My phone"])]


class PasskeyRequest(RequestBody):
    """What your device has made."""

    name: PasskeyName
    credential: Registration = Field(
        examples=[{**CREDENTIAL, "response": {"clientDataJSON": CLIENT_DATA, "attestationObject": "o2NmbXRkbm9uZQ"}}]
    )


class PasskeyRenameRequest(RequestBody):
    """Another name for it."""

    name: PasskeyName


class Passkey(ResponseBody):
    """One of your passkeys."""

    id: Uuid
    name: str = Field(examples=["My phone"])
    backed_up: bool = Field(description="Whether it survives the loss of the device")
    created_at: Moment
    used_at: Moment | None = Field(description="Null when it was never used")


class AddedPasskey(Passkey):
    """Your new passkey. Write the recovery codes down, or print them: they are shown once."""

    recovery_codes: list[str] | None = Field(
        description="Null when you had a second factor already, and have its codes",
        examples=[["1-k7wq2-9mzrt", "2-0d3fh-x8v2c"]],
    )


class PasskeyList(ResponseBody):
    """Your passkeys, newest first."""

    items: list[Passkey]
    next: None = Field(description=f"Always null: you have at most {AT_MOST}")


class Options(BaseModel):
    """Options with the names of WebAuthn."""

    model_config = ConfigDict(alias_generator=to_camel, serialize_by_alias=True)


class RelyingParty(Options):
    """Who asks for a passkey."""

    id: str = Field(description="The host that the passkey is bound to", examples=["forum.test"])
    name: str = Field(description="The domain of the forum's mails", examples=["forum.test"])


class User(Options):
    """The account, without anything that reveals who you are here."""

    id: str = Field(description="Random", examples=["rTsPlCW1bXNwz2N0"])
    name: str = Field(examples=["Account"])
    display_name: str = Field(examples=["Account"])


class KeyKind(Options):
    """A kind of key that is accepted."""

    type: Literal["public-key"]
    alg: int = Field(description="The number of the algorithm in COSE", examples=[-7])


class KnownKey(Options):
    """A passkey that you have already."""

    type: Literal["public-key"]
    id: str = Field(examples=["AhKxlE3cfDnS4qDKyqyeRA"])


class Selection(Options):
    """Which devices are suitable."""

    resident_key: str = Field(examples=["required"])
    require_resident_key: bool
    user_verification: str = Field(examples=["preferred"])


class CreationOptions(Options):
    """What `PublicKeyCredential.parseCreationOptionsFromJSON` takes."""

    rp: RelyingParty
    user: User
    challenge: str = Field(description="Can be answered once, within five minutes", examples=["Rz5tYw0aBqVqg2JH1Xv6Ow"])
    pub_key_cred_params: list[KeyKind]
    timeout: int = Field(description="Milliseconds", examples=[300000])
    exclude_credentials: list[KnownKey]
    authenticator_selection: Selection
    attestation: str = Field(examples=["none"])


class RequestOptions(Options):
    """What `PublicKeyCredential.parseRequestOptionsFromJSON` takes."""

    challenge: str = Field(description="Can be answered once, within five minutes", examples=["Rz5tYw0aBqVqg2JH1Xv6Ow"])
    timeout: int = Field(description="Milliseconds", examples=[300000])
    rp_id: str = Field(examples=["forum.test"])
    allow_credentials: list[KnownKey] = Field(description="Always empty: otherwise it would reveal who has an account")
    user_verification: str = Field(examples=["required"])


class ChallengeRequest(RequestBody):
    """What the passkey is for."""

    purpose: Literal[Purpose.SIGN_IN, Purpose.SECOND_FACTOR] = Field(
        description="`sign_in` without a password, or `second_factor` beside one"
    )


@router.get("/me/passkeys", response_model=PasskeyList, responses=documented(401, 422))
async def list_passkeys(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """List your passkeys."""
    items = [Passkey.model_validate(row) for row in await passkeys.list_passkeys(work, viewer)]
    return cacheable_response(request, PasskeyList(items=items, next=None), shared=False)


@router.post(
    "/me/passkey-challenges",
    status_code=201,
    response_model=CreationOptions,
    responses=documented(401, 403, 409, 422, 429),
)
async def begin_passkey(viewer: AnyMember, work: CurrentWork) -> Response:
    """Begin to make a passkey: what to give to `navigator.credentials.create()`.

    Send its result within five minutes. Of several that you began, only the last counts. You must have signed in
    within 15 minutes.
    """
    options = await passkeys.begin_registration(work, viewer)
    return json_response(CreationOptions.model_validate(options), 201)


@router.post(
    "/me/passkeys",
    status_code=201,
    response_model=AddedPasskey,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 409, 413, 422),
)
async def add_passkey(wanted: PasskeyRequest, viewer: AnyMember, transactions: CurrentTransactions) -> Response:
    """Add the passkey that your device has made. Every other session of yours ends, and you are told by mail.

    From now on it is needed beside your password, and you can sign in with it alone. You must have signed in within 15
    minutes.
    """
    added = await enrolment.add_passkey(transactions, viewer, wanted.name, as_json(wanted.credential))
    body = AddedPasskey(**added.passkey.model_dump(), recovery_codes=added.recovery_codes)
    return json_response(body, 201, {"Location": f"/api/v1/me/passkeys/{added.passkey.id}"})


@router.patch("/me/passkeys/{id}", response_model=Passkey, responses=documented(401, 403, 404, 413, 422, 429))
async def rename_passkey(id: Uuid, wanted: PasskeyRenameRequest, viewer: AnyMember, work: CurrentWork) -> Response:
    """Give one of your passkeys another name."""
    renamed = await enrolment.rename_passkey(work, viewer, id, wanted.name)
    return json_response(Passkey.model_validate(renamed))


@router.delete("/me/passkeys/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_passkey(id: Uuid, viewer: AnyMember, work: CurrentWork) -> Response:
    """Remove one of your passkeys. Every other session of yours ends.

    If it was the last second factor, the recovery codes go too, and roles no longer count. You must have signed in
    within 15 minutes.
    """
    await enrolment.remove_passkey(work, viewer, id)
    return Response(status_code=204)


@router.post("/passkey-challenges", status_code=201, response_model=RequestOptions, responses=documented(413, 422, 429))
async def ask_for_passkey(request: Request, asking: ChallengeRequest, work: CurrentWork) -> Response:
    """Begin to sign in with a passkey: what to give to `navigator.credentials.get()`.

    Send its result within five minutes, alone or as the `passkey` beside a password.
    """
    options = await passkeys.begin_authentication(work, Purpose(asking.purpose), address_of(request))
    return json_response(RequestOptions.model_validate(options), 201)
