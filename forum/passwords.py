"""Passwords: hashed with argon2id off the event loop, old boards' hashes still understood."""

import asyncio
import base64
import hashlib
import hmac
import re
from concurrent.futures import ThreadPoolExecutor

import bcrypt
from passlib.context import CryptContext
from zxcvbn import zxcvbn

from forum.errors import Invalid

MEMBER_MIN, STAFF_MIN, LONGEST = 10, 15, 256  # NIST SP 800-63B-4 §3.1.1: 15 where it is the only factor
STRONG_ENOUGH = 3  # of zxcvbn's 0 to 4: "safely unguessable"
# Of a longer one, its beginning must be strong: zxcvbn refuses more than 72 characters, and one that is made to
# look like many words at once keeps it busy for 0.4 seconds at 32, for 2.3 at 72.
SCORED = 32

# OWASP's second recommended setting: 19 MiB, two passes, one lane.
_context = CryptContext(
    schemes=["argon2", "bcrypt", "phpass"],
    deprecated=["bcrypt", "phpass"],
    argon2__type="ID",
    argon2__memory_cost=19 * 1024,
    argon2__time_cost=2,
    argon2__parallelism=1,
)
_WORDPRESS = "$wp"  # WordPress 6.8: bcrypt over an HMAC, behind this prefix
_PHPASS = ("$P$", "$H$")  # WordPress before that, phpBB 3.0: a fifteenth of argon2's work
_BCRYPT, _BCRYPT_READS = "$2", 72  # PHP's bcrypt took longer passwords and read this many bytes; ours refuses them
_PHP_TRIMS = " \t\n\r\0\x0b"

# One thread: hashing yields the interpreter lock, and a burst of sign-ins must not take every core.
_hashing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")


def measure(password: str, *, staff: bool, pointer: str) -> None:
    """Raise Invalid at `pointer` when it is too short (10 characters, 15 for staff) or longer than 256."""
    shortest = STAFF_MIN if staff else MEMBER_MIN
    if not shortest <= len(password) <= LONGEST:
        raise Invalid(f"A password has {shortest} to {LONGEST} characters; a short sentence is a good one.", pointer)


async def hash_new(password: str, *, about: tuple[str, ...], staff: bool = False, pointer: str) -> str:
    """The hash to keep for a new password; it waits its turn, so call it where no transaction waits with it.

    `about` are words a guesser would try first (handle, name, e-mail). Raises Invalid at `pointer`
    when it is too short, too long, or easily guessed.
    """
    measure(password, staff=staff, pointer=pointer)
    return await asyncio.get_running_loop().run_in_executor(_hashing, _judged_hash, password, about, pointer)


async def check(password: str, kept: str | None) -> tuple[bool, str | None]:
    """Whether `password` is the one behind the hash `kept`, and a new hash to keep if that one is of an old kind.

    With `kept` None (no such account), or no hash at all (an account without a password), it takes the same
    time and is false.
    """
    return await asyncio.get_running_loop().run_in_executor(_hashing, _check, password, kept)


def _judged_hash(password: str, about: tuple[str, ...], pointer: str) -> str:
    verdict = zxcvbn(password[:SCORED], user_inputs=sorted({word[:SCORED] for text in about for word in _words(text)}))
    if verdict["score"] < STRONG_ENOUGH:
        why = verdict["feedback"]["warning"] or "It follows a pattern that is tried early."
        raise Invalid(f"This password is too easily guessed. {why} Three or four unrelated words do well.", pointer)
    return str(_context.hash(password))


def _words(text: str) -> list[str]:
    """A text, its parts, and what is left of it without what parts them: "Su Zie", "Su", "Zie", "SuZie"."""
    parts = re.split(r"[\W_]+", text)
    return [word for word in (text, text.partition("@")[0], "".join(parts), *parts) if word]


def _check(password: str, kept: str | None) -> tuple[bool, str | None]:
    kept = kept or ""
    try:
        right = _is_right(password, kept)
    except ValueError:  # not a hash that we know
        right, kept = False, ""
    if not kept or (not right and kept.startswith(_PHPASS)):
        # A quick answer would tell that nobody has this login, or that they came from an old board.
        _context.dummy_verify()
    is_old = right and (kept.startswith(_WORDPRESS) or _context.needs_update(kept))
    return right, str(_context.hash(password)) if is_old else None


def _is_right(password: str, kept: str) -> bool:
    """Whether it is the password behind this hash; ValueError when it is no hash."""
    secret = password.encode()
    if kept.startswith(_WORDPRESS):
        digest = hmac.new(b"wp-sha384", password.strip(_PHP_TRIMS).encode(), hashlib.sha384).digest()
        return bcrypt.checkpw(base64.b64encode(digest), kept.removeprefix(_WORDPRESS).encode())
    return bool(_context.verify(secret[:_BCRYPT_READS] if kept.startswith(_BCRYPT) else secret, kept))
