"""Announcements: who writes them, who reads them, and that they end."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from forum.content import announcements
from forum.core import clock
from forum.core.errors import Conflict
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import clean_up
from tests.support.scenes import API, sql
from tests.web.support import form, text_of

CLOSED = "We are closed on Monday.\nRing 116 123 if it cannot wait."


def wanted(**changes: Any) -> dict[str, Any]:
    return {"text": CLOSED, "until": (clock.now() + timedelta(days=2)).isoformat()} | changes


async def test_what_an_administrator_announces_everybody_reads_until_it_ends(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan, make.client(app) as guest:
        headers = {"Idempotency-Key": "one"}
        said = wanted()
        first, again = [await joan.post(f"{API}/announcements", json=said, headers=headers) for _ in range(2)]
        assert first.status_code == again.status_code == 201, first.text
        assert first.json() == again.json()
        assert [item["text"] for item in (await guest.get(f"{API}/announcements")).json()["items"]] == [CLOSED]
        for page in ("/", "/boards/new-here"):
            assert CLOSED in text_of((await guest.get(page)).text)
        assert (await joan.delete(first.headers["Location"])).status_code == 204
        gone = await joan.delete(first.headers["Location"])
        assert gone.json()["code"] == "announcement_not_found"
        assert CLOSED not in text_of((await guest.get("/")).text)
        sent_again = await joan.post(f"{API}/announcements", json=said, headers=headers)
        assert sent_again.json()["code"] == "announcement_not_found"
    acts = await sql(services, "SELECT act FROM audit_entry WHERE act LIKE 'announcement.%' ORDER BY number")
    assert [row.act for row in acts] == ["announcement.written", "announcement.ended"]


async def test_an_announcement_that_has_ended_is_not_read_and_then_deleted(services: Services) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    joan = await make.viewer(services, "joan")
    ends = clock.now() + timedelta(hours=1)
    async with make.work(services) as work:
        await announcements.announce(work, joan, announcements.AnnouncementDraft(CLOSED, ends))
    reader = services.database.reader
    assert await announcements.list_announcements(reader, ends - timedelta(seconds=1))
    assert not await announcements.list_announcements(reader, ends)
    async with services.database.work() as session:
        await clean_up(session, ends)
    assert not await sql(services, "SELECT * FROM announcement")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": " "}, "blank"),
        ({"text": "x" * 501}, "too_long"),
        ({"until": "2020-01-01T00:00:00Z"}, "time_not_in_future"),
        ({"until": "2999-01-01T00:00:00Z"}, "time_too_far"),
        ({"until": "2999-01-01"}, "time_without_zone"),
    ],
)
async def test_what_cannot_be_announced_says_why(app: FastAPI, changes: dict[str, str], code: str) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        refused = await joan.post(f"{API}/announcements", json=wanted(**changes))
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["code"] == code


async def test_more_than_five_at_once_nobody_would_read(services: Services) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    joan = await make.viewer(services, "joan")
    draft = announcements.AnnouncementDraft(CLOSED, clock.now() + timedelta(days=1))
    async with make.work(services) as work:
        for _ in range(announcements.MOST):
            await announcements.announce(work, joan, draft)
        with pytest.raises(Conflict):
            await announcements.announce(work, joan, draft)


@pytest.mark.parametrize("role", [None, Role.ADVISER, Role.MODERATOR, Role.SAFEGUARDING_LEAD])
async def test_only_administrators_announce(app: FastAPI, role: Role | None) -> None:
    async with make.signed_in(app, "heron", *([role] if role else [])) as heron:
        assert (await heron.post(f"{API}/announcements", json=wanted())).status_code == 403
        assert (await heron.get("/admin/announcements")).status_code == 403


async def test_an_administrator_writes_on_the_page_until_the_end_of_a_day(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        page = await joan.get("/admin/announcements")
        for day, why in (
            ("", "Write something here first"),
            ("Monday", "year, month"),
            ("2020-02-02", "still to come"),
        ):
            refused = await form(joan, page, "/admin/announcements", text=CLOSED, until=day)
            assert refused.status_code == 422
            assert why in text_of(refused.text)
            assert CLOSED in text_of(refused.text)
        tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
        sent = await form(joan, refused, "/admin/announcements", text=CLOSED, until=tomorrow)
        assert sent.headers["Location"] == "/admin/announcements?done=announced", text_of(sent.text)
        [row] = await sql(services, "SELECT id, until AT TIME ZONE 'Europe/London' AS ends FROM announcement")
        assert row.ends.isoformat().endswith("T00:00:00")
        ended = await form(joan, await joan.get("/admin/announcements"), f"/admin/announcements/{row.id}/end")
        assert ended.headers["Location"] == "/admin/announcements?done=announcement-ended"
