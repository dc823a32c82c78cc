"""Somebody wants a mail when something is new, and then none any more: one tap in the mail, and a scanner before it."""

import email
import re
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.notifications import letter_jobs
from forum.notifications.inbox import NotificationKind, notify
from tests.support import mailbox, make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API

QUIET = {"zone": "Europe/London", "quiet": None}
WORDS = "Nobody at the school may know that they live with me"


async def came(services: Services, hours: float) -> list[EmailMessage]:
    """What has come so many hours from now."""
    at = clock.now() + timedelta(hours=hours)
    async with services.database.work() as session:
        await letter_jobs.send_due(session, {}, at)
    await mailbox.send(services, at)
    files = sorted((services.settings.data / "mailbox").glob("*.eml"))
    return [_read(file) for file in files]


def _read(file: Path) -> EmailMessage:
    message = email.message_from_bytes(file.read_bytes(), policy=default)
    file.unlink()
    assert isinstance(message, EmailMessage)
    return message


async def something_happens(services: Services, handle: str) -> None:
    """A post of theirs that waited for a moderator is there."""
    thread = await make.thread(services, handle, title="School", body=WORDS)
    member = (await make.viewer(services, handle)).member_id
    post = await make.post(services, handle, thread, WORDS)
    async with services.database.work() as session:
        await notify(session, member, NotificationKind.POST_PUBLISHED, clock.now(), post_id=post.id)


async def test_one_click_from_a_mail(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        # Heron never said that she wants mails: none comes.
        await something_happens(services, "heron")
        assert await came(services, hours=48) == []

        # She wants one soon. It comes, and says nothing of what there is.
        assert (await heron.put(f"{API}/me/mails", json={"mode": "soon", **QUIET})).status_code == 204
        await something_happens(services, "heron")
        [letter] = await came(services, hours=1)
        said = letter.as_string().lower()
        assert not [word for word in ("school", "heron ", services.settings.name.lower()) if word in said]
        assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        off = re.fullmatch(r"<http://127\.0\.0\.1:8000(/unsubscribe/[\w-]{22})>", letter["List-Unsubscribe"])
        assert off is not None

        # A program that looks for viruses follows every link, twice, also with HEAD: nothing happens.
        for method in ("GET", "HEAD", "GET"):
            await guest.request(method, off[1])
        await run_due_jobs(services, clock.now())
        assert (await heron.get(f"{API}/me/mails")).json()["mode"] == "soon"

        # Heron taps "unsubscribe" in her mail program, whose server sends this.
        sent = {
            "content": "List-Unsubscribe=One-Click",
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        }
        assert (await guest.post(off[1], **sent)).status_code == 200
        await run_due_jobs(services, clock.now())
        assert (await heron.get(f"{API}/me/mails")).json()["mode"] == "off"

        # No more mails of that kind come. What tells of a change of her password does.
        await something_happens(services, "heron")
        assert await came(services, hours=72) == []
        changed = {"current": make.PASSWORD, "new": "seven quiet bitterns in a reed"}
        assert (await heron.put(f"{API}/me/password", json=changed)).status_code == 204
        [warning] = await came(services, hours=72)
        assert "password" in mailbox.words(warning)
        assert warning["List-Unsubscribe"] is None
        assert "/unsubscribe/" not in mailbox.words(warning)
