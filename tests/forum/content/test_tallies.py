"""The numbers of posts on cards: kept, and always those that counting would give."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from forum.content.posts import tallies
from forum.core import clock
from forum.core.database import Prepared
from forum.http.services import Services
from tests.support import make

COUNTED = """
SELECT post.author_id::text, board_id, count(*)::int AS posts FROM post JOIN thread ON thread.id = post.thread_id
WHERE post.visibility = 'visible' GROUP BY 1, 2 ORDER BY 1, 2
"""
KEPT = """
SELECT persona_id::text, board_id, sum(posts)::int AS posts FROM post_tally
GROUP BY 1, 2 HAVING sum(posts) <> 0 ORDER BY 1, 2
"""


async def rows(services: Services, query: str) -> list[Any]:
    return [tuple(row) for row in await services.database.reader.rows(Prepared(text(query)))]


async def change(services: Services, *statements: str) -> None:
    async with services.database.work() as session:
        for statement in statements:
            await session.execute(text(statement))


async def written(services: Services) -> None:
    """Two boards, two threads, and posts of two members in both."""
    for slug in ("new-here", "court"):
        await make.board(services, slug)
    for handle in ("heron", "bittern"):
        await make.member(services, handle)
    for _ in range(2):
        thread = await make.thread(services, "heron")
        for handle in ("bittern", "heron", "bittern"):
            await make.post(services, handle, thread, "I see")


async def is_right(services: Services) -> bool:
    """Whether what is kept is what counting gives, as it is and added up."""
    counted = await rows(services, COUNTED)
    assert await rows(services, KEPT) == counted
    async with services.database.work() as session:
        await tallies.add_up(session, clock.now())
    assert len(await rows(services, "SELECT id FROM post_tally")) == len(counted)
    return await rows(services, KEPT) == counted


HOLD = "UPDATE post SET visibility = 'held', held_because = 'x'"
HOLD_ONE = f"{HOLD} WHERE number = 2"
SHOW = "UPDATE post SET visibility = 'visible', held_because = NULL WHERE visibility = 'held'"
REMOVE = "UPDATE post SET visibility = 'removed', held_because = NULL WHERE number > 2"
RESTORE = "UPDATE post SET visibility = 'visible' WHERE visibility = 'removed'"
TO = "UPDATE thread SET board_id = (SELECT id FROM board WHERE slug = "
MOVE = f"{TO}'court') WHERE id = (SELECT min(id) FROM thread)"
BACK = f"{TO}'new-here')"
EDIT = "UPDATE post SET body_markdown = 'I do'"


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (HOLD_ONE,),
        (HOLD_ONE, SHOW),
        (REMOVE, EDIT),
        (REMOVE, MOVE, RESTORE),
        (MOVE, HOLD, BACK, SHOW),
        (HOLD_ONE, REMOVE, MOVE, BACK),
        (HOLD,),
    ],
)
async def test_what_is_kept_is_what_counting_gives(services: Services, changes: tuple[str, ...]) -> None:
    await written(services)
    assert await is_right(services)
    await change(services, *changes)  # in one transaction, as a decision with several measures is
    assert await is_right(services)


async def test_a_thread_that_is_moved_while_a_post_in_it_is_removed_is_counted_once(services: Services) -> None:
    await written(services)
    async with services.database.work() as session:
        await session.execute(text(REMOVE))
        moving = asyncio.create_task(change(services, MOVE))
        await asyncio.sleep(0.2)
        assert not moving.done()
    await moving
    assert await is_right(services)


async def test_two_who_add_up_at_once_count_nothing_twice(services: Services) -> None:
    await written(services)

    async def add_up() -> None:
        async with services.database.work() as session:
            await tallies.add_up(session, clock.now())

    await asyncio.gather(*(add_up() for _ in range(4)))
    assert await rows(services, KEPT) == await rows(services, COUNTED)
