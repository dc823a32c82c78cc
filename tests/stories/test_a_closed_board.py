"""A night on a board that is closed until Monday: a cry at three, what the morning finds, and what the shifts say."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, PUBLISH
from tests.web.support import form, text_of

CRY = "I want to kill myself tonight. Nobody is here."
WRITE = "/boards/new-here/new"


def coming(weekday: int, hour: int) -> datetime:
    """The first such hour in London that is more than a day ahead."""
    day = clock.now().astimezone(ZoneInfo("Europe/London")).date() + timedelta(days=2)
    day += timedelta(days=(weekday - day.weekday()) % 7)
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo("Europe/London"))


async def asks(client: httpx.AsyncClient, title: str, words: str) -> httpx.Response:
    page = await client.get(WRITE)
    return await form(client, page, WRITE, title=title, body_markdown=words, do="send")


async def test_alone_at_three_until_the_board_opens(
    app: FastAPI, services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = coming(6, 3)  # a Sunday: the board opens on Monday
    morning = coming(6, 0) + timedelta(days=1, hours=9, minutes=1)
    await scenes.house_rules(services)
    await make.board(services)
    await make.hours(services, "hold_all", in_days=(morning.date() - clock.now().date()).days)

    monkeypatch.setattr(clock, "now", lambda: night)
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "magpie") as magpie:
        async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
            before = text_of((await wren.get(WRITE)).text)
            assert "This board is closed now." in before
            assert "What you write now waits until then: a moderator reads it first." in before
            assert (await asks(magpie, "Which form?", "Is it the C100?")).status_code == 303
            sent = await asks(wren, "Three in the morning", CRY)
            said = text_of((await wren.get(sent.headers["Location"])).text)
            assert said.index("Samaritans") < said.index("Nobody is promised to be reading here")
            assert "This board opens again" in said
            assert (await guest.get(f"{API}/boards/new-here/threads")).json()["items"] == []
            # Nobody is on call: everybody who may decide it is called at once, though the board is closed.
            await run_due_jobs(services, night)
            told = (await suzie.get(f"{API}/me/notifications")).json()["items"]
            assert "case_urgent" in [one["kind"] for one in told]
            note = "Wren wrote at three. I have rung the Samaritans for advice; please write to her first."
            page = await suzie.get("/moderation/handover?board=new-here")
            left = await form(suzie, page, "/moderation/handover", text=note)
            assert left.status_code == 303

        monkeypatch.setattr(clock, "now", lambda: morning)
        async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
            assert "Somebody looks after this board now" in text_of((await orla.get("/boards/new-here")).text)
            assert note in text_of((await orla.get("/moderation/handover?board=new-here")).text)
            waiting = (await orla.get(f"{API}/moderation/cases?waiting=true&board=new-here")).json()["items"]
            assert [case["thread_title"] for case in waiting] == ["Which form?", "Three in the morning"]
            assert [case["is_heavy"] for case in waiting] == [False, True]
            for case in waiting:
                whole = (await orla.get(f"{API}/moderation/cases/{case['id']}")).json()
                done = await scenes.decide(orla, whole, PUBLISH, rules=[])
                assert done.status_code == 201, done.text
            assert (await orla.get(f"{API}/moderation/cases?waiting=true")).json()["items"] == []
            [shift] = (await orla.get(f"{API}/moderation/own-safety")).json()["shifts"]
            assert shift["heavy"] == 1
        assert len((await guest.get(f"{API}/boards/new-here/threads")).json()["items"]) == 2
        # By day, what is written appears at once.
        opened = {"title": "Thank you", "body_markdown": "For last night."}
        answer = await magpie.post(f"{API}/boards/new-here/threads", json=opened)
        assert answer.json()["first_post"]["visibility"] == "visible"
