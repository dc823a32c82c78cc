"""The numbers of threads and posts of boards: kept, and always those that counting would give."""

import asyncio
import random

import httpx
import pytest
from sqlalchemy import text

from forum.content import board_cards
from forum.core import clock
from forum.http.services import Services
from tests.forum.content.test_tallies import BACK, HOLD, HOLD_ONE, MOVE, REMOVE, RESTORE, SHOW, change, written
from tests.support import make
from tests.support.scenes import API, sql

COUNTED = """
SELECT slug, count(thread.id)::int AS threads, coalesce(sum(posts), 0)::int AS posts, max(last_post_at) AS latest
FROM board LEFT JOIN thread ON board_id = board.id AND visibility = 'visible' AND posts > 0 GROUP BY slug ORDER BY slug
"""
# What the program does after each of these changes.
RECOUNT = """
UPDATE thread SET posts = (SELECT count(*) FROM post WHERE thread_id = thread.id AND visibility = 'visible'),
participants = 0
"""
HIDE = "UPDATE thread SET visibility = 'held' WHERE id = (SELECT max(id) FROM thread)"
UNHIDE = "UPDATE thread SET visibility = 'visible'"
PIN = "UPDATE thread SET pinned = NOT pinned WHERE id % 2 = 0"
LATER = "UPDATE thread SET last_post_at = last_post_at + interval '1 hour' WHERE id = (SELECT max(id) FROM thread)"
CHANGES = (HOLD, HOLD_ONE, SHOW, REMOVE, RESTORE, MOVE, BACK, HIDE, UNHIDE, PIN, LATER)


async def is_right(services: Services, guest: httpx.AsyncClient) -> bool:
    """Whether readers get what counting gives, as it is and added up."""
    counted = [(row.slug, row.threads, row.posts, row.latest) for row in await sql(services, COUNTED)]
    for _ in range(2):
        cards = await board_cards.list_board_cards(services.database.reader, await make.viewer(services, "heron"))
        kept = [(card.board.slug, card.threads, card.posts, card.last_post_at) for card in cards]
        assert sorted(kept) == counted
        one = (await guest.get(f"{API}/boards/court")).json()
        assert (one["threads"], one["posts"]) == next(row[1:3] for row in counted if row[0] == "court")
        async with services.database.work() as session:
            await board_cards.add_up(session, clock.now())
    return len(await sql(services, "SELECT 1 FROM board_tally")) <= len(counted)


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_kept_is_what_counting_gives(services: Services, guest: httpx.AsyncClient, seed: int) -> None:
    await written(services)
    assert await is_right(services, guest)
    chance = random.Random(seed)
    for _ in range(3):
        some = [statement for each in chance.choices(CHANGES, k=3) for statement in (each, RECOUNT)]
        await change(services, *some)  # in one transaction, as a decision with several measures is
        assert await is_right(services, guest)


async def test_those_who_write_at_once_count_nothing_twice_while_it_is_added_up(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await written(services)
    thread = await make.thread(services, "heron", "court")

    async def add_up() -> None:
        async with services.database.work() as session:
            await board_cards.add_up(session, clock.now())

    writing = (make.post(services, handle, thread, f"Line {n}") for n in range(5) for handle in ("heron", "bittern"))
    await asyncio.gather(*writing, *(add_up() for _ in range(4)))
    assert await is_right(services, guest)


async def test_nobody_who_writes_waits_for_another_thread_of_the_board(services: Services) -> None:
    await written(services)
    async with services.database.work() as session:
        await session.execute(text("UPDATE thread SET posts = posts - 1, participants = 0"))
        another = asyncio.create_task(make.thread(services, "heron"))
        assert await asyncio.wait_for(another, 10)
