"""WebAuthn's two ceremonies (level 3, §7): what a browser is asked to do, and whether what it sends back is right.

Somebody else may look at the phone. Beside the host, which a device always shows, it is told neither a pseudonym nor
the forum's name: the account is called "Account" at the domain of the forum's mails, as in an authenticator app, and
known by 64 random bytes that stand nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_cbor,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSECRV
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm
from webauthn.helpers.decode_credential_public_key import (
    DecodedEC2PublicKey,
    DecodedOKPPublicKey,
    DecodedRSAPublicKey,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from forum.authentication.second_factor import webauthn_parsing
from forum.core.settings import Settings

LASTS = timedelta(minutes=5)
LABEL = "Account"
# What WebAuthn level 3, §5.4, asks a site to take: EdDSA, ES256 and RS256.
ALGORITHMS = [Algorithm.EDDSA, Algorithm.ECDSA_SHA_256, Algorithm.RSASSA_PKCS1_v1_5_SHA_256]
RSA_BYTES = range(2048 // 8, 4096 // 8 + 1)
CREDENTIAL_ID_MAX = 1023  # bytes (WebAuthn level 3, §4, credential ID)

# A PublicKeyCredential as its own toJSON() writes it.
Credential = Mapping[str, Any]


@dataclass(frozen=True)
class Party:
    """Who asks, to a device: the host that passkeys are bound to, a name, and from where they may be shown."""

    host: str
    name: str
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "Party":
        """The forum: pages at its public address, on allowed origins below the same host, and apps that are named."""
        site = urlsplit(settings.public_url)
        host = site.hostname or ""
        port = "" if site.port in {None, {"http": 80, "https": 443}[site.scheme]} else f":{site.port}"
        near = {origin for origin in settings.allowed_origins if _is_at(urlsplit(origin).hostname or "", host)}
        origins = {f"{site.scheme}://{host}{port}", *near, *settings.passkey_origins}
        return cls(host, settings.mail_from.partition("@")[2], frozenset(origins))


@dataclass(frozen=True)
class Made:
    """The public half of a passkey that a device has just made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backed_up: bool


@dataclass(frozen=True)
class Answer:
    """What a device says of itself while it signs."""

    sign_count: int
    backed_up: bool


def creation_options(party: Party, challenge: bytes, user_handle: bytes, known: Sequence[bytes]) -> dict[str, Any]:
    """What `PublicKeyCredential.parseCreationOptionsFromJSON` takes. Devices that have one of the `known` passkeys make
    no other.
    """
    asked = webauthn.generate_registration_options(
        rp_id=party.host,
        rp_name=party.name,
        user_id=user_handle,
        user_name=LABEL,
        challenge=challenge,
        timeout=_milliseconds(),
        # It must be found without a login, and a key without a fingerprint or a PIN is still a second factor.
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=credential_id) for credential_id in known],
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json_dict(asked)


def request_options(party: Party, challenge: bytes, *, alone: bool) -> dict[str, Any]:
    """What `PublicKeyCredential.parseRequestOptionsFromJSON` takes. A passkey that stands alone, without a password,
    asks for a fingerprint, a face or a PIN too. No passkey is named: that would tell who has an account.
    """
    wish = UserVerificationRequirement.REQUIRED if alone else UserVerificationRequirement.DISCOURAGED
    asked = webauthn.generate_authentication_options(
        rp_id=party.host, challenge=challenge, timeout=_milliseconds(), user_verification=wish
    )
    return options_to_json_dict(asked)


def credential_id(credential: Credential) -> bytes | None:
    """What the device knows the key by; None when it is unreadable."""
    return _bytes(credential, "rawId")


def challenge_of(credential: Credential) -> bytes | None:
    """The challenge that this answers; None when it is unreadable."""
    try:
        return parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"])).challenge
    except Exception:  # noqa: BLE001 - strangers write it, and a parser gives up in many ways
        return None


