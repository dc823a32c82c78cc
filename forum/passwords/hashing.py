"""Hash and verify passwords: argon2id, in a thread of its own beside the event loop."""

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from passlib.context import CryptContext

from forum.core.errors import Overloaded
from forum.passwords import policy
from forum.passwords.breached_passwords import BreachedPasswords
from forum.passwords.legacy_hashes import (
    ARGON2_SALT_AND_DIGEST,
    LEGACY_FORMATS,
    HashFormat,
    argon2_matches,
    as_typed,
    find_format,
    setting_of,
    wrapped_formats,
)

# Seconds until somebody learns that a password is wrong, whatever the work: longer than the costliest hash of an old
# board takes (0.3 on an ordinary machine), so that time tells neither whether there is an account nor which board it
# came from. Nothing is computed while they wait.
FAILED_AFTER = 0.5


class OwnHashes:
    """Our own hashes: argon2id, with the work that each takes: memory in KiB, passes over it, lanes."""

    def __init__(self, *, memory: int, passes: int, lanes: int) -> None:
        self._context = CryptContext(
            schemes=["argon2"],
            argon2__type="ID",
            argon2__memory_cost=memory,
            argon2__time_cost=passes,
            argon2__parallelism=lanes,
        )
        self.begin = f"$argon2id$v=19$m={memory},t={passes},p={lanes}$"
        pattern = re.escape(self.begin) + ARGON2_SALT_AND_DIGEST
        self.format = HashFormat(re.compile(pattern, re.ASCII), as_typed, argon2_matches)
        self.wrapped = wrapped_formats(pattern)
        self.formats = (self.format, *LEGACY_FORMATS, *self.wrapped)

    def make(self, secret: str) -> str:
        """Return a new hash of a secret."""
        return str(self._context.hash(secret))

    def work_in_vain(self) -> None:
        """Do the work of comparing with a hash, where there is none to compare with."""
        self._context.dummy_verify()


OWN_HASHES = OwnHashes(memory=19 * 1024, passes=2, lanes=1)  # OWASP's second recommended setting

# One thread: hashing releases the interpreter lock, and many sign-ins at once must not take every core.
HASHING_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
# Each takes about 30 ms: nobody in the queue waits for more than a few seconds, even under an attack.
WAITING_AT_MOST = 100

Result = TypeVar("Result")


class _Queue:
    """Everybody who waits for the one thread that hashes."""

    def __init__(self) -> None:
        self.waiting = 0

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Return what `work` returns, once it is its turn. Raises Overloaded when too many wait already."""
        if self.waiting >= WAITING_AT_MOST:
            raise Overloaded("Too many people are signing in at this moment. Nothing was changed. Please try again.")
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(HASHING_THREAD, work, *arguments)
        finally:
            self.waiting -= 1


_queue = _Queue()


async def hash_new_password(
    password: str,
    *,
    about: tuple[str, ...],
    pointer: str,
    staff: bool = False,
    breaches: BreachedPasswords | None = None,
) -> str:
    """Return the hash to store for a new password. It waits for its turn: call it outside of transactions.

    `about` are texts that a guesser would try first (handle, name, e-mail), `breaches` knows stolen passwords.
    Raises Invalid at `pointer` when the password is too short, too long, easily guessed or stolen, and Overloaded.
    """
    password = policy.normalise(password)
    policy.check_length(password, staff=staff, pointer=pointer)
    hashed = await _queue.run(_check_and_hash, password, about, pointer)
    await policy.check_not_stolen(password, breaches, pointer)
    return hashed


async def hash_secret(secret: str) -> str:
    """Return the hash to store for a secret that we made ourselves. Raises Overloaded."""
    return await _queue.run(OWN_HASHES.make, secret)


def is_known(stored: str) -> bool:
    """Return whether the password of a hash, from an old board or another forum like this one, opens an account."""
    return find_format(stored, OWN_HASHES.formats) is not None


def hash_to_store(stored: str) -> str | None:
    """Return what to store for a hash from an old board, so that its password opens the account here; None: it cannot.

    A quick one is hashed once more, for some 30 ms: who moves many people calls it in threads beside the event loop.
    """
    if find_format(stored, (OWN_HASHES.format, *OWN_HASHES.wrapped)):  # of another forum like this one
        return stored
    format_ = find_format(stored, LEGACY_FORMATS)
    if format_ is None or not format_.is_quick:
        return stored if format_ else None
    return f"$moved${setting_of(stored)}{OWN_HASHES.make(stored)}"


async def verify(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Return whether the hash is this password's, and a new hash to store when it is of an old board or of a spelling.

    Hashes are of passwords in NFC; those made before November 2026 are of what was typed, which is tried too.
    Where there is no account (None), or an account without a password, it takes as long as for any wrong password.
    Raises Overloaded.
    """
    checked = await _queue.run(_verify, password, stored or "")
    if not checked.is_right:
        await asyncio.sleep(checked.answer_at - time.monotonic())
    return checked.is_right, checked.new_hash


class _Checked(NamedTuple):
    """The result of a check, and when it may be told."""

    is_right: bool
    new_hash: str | None
    answer_at: float


def _check_and_hash(password: str, about: tuple[str, ...], pointer: str) -> str:
    policy.check_strength(password, about, pointer)
    return OWN_HASHES.make(password)


def _verify(password: str, stored: str) -> _Checked:
    began = time.monotonic()
    format_ = find_format(stored, OWN_HASHES.formats)
    spellings = list(dict.fromkeys([policy.normalise(password), password]))
    try:
        right = format_ and next((text for text in spellings if format_.verify(text, stored)), None)
    except (TypeError, ValueError):  # it only looked like a hash
        right, format_ = None, None
    if right is not None and format_ is not None:
        is_current = format_ is OWN_HASHES.format and right == spellings[0]
        return _Checked(True, None if is_current else OWN_HASHES.make(spellings[0]), began)
    if format_ is None or format_.is_quick:
        # Do the usual amount of work: an attacker can also time how long the next one in the queue waits.
        for _ in spellings:
            OWN_HASHES.work_in_vain()
    # Something that is no hash, or asks for too much work, lets nobody in: there is nothing to hide.
    return _Checked(False, None, began if format_ is None and stored.startswith("$") else began + FAILED_AFTER)
