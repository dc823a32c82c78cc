"""Reads of events: what is new since a moment, and who may see it now."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Integer, and_, any_, bindparam, column, func, or_, text
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import exists_in_thread
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Prepared, Reader, query
from forum.members.viewer import Viewer, as_each, for_each
from forum.notifications.live_events.cursor import Cursor
from forum.notifications.live_events.tables import EventKind

MOST_BEHIND = 1_000  # events: whoever missed more reads anew

_KINDS = frozenset(map(str, EventKind))
OF_POSTS = (EventKind.POST, EventKind.EDIT, EventKind.REMOVED)
OF_THREADS = (EventKind.LOCKED, EventKind.UNLOCKED, EventKind.MOVED, EventKind.RETITLED)
OF_CASES = (EventKind.CASE_WAITS, EventKind.CASE_DECIDED)
OF_VIEWERS = (EventKind.SIGNED_OUT, EventKind.ROLE)

# The rows that a later snapshot shows and an earlier one did not. In the order of the index, so that PostgreSQL stops
# after the limit, whatever it believes of how many there are. The second condition leaves out rows of another server,
# whose transactions have ids that are still to come here.
_NEW = """
    SELECT * FROM event
    WHERE xid >= pg_snapshot_xmin(CAST(CAST(:since AS text) AS pg_snapshot))
        AND pg_visible_in_snapshot(xid, {until})
        AND NOT pg_visible_in_snapshot(xid, CAST(CAST(:since AS text) AS pg_snapshot))
    ORDER BY xid, id LIMIT :most
"""
# One statement, so that the snapshot is the one by which its rows were read.
_NOW = Prepared(
    text(f"""
WITH moment AS MATERIALIZED (SELECT pg_current_snapshot() AS snapshot)
SELECT CAST(moment.snapshot AS text) AS snapshot, event_epoch.epoch, new.kind, new.thread_id, new.number, new.refs
FROM moment CROSS JOIN event_epoch
LEFT JOIN LATERAL ({_NEW.format(until="moment.snapshot")}) AS new ON true
ORDER BY new.id
""")  # noqa: S608 - of constants
)
_BETWEEN = Prepared(
    text(f"""
