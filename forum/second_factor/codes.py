"""Codes themselves: of an authenticator app by the clock, and those kept on paper."""

import io
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

import segno
from passlib.exc import TokenError
from passlib.totp import TOTP

PERIOD = 30  # seconds that a code is shown
SKEW = 30  # seconds that a phone's clock may be wrong: RFC 6238 §5.2 allows one step
RECOVERY_CODES = 8
# Crockford's base32: no letter looks like a digit. Ten of them are 50 bits, kept as passwords are (ASVS 5.0, 6.5.2).
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 10
_RECOVERY = re.compile(rf"([1-{RECOVERY_CODES}])([{_ALPHABET}]{{{_LENGTH}}})")


@dataclass(frozen=True)
class OnPaper:
    """A recovery code: its number, and what is secret of it."""

    number: int
    secret: str

    def __str__(self) -> str:
        """As it is written down: "3-k7wq2-9mzrt"."""
        return f"{self.number}-{self.secret[:5]}-{self.secret[5:]}"


def new_secret() -> str:
    """160 random bits in base32 (RFC 4226 §4, R6)."""
    return str(TOTP.new().base32_key)


def uri(secret: str, name: str) -> str:
    """What an authenticator app reads; `name` is what it shows beside the code."""
    return str(TOTP(key=secret).to_uri(label="Account", issuer=name))


def qr_code(uri: str) -> str:
    """The same as a picture to scan: an SVG that loads nothing."""
    picture = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(
        picture, kind="svg", xmldecl=False, omitsize=True, title="Scan this with your authenticator app"
    )
    return picture.getvalue().decode()


def step_of(secret: str, code: str, now: datetime, *, after: int = 0) -> int | None:
    """The step of the clock to which this code belongs; None when it is wrong, or of no later step than `after`."""
    if not re.fullmatch(r"\d{6}", plain := re.sub(r"[\s-]", "", code), re.ASCII):
        return None
    try:
        return int(TOTP(key=secret).match(plain, now, window=SKEW, last_counter=after).counter)
    except TokenError:
        return None


def current_code(secret: str, now: datetime) -> str:
    """The code that an authenticator app shows now."""
    return str(TOTP(key=secret).generate(now).token)


def new_on_paper() -> list[OnPaper]:
    """A set of recovery codes."""
    drawn = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(RECOVERY_CODES)]
    return [OnPaper(number, secret) for number, secret in enumerate(drawn, start=1)]


def on_paper(code: str) -> OnPaper | None:
    """The recovery code that somebody typed, however they did; None when it is none."""
    plain = re.sub(r"[\s-]", "", code).lower().translate(str.maketrans("oil", "011"))
    found = _RECOVERY.fullmatch(plain)
    return OnPaper(int(found[1]), found[2]) if found else None
