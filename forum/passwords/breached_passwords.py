"""Passwords that were stolen somewhere else, asked for without telling which: a service gets the first five of forty
digits of a password's SHA-1 and answers with all that begin so, among others that are made up (k-anonymity)."""

import asyncio
import hashlib
import re

import structlog

from forum.core.http_client import HttpClient, HttpClientError
from forum.core.settings import Settings

PATIENCE = 3  # seconds; somebody waits for the answer
_TOLD = 5  # hexadecimal digits
_LINE = re.compile(r"[0-9A-F]{35}:\d{1,12}", re.ASCII)

log = structlog.get_logger()


class BreachedPasswords:
    """A service with the form of Have I Been Pwned's range API, version 3, at `url`.

    Whoever cannot be asked refuses nobody: `failures` counts how often that was so in this process, and each is a
    line `breach_check_failed` in the log.
    """

    def __init__(self, url: str, outbound: HttpClient) -> None:
        self._url = url
        self._outbound = outbound
        self.failures = 0

    async def know(self, password: str) -> bool:
        """Whether it was stolen at least once; False too when the service does not say. It takes up to three seconds,
        so ask where no transaction waits."""
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            async with asyncio.timeout(PATIENCE):
                return digest[_TOLD:] in await self._that_begin(digest[:_TOLD])
        except (HttpClientError, TimeoutError, ValueError) as error:
            self.failures += 1
            log.warning("breach_check_failed", reason=type(error).__name__, failures=self.failures)
            return False

    async def _that_begin(self, digits: str) -> set[str]:
        """How the digests of stolen passwords go on; ValueError when this is no such answer."""
        answer = await self._outbound.get(f"{self._url}/{digits}", headers={"Add-Padding": "true"})
        if answer.status != 200:
            raise ValueError("not an answer")
        lines = answer.body.decode("ascii").upper().split()
        if not all(map(_LINE.fullmatch, lines)):
            raise ValueError("not a line")
        # What is made up, so that nobody sees how many there are, has a count of nought.
        return {rest for rest, _, count in (line.partition(":") for line in lines) if int(count)}


def breached_passwords_of(settings: Settings) -> BreachedPasswords | None:
    """The service that the settings name, if they do."""
    return BreachedPasswords(settings.breached_passwords_url, HttpClient()) if settings.breached_passwords_url else None
