"""Deliver mail: to an SMTP server, or into a folder where none is configured."""

import asyncio
import os
import secrets
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from forum.core import clock
from forum.core.settings import Settings
from forum.mail.templates import LINE_MAX

IN_ANY_SCRIPT = SMTPUTF8.clone(max_line_length=LINE_MAX)
PATIENCE = 30  # seconds for each answer of the server
# Seconds for the answer to the words themselves. A server that has them may look through them for long; who gives up
# meanwhile sends them again, and their reader gets them at each try (RFC 5321, 4.5.3.2.6).
PATIENCE_AFTER_THE_WORDS = 600
TRANSPORT_ERRORS = (aiosmtplib.SMTPException, OSError)


class MailTransport(Protocol):
    """Delivers a mail, or raises one of TRANSPORT_ERRORS."""

    async def deliver(self, message: EmailMessage) -> None:
        """Send it."""

    def __str__(self) -> str:
        """Where it goes."""


def choose_transport(settings: Settings) -> MailTransport:
    """Return the transport that the settings name: without an SMTP server, the folder `mailbox` below FORUM_DATA."""
    if settings.smtp_url:
        return Smtp(settings.smtp_url, settings.mail_from)
    return LocalMailbox(settings.data / "mailbox")


class Smtp:
    """An SMTP server: `smtps://` is TLS from the first byte; `smtp://` requires STARTTLS, unless `?tls=off` is set."""

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self._options: dict[str, Any] = {
            "hostname": parts.hostname,
            "port": parts.port,
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "use_tls": parts.scheme == "smtps",
            "start_tls": parts.scheme == "smtp" and "off" not in parse_qs(parts.query).get("tls", ()),
            "local_hostname": sender.partition("@")[2],  # or the library would reveal this machine's name
            "timeout": PATIENCE,
        }

    def __str__(self) -> str:
        return f"the mail server {self._options['hostname']}"

    async def deliver(self, message: EmailMessage) -> None:
        """Send it."""
        async with _Client(**self._options) as client:
            await client.send_message(message)


class _Client(aiosmtplib.SMTP):
    """A client that gives a server that has the words of a mail enough time to take them."""

    async def data(self, message: str | bytes, /, **_options: Any) -> aiosmtplib.SMTPResponse:
        """Send the words, and wait for whether they are taken."""
        return await super().data(message, timeout=PATIENCE_AFTER_THE_WORDS)


class LocalMailbox:
    """A folder in which each mail is a file that any mail program opens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def __str__(self) -> str:
        return f"the folder {self._folder}"

    async def deliver(self, message: EmailMessage) -> None:
        """Write it to the folder, readable by this user only."""
        await asyncio.to_thread(self._write, message, clock.now())

    def _write(self, message: EmailMessage, now: datetime) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = self._folder / f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.eml"
        half = whole.with_suffix(".part")  # renamed when complete: nobody reads half a mail
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(message.as_bytes(policy=IN_ANY_SCRIPT))
        half.rename(whole)
