"""Letters: who gets one, when, and what is in it."""

import asyncio
from datetime import UTC, datetime, time
from typing import Any

import pytest
from sqlalchemy import text

from forum.http.services import Services
from forum.notifications import letters
from forum.notifications.inbox import NotificationKind, notify, notify_each
from forum.notifications.letter_times import LetterMode
from tests.support import make
from tests.support.scenes import sql

NOON = datetime(2026, 7, 1, 11, tzinfo=UTC)


async def chooses(services: Services, handle: str, mode: LetterMode, **more: Any) -> None:
    """A member who chose this."""
    about = {"at": time(10), "zone": "Europe/London", **more}
    async with services.database.work() as session:
        [member] = await session.execute(text("SELECT id FROM member WHERE handle = :handle"), {"handle": handle})
        session.add(letters.LetterChoice(member_id=member.id, mode=mode, **about))


async def due(services: Services) -> dict[str, datetime]:
    rows = await sql(services, "SELECT handle, due_at FROM mail_due JOIN member ON member.id = member_id")
    return {row.handle: row.due_at for row in rows}


async def test_a_letter_is_due_to_whoever_chose_one(services: Services) -> None:
    told = {}
    for handle, mode in {"off": LetterMode.OFF, "daily": LetterMode.DAILY, "soon": LetterMode.SOON}.items():
        told[handle] = await make.member(services, f"{handle}-heron")
        await chooses(services, f"{handle}-heron", mode)
    await make.member(services, "never-asked")
    await make.member(services, "stopped")
    await chooses(services, "stopped", LetterMode.SOON, stopped_at=NOON)
    members = [row.id for row in await sql(services, "SELECT id FROM member")]
    async with services.database.work() as session:
        await letters.mark_due(session, members, NOON)
        await letters.mark_due(session, members, NOON.replace(minute=30))
    assert await due(services) == {
        "daily-heron": datetime(2026, 7, 2, 9, tzinfo=UTC),
        "soon-heron": datetime(2026, 7, 1, 11, 10, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    ("kind", "is_due"),
    [
        (NotificationKind.POST_PUBLISHED, True),
        (NotificationKind.RULES_CHANGED, True),
        (NotificationKind.CASE_URGENT, False),
        (NotificationKind.TALK_ANSWERED, False),
    ],
)
async def test_what_members_are_told_makes_one_due_and_what_staff_are_told_does_not(
    services: Services, kind: NotificationKind, is_due: bool
) -> None:
    for handle in ("one", "many"):
        await make.member(services, handle)
        await chooses(services, handle, LetterMode.SOON)
    one, many = [(await make.viewer(services, handle)).member_id for handle in ("one", "many")]
    async with services.database.work() as session:
        await notify(session, one, kind, NOON)
        await notify_each(session, [many], kind, NOON)
    assert set(await due(services)) == ({"one", "many"} if is_due else set())


async def test_nobody_is_told_while_their_letter_is_being_made_without_getting_another(services: Services) -> None:
    """The job takes the row; what is told meanwhile inserts it again."""
    await make.member(services, "heron")
    await chooses(services, "heron", LetterMode.SOON)
    heron = (await make.viewer(services, "heron")).member_id
    async with services.database.work() as session:
        await letters.mark_due(session, [heron], NOON)

    async def tell() -> None:
        async with services.database.work() as session:
            await letters.mark_due(session, [heron], NOON.replace(hour=12))

    async with services.database.work() as job:
        await job.execute(text("SELECT 1 FROM mail_due FOR UPDATE SKIP LOCKED"))
        await job.execute(text("DELETE FROM mail_due"))
        telling = asyncio.create_task(tell())
        await asyncio.wait([telling], timeout=0.2)
        assert not telling.done()
    await telling
    assert await due(services) == {"heron": datetime(2026, 7, 1, 12, 10, tzinfo=UTC)}
