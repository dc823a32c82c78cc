"""Codes of an authenticator app (TOTP, RFC 6238)."""

import base64
import hmac
import io
import re
from datetime import datetime
from typing import Any

import segno
from passlib.exc import TokenError

STEP, DIGITS = 30, 6  # seconds; as every app has them
SKEW = 30  # seconds that a phone's clock may be wrong: RFC 6238 §5.2 allows one step


def new_secret() -> str:
    """Return 160 random bits in base32 (RFC 4226 §4, R6)."""
    return str(_totp().new().base32_key)


def uri(secret: str, name: str) -> str:
    """Return the address that an authenticator app opens; `name` is what it shows beside the code."""
    return str(_totp()(key=secret).to_uri(label="Account", issuer=name))


def qr_code(uri: str, title: str = "Scan this with your authenticator app") -> str:
    """Return the same as a picture to scan: an SVG that loads nothing; `title` says to screen readers what it is."""
    picture = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(picture, kind="svg", xmldecl=False, omitsize=True, title=title)
    return picture.getvalue().decode()


def step_of(secret: str, code: str, now: datetime, *, after: int = 0) -> int | None:
    """Return the time step of this code; None when it is wrong, or not of a later step than `after`."""
    if not re.fullmatch(r"\d{6}", plain := re.sub(r"[\s-]", "", code), re.ASCII):
        return None
    try:
        return int(_totp()(key=secret).match(plain, now, window=SKEW, last_counter=after).counter)
    except TokenError:
        return None


def current_code(secret: str, now: datetime) -> str:
    """Return the code that an authenticator app shows now (RFC 4226 §5.3, RFC 6238 §4.2).

    Not by the library: the demonstration prints codes when it starts, and would have the library in memory ever after.
    """
    step = int(now.timestamp()) // STEP
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8), "sha1")
    start = digest[-1] & 0xF
    number = int.from_bytes(digest[start : start + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def _totp() -> Any:
    from passlib.totp import TOTP  # noqa: PLC0415 - with what it loads 7 MB, for staff who sign in

    return TOTP
