"""What a forum still lacks is said until it is there, over HTTP and on the command line."""

from datetime import time, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.administration import setup
from forum.core import clock, milestones
from forum.core.milestones import MilestoneKind
from forum.core.weekly_hours import Weekday
from forum.http.services import Services
from forum.members.tables import Role, Standing
from moderation import on_call
from moderation.on_call import ShiftWish
from tests.support import make

API = "/api/v1"


async def gaps(client: httpx.AsyncClient) -> list[tuple[str, str | None]]:
    answer = await client.get(f"{API}/administration/setup")
    assert answer.status_code == 200, answer.text
    return [(gap["code"], gap["board"]) for gap in answer.json()["items"]]


async def with_a_second_factor(services: Services, *handles: str) -> None:
    """Let these members have an authenticator app, as rows: without one their roles would not count."""
    async with services.database.work() as session:
        app = "INSERT INTO totp (member_id, secret, since, last_step) SELECT id, 'ABC', now(), 1 FROM member"
        await session.execute(text(f"{app} WHERE handle = ANY(:handles)"), {"handles": list(handles)})


async def test_a_forum_says_what_it_lacks_until_it_is_there(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        missing = ("mail_to_folder", "no_outside_contact", "no_mail_sent", "no_backup")
        operation = [(code, None) for code in missing]
        alone = [("no_second_administrator", None), ("no_second_safeguarding_lead", None)]
        assert await gaps(joan) == [("no_board", None), *alone, *operation]
        await make.board(services)
        lacking = await gaps(joan)
        assert lacking[:6] == [
            ("no_moderator", "new-here"),
            *alone,
            ("no_adviser", None),
            ("nobody_on_call", None),
            ("board_without_help", "new-here"),
        ]
        help_text = {"version": 1, "help_markdown": "Ring 999"}
        assert (await joan.patch(f"{API}/administration/boards/new-here", json=help_text)).status_code == 200
        async with (
            make.signed_in(app, "suzie", Role.MODERATOR),
            make.signed_in(app, "ada", Role.ADMINISTRATOR),
            make.signed_in(app, "orla", Role.ADVISER),
        ):
            assert await gaps(joan) == lacking[:5] + operation
            await with_a_second_factor(services, "joan", "suzie", "ada", "orla")
            assert await gaps(joan) == [alone[1], ("nobody_on_call", None), *operation]
            for handle in ("priya", "bea"):
                await make.member(services, handle, Role.SAFEGUARDING_LEAD)
            await with_a_second_factor(services, "priya", "bea")
            assert await gaps(joan) == [("nobody_on_call", None), *operation]
            async with make.work(services) as work:
                wish = ShiftWish("suzie", None, [Weekday.MONDAY], time(9), time(17))
                await on_call.add_shift(work, await make.viewer(services, "joan"), wish)
            assert await gaps(joan) == operation
        async with services.database.work() as session:
            await milestones.reach_first(session, MilestoneKind.MAIL_SENT, clock.now())
            await milestones.reach(session, MilestoneKind.BACKUP_MADE, clock.now() - timedelta(days=8))
        assert await gaps(joan) == [*operation[:2], ("backup_old", None)]


async def test_who_cannot_act_is_nobody(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan, make.signed_in(app, "suzie", Role.MODERATOR):
        await with_a_second_factor(services, "suzie")
        assert ("no_moderator", "new-here") not in await gaps(joan)
        await make.sanction(services, "suzie", Standing.SUSPENDED)
        assert ("no_moderator", "new-here") in await gaps(joan)


async def test_an_archived_board_and_a_staff_room_lack_nothing(app: FastAPI, services: Services) -> None:
    await make.board(services, readers=("adviser",), advised=False)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        assert [code for code, board in await gaps(joan) if board] == ["no_moderator"]
        await joan.put(f"{API}/administration/boards/new-here/archive")
        assert [code for code, board in await gaps(joan) if board] == []


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADVISER, None])
async def test_only_administrators_see_what_is_missing(app: FastAPI, role: Role | None) -> None:
    async with make.signed_in(app, "suzie", *([role] if role else [])) as suzie:
        assert (await suzie.get(f"{API}/administration/setup")).status_code == 403


async def test_the_command_line_finds_the_same(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan, make.work(services, gate=services.gate) as work:
        assert [(gap.code, gap.board) for gap in await setup.find_gaps(work)] == await gaps(joan)
