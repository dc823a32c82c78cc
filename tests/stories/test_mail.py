"""Mails through a real server while the worker is killed again and again: none is lost, and few come twice."""

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import func, select, text
from sqlmodel import col

from forum.core import clock
from forum.http.services import Services
from forum.mail import outbox
from forum.mail.tables import Mail, MailKind
from forum.members import names
from forum.members.tables import Member
from tests.forum.mail.test_outbox import SENDER, PostOffice, smtp_server
from tests.support.running import FAMILY, launch, until

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)  # a failure shows when the worker was killed

KILLS = int(os.environ.get("FORUM_TEST_KILLS", "4"))
MAILS = 50 * KILLS
# What a worker had taken: which job, whose mail, and which worker it was.
TAKEN = """
SELECT job.id, job.queue_manager_id, mail.email
FROM jobs.queue AS job JOIN mail ON CAST(mail.id AS text) = convert_from(job.payload, 'UTF8')::jsonb ->> 'mail'
WHERE job.status = 'picked'
"""


async def test_no_mail_is_lost_and_each_comes_at_most_once_more_than_a_worker_fell_that_had_it(
    app: FastAPI, services: Services, database_url: str, tmp_path: Path
) -> None:
    office, crashes = PostOffice(), set[tuple[object, ...]]()
    await _put_down(services, MAILS)
    async with smtp_server(office) as port:
        ways = {
            "FORUM_DATABASE_URL": database_url,
            "FORUM_SMTP_URL": f"smtp://127.0.0.1:{port}?tls=off",
            "FORUM_MAIL_FROM": SENDER,
        }
        for number in range(KILLS):
            enough = len(office.came) + random.randrange(MAILS // (KILLS + 1))  # some are left for each
            said = tmp_path / f"{number}.log"
            async with worker(said, **ways):
                assert await until(lambda enough=enough: len(office.came) > enough), said.read_text()
                await asyncio.sleep(random.uniform(0, 0.05))
            crashes |= await _taken(services)
            await _half_a_minute_later(services)
            log.info("killed after %d mails; %d wait, %d of them taken", len(office.came), *await _left(services))
        left, _ = await _left(services)
        assert left > 0  # or the last one fell for nothing
        async with worker(tmp_path / "last.log", **ways), asyncio.timeout(300):
            while (await _left(services))[0]:  # noqa: ASYNC110 (the worker makes it so)
                await asyncio.sleep(0.1)
    came = Counter(envelope.rcpt_tos[0] for envelope in office.came)
    assert set(came) == {f"heron{number}@example.org" for number in range(MAILS)}
    fell = Counter(email for *_, email in crashes)
    assert not {email for email, times in came.items() if times > 1 + fell[email]}
    log.info("%d mails came, %d of them once more, after %d kills", MAILS, len(office.came) - MAILS, KILLS)


@asynccontextmanager
async def worker(said: Path, **environment: str) -> AsyncIterator[None]:
    """A worker alone, which is killed when the block ends."""
    process = launch(said, "worker", **{"FORUM_LOG_LEVEL": "WARNING", FAMILY: said.stem, **environment})
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def _put_down(services: Services, mails: int) -> None:
    """A mail each for so many members."""
    now = clock.now()
    async with services.database.work() as session:
        for handle in (f"heron{number}" for number in range(mails)):
            known = {"handle": handle, "skeleton": names.skeleton(handle), "email": f"{handle}@example.org"}
            member = Member(**known, name=handle, name_skeleton=names.skeleton(handle), password_hash="", joined_at=now)
            session.add(member)
            await session.flush()
            await outbox.enqueue(session, MailKind.VERIFY_ADDRESS, now, member_id=member.id, email=member.email)


async def _taken(services: Services) -> set[tuple[object, ...]]:
    async with services.database.work() as session:
        return {tuple(row) for row in await session.execute(text(TAKEN))}


async def _left(services: Services) -> tuple[int, int]:
    """How many mails are not sent yet, and how many of these a worker has taken."""
    async with services.database.work() as session:
        waiting = (await session.execute(select(func.count(col(Mail.id))))).scalar_one()
    return waiting, len(await _taken(services))


async def _half_a_minute_later(services: Services) -> None:
    """Let those who took what is left have given no sign of life for so long that others take it over."""
    async with services.database.work() as session:
        await session.execute(text("UPDATE jobs.queue SET heartbeat = heartbeat - interval '30 seconds'"))
