"""Advisers are told once a day that threads wait too long, and administrators when it is twice as long."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from sqlalchemy import select, update
from sqlmodel import col

from forum.advising import lateness
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Member, Role
from forum.notifications.inbox import Notification
from tests.support import make
from tests.support.jobs import run_due_jobs


async def test_who_is_told_that_threads_wait_too_long(app: FastAPI, services: Services) -> None:
    await make.board(services)
    for handle, roles in (("heron", ()), ("suzie", (Role.ADVISER,)), ("joan", (Role.ADMINISTRATOR,))):
        await make.member(services, handle, *roles)
    today = clock.now().astimezone(ZoneInfo("Europe/London"))
    # A Monday that has been, at half past nine.
    monday = (today - timedelta(days=today.weekday() + 7)).replace(hour=9, minute=30).astimezone(UTC)
    await make.thread(services, "heron", at=monday - timedelta(days=3))

    async def told(at: datetime) -> list[tuple[str, str]]:
        async with services.database.work() as session:
            await lateness.make_late_finder(services.settings)(session, {}, at)
        await run_due_jobs(services, clock.now())
        async with services.database.work() as session:
            rows = select(col(Member.handle), col(Notification.kind)).join(
                Notification, col(Notification.member_id) == col(Member.id)
            )
            return sorted((row.handle, row.kind) for row in (await session.execute(rows)).all())

    late, very_late = ("suzie", "answers_late"), ("joan", "answers_very_late")
    wednesday = monday + timedelta(days=2)
    assert await told(monday) == []  # written on Friday: one working day
    assert await told(wednesday - timedelta(hours=1)) == []  # before nine
    assert await told(wednesday + timedelta(hours=3)) == [late]  # the worker was away at nine
    assert await told(monday + timedelta(days=3)) == [late]  # they have not read it
    assert await told(monday + timedelta(days=5)) == [late]  # nobody is told on a Saturday
    async with services.database.work() as session:
        await session.execute(update(Notification).values(read_at=clock.now()))
    assert await told(monday + timedelta(days=3, hours=1)) == [late]  # once a day
    assert await told(monday + timedelta(days=4)) == [very_late, late, late]
