"""WebAuthn (level 3, §7): what a browser is asked to do to make or to show a passkey, and whether its answer is right.

Somebody else may look at the phone. A device always shows the host; it learns neither the pseudonym nor the forum's
name. The account is called "Account", at the domain of the forum's mails, as in an authenticator app. Its user handle
is 64 random bytes that are used nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
from forum.authentication.second_factor.relying_party import (
    LIFETIME,
    AssertionResult,
    CreatedCredential,
    Credential,
    Party,
)

LABEL = "Account"
# What WebAuthn level 3, §5.4, asks a site to take: EdDSA, ES256 and RS256.
ALGORITHMS = [Algorithm.EDDSA, Algorithm.ECDSA_SHA_256, Algorithm.RSASSA_PKCS1_v1_5_SHA_256]
RSA_BYTES = range(2048 // 8, 4096 // 8 + 1)
CREDENTIAL_ID_MAX = 1023  # bytes (WebAuthn level 3, §4, credential ID)


def creation_options(party: Party, challenge: bytes, user_handle: bytes, known: Sequence[bytes]) -> dict[str, Any]:
    """Return what `PublicKeyCredential.parseCreationOptionsFromJSON` takes.

    Devices that have one of the `known` passkeys make no other.
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
    """Return what `PublicKeyCredential.parseRequestOptionsFromJSON` takes.

    A passkey that is used `alone`, without a password, needs a fingerprint, a face or a PIN too. No passkey is named:
    that would tell who has an account.
    """
    verification = UserVerificationRequirement.REQUIRED if alone else UserVerificationRequirement.DISCOURAGED
    asked = webauthn.generate_authentication_options(
        rp_id=party.host, challenge=challenge, timeout=_milliseconds(), user_verification=verification
    )
    return options_to_json_dict(asked)


def credential_id(credential: Credential) -> bytes | None:
    """Return the credential id that the device sends; None when it is unreadable."""
    return _bytes(credential, "rawId")


def challenge_of(credential: Credential) -> bytes | None:
    """Return the challenge that this answers; None when it is unreadable."""
    try:
        return parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"])).challenge
    except Exception:  # noqa: BLE001 - strangers write it, and a parser fails in many ways
        return None


def verify_creation(credential: Credential, challenge: bytes, party: Party) -> CreatedCredential | None:
    """Return the passkey that was made for this challenge; None when anything about it is wrong."""
    try:
        return _verify_creation(credential, challenge, party)
    except Exception:  # noqa: BLE001 - as above
        return None


def verify_assertion(
    credential: Credential, challenge: bytes, public_key: bytes, party: Party, *, alone: bool
) -> AssertionResult | None:
    """Return what the device says that answers this challenge with this key; None when anything is wrong."""
    try:
        return _verify_assertion(credential, challenge, public_key, party, alone=alone)
    except Exception:  # noqa: BLE001 - as above
        return None


def user_handle(credential: Credential) -> bytes | None:
    """Return the user handle that the device sends; None when there is none, or it is unreadable."""
    return _bytes(credential["response"], "userHandle")


def _verify_creation(credential: Credential, challenge: bytes, party: Party) -> CreatedCredential:
    attestation_object = base64url_to_bytes(credential["response"]["attestationObject"])
    webauthn_parsing.check_object(attestation_object)
    attestation = parse_cbor(attestation_object)
    webauthn_parsing.check_authenticator_data(attestation["authData"])
    # Asked for no attestation, a browser sends none, or lets a device sign with the very key that it made (§5.4.7).
    if attestation["fmt"] not in {"none", "packed"} or "x5c" in attestation["attStmt"]:
        raise ValueError("an attestation that nobody asked for")
    verified = webauthn.verify_registration_response(
        **_expected(credential, challenge, party), supported_pub_key_algs=ALGORITHMS
    )
    _refuse_odd_key(verified.credential_public_key)
    if len(verified.credential_id) > CREDENTIAL_ID_MAX or verified.credential_id != credential_id(credential):
        raise ValueError("a credential id that is too long, or another one")
    return CreatedCredential(
        verified.credential_id, verified.credential_public_key, verified.sign_count, verified.credential_backed_up
    )


def _verify_assertion(
    credential: Credential, challenge: bytes, public_key: bytes, party: Party, *, alone: bool
) -> AssertionResult:
    webauthn_parsing.check_authenticator_data(base64url_to_bytes(credential["response"]["authenticatorData"]))
    verified = webauthn.verify_authentication_response(
        **_expected(credential, challenge, party),
        credential_public_key=public_key,
        credential_current_sign_count=0,  # ours to judge, once the signature is known to be right
        require_user_verification=alone,
    )
    return AssertionResult(verified.new_sign_count, verified.credential_backed_up)


def _expected(credential: Credential, challenge: bytes, party: Party) -> dict[str, Any]:
    """Return what both verifications check: that it answers this challenge, here.

    Raises ValueError when it was made inside another site's page (§5.8.1, crossOrigin).
    """
    if parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"])).cross_origin:
        raise ValueError("shown in a frame")
    return {
        "credential": dict(credential),
        "expected_challenge": challenge,
        "expected_rp_id": party.host,
        "expected_origin": sorted(party.origins),
    }


def _refuse_odd_key(public_key: bytes) -> None:
    """Raise ValueError unless this is a usable key of the type that its algorithm needs (§5.8.5)."""
    key = decode_credential_public_key(public_key)
    decoded_public_key_to_cryptography(key)
    match key:
        case DecodedEC2PublicKey(alg=Algorithm.ECDSA_SHA_256, crv=COSECRV.P256):
            return
        case DecodedOKPPublicKey(alg=Algorithm.EDDSA, crv=COSECRV.ED25519):
            return
        case DecodedRSAPublicKey(alg=Algorithm.RSASSA_PKCS1_v1_5_SHA_256, n=modulus) if len(modulus) in RSA_BYTES:
            return
    raise ValueError("a key of the wrong type for its algorithm")


def _bytes(members: Mapping[str, Any], name: str) -> bytes | None:
    encoded = members.get(name)
    try:
        return base64url_to_bytes(encoded) if encoded else None
    except ValueError:
        return None


def _milliseconds() -> int:
    return int(LIFETIME.total_seconds() * 1000)
