"""Passwords: hashed with argon2id off the event loop, old boards' hashes still understood."""

import asyncio
import base64
import hashlib
import hmac
import html
import re
import time
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import bcrypt
from passlib.context import CryptContext
from passlib.hash import phpass
from zxcvbn import zxcvbn

from forum.core.errors import Invalid, Overloaded
from forum.passwords.breached_passwords import BreachedPasswords
from forum.passwords.common_passwords import is_common

MEMBER_MIN, STAFF_MIN, LONGEST = 10, 15, 256  # NIST SP 800-63B-4 §3.1.1: 15 where it is the only factor
BETTER = "Three or four unrelated words do well."
STRONG_ENOUGH = 3  # of zxcvbn's 0 to 4: "safely unguessable"
# Of a longer one, its beginning must be strong: zxcvbn refuses more than 72 characters, and one that is made to
# look like many words at once keeps it busy for 0.4 seconds at 32, for 2.3 at 72.
SCORED = 32
# Seconds after which a wrong password is told, whatever the work: longer than the costliest hash of an old board takes
# (0.3 on an ordinary machine), so that time tells neither an account nor where it came from. Nobody computes meanwhile.
FAILED_AFTER = 0.5

# OWASP's second recommended setting: 19 MiB, two passes, one lane.
_context = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=19 * 1024,
    argon2__time_cost=2,
    argon2__parallelism=1,
)

# One thread: hashing yields the interpreter lock, and a burst of sign-ins must not take every core.
_hashing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
# Each takes about 30 ms: whoever is let in waits for a few seconds at most, also while somebody floods the door.
WAITING_AT_MOST = 100


Result = TypeVar("Result")


class _Turns:
    """Whose turn it is with the one thread that hashes."""

    def __init__(self) -> None:
        self.waiting = 0

    async def take(self, work: Callable[..., Result], *about: Any) -> Result:
        """What `work` gives, in its turn; Overloaded when too many wait already."""
        if self.waiting >= WAITING_AT_MOST:
            raise Overloaded("Too many are signing in at this moment. Nothing was changed; please send it again.")
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(_hashing, work, *about)
        finally:
            self.waiting -= 1


_turns = _Turns()


def measure(password: str, *, staff: bool, pointer: str) -> None:
    """Raise Invalid at `pointer` when it is too short (10 characters, 15 for staff) or longer than 256."""
    shortest = STAFF_MIN if staff else MEMBER_MIN
    if not shortest <= len(password) <= LONGEST:
        raise Invalid(f"A password has {shortest} to {LONGEST} characters; a short sentence is a good one.", pointer)


async def hash_new(
    password: str,
    *,
    about: tuple[str, ...],
    staff: bool = False,
    breaches: BreachedPasswords | None = None,
    pointer: str,
) -> str:
    """The hash to keep for a new password; it waits its turn, so call it where no transaction waits with it.

    `about` are words a guesser would try first (handle, name, e-mail), `breaches` knows passwords that were stolen.
    Raises Invalid at `pointer` when it is too short, too long, easily guessed, or stolen.
    """
    measure(password, staff=staff, pointer=pointer)
    hashed = await _turns.take(_judged_hash, password, about, pointer)
    if breaches and await breaches.know(password):
        raise Invalid(
            f"This password is in a list of stolen ones, which are tried. You did nothing wrong: somebody, somewhere, "
            f"chose the same. Please take another, and change it wherever you use it. {BETTER}",
            pointer,
        )
    return hashed


async def hash_made(secret: str) -> str:
    """The hash to keep for a secret that we made ourselves, which nobody needs to judge; it waits its turn too."""
    return await _turns.take(lambda: str(_context.hash(secret)))


async def check(password: str, kept: str | None) -> tuple[bool, str | None]:
    """Whether `password` is the one behind the hash `kept`, and a new hash to keep if that one is of an old kind.

    With `kept` None (no such account), or no hash at all (an account without a password), it takes the same
    time as any wrong password and is false.
    """
    found = await _turns.take(_check, password, kept or "")
    if not found.right:
        await asyncio.sleep(found.told_at - time.monotonic())
    return found.right, found.renewed


def _judged_hash(password: str, about: tuple[str, ...], pointer: str) -> str:
    if is_common(password):
        raise Invalid(
            f"This password is too easily guessed: it is one of those that are tried first. {BETTER}", pointer
        )
    verdict = zxcvbn(password[:SCORED], user_inputs=sorted({word[:SCORED] for text in about for word in _words(text)}))
    if verdict["score"] < STRONG_ENOUGH:
        why = verdict["feedback"]["warning"] or "It follows a pattern that is tried early."
        raise Invalid(f"This password is too easily guessed. {why} {BETTER}", pointer)
    return str(_context.hash(password))


def _words(text: str) -> list[str]:
    """A text, its parts, and what is left of it without what parts them: "Su Zie", "Su", "Zie", "SuZie"."""
    parts = re.split(r"[\W_]+", text)
    return [word for word in (text, text.partition("@")[0], "".join(parts), *parts) if word]


# Old boards' hashes


