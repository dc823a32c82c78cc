"""The second factor: passkeys, codes of an authenticator app, and recovery codes for the day on which both are gone."""

from forum.second_factor.ceremonies import Credential, Party
from forum.second_factor.changing import (
    Added,
    Enrolment,
    add_passkey,
    begin,
    confirm,
    remove,
    remove_app,
    remove_passkey,
    renew,
    reset,
)
from forum.second_factor.codes import RECOVERY_CODES, current_code, qr_code
from forum.second_factor.set_up import is_set_up, state
from forum.second_factor.showing import Factor, read, take
from forum.second_factor.tables import Passkey, PasskeyChallenge, Purpose, RecoveryCode, Totp, has_one

__all__ = [
    "RECOVERY_CODES",
    "Added",
    "Credential",
    "Enrolment",
    "Factor",
    "Party",
    "Passkey",
    "PasskeyChallenge",
    "Purpose",
    "RecoveryCode",
    "Totp",
    "add_passkey",
    "begin",
    "confirm",
    "current_code",
    "has_one",
    "is_set_up",
    "qr_code",
    "read",
    "remove",
    "remove_app",
    "remove_passkey",
    "renew",
    "reset",
    "state",
    "take",
]
