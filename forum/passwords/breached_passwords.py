"""Passwords that were stolen elsewhere, looked up without revealing them (k-anonymity).

The service gets the first five of forty digits of a password's SHA-1. It answers with all stolen ones that begin so,
and some that are made up.
"""

import asyncio
import hashlib
import re

import structlog

from forum.core.http_client import HttpClient, HttpClientError
from forum.core.settings import Settings

PATIENCE = 3  # seconds; somebody waits for the answer
_PREFIX = 5  # hexadecimal digits that the service gets
_LINE = re.compile(r"[0-9A-F]{35}:\d{1,12}", re.ASCII)

log = structlog.get_logger()


class BreachedPasswords:
    """A service with the form of Have I Been Pwned's range API, version 3, at `url`.

    When it cannot be asked, nobody is refused: `failures` counts how often that happened in this process, and each
    time writes a line `breach_check_failed` to the log.
    """

    def __init__(self, url: str, http_client: HttpClient) -> None:
        self._url = url
        self._http_client = http_client
        self.failures = 0

    async def contain(self, password: str) -> bool:
        """Return whether the password was stolen at least once; False too when the service cannot be asked.

        It takes up to three seconds: call it outside of transactions.
        """
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            async with asyncio.timeout(PATIENCE):
                return digest[_PREFIX:] in await self._list_suffixes(digest[:_PREFIX])
        except (HttpClientError, TimeoutError, ValueError) as error:
            self.failures += 1
            log.warning("breach_check_failed", reason=type(error).__name__, failures=self.failures)
            return False

    async def _list_suffixes(self, prefix: str) -> set[str]:
        """Return the other 35 digits of each stolen password that begins so. Raises ValueError for another answer."""
        answer = await self._http_client.get(f"{self._url}/{prefix}", headers={"Add-Padding": "true"})
        if answer.status != 200:
            raise ValueError("not an answer")
        lines = answer.body.decode("ascii").upper().split()
        if not all(map(_LINE.fullmatch, lines)):
            raise ValueError("not a line")
        # Lines that are made up, to hide how many there are, have a count of 0.
        return {rest for rest, _, count in (line.partition(":") for line in lines) if int(count)}


def breached_passwords_of(settings: Settings) -> BreachedPasswords | None:
    """Return the service that the settings name, if they name one."""
    return BreachedPasswords(settings.breached_passwords_url, HttpClient()) if settings.breached_passwords_url else None
