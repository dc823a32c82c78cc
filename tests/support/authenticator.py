"""A device that keeps passkeys, and the browser before it, as far as a site can tell them from real ones."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

ES256, EDDSA, RS256 = -7, -8, -257
PRESENT, VERIFIED, CAN_BE_BACKED_UP, BACKED_UP = 0x01, 0x04, 0x08, 0x10
ATTESTED, EXTENDED = 0x40, 0x80

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def written(plain: bytes) -> str:
    """Bytes as browsers write them in JSON."""
    return urlsafe_b64encode(plain).rstrip(b"=").decode()


def read(text: str) -> bytes:
    """The bytes that were written so."""
    return urlsafe_b64decode(text + "==")


@dataclass
class Passkey:
    """A key pair, for one account of one site."""

    id: bytes
    key: Key
    algorithm: int
    user_handle: bytes
    count: int = 0


@dataclass
class Device:
    """A phone or a security key. `counts` of most is False: they say 0 each time."""

    algorithm: int = ES256
    counts: bool = False
    origin: str = "https://forum.test"
    passkeys: list[Passkey] = field(default_factory=list)

    def create(self, options: Mapping[str, Any], *, flags: int = PRESENT | VERIFIED, **odd: Any) -> dict[str, Any]:
        """What `navigator.credentials.create()` gives for these options; `odd` is what this device gets wrong."""
        assert self.algorithm in {kind["alg"] for kind in options["pubKeyCredParams"]}
        known = {read(one["id"]) for one in options["excludeCredentials"]}
        assert not known & {mine.id for mine in self.passkeys}, "a browser says that it is there already"
        made = Passkey(secrets.token_bytes(16), new_key(self.algorithm), self.algorithm, read(options["user"]["id"]))
        self.passkeys.append(made)
        key = odd.get("public_key", cbor2.dumps(public_half(made.key)))
        credential = odd.get("credential_id", made.id)
        attested = bytes(16) + len(credential).to_bytes(2, "big") + credential + key + odd.get("after", b"")
        data = authenticator_data(odd.get("rp_id", options["rp"]["id"]), flags | ATTESTED, made.count) + attested
        client_data = self._client_data("webauthn.create", options["challenge"], odd)
        statement = odd.get("statement", {})
        if odd.get("attests"):  # with the key itself (§8.2)
            itself = signature(made.key, data + hashlib.sha256(read(client_data)).digest())
            statement = {"alg": made.algorithm, "sig": itself}
        attestation = {"fmt": odd.get("fmt", "none"), "attStmt": statement, "authData": data}
        response = {
            "clientDataJSON": client_data,
            "attestationObject": written(odd.get("attestation", cbor2.dumps(attestation))),
            "transports": ["internal", "hybrid"],
            "authenticatorData": written(data),
            "publicKeyAlgorithm": self.algorithm,
        }
        return given(made, response)

    def get(self, options: Mapping[str, Any], *, flags: int | None = None, **odd: Any) -> dict[str, Any]:
        """What `navigator.credentials.get()` gives for these options, of the newest passkey."""
        mine: Passkey = odd.get("passkey", self.passkeys[-1])
        mine.count += self.counts
        wished = PRESENT if options["userVerification"] == "discouraged" else PRESENT | VERIFIED
        data = authenticator_data(
            odd.get("rp_id", options["rpId"]), wished if flags is None else flags, odd.get("count", mine.count)
        ) + odd.get("after", b"")
        client_data = self._client_data("webauthn.get", options["challenge"], odd)
        signed = data + hashlib.sha256(read(client_data)).digest()
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": written(data),
            "signature": written(signature(odd.get("key", mine.key), signed)),
            "userHandle": written(odd.get("user_handle", mine.user_handle)),
        }
        return given(mine, response)

    def _client_data(self, kind: str, challenge: str, odd: Mapping[str, Any]) -> str:
        said = {
            "type": odd.get("type", kind),
            "challenge": odd.get("challenge", challenge),
            "origin": odd.get("origin", self.origin),
            "crossOrigin": odd.get("cross_origin", False),
        }
        return written(odd.get("client_data", json.dumps(said).encode()))


def given(passkey: Passkey, response: Mapping[str, Any]) -> dict[str, Any]:
    """A PublicKeyCredential as its `toJSON()` writes it."""
    return {
        "id": written(passkey.id),
        "rawId": written(passkey.id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {"credProps": {"rk": True}},
        "response": response,
    }


def authenticator_data(rp_id: str, flags: int, count: int) -> bytes:
    """WebAuthn level 3, §6.1."""
    return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")


def new_key(algorithm: int) -> Key:
    """A private key."""
    if algorithm == ES256:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def public_half(key: Key) -> dict[int, Any]:
    """The public key in COSE (RFC 9053 §7, RFC 8230 §4)."""
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        at = public.public_numbers()
        return {1: 2, 3: ES256, -1: 1, -2: at.x.to_bytes(32, "big"), -3: at.y.to_bytes(32, "big")}
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {1: 1, 3: EDDSA, -1: 6, -2: public.public_bytes_raw()}
    numbers = public.public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    return {1: 3, 3: RS256, -1: modulus, -2: numbers.e.to_bytes(3, "big")}


def signature(key: Key, data: bytes) -> bytes:
    """WebAuthn level 3, §6.5.5."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
