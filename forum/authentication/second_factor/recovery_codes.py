"""Recovery codes: members write them down on paper; each works once."""

import re
import secrets
from dataclasses import dataclass

RECOVERY_CODES = 8
# Crockford's base32: no letter looks like a digit. Ten of them are 50 bits, hashed as passwords are (ASVS 5.0, 6.5.2).
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 10
_RECOVERY = re.compile(rf"([1-{RECOVERY_CODES}])([{_ALPHABET}]{{{_LENGTH}}})")


@dataclass(frozen=True)
class RecoveryCodeText:
    """A recovery code: its number and its secret part."""

    number: int
    secret: str

    def __str__(self) -> str:
        """Return it as it is written down: "3-k7wq2-9mzrt"."""
        return f"{self.number}-{self.secret[:5]}-{self.secret[5:]}"


def new_recovery_codes() -> list[RecoveryCodeText]:
    """Return a new set of recovery codes."""
    drawn = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(RECOVERY_CODES)]
    return [RecoveryCodeText(number, secret) for number, secret in enumerate(drawn, start=1)]


def parse_recovery_code(code: str) -> RecoveryCodeText | None:
    """Return the recovery code that somebody typed, in any spelling; None when it is none."""
    plain = re.sub(r"[\s-]", "", code).lower().translate(str.maketrans("oil", "011"))
    found = _RECOVERY.fullmatch(plain)
    return RecoveryCodeText(int(found[1]), found[2]) if found else None
