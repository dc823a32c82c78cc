"""Whatever ends the forum, and whenever: no process is left behind, and nobody's acknowledged words are lost."""

import asyncio
import json
import logging
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from forum import demo
from forum.core import embedded_postgres
from forum.demo.keys import find_keys
from tests.support import make
from tests.support.running import Company, Forum, Talk, beside, company, read_whole, started, until

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)  # a failure shows when its forum was killed

KILLS = int(os.environ.get("FORUM_TEST_KILLS", "5"))
MEMBERS = 8

# A life of five kills on one data folder: at which moment, and with how many processes that answer.
FOUNDING, AT_WORK, RECOVERING = "founding", "at work", "recovering"
LIFE = ((FOUNDING, 1), (AT_WORK, 1), (AT_WORK, 2), (RECOVERING, 2), (AT_WORK, 1))

Stop = Callable[[Forum], None]


def terminate(forum: Forum) -> None:
    """What a supervisor does; some tell every process of the group."""
    os.killpg(forum.process.pid, signal.SIGTERM)


def press_ctrl_c(forum: Forum) -> None:
    """What a terminal does: every process of the group is told."""
    os.killpg(forum.process.pid, signal.SIGINT)


WAYS_TO_STOP = [terminate, press_ctrl_c]


# Killed


async def test_killed_at_any_moment_it_leaves_no_process_and_keeps_every_acknowledged_post(tmp_path: Path) -> None:
    for first in range(0, KILLS, len(LIFE)):
        folder = tmp_path / str(first)
        folder.mkdir()
        talk, there = Talk(), None
        for moment, workers in LIFE[: KILLS - first]:
            async with started(folder, "serve", "--workers", workers) as forum:
                if moment == AT_WORK:
                    await forum.ready()
                    there = await _same_company(forum, talk, there)
                    async with talk.going_on(forum, there):
                        await _some_seconds(0.1, 1.5)
                        forum.process.kill()
                else:
                    await _some_seconds(0.5, 3)
                    forum.process.kill()
                gone = await forum.gone()
            log.info("killed %s, workers: %d; no process %.2f s later", moment, workers, gone)
        async with started(folder, "serve", "--no-worker") as forum:
            log.info("ready again after %.2f s, %d posts acknowledged", await forum.ready(), len(talk.acknowledged))
            await _same_company(forum, talk, there)


async def _same_company(forum: Forum, talk: Talk, there: Company | None) -> Company:
    """Those who talked before the kill, and find their words again."""
    if there is None:
        async with beside(forum) as app:
            return await company(app, MEMBERS)
    await talk.is_kept(forum.http, there)
    return there


async def _some_seconds(at_least: float, at_most: float) -> None:
    moment = random.uniform(at_least, at_most)
    log.info("%.3f s later", moment)
    await asyncio.sleep(moment)


async def test_a_killed_worker_is_replaced_and_no_acknowledged_post_is_lost(
    app: FastAPI, guest: httpx.AsyncClient, database_url: str, tmp_path: Path
) -> None:
    there, talk = await company(app, MEMBERS), Talk()
    command = ("serve", "--workers", 2, "--no-worker")
    async with started(tmp_path, *command, FORUM_DATABASE_URL=database_url) as forum:
        await forum.ready()
        async with talk.going_on(forum, there):
            await talk.grows(by=20)
            old = set(forum.workers())
            for worker in old:
                worker.kill()
            assert await until(lambda: len(set(forum.workers()) - old) == 2)
            await talk.grows(by=20)
        assert forum.said().count("worker died") == 2
        assert set(talk.statuses) == {201}
        forum.process.terminate()
        assert await forum.ended() == 0
        await forum.gone()
    await talk.is_kept(guest, there)


async def test_a_killed_database_ends_the_forum_which_says_so_and_starts_again_with_every_post(tmp_path: Path) -> None:
    talk, there = Talk(), None
    for workers in (1, 2):
        async with started(tmp_path, "serve", "--workers", workers) as forum:
            await forum.ready()
            there = await _same_company(forum, talk, there)
            async with talk.going_on(forum, there):
                await talk.grows(by=20)
                forum.postmaster().kill()
            assert await forum.ended() == 1
            await forum.gone()
            assert "PostgreSQL ended by itself" in forum.said()
    assert set(talk.statuses) <= {201, 503}
    async with started(tmp_path, "serve", "--no-worker") as forum:
        await forum.ready()
        await _same_company(forum, talk, there)


async def test_over_a_database_of_ones_own_a_kill_leaves_no_worker_and_every_acknowledged_post(
    app: FastAPI, guest: httpx.AsyncClient, database_url: str, tmp_path: Path
) -> None:
    there, talk = await company(app, MEMBERS), Talk()
    async with started(tmp_path, "serve", "--workers", 2, FORUM_DATABASE_URL=database_url) as forum:
        await forum.ready()
        async with talk.going_on(forum, there):
            await talk.grows(by=20)
            forum.process.kill()
        await forum.gone()
    assert set(talk.statuses) == {201}
    await talk.is_kept(guest, there)


# Stopped in order


