"""What the device of a member sends of a passkey. The names are those of WebAuthn (level 3)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from forum.http.fields import Base64Url

CREDENTIAL = {"id": "AhKxlE3cfDnS4qDKyqyeRA", "rawId": "AhKxlE3cfDnS4qDKyqyeRA", "type": "public-key"}
CLIENT_DATA = "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoi4oCmIn0"
AUTHENTICATOR_DATA = "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ"


class Credential(BaseModel):
    """What a device sent. It may have more members than these, which are ignored."""

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


def as_json(credential: Credential) -> dict[str, Any]:
    """Return the credential with the names that WebAuthn gives its members."""
    return credential.model_dump(by_alias=True)
