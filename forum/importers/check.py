"""Look through what moved here: whether all of it is there, numbered, counted and hidden as it should be."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.importers.delta.beside import find_differing, is_of, put_beside
from forum.importers.delta.facts import read_boards, read_threads, thread_batches
from forum.importers.delta.people import find_banned_staff
from forum.importers.delta.steps import Deciding, KeptHere
from forum.importers.records import Shown
from forum.importers.staging import Staging
from forum.importers.tables import MovedKind

AT_ONCE = 100  # threads that are read together; fewer, where they are long
# How many posts of a dump, on some boards, are here; how many are not; and how many of those waited there.
_COUNT = """
SELECT sum(is_here), sum(NOT is_here AND NOT has_waited), sum(NOT is_here AND has_waited) FROM (
    SELECT here.old IS NOT NULL AS is_here,
        post.shown = 'waiting' OR json_extract(thread.record, '$.shown') = 'waiting' AS has_waited
    FROM post JOIN thread ON thread.old = post.thread LEFT JOIN here ON here.kind = 'post' AND here.old = post.old
    WHERE thread.board IN (SELECT value FROM json_each(?))
)
"""


class Check(NamedTuple):
    """What must not be, and a query that counts how often it is."""

    fault: str
    query: str


_MOVED_THREADS = "SELECT thread_id FROM moved WHERE kind = 'thread'"
CHECKS = (
    Check(
        "threads whose posts are not numbered one after the other",
        f"SELECT count(*) FROM (SELECT thread_id FROM post WHERE thread_id IN ({_MOVED_THREADS}) "  # noqa: S608 (ours)
        "GROUP BY thread_id HAVING count(*) <> max(number) OR min(number) <> 1) AS gaps",
    ),
    Check(
        "posts that moved and are not there",
        "SELECT count(*) FROM moved LEFT JOIN post USING (thread_id, number) "
        "WHERE moved.kind = 'post' AND post.id IS NULL",
    ),
    Check(
        "threads whose counts are not those of their posts",
        f"""
        SELECT count(*) FROM thread LEFT JOIN (
            SELECT thread_id, count(*) AS posts, count(DISTINCT author_id) AS participants, max(number) AS last,
                count(*) FILTER (WHERE voice = 'adviser' AND number > 1) AS replies
            FROM post WHERE visibility = 'visible' AND thread_id IN ({_MOVED_THREADS}) GROUP BY thread_id
        ) AS counted ON counted.thread_id = thread.id
        WHERE thread.id IN ({_MOVED_THREADS}) AND (
            thread.posts <> coalesce(counted.posts, 0) OR thread.participants <> coalesce(counted.participants, 0)
            OR thread.last_post_number IS DISTINCT FROM counted.last
            OR thread.adviser_replies <> coalesce(counted.replies, 0)
        )
        """,  # noqa: S608 (ours)
    ),
    Check(
        "boards whose counts are not those of their threads",
        """
        SELECT count(*) FROM board LEFT JOIN (
            SELECT board_id, count(*) AS threads, sum(posts) AS posts FROM thread
            WHERE visibility = 'visible' AND posts > 0 GROUP BY board_id
        ) AS counted ON counted.board_id = board.id LEFT JOIN (
            SELECT board_id, sum(threads) AS threads, sum(posts) AS posts FROM board_tally GROUP BY board_id
        ) AS tallied ON tallied.board_id = board.id
        WHERE board.id IN (SELECT board_id FROM moved WHERE kind = 'board') AND (
            coalesce(counted.threads, 0) <> coalesce(tallied.threads, 0)
            OR coalesce(counted.posts, 0) <> coalesce(tallied.posts, 0)
        )
        """,
    ),
    Check(
        "members whose counts are not those of their posts",
        """
        SELECT count(*) FROM (
            SELECT post.author_id AS persona_id, count(*) AS posts FROM post JOIN thread ON thread.id = post.thread_id
            WHERE post.visibility = 'visible' AND thread.visibility = 'visible' GROUP BY 1
        ) AS counted FULL JOIN (
            SELECT persona_id, sum(posts) AS posts FROM post_tally GROUP BY persona_id
        ) AS tallied USING (persona_id)
        WHERE persona_id IN (SELECT member_id FROM moved WHERE kind = 'person')
            AND coalesce(counted.posts, 0) <> coalesce(tallied.posts, 0)
        """,
    ),
    Check(
        "posts of which people would be told though they are old",
        "SELECT count(*) FROM untold_post JOIN post ON post.id = post_id "
        "JOIN moved ON moved.thread_id = post.thread_id AND moved.number = post.number "
        "WHERE post.told_at IS NULL AND post.published_at IS NULL",
    ),
    Check(
        "boards that search engines may list",
        "SELECT count(*) FROM board JOIN moved ON moved.board_id = board.id "
        "WHERE board.indexable AND board.version = 1",
    ),
)


async def find_faults(session: AsyncSession) -> list[str]:
    """Return what is wrong with what moved here, one sentence for each kind of fault; none where all is well."""
    faults = []
    for check in CHECKS:
        if count := (await session.execute(text(check.query))).scalar_one():
            faults.append(f"{count} {check.fault}")
    return faults


@dataclass
class Comparison:
    """What became of the posts of a dump, on the boards that moved, and of those that it has no more."""

    boards: int = 0  # of the old board, that moved here
    same: int = 0
    changed: int = 0  # on the old board since they moved, or in a thread that changed
    missing: int = 0
    left_behind: int = 0  # they, or their thread, waited for a moderator of the old board, for too long
    gone: int = 0  # on the old board, and still to be read here
    kept: list[KeptHere] = field(default_factory=list)  # they stay as they are here, though they changed there


async def compare(session: AsyncSession, staging: Staging, now: datetime) -> Comparison:
    """Look for each post of a dump among those that moved here, and for what moved in the dump."""
    await put_beside(session, staging)
    which = is_of(staging.source.board)
    boards = await read_boards(session, which)
    found = Comparison(boards=len(boards.by_old))
    counted = staging.connection.execute(_COUNT, (json.dumps([*boards.by_old]),)).fetchone()
    found.same, found.missing, found.left_behind = (count or 0 for count in counted)
    deciding = Deciding(staging, boards, boards.by_old.keys(), now)
    differing = find_differing(staging)
    async for ids in thread_batches(session, differing, AT_ONCE):
        for thread in await read_threads(session, ids):
            if steps := deciding.decide(thread):
                found.kept += steps.kept()
                found.missing -= sum(one.recorded != Shown.WAITING for one in steps.withheld)
                found.gone += sum(not one.is_there and bool(one.steps) for one in steps.posts)
                found.changed += sum(one.is_there and one.is_any for one in steps.posts)
    found.kept += await find_banned_staff(session, staging, which, now)
    found.same -= found.changed + sum(one.kind == MovedKind.POST for one in found.kept)
    return found


async def count_moved(session: AsyncSession) -> dict[str, int]:
    """Return how much moved here, by kind."""
    rows = await session.execute(text("SELECT kind, count(*) FROM moved GROUP BY kind ORDER BY kind"))
    return {str(kind): int(count) for kind, count in rows}
