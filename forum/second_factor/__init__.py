"""The second factor: codes of an authenticator app, and recovery codes for the day on which the phone is gone."""

from forum.second_factor.changing import Enrolment, begin, confirm, is_set_up, remove, renew, reset, state
from forum.second_factor.codes import RECOVERY_CODES, current_code, qr_code
from forum.second_factor.showing import Recovery, recovery, take
from forum.second_factor.tables import RecoveryCode, Totp, has_one

__all__ = [
    "RECOVERY_CODES",
    "Enrolment",
    "Recovery",
    "RecoveryCode",
    "Totp",
    "begin",
    "confirm",
    "current_code",
    "has_one",
    "is_set_up",
    "qr_code",
    "recovery",
    "remove",
    "renew",
    "reset",
    "state",
    "take",
]