SELECT kind, thread_id, number, refs
FROM ({_NEW.format(until="CAST(CAST(:until AS text) AS pg_snapshot)")}) AS new ORDER BY id
""")  # noqa: S608 - of constants
)
# What is older than a day is deleted: where nothing is left from before a moment, something after it may be gone too.
_IS_KEPT = Prepared(
    text(
        "SELECT EXISTS (SELECT FROM event WHERE xid < pg_snapshot_xmax(CAST(CAST(:since AS text) AS pg_snapshot))) "
        "AS is_kept"
    )
)
_BEGIN_EPOCH = Prepared(text("INSERT INTO event_epoch (epoch) VALUES (:epoch) ON CONFLICT DO NOTHING"))


class NewEvent(NamedTuple):
    """Something that happened."""

    kind: EventKind
    thread_id: int | None
    number: int | None
    refs: tuple[UUID, ...]


@dataclass(frozen=True)
class EventBatch:
    """What is new, and up to when that was read. `is_whole` is False where there is more than anybody is told."""

    cursor: Cursor
    events: Sequence[NewEvent]
    is_whole: bool


async def read_now(reader: Reader, since: Cursor | None) -> EventBatch:
    """Return what is new since then; of nothing, the present moment alone."""
    values = {"since": since.snapshot if since else None, "most": MOST_BEHIND + 1}
    rows = await reader.rows(_NOW, **values)
    if not rows:  # a new database, or one that was restored
        await reader.rows(_BEGIN_EPOCH, epoch=secrets.token_hex(6))
        rows = await reader.rows(_NOW, **values)
    cursor = Cursor(rows[0].epoch, rows[0].snapshot)
    found = [row for row in rows if row.kind is not None]
    return EventBatch(cursor, _events(found[:MOST_BEHIND]), is_whole=len(found) <= MOST_BEHIND)


async def read_between(reader: Reader, since: Cursor, until: Cursor) -> EventBatch:
    """Return what is new since a moment, up to a later one of the same epoch."""
    kept = await reader.row(_IS_KEPT, since=since.snapshot)
    rows = await reader.rows(_BETWEEN, since=since.snapshot, until=until.snapshot, most=MOST_BEHIND + 1)
    return EventBatch(until, _events(rows[:MOST_BEHIND]), is_whole=kept.is_kept and len(rows) <= MOST_BEHIND)


def _events(rows: Iterable[Any]) -> list[NewEvent]:
    """Return them in their order; of several that are the same, only the last one.

    A kind that this release does not know is of a newer one beside it, and left out.
    """
    known = (row for row in rows if row.kind in _KINDS)
    events = [NewEvent(EventKind(row.kind), row.thread_id, row.number, tuple(row.refs or ())) for row in known]
    return list(dict.fromkeys(reversed(events)))[::-1]


# Who may see it now


class Audience(NamedTuple):
    """What decides which threads somebody may read, but for their own: many readers share it."""

    groups: tuple[str, ...]
    moderated_boards: tuple[int, ...]
    moderates_everywhere: bool

    @property
    def query_parameters(self) -> Mapping[str, Any]:
        """The parameters of a viewer of whom no more is known."""
        return {
            "viewer_id": None,
            "viewer_personas": (),
            "audiences": self.groups,
            "moderated_boards": self.moderated_boards,
            "moderates_everywhere": self.moderates_everywhere,
        }


# A thread, and the number of one of its posts; of the thread itself, 0.
Place = tuple[int, int]


def audience_of(viewer: Viewer) -> Audience:
    """Return to which audience somebody belongs."""
    values = viewer.query_parameters
    return Audience(
        tuple(values["audiences"]), tuple(sorted(values["moderated_boards"])), values["moderates_everywhere"]
    )


_PLACES = (
    func.unnest(bindparam("threads", type_=ARRAY(BigInteger())), bindparam("numbers", type_=ARRAY(Integer())))
    .table_valued(column("thread_id", BigInteger()), column("number", Integer()))
    .render_derived()
)
_SEEN = Prepared(
    query(_PLACES.c.thread_id, _PLACES.c.number, col(Post.visibility))
    .select_from(_PLACES)
    .join(Thread, col(Thread.id) == _PLACES.c.thread_id)
    .join(Board, col(Board.id) == col(Thread.board_id))
    .outerjoin(Post, and_(col(Post.thread_id) == _PLACES.c.thread_id, col(Post.number) == _PLACES.c.number))
    .where(THREAD_VISIBLE, or_(_PLACES.c.number == 0, exists_in_thread(boards.MODERATED)))
)
_WATCHED = bindparam("threads", type_=ARRAY(BigInteger()))
_THREADS_OF_EACH = Prepared(
    for_each(
        query(col(Thread.id), col(Thread.posts), col(Thread.last_post_number))
        .select_from(Thread)
        .join(Board, col(Board.id) == col(Thread.board_id))
        .where(col(Thread.id) == any_(_WATCHED), THREAD_VISIBLE)
        .order_by(col(Thread.id)),
        _WATCHED,
    )
)


async def find_seen(reader: Reader, audience: Audience, places: Collection[Place]) -> Mapping[Place, bool]:
    """Return which of these places an audience may see now, and whether a visible post is there."""
    threads, numbers = [thread for thread, _ in places], [number for _, number in places]
    rows = await reader.rows(_SEEN, **audience.query_parameters, threads=threads, numbers=numbers)
    return {(row.thread_id, row.number): row.visibility == Visibility.VISIBLE for row in rows}


async def list_threads(
    reader: Reader, viewers: Sequence[Viewer], threads: Sequence[Collection[int]]
) -> Sequence[Sequence[Any]]:
    """Return for each of these viewers those of their threads that they may see now, with their last post."""
    wanted = list(map(sorted, threads))
    rows = await reader.rows(_THREADS_OF_EACH, viewers=as_each(viewers, threads=wanted)) if any(wanted) else ()
    found: list[list[Any]] = [[] for _ in viewers]
    for row in rows:
        found[row.place].append(row)
    return found