@pytest.mark.parametrize(("stop", "workers"), [(terminate, 1), (press_ctrl_c, 2)])
async def test_who_is_being_answered_when_it_stops_gets_the_whole_answer(
    tmp_path: Path, stop: Stop, workers: int
) -> None:
    talk = Talk()
    async with started(tmp_path, "serve", "--workers", workers) as forum:
        await forum.ready()
        async with beside(forum) as app:
            there, slow = await company(app, MEMBERS), await _long_thread(app)
            elsewhere = replace(there, thread=await make.thread(app.state.services, "heron1"))
        async with _reading_slowly(forum, slow) as rest, asyncio.TaskGroup() as group:
            async with _nobody_else_may_write(forum, there) as waiting:
                replies = [group.create_task(_reply(forum, there, headers)) for headers in there.members]
                await waiting(MEMBERS)
                async with talk.going_on(forum, elsewhere):
                    await talk.grows(by=20)
                    stop(forum)
                    assert await until(lambda: not forum.listens())
            assert json.loads(await rest())["next"] is None
        assert [reply.result().status_code for reply in replies] == [201] * MEMBERS
        assert await forum.ended() == 0
        await forum.gone()
        assert "Traceback" not in forum.said()
    async with started(tmp_path, "serve", "--no-worker") as forum:
        await forum.ready()
        assert len(await read_whole(forum.http, there)) == MEMBERS + 1
        # Nobody is left to wonder: what was stored was also acknowledged.
        assert set(talk.statuses) == {201}
        await talk.is_kept(forum.http, elsewhere, exactly=True)


@asynccontextmanager
async def _nobody_else_may_write(forum: Forum, there: Company) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Until the block ends, whoever replies there waits; gives what waits for so many to wait."""
    with embedded_postgres.running(forum.data) as server:
        engine = create_async_engine(server.url)
    async with engine.connect() as holder, engine.connect() as observer:
        await observer.execution_options(isolation_level="AUTOCOMMIT")

        async def waiting(count: int) -> None:
            waiters = text("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            async with asyncio.timeout(30):
                while True:
                    if (await observer.execute(waiters)).rowcount == count:
                        return
                    await asyncio.sleep(0.01)

        await holder.execute(text(f"SELECT FROM thread WHERE id = {there.thread} FOR UPDATE"))
        yield waiting
    await engine.dispose()


async def _reply(forum: Forum, there: Company, headers: dict[str, str]) -> httpx.Response:
    async with forum.client(headers) as http:
        return await http.post(there.posts, json={"body_markdown": "I am still here."})


async def _long_thread(app: FastAPI) -> int:
    """A thread whose page is larger than what the kernel keeps for a slow reader."""
    thread = await make.thread(app.state.services, "heron1")
    for _ in range(40):
        await make.post(app.state.services, "heron1", thread, "😟" * 20_000)
    return thread


@asynccontextmanager
async def _reading_slowly(forum: Forum, thread: int) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Somebody on a bad line, who has only the beginning of a long page; gives what reads the rest."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((forum.http.base_url.host, forum.http.base_url.port))
    reader, writer = await asyncio.open_connection(sock=line, limit=4096)
    writer.write(f"GET /api/v1/threads/{thread}/posts?limit=100 HTTP/1.1\r\nHost: forum\r\n\r\n".encode())
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200 ")
        size = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        yield lambda: reader.readexactly(size)
    finally:
        writer.close()


# Interrupted while it starts


async def test_the_demonstration_interrupted_while_it_starts_leaves_no_process_and_a_later_start_keeps_what_was_said(
    tmp_path: Path,
) -> None:
    for sign in ("postgres.new-*/PG_VERSION", "postgres/postmaster.pid"):
        async with started(tmp_path, "demo") as forum:
            assert await until(lambda sign=sign, data=forum.data: any(data.glob(sign)))
            await _some_seconds(0, 1)
            press_ctrl_c(forum)
            assert await forum.ended() in {0, 130}
            await forum.gone()
            assert "Traceback" not in forum.said()

    async with started(tmp_path, "demo") as forum:
        log.info("a first demonstration answers after %.2f s", await forum.ready())
        place = await _say_something(forum)
        before = await _boards(forum)
        press_ctrl_c(forum)
        assert await forum.ended() == 0
        await forum.gone()

    async with started(tmp_path, "demo") as forum:
        log.info("a second one answers after %.2f s", await forum.ready())
        assert (await forum.http.get(place)).json()["body_markdown"] == "I was here."
        assert await _boards(forum) == before
        forum.process.terminate()
        assert await forum.ended() == 0


async def _say_something(forum: Forum) -> str:
    """The address of a new reply, by somebody of the demonstration."""
    (handle,) = [person.handle for person in demo.sign_ins() if person.role == "member"]
    assert handle in forum.said()
    keys = find_keys(forum.data)
    assert keys
    assert keys.password in forum.said()
    signed_in = await forum.http.post("/api/v1/sessions", json={"login": handle, "password": keys.password})
    headers = {"Authorization": f"Bearer {signed_in.json()['token']}"}
    threads = (await forum.http.get("/api/v1/boards/new-here/threads", params={"limit": 100})).json()["items"]
    thread = next(thread["id"] for thread in threads if thread["state"] == "open")
    posts = f"/api/v1/threads/{thread}/posts"
    answer = await forum.http.post(posts, json={"body_markdown": "I was here."}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


async def _boards(forum: Forum) -> dict[str, int]:
    """How many posts a guest finds, on each board."""
    boards = (await forum.http.get("/api/v1/boards")).json()["items"]
    return {board["slug"]: board["posts"] for board in boards}
