"""A worker is killed while it is about to call somebody to a cry for help: another one calls."""

import asyncio
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import text

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation import cases
from tests.stories.test_mail import worker
from tests.support import make
from tests.support.scenes import API, sql

CRY = {"title": "I cannot sleep", "body_markdown": "I've taken the tablets."}
WITHIN = 60  # seconds from the commit to the call, once a worker lives


async def test_who_is_on_call_is_called_though_the_worker_was_killed(
    app: FastAPI, services: Services, database_url: str, tmp_path: Path
) -> None:
    await make.board(services)
    taken = f"SELECT 1 FROM jobs.queue WHERE status = 'picked' AND entrypoint = '{cases.ALERT.name}'"
    called = "SELECT how, at FROM case_call"
    async with make.signed_in(app, "suzie", Role.MODERATOR), make.signed_in(app, "wren") as wren:
        assert (await wren.post(f"{API}/boards/new-here/threads", json=CRY)).status_code == 201
        [alarm] = await sql(services, "SELECT id FROM moderation_case")
        async with services.database.work() as session:  # the worker waits for the case when it is killed
            await session.execute(text("SELECT 1 FROM moderation_case WHERE id = :id FOR UPDATE"), {"id": alarm.id})
            async with worker(tmp_path / "first.log", FORUM_DATABASE_URL=database_url):
                assert await until_row(services, taken), (tmp_path / "first.log").read_text()
        assert await sql(services, called) == []
        await sql(services, "UPDATE jobs.queue SET heartbeat = heartbeat - interval '30 seconds' RETURNING 1")
        began = clock.now()
        async with worker(tmp_path / "second.log", FORUM_DATABASE_URL=database_url):
            assert await until_row(services, called), (tmp_path / "second.log").read_text()
        [call] = await sql(services, called)
        assert call.how == "mail"
        assert (call.at - began).total_seconds() < WITHIN
        assert [row.kind for row in await sql(services, "SELECT kind FROM notification")] == ["case_urgent"]


async def until_row(services: Services, statement: str) -> bool:
    """Wait until a statement finds something."""
    async with asyncio.timeout(WITHIN):
        while not await sql(services, statement):  # noqa: ASYNC110 (the worker makes it so)
            await asyncio.sleep(0.1)
    return True
