"""How soon the followers of a thread are told of a reply, and what that costs whoever replies."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from forum.core.database import Database
from tests.load import seed

FOLLOWERS = 5_000
MOST_ROUNDS = 90  # a notification counts up to a hundred posts
PATIENCE = 60.0  # seconds

MEMBERS = """
INSERT INTO member (id, handle, skeleton, name, name_skeleton, email, password_hash, staff_password, joined_at,
                    caught_up_at)
SELECT gen_random_uuid(), 'follower' || n, 'follower' || n, 'Follower', 'follower', 'follower' || n || '@example.org',
       'nobody signs in with it', false, now() - interval '1 year', now() - interval '1 year'
FROM generate_series(1, :followers) AS n
"""
FOLLOW = """
INSERT INTO subscription (member_id, thread_id, mode, chosen_by, since)
SELECT id, :thread, 'each', 'self', now() FROM member WHERE handle LIKE 'follower%'
"""
# The job says so in the transaction in which it tells everybody.
TOLD = "SELECT told_at IS NOT NULL FROM post WHERE id = :post"
ALL = "SELECT count(*) FROM notification WHERE thread_id = :thread"


@dataclass
class Replies:
    """How long replies took in a thread of many followers and in one of none, and telling the followers."""

    followed: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)


async def measure(url: str, port: int, seeded: seed.Seeded, rounds: int, *, done: Callable[[], object]) -> Replies:
    """Reply in both threads, in turn and in any order, and wait each time until every follower is told."""
    followed, quiet = seeded.short_threads[:2]
    database, replies = Database(url, pool_size=1), Replies()
    try:
        async with database.work() as session:
            await session.execute(text(MEMBERS), {"followers": FOLLOWERS})
            await session.execute(text(FOLLOW), {"thread": followed})
        async with database.autocommit.connect() as connection:
            await connection.execute(text("VACUUM ANALYZE"))
        headers = {"Authorization": f"Bearer {seeded.tokens[-1]}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE) as http:
            for round_ in range(-2, rounds):  # two to warm up
                for thread in random.sample([followed, quiet], 2):
                    begun = time.perf_counter()
                    answer = await http.post(f"/api/v1/threads/{thread}/posts", json={"body_markdown": "I see. Well."})
                    took = time.perf_counter() - begun
                    answer.raise_for_status()
                    told = await _told(database.autocommit, answer.json()["id"])
                    if round_ >= 0 and thread == followed:
                        replies.followed.append(took)
                        replies.told.append(told)
                    elif round_ >= 0:
                        replies.quiet.append(took)
                done()
        async with database.work() as session:
            if await session.scalar(text(ALL), {"thread": followed}) < FOLLOWERS:
                raise RuntimeError("Somebody was not told.")
    finally:
        await database.close()
    return replies


async def _told(engine: AsyncEngine, post_id: int) -> float:
    """Wait until everybody is told of a post, and return how many seconds that took since its answer."""
    begun = time.perf_counter()
    async with engine.connect() as connection:
        while not await connection.scalar(text(TOLD), {"post": post_id}):
            if time.perf_counter() - begun > PATIENCE:
                raise RuntimeError(f"Nobody was told of a reply within {PATIENCE} s.")
            await asyncio.sleep(0.01)
    return time.perf_counter() - begun


def table(replies: Replies) -> Table:
    """The times, and each one of the followed thread as a multiple of the other's."""
    lines = Table("", "replies", "p50 ms", "p99 ms", box=None, pad_edge=False)
    for column in lines.columns[1:]:
        column.justify = "right"
    rows = (
        ("a reply, nobody follows", replies.quiet),
        (f"a reply, {FOLLOWERS:,} follow", replies.followed),
        ("until all of them are told", replies.told),
    )
    for what, times in rows:
        lines.add_row(what, f"{len(times)}", *(f"{1000 * _percentile(times, share):.1f}" for share in (50, 99)))
    ratios = (_percentile(replies.followed, share) / _percentile(replies.quiet, share) for share in (50, 99))
    lines.add_row("the reply costs ×", "", *(f"{ratio:.2f}" for ratio in ratios))
    return lines


def _percentile(times: list[float], hundredth: int) -> float:
    return statistics.quantiles(times, n=100)[hundredth - 1]
