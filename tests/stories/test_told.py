"""One hears of an answer: in the morning, once, and of nothing that one may not see; whatever happens to the worker."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.running import launch
from tests.support.scenes import sql

API = "/api/v1"
KILLS = int(os.environ.get("FORUM_TEST_KILLS", "3"))
POSTS, FOLLOWERS = 8 * KILLS, 200


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"{API}{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_question_at_night_is_answered_in_the_morning_and_read_in_six_requests(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "heron", title="Can they do that")
        await magpie.put(f"{API}/threads/{thread}/read", json={"number": 1})
        # In the evening: home, an unread thread, a question.
        await make.post(services, "heron", thread, "They want to come on a Sunday")
        [unread] = (await get(magpie, "/home"))["unread"]
        posts = await get(magpie, f"/threads/{unread['id']}/posts?from={unread['read_number'] + 1}")
        assert posts["items"][-1]["number"] == 2
        asked = await magpie.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Can they?", "reply_to": 2})
        assert asked.status_code == 201
        await suzie.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "They can, but ask.", "reply_to": 3})
        await run_due_jobs(services, clock.now())
        # In the morning: told, and gone on where the answer is.
        notices = await get(magpie, "/me/notifications")
        [news] = notices["items"]
        assert (notices["unread"], news["kind"], news["thread_title"]) == (1, "adviser_answered", "Can they do that")
        mine = await get(magpie, f"/threads/{thread}/mine")
        assert (news["thread_id"], news["number"], mine["unread_from"]) == (thread, 4, 2)
        done = await magpie.put(f"{API}/threads/{thread}/read", json={"number": 4})
        assert done.status_code == 204
        assert (await get(magpie, "/home"))["unread_notifications"] == 0
    assert await sql(services, "SELECT id FROM mail WHERE kind <> 'verify_address'") == []  # nobody chose any


async def test_nobody_is_told_of_a_thread_that_moved_into_the_staff_room_first(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.board(services, "staff-room", readers=("moderator",))
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    await run_due_jobs(services, clock.now())
    await follow(services, thread)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await orla.put(f"{API}/threads/{thread}/subscription", json={"mode": "each"})
        await make.post(services, "heron", thread, "My address is 7 Mill Lane")
        moved = await orla.put(f"{API}/threads/{thread}/board", json={"version": 1, "board": "staff-room"})
        assert moved.status_code == 200
        await run_due_jobs(services, clock.now())
        kinds = "SELECT handle FROM notification JOIN member ON member.id = member_id WHERE notification.thread_id = :t"
        assert await sql(services, kinds, t=thread) == [("orla",)]
        assert [item["number"] for item in (await get(orla, "/me/notifications"))["items"]] == [2]


async def test_everybody_is_told_of_every_post_once_though_the_worker_is_killed(
    services: Services, database_url: str, tmp_path: Path
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    await run_due_jobs(services, clock.now())
    await follow(services, thread)
    for number in range(KILLS):
        for line in range(POSTS // KILLS):
            await make.post(services, "heron", thread, f"Line {number}.{line}")
        enough = await told(services) + random.randrange(2)
        async with _worker(tmp_path / f"{number}.log", database_url):
            await _until_told(services, enough)
            await asyncio.sleep(random.uniform(0, 0.05))
    async with _worker(tmp_path / "last.log", database_url):
        await _until_told(services, POSTS + 1)
    numbers = "SELECT count(*), numbers FROM (SELECT member_id, array(SELECT unnest(numbers) ORDER BY 1) AS numbers "
    numbers += "FROM notification) AS each GROUP BY numbers"
    assert await sql(services, numbers) == [(FOLLOWERS, list(range(2, POSTS + 2)))]


async def follow(services: Services, thread: int) -> None:
    """Let many members follow a thread."""
    made = (
        "INSERT INTO member (id, handle, skeleton, name, name_skeleton, email, password_hash, staff_password, "
        "joined_at) SELECT gen_random_uuid(), 'wren' || n, 'wren' || n, 'Wren', 'wren', 'wren' || n || '@example.org', "
        "'', false, now() FROM generate_series(1, :followers) AS n"
    )
    await sql(services, made, followers=FOLLOWERS)
    followed = (
        "INSERT INTO subscription (member_id, thread_id, mode, chosen_by, since) "
        "SELECT id, :thread, 'each', 'self', now() FROM member WHERE handle LIKE 'wren%'"
    )
    await sql(services, followed, thread=thread)


async def told(services: Services) -> int:
    """How many posts everybody is told of."""
    [(posts,)] = await sql(services, "SELECT count(*) FROM post WHERE told_at IS NOT NULL")
    return int(posts)


async def _until_told(services: Services, posts: int) -> None:
    async with asyncio.timeout(120):
        while await told(services) < posts:  # noqa: ASYNC110 (the worker makes it so)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def _worker(said: Path, database_url: str) -> AsyncIterator[None]:
    """A worker alone, which is killed when the block ends."""
    process = launch(said, "worker", FORUM_DATABASE_URL=database_url, FORUM_LOG_LEVEL="WARNING")
    try:
        yield
    finally:
        process.kill()
        process.wait()
