"""Look through what moved here: whether all of it is there, numbered, counted and hidden as it should be."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, any_, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.importers.records import RECORD, PostRecord, Shown
from forum.importers.rows import digest_of
from forum.importers.staging import Staging
from forum.importers.tables import MovedItem, MovedKind

AT_ONCE = 5_000  # posts of a dump that are looked for together


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


class Comparison(NamedTuple):
    """What became of the posts of a dump, on the boards that moved."""

    same: int
    changed: int  # on the old board, since they moved
    missing: int
    left_behind: int  # they, or their thread, waited for a moderator of the old board, for too long


async def compare(session: AsyncSession, staging: Staging) -> Comparison:
    """Look for each post of a dump among those that moved here."""
    program = func.starts_with(col(MovedItem.source), f"{staging.source.program} ")
    boards = select(col(MovedItem.old)).where(col(MovedItem.kind) == MovedKind.BOARD, program)
    posts = _posts_on(staging, list((await session.execute(boards)).scalars()))
    moved = select(col(MovedItem.old), col(MovedItem.digest)).where(
        col(MovedItem.kind) == MovedKind.POST,
        program,
        col(MovedItem.old) == any_(bindparam("olds", type_=ARRAY(Text()))),
    )
    same = changed = missing = left_behind = 0
    while some := list(islice(posts, AT_ONCE)):
        rows = await session.execute(moved, {"olds": [post.old for post, _ in some]})
        digests = {row.old: row.digest for row in rows}
        for post, has_waited in some:
            missing += post.old not in digests and not has_waited
            left_behind += post.old not in digests and has_waited
            # Without a digest, its author has left.
            changed += digests.get(post.old) not in {None, digest_of(post)}
            same += post.old in digests
    return Comparison(same - changed, changed, missing, left_behind)


def _posts_on(staging: Staging, boards: Sequence[str]) -> Iterator[tuple[PostRecord, bool]]:
    """Give the posts on some boards, and whether each waited for a moderator, or its thread did."""
    query = (
        "SELECT post.record, json_extract(thread.record, '$.shown') FROM post JOIN thread ON thread.old = post.thread "
        "WHERE thread.board IN (SELECT value FROM json_each(?))"
    )
    for line, shown in staging.connection.execute(query, (json.dumps(boards),)):
        record = RECORD.validate_json(line)
        if isinstance(record, PostRecord):
            yield record, Shown.WAITING in {record.shown, shown}


async def count_moved(session: AsyncSession) -> dict[str, int]:
    """Return how much moved here, by kind."""
    rows = await session.execute(text("SELECT kind, count(*) FROM moved GROUP BY kind ORDER BY kind"))
    return {str(kind): int(count) for kind, count in rows}
