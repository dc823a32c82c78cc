"""Which passwords are refused: too short, too long, easily guessed, or stolen elsewhere."""

import re
import unicodedata
from typing import Any

from forum.core.errors import Invalid
from forum.passwords.breached_passwords import BreachedPasswords
from forum.passwords.common_passwords import is_common

MEMBER_MIN, STAFF_MIN, LONGEST = 10, 15, 256  # NIST SP 800-63B-4 §3.1.1: 15 where it is the only factor
BETTER = "Three or four unrelated words do well."
STRONG_ENOUGH = 3  # of zxcvbn's 0 to 4: "safely unguessable"
# Of a longer one, its beginning must be strong: zxcvbn refuses more than 72 characters, and one that is made to
# look like many words at once keeps it busy for 0.4 seconds at 32, for 2.3 at 72.
SCORED = 32


def normalise(password: str) -> str:
    """Return a password as it is judged and hashed: in NFC (RFC 8265 §4.2.2).

    One device sends "é" as one character, another as two. White space and case stay as they are.
    """
    return unicodedata.normalize("NFC", password)


def is_long_enough_for_staff(password: str) -> bool:
    """Return whether a password is as long as staff's must be."""
    return len(normalise(password)) >= STAFF_MIN


def check_length(password: str, *, staff: bool, pointer: str) -> None:
    """Return when the length is right: 10 to 256 characters, for staff at least 15. Raises Invalid at `pointer`."""
    shortest, length = STAFF_MIN if staff else MEMBER_MIN, len(normalise(password))
    if not shortest <= length <= LONGEST:
        raise Invalid(
            f"A password has {shortest} to {LONGEST} characters. A short sentence is a good one.",
            pointer,
            code="password_too_short" if length < shortest else "password_too_long",
        )


def check_strength(password: str, about: tuple[str, ...], pointer: str) -> None:
    """Return when the password is hard to guess. Raises Invalid at `pointer`. It takes up to 0.4 seconds of work.

    `about` are texts that a guesser would try first: handle, name, e-mail address.
    """
    if is_common(password):
        raise Invalid(
            f"This password is too easily guessed: it is one of those that attackers try first. {BETTER}",
            pointer,
            code="password_too_common",
        )
    result = _estimate(
        password[:SCORED], user_inputs=sorted({word[:SCORED] for text in about for word in _words(text)})
    )
    if result["score"] < STRONG_ENOUGH:
        why = result["feedback"]["warning"] or "It follows a pattern that attackers try early."
        raise Invalid(f"This password is too easily guessed. {why} {BETTER}", pointer, code="password_too_weak")


async def check_not_stolen(password: str, breaches: BreachedPasswords | None, pointer: str) -> None:
    """Return when the password is on no list of stolen ones, or the list cannot be asked. Raises Invalid at `pointer`.

    It takes up to three seconds: call it outside of transactions.
    """
    if breaches and await breaches.contain(password):
        raise Invalid(
            "This password is on a list of stolen passwords, which attackers try. You did nothing wrong: somebody "
            f"else chose the same one. Please choose another, and change it wherever you use it. {BETTER}",
            pointer,
            code="password_stolen",
        )


def _words(text: str) -> list[str]:
    """Return a text, its parts, and the text without separators: "Su Zie", "Su", "Zie", "SuZie"."""
    parts = re.split(r"[\W_]+", text)
    return [word for word in (text, text.partition("@")[0], "".join(parts), *parts) if word]


def _estimate(password: str, user_inputs: list[str]) -> dict[str, Any]:
    from zxcvbn import zxcvbn  # noqa: PLC0415 - its lists take 15 MB: only where somebody chooses a password

    result: dict[str, Any] = zxcvbn(password, user_inputs=user_inputs)
    return result
