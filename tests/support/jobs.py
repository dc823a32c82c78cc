"""What the worker does afterwards, in the test's own process and at the time that the test says."""

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum import worker
from forum.core import jobs
from forum.core.database import Database
from forum.core.jobs import Errand, Payload
from forum.features import handlers_of, make_cleaner, sweeps_of
from forum.http.services import Services
from forum.privacy import account_deletion, lost_mailboxes

DUE = text(
    f"SELECT id, entrypoint, payload FROM {jobs.SETTINGS.qualified.queue_table} "
    "WHERE execute_after <= :now AND entrypoint <> ALL (:but) ORDER BY execute_after, id LIMIT 1"
)
DONE = text(f"DELETE FROM {jobs.SETTINGS.qualified.queue_table} WHERE id = :id")


async def run_due_jobs(services: Services, now: datetime, *, but: Collection[str] = ("send_mail",)) -> list[str]:
    """Do what is due, what comes of it too, each in a transaction of its own; their names. Mails are `mailbox`'s."""
    known = handlers_of(worker.FEATURES, services.settings)
    handlers = {job.name: handler for job, handler in known.items()}
    done = []
    await sweep(services, now)
    while True:
        async with services.database.work() as session:
            due = (await session.execute(DUE, {"now": now, "but": list(but)})).one_or_none()
            if due is None:
                break
            handler = handlers[due.entrypoint]
            if callable(handler):
                await handler(session, json.loads(due.payload), now)
            await session.execute(DONE, {"id": due.id})
        if not callable(handler):
            await run_errand(services.database, handler, json.loads(due.payload), now)
        done.append(due.entrypoint)
    await sweep(services, now)
    return done


async def sweep(services: Services, now: datetime) -> None:
    """Do what a worker looks for every second."""
    for one in sweeps_of(worker.FEATURES):
        has_more = True
        while has_more:
            async with services.database.work() as session:
                has_more = await one.do(session, now)


async def run_errand(database: Database, errand: Errand, payload: Payload, now: datetime) -> None:
    """Do all three steps of an errand."""
    async with database.work() as session:
        prepared = await errand.prepare(session, payload, now)
    if prepared is not None:
        outcome = await errand.go(prepared)
        async with database.work() as session:
            await errand.settle(session, prepared, outcome, now)


async def run_hourly_jobs(services: Services, now: datetime) -> list[str]:
    """What the clock has done every hour, and what comes of it."""
    async with services.database.work() as session:
        await account_deletion.run_due_deletions(session, {}, now)
        await lost_mailboxes.replace_due(session, {}, now)
    return await run_due_jobs(services, now)


async def clean_up(session: AsyncSession, now: datetime) -> None:
    """Delete what has expired by then, in every feature."""
    await make_cleaner(worker.FEATURES)(session, {}, now)
