"""The counts of threads, boards, names and reactions, compared with the rows that they count.

Triggers and actions keep them (`posts/counts.py`, `posts/tallies.py`, `board_cards.py`, `reactions/tables.py`); nothing
but a change by hand or a fault of ours makes them wrong. Each statement sees one moment, and adds what is missing to
what is there then: whoever writes meanwhile is counted once.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Executable,
    FromClause,
    Subquery,
    and_,
    cast,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col

from forum.content.board_cards import BoardTally
from forum.content.posts.counts import COUNTED, refresh_thread_counts, select_counts
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.tallies import PostTally
from forum.content.reactions.tables import Reaction, ReactionCount, ReactionKind
from forum.content.threads.tables import Thread, ThreadVisibility
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.database import query, rows_of
from forum.core.kept_counts import KeptCount, WrongCount

# Threads: their own columns.

_COUNTS = select_counts(col(Thread.id)).lateral("counts")
_LAST = aliased(Post)
_HIGHEST = select(func.max(Post.number)).where(col(Post.thread_id) == col(Thread.id)).correlate(Thread)
_RIGHT: dict[str, Any] = {
    **{name: _COUNTS.c[name] for name in COUNTED},
    "last_number": func.coalesce(_HIGHEST.scalar_subquery(), 0),
    "last_post_at": func.coalesce(_LAST.created_at, Thread.opened_at),
    "last_post_by": col(_LAST.author_id),
}
_WRONG_THREADS = (
    query(
        col(Thread.id),
        *(getattr(Thread, name) for name in _RIGHT),
        *(right.label(f"right_{name}") for name, right in _RIGHT.items()),
    )
    .select_from(Thread)
    .join(_COUNTS, text("true"))
    .outerjoin(_LAST, (col(_LAST.thread_id) == col(Thread.id)) & (col(_LAST.number) == _COUNTS.c.last_post_number))
    .where(or_(*(col(getattr(Thread, name)).is_distinct_from(right) for name, right in _RIGHT.items())))
    .order_by(col(Thread.id))
)


async def _find_wrong_threads(session: AsyncSession) -> Sequence[WrongCount]:
    return [
        WrongCount(f"{name} of thread {row.id}", f"{getattr(row, name)}", f"{getattr(row, f'right_{name}')}")
        for row in (await session.execute(_WRONG_THREADS)).all()
        for name in _RIGHT
        if getattr(row, name) != getattr(row, f"right_{name}")
    ]


async def _mend_threads(session: AsyncSession) -> None:
    for row in (await session.execute(_WRONG_THREADS)).all():
        # First the highest number, upwards at most: no thread has more posts than that, says the table.
        highest = await session.scalar(select(func.max(Post.number)).where(col(Post.thread_id) == row.id)) or 0
        this = update(Thread).where(col(Thread.id) == row.id)
        await session.execute(this.values(last_number=func.greatest(col(Thread.last_number), highest)))
        thread = await refresh_thread_counts(session, row.id)
        thread.last_number = highest
        await session.flush()


# Posts of each name on each board, and threads and posts of each board: each is a sum of rows, so one more is added.

_post, _thread = rows_of(Post).c, rows_of(Thread).c


def _sums_of(tally: type[SQLModel], keys: Sequence[str], counts: Sequence[str]) -> Subquery:
    columns = rows_of(tally).c
    sums = (cast(func.sum(columns[name]), BigInteger).label(name) for name in counts)
    return query(*(columns[key] for key in keys), *sums).group_by(*(columns[key] for key in keys)).subquery("kept")


def _compare(kept: FromClause, counted: FromClause, keys: Sequence[str], counts: Sequence[str]) -> CTE:
    """Return the rows whose counts are not the same, with both: `thank`, and `kept_thank`."""
    both = kept.join(counted, and_(*(kept.c[key] == counted.c[key] for key in keys)), full=True)
    pairs = {name: (func.coalesce(kept.c[name], 0), func.coalesce(counted.c[name], 0)) for name in counts}
    return (
        query(
            *(func.coalesce(kept.c[key], counted.c[key]).label(key) for key in keys),
            *(were.label(f"kept_{name}") for name, (were, _) in pairs.items()),
            *(are.label(name) for name, (_, are) in pairs.items()),
        )
        .select_from(both)
        .where(or_(*(were != are for were, are in pairs.values())))
        .cte("different")
    )


def _count(
    tally: type[SQLModel], what: str, different: CTE, keys: Sequence[str], counts: Sequence[str], *mending: Executable
) -> KeptCount:
    """Return a kept count; `what` it counts is a template for the keys. Without `mending`, one more row is added."""
    missing = (different.c[name] - different.c[f"kept_{name}"] for name in counts)
    added = select(*(different.c[key] for key in keys), *missing)
    statements = mending or (insert(rows_of(tally)).from_select([*keys, *counts], added),)

    async def find_differences(session: AsyncSession) -> Sequence[WrongCount]:
        rows = (await session.execute(select(different).order_by(*(different.c[key] for key in keys)))).mappings()
        return [
            WrongCount(f"{name} {what.format_map(row)}", f"{row[f'kept_{name}']}", f"{row[name]}")
            for row in rows
            for name in counts
            if row[name] != row[f"kept_{name}"]
        ]

    async def mend(session: AsyncSession) -> None:
        for statement in statements:
            await session.execute(statement)

    return KeptCount(find_differences, mend)


_SHOWN = (_post.visibility == Visibility.VISIBLE, _thread.visibility == ThreadVisibility.VISIBLE)
_OF_NAME, _OF_BOARD = ("persona_id", "board_id"), ("board_id",)
_written = (
    select(_post.author_id.label("persona_id"), _thread.board_id, func.count().label("posts"))
    .join(rows_of(Thread), _thread.id == _post.thread_id)
    .where(*_SHOWN)
    .group_by(_post.author_id, _thread.board_id)
    .subquery("counted")
)
_shown = (
    select(_thread.board_id, func.count().label("threads"), cast(func.sum(_thread.posts), BigInteger).label("posts"))
    .where(THREAD_SHOWN)
    .group_by(_thread.board_id)
    .subquery("counted")
)

# Reactions of each kind to each post: one row, which whoever reacts locks.

_KINDS = tuple(map(str, ReactionKind))
_reaction, _kept = rows_of(Reaction).c, rows_of(ReactionCount)
_given = (
    select(_reaction.post_id, *(func.count().filter(_reaction.kind == kind).label(kind) for kind in ReactionKind))
    .group_by(_reaction.post_id)
    .subquery("counted")
)
_different = _compare(_kept, _given, ("post_id",), _KINDS)
_missing = select(_given).where(_given.c.post_id.not_in(select(_kept.c.post_id)))
_new = postgresql.insert(_kept).from_select(["post_id", *_KINDS], _missing)
_ADD_REACTIONS = _new.on_conflict_do_update(
    index_elements=["post_id"], set_={kind: _kept.c[kind] + _new.excluded[kind] for kind in _KINDS}
)
_CORRECT_REACTIONS = (
    update(_kept)
    .where(_kept.c.post_id == _different.c.post_id)
    .values({kind: _kept.c[kind] + _different.c[kind] - _different.c[f"kept_{kind}"] for kind in _KINDS})
)

THREADS = KeptCount(_find_wrong_threads, _mend_threads)
NAMES = _count(
    PostTally,
    "of name {persona_id} on board {board_id}",
    _compare(_sums_of(PostTally, _OF_NAME, ("posts",)), _written, _OF_NAME, ("posts",)),
    _OF_NAME,
    ("posts",),
)
# After threads: it counts what those say.
BOARDS = _count(
    BoardTally,
    "of board {board_id}",
    _compare(_sums_of(BoardTally, _OF_BOARD, ("threads", "posts")), _shown, _OF_BOARD, ("threads", "posts")),
    _OF_BOARD,
    ("threads", "posts"),
)
REACTIONS = _count(
    ReactionCount, "to post {post_id}", _different, ("post_id",), _KINDS, _ADD_REACTIONS, _CORRECT_REACTIONS
)
