"""Put what moved with earlier runs beside the records of a newer dump, and find the threads that differ.

Both are compared in the staging file, so that a million posts need no memory; a post is known by its digest.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, any_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post, Visibility
from forum.importers.remarks import ARTICLE
from forum.importers.rows import digest_of_line
from forum.importers.staging import Staging
from forum.importers.tables import MovedItem, MovedKind

AT_ONCE = 5_000  # rows that are put beside the dump together
# An export of WordPress may be a part of the site: that an article is not in it says nothing, unless it says why not:
# it is not public any more, or a page below which no comment can be read.
# Of what somebody wrote who has left here, no digest is kept: only that it was hidden there is seen.
_VIEWS = f"""
CREATE TEMP VIEW IF NOT EXISTS lacking AS
SELECT here.old, here.thread_id FROM here
WHERE here.kind = 'thread' AND here.was IS NOT 'gone' AND here.old NOT IN (SELECT old FROM thread) AND (
    here.old IN (SELECT old FROM remark WHERE detail = '{ARTICLE}')
    OR NOT EXISTS (SELECT 1 FROM other WHERE kind = 'source' AND json_extract(record, '$.program') = 'wordpress')
);
CREATE TEMP VIEW IF NOT EXISTS gone AS
SELECT here.old, here.thread_id FROM here
WHERE here.kind = 'post' AND here.was IS NOT 'gone' AND here.old NOT IN (SELECT old FROM post) AND here.thread_id IN (
    SELECT place.thread_id FROM here AS place JOIN thread ON place.kind = 'thread' AND thread.old = place.old
    UNION SELECT thread_id FROM lacking
);
CREATE TEMP VIEW IF NOT EXISTS differing AS
SELECT thread_id FROM lacking
UNION SELECT thread_id FROM gone
UNION SELECT here.thread_id FROM thread JOIN here ON here.kind = 'thread' AND here.old = thread.old
    WHERE here.was = 'gone' OR here.digest <> digest_of(thread.record)
    OR (here.digest IS NULL AND json_extract(thread.record, '$.shown') <> coalesce(here.was, 'visible'))
UNION SELECT here.thread_id FROM post JOIN here ON here.kind = 'post' AND here.old = post.old
    WHERE here.was = 'gone' OR here.digest <> digest_of(post.record)
    OR (here.digest IS NULL AND post.shown <> coalesce(here.was, 'visible'))
UNION SELECT place.thread_id FROM post JOIN here AS place ON place.kind = 'thread' AND place.old = post.thread
    WHERE NOT EXISTS (SELECT 1 FROM here WHERE here.kind = 'post' AND here.old = post.old);
"""  # noqa: S608 (ours)


async def put_beside(session: AsyncSession, staging: Staging) -> None:
    """Put the threads and posts beside the dump that moved here before from the same board."""
    moved = select(
        col(MovedItem.kind), col(MovedItem.old), col(MovedItem.thread_id), col(MovedItem.digest), col(MovedItem.was)
    ).where(col(MovedItem.kind).in_((MovedKind.THREAD, MovedKind.POST)), is_of(staging.source.board))
    staging.connection.execute("DELETE FROM here")
    streamed = await session.stream(moved)
    async for rows in streamed.partitions(AT_ONCE):
        with staging.connection:
            staging.connection.executemany("INSERT OR REPLACE INTO here VALUES (?, ?, ?, ?, ?)", map(tuple, rows))
    staging.connection.create_function("digest_of", 1, digest_of_line, deterministic=True)
    staging.connection.executescript(_VIEWS)


def note_beside(staging: Staging, moved: Sequence[Mapping[str, Any]]) -> None:
    """Put posts beside the dump that moved just now."""
    with staging.connection:
        staging.connection.executemany(
            "INSERT OR REPLACE INTO here VALUES (:kind, :old, :thread_id, :digest, :was)", moved
        )


def is_of(source: str) -> ColumnElement[bool]:
    """Return the condition that something moved from this old board."""
    return col(MovedItem.source) == source


async def find_hidden_here(session: AsyncSession, source: str) -> frozenset[str]:
    """Return the old ids of the posts that came before and that not everybody reads who reads their board."""
    hidden = (
        select(col(MovedItem.old))
        .join(Post, (col(Post.thread_id) == col(MovedItem.thread_id)) & (col(Post.number) == col(MovedItem.number)))
        .where(is_of(source), col(MovedItem.kind) == MovedKind.POST, col(Post.visibility) != Visibility.VISIBLE)
    )
    return frozenset((await session.execute(hidden)).scalars())


async def find_newest(session: AsyncSession, source: str, olds: Sequence[str]) -> datetime | None:
    """Return when the newest of these posts was written, by old id."""
    newest = (
        select(func.max(Post.created_at))
        .join(
            MovedItem, (col(Post.thread_id) == col(MovedItem.thread_id)) & (col(Post.number) == col(MovedItem.number))
        )
        .where(is_of(source), col(MovedItem.kind) == MovedKind.POST)
        .where(col(MovedItem.old) == any_(bindparam("olds", type_=ARRAY(Text()))))
    )
    return (await session.execute(newest, {"olds": list(olds)})).scalar()


def find_differing(staging: Staging) -> list[int]:
    """Return the ids of the threads here that are not as the dump has them, or not any more."""
    return [thread_id for (thread_id,) in staging.connection.execute("SELECT thread_id FROM differing ORDER BY 1")]


def find_gone(staging: Staging) -> Iterator[str]:
    """Give the old ids of the posts that moved here and that the old board has no more."""
    for (old,) in staging.connection.execute("SELECT old FROM gone"):
        yield old


def find_last(staging: Staging) -> datetime | None:
    """Return when the last post of the dump was written; None where it has none."""
    [(last,)] = staging.connection.execute("SELECT max(written_at) FROM post")
    return None if last is None else datetime.fromtimestamp(last, UTC)


def is_lacking(staging: Staging, old: str) -> bool:
    """Return whether the old board no longer shows a thread to anybody who could read it: it is gone, or no article."""
    return staging.connection.execute("SELECT 1 FROM lacking WHERE old = ?", (old,)).fetchone() is not None


def count_here(staging: Staging) -> int:
    """Return how many posts moved here before."""
    [(count,)] = staging.connection.execute("SELECT count(*) FROM here WHERE kind = 'post'")
    return int(count)