def made(credential: Credential, challenge: bytes, party: Party) -> Made | None:
    """The passkey that was made for this challenge; None when anything about it is not as it must be."""
    try:
        return _made(credential, challenge, party)
    except Exception:  # noqa: BLE001 - as above
        return None


def answered(
    credential: Credential, challenge: bytes, public_key: bytes, party: Party, *, alone: bool
) -> Answer | None:
    """What the device says that answers this challenge with this key; None when anything is not as it must be."""
    try:
        return _answered(credential, challenge, public_key, party, alone=alone)
    except Exception:  # noqa: BLE001 - as above
        return None


def user_handle(credential: Credential) -> bytes | None:
    """What the device knows the account by; None when it does not say so, or is unreadable."""
    return _bytes(credential["response"], "userHandle")


def _made(credential: Credential, challenge: bytes, party: Party) -> Made:
    written = base64url_to_bytes(credential["response"]["attestationObject"])
    webauthn_parsing.check_object(written)
    attestation = parse_cbor(written)
    webauthn_parsing.check_authenticator_data(attestation["authData"])
    # Asked for no attestation, a browser sends none, or lets a device sign with the very key that it made (§5.4.7).
    if attestation["fmt"] not in {"none", "packed"} or "x5c" in attestation["attStmt"]:
        raise ValueError("an attestation that nobody asked for")
    _refuse_frames(credential)
    seen = webauthn.verify_registration_response(
        credential=dict(credential),
        expected_challenge=challenge,
        expected_rp_id=party.host,
        expected_origin=sorted(party.origins),
        supported_pub_key_algs=ALGORITHMS,
    )
    _refuse_odd_key(seen.credential_public_key)
    if len(seen.credential_id) > CREDENTIAL_ID_MAX or seen.credential_id != credential_id(credential):
        raise ValueError("a credential id that is too long, or another one")
    return Made(seen.credential_id, seen.credential_public_key, seen.sign_count, seen.credential_backed_up)


def _answered(credential: Credential, challenge: bytes, public_key: bytes, party: Party, *, alone: bool) -> Answer:
    webauthn_parsing.check_authenticator_data(base64url_to_bytes(credential["response"]["authenticatorData"]))
    _refuse_frames(credential)
    seen = webauthn.verify_authentication_response(
        credential=dict(credential),
        expected_challenge=challenge,
        expected_rp_id=party.host,
        expected_origin=sorted(party.origins),
        credential_public_key=public_key,
        credential_current_sign_count=0,  # ours to judge, once the signature is known to be right
        require_user_verification=alone,
    )
    return Answer(seen.new_sign_count, seen.credential_backed_up)


def _refuse_frames(credential: Credential) -> None:
    """Raise ValueError when it was shown inside of another site's page (§5.8.1, crossOrigin)."""
    if parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"])).cross_origin:
        raise ValueError("shown in a frame")


def _refuse_odd_key(public_key: bytes) -> None:
    """Raise unless this is a key that can be used, of a kind that its algorithm goes with (§5.8.5)."""
    key = decode_credential_public_key(public_key)
    decoded_public_key_to_cryptography(key)
    match key:
        case DecodedEC2PublicKey(alg=Algorithm.ECDSA_SHA_256, crv=COSECRV.P256):
            return
        case DecodedOKPPublicKey(alg=Algorithm.EDDSA, crv=COSECRV.ED25519):
            return
        case DecodedRSAPublicKey(alg=Algorithm.RSASSA_PKCS1_v1_5_SHA_256, n=modulus) if len(modulus) in RSA_BYTES:
            return
    raise ValueError("a key that its algorithm does not go with")


def _bytes(members: Mapping[str, Any], name: str) -> bytes | None:
    written = members.get(name)
    try:
        return base64url_to_bytes(written) if written else None
    except ValueError:
        return None


def _is_at(host: str, party: str) -> bool:
    return host == party or host.endswith(f".{party}")


def _milliseconds() -> int:
    return int(LASTS.total_seconds() * 1000)
