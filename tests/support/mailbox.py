"""The mails that a forum in the test's own process sends, as those who get them see them."""

import email
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from sqlalchemy import select
from sqlmodel import col

from forum import worker
from forum.core import clock
from forum.features import handlers_of
from forum.http.services import Services
from forum.mail import outbox
from forum.mail.outbox import MailSender
from forum.mail.tables import Mail
from tests.support.jobs import run_errand


@dataclass(frozen=True)
class Letter:
    """A mail that came."""

    to: str
    subject: str
    words: str

    @property
    def token(self) -> str:
        """What follows the `#` of its link."""
        return self.words.partition("#")[2].split()[0]


def read(content: bytes) -> EmailMessage:
    """A mail as a mail program understands it."""
    understood = email.message_from_bytes(content, policy=default)
    assert isinstance(understood, EmailMessage)
    return understood


def words(message: EmailMessage) -> str:
    """All that it says, in both ways."""
    return "".join(part.get_content() for part in message.iter_parts())


async def come(services: Services, now: datetime | None = None) -> list[Letter]:
    """Send what waits to be sent, and take it out of the mailbox."""
    await send(services, now)
    return sorted(map(_taken, (services.settings.data / "mailbox").glob("*.eml")), key=lambda letter: letter.to)


async def send(services: Services, now: datetime | None = None) -> None:
    """Send what waits to be sent."""
    sender = handlers_of(worker.FEATURES, services.settings)[outbox.SEND]
    assert isinstance(sender, MailSender)
    async with services.database.work() as session:
        waiting = (await session.execute(select(col(Mail.id)).order_by(col(Mail.id)))).scalars().all()
    for mail in waiting:
        await run_errand(services.database, sender, {"mail": str(mail)}, now or clock.now())


def _taken(file: Path) -> Letter:
    message = read(file.read_bytes())
    file.unlink()
    return Letter(message["To"], message["Subject"], words(message))