@dataclass(frozen=True)
class _Kind:
    """A way to keep passwords: how its hashes look, up to the cost that a board may have chosen (what asks for more is
    no hash to us and is never computed), what was hashed of what people typed, and how to compare."""

    pattern: re.Pattern[str]
    hashed_of: Callable[[str], Iterable[str]]
    is_behind: Callable[[bytes, str], bool]
    quick: bool = False  # far less work than ours

    def opens(self, password: str, kept: str) -> bool:
        """Whether it is the password behind this hash; TypeError or ValueError when it is no hash."""
        return any(self.is_behind(text.encode(), kept) for text in self.hashed_of(password))


def _typed(password: str) -> Iterable[str]:
    yield password


def _phpbb(password: str) -> Iterable[str]:
    """phpBB's `type_cast_helper::set_var`: as it would stand on a page."""
    text = re.sub("\r\n?", "\n", password).replace("\0", "").replace("\ufeff", "")
    yield unicodedata.normalize("NFC", html.escape(text, quote=False).replace('"', "&quot;"))


def _phpbb2(password: str) -> Iterable[str]:
    """Also the MD5 of it: phpBB 3 hashed what phpBB 2 had hashed."""
    for text in _phpbb(password):
        yield from (text, hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


def _wordpress(password: str) -> Iterable[str]:
    """WordPress' `wp_magic_quotes`, then the trim of `wp_authenticate`."""
    yield re.sub(r"""['"\\]""", r"\\\g<0>", password).replace("\0", "\\0").strip(" \t\n\r\0\x0b")


def _either_board(password: str) -> Iterable[str]:
    yield from (*_phpbb(password), *_wordpress(password))


def _argon2(secret: bytes, kept: str) -> bool:
    return bool(_context.verify(secret, kept))


def _bcrypt(secret: bytes, kept: str) -> bool:
    # PHP's took longer passwords and read 72 bytes of them; ours refuses them.
    return bcrypt.checkpw(secret[:72], kept.encode())


def _phpass(secret: bytes, kept: str) -> bool:
    return bool(phpass.verify(secret, kept))


def _md5(secret: bytes, kept: str) -> bool:
    return hmac.compare_digest(hashlib.md5(secret, usedforsecurity=False).hexdigest(), kept)


def _bcrypt_of_hmac(secret: bytes, kept: str) -> bool:
    digest = hmac.new(b"wp-sha384", secret, hashlib.sha384).digest()
    return _bcrypt(base64.b64encode(digest), kept.removeprefix("$wp"))


def _bcrypt_of_phpass(secret: bytes, kept: str) -> bool:
    """phpBB's `manager::check_combined_hash`: bcrypt of what is left of a phpass hash without its setting."""
    setting, cost_and_salt, digest = kept.split("$")[2:]
    inner = phpass.using(ident="H", rounds=_DIGITS.index(setting[0]), salt=setting[1:]).hash(secret)
    return _bcrypt(inner[-22:].encode(), "$2y$" + cost_and_salt.replace("\\", "$") + digest)


_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # phpass' own, where B is 2¹³ rounds
_PARTS = r"\$[A-Za-z\d+/]+\$[A-Za-z\d+/]+"  # argon2's own reader stops at a NUL, and does not say so
_OURS = _Kind(re.compile(rf"\$argon2id\$v=19\$m=19456,t=2,p=1{_PARTS}", re.ASCII), _typed, _argon2)
_KINDS = (
    _OURS,
    # phpBB 3.0 to 3.3
    _Kind(re.compile(r"\$H\$[5-9A-D][./\w]{30}", re.ASCII), _phpbb, _phpass, quick=True),
    _Kind(re.compile(r"\$2[aby]\$(0[4-9]|1[0-2])\$[./\w]{53}", re.ASCII), _phpbb, _bcrypt),
    _Kind(re.compile(rf"\$argon2id?\$v=19\$m=\d{{1,5}},t=[1-4],p=[1-4]{_PARTS}", re.ASCII), _phpbb, _argon2),
    _Kind(
        re.compile(r"\$H\\2y\$[5-9A-D][./\w]{8}\$(0[4-9]|1[01])\\[./\w]{22}\$[./\w]{31}", re.ASCII),
        _phpbb2,
        _bcrypt_of_phpass,
    ),
    # WordPress before 6.8, and since
    _Kind(re.compile(r"\$P\$[5-9A-D][./\w]{30}", re.ASCII), _wordpress, _phpass, quick=True),
    _Kind(re.compile(r"\$wp\$2y\$(0[4-9]|1[0-2])\$[./\w]{53}", re.ASCII), _wordpress, _bcrypt_of_hmac),
    # what either takes from somebody who wrote into its database by hand
    _Kind(re.compile(r"[0-9a-f]{32}"), _either_board, _md5, quick=True),
)


class _Checked(NamedTuple):
    """What became of a check, and when that may be told."""

    right: bool
    renewed: str | None
    told_at: float


def _check(password: str, kept: str) -> _Checked:
    began = time.monotonic()
    kind = next((kind for kind in _KINDS if kind.pattern.fullmatch(kept)), None)
    try:
        right = kind is not None and kind.opens(password, kept)
    except (TypeError, ValueError):  # it only looked like a hash
        right, kind = False, None
    if right:
        return _Checked(True, None if kind is _OURS else str(_context.hash(password)), began)
    if kind is None or kind.quick:
        _context.dummy_verify()  # for those who ask often at once, and time how long the next one waits
    # A hash that is none, or asks for too much work, is nobody's way in: there is nothing to hide.
    return _Checked(False, None, began if kind is None and kept.startswith("$") else began + FAILED_AFTER)
