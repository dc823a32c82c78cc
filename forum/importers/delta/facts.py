"""What threads that moved before are here now, and what the last run left: read together, for a few threads."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ColumnElement, and_, any_, cast, exists, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board
from forum.content.posts.tables import HeldEdit, HeldState, Post, Visibility
from forum.content.threads.tables import Thread, ThreadState, ThreadVisibility
from forum.core.database import Query, query
from forum.importers.batches import batches
from forum.importers.board_rows import readers_of
from forum.importers.old_threads import MOST_POSTS, POST_LENGTH
from forum.importers.records import Readers
from forum.importers.tables import MovedItem, MovedKind, Was
from forum.members.tables import Member

Mark: TypeAlias = tuple[Any, ...]
WEIGHED = 1_000  # threads of which is asked together how long they are
_EXPECTED = {None: Visibility.VISIBLE, Was.WAITING: Visibility.HELD}  # else it is removed


@dataclass(frozen=True, slots=True)
class PostHere:
    """A post of such a thread; without an `old` id, people here wrote it, or it is a part of a very long one."""

    id: int
    number: int
    author_id: UUID
    handle: str | None
    name: str
    visibility: Visibility
    revision: int
    is_carried: bool  # its notice is the one that every post has that was removed on the old board
    created_at: datetime
    waits: bool  # an edit of it waits for a moderator
    old: str | None
    digest: bytes | None
    was: Was | None
    left: int

    @property
    def is_touched(self) -> bool:
        """Whether somebody here changed it, or decided about it, since the last run."""
        is_as_left = self.visibility == _EXPECTED.get(self.was, Visibility.REMOVED)
        is_decided = self.visibility == Visibility.REMOVED and not self.is_carried
        return self.revision != self.left or self.waits or not is_as_left or is_decided

    @property
    def is_left_over(self) -> bool:
        """Whether it is a part of a very long post that was hidden because that has fewer parts now."""
        return self.old is None and self.visibility == Visibility.REMOVED and self.is_carried


@dataclass(frozen=True)
class ThreadHere:
    """A thread that moved before, with all of its posts."""

    id: int
    old: str
    board_id: int
    author_id: UUID
    title: str
    state: ThreadState
    pinned: bool
    visibility: ThreadVisibility
    version: int
    last_number: int
    digest: bytes | None
    was: Was | None
    stood_on: str | None
    left: int
    posts: tuple[PostHere, ...]

    @property
    def is_touched(self) -> bool:
        """Whether somebody here changed its title, lock, pin or board since the last run."""
        return self.version != self.left

    def parts_of(self, post: PostHere) -> Sequence[PostHere]:
        """Return the posts that a very long one of the old board became here: most are one."""
        parts = [post]
        for place in range(post.number, len(self.posts)):
            following = self.posts[place]
            is_part = (following.old, following.author_id, following.created_at) == (
                None,
                post.author_id,
                post.created_at,
            )
            if not is_part:
                break
            parts.append(following)
        return parts

    def parts_in_use(self, post: PostHere) -> Sequence[PostHere]:
        """Return those of them that have words of it: without those that became too many when it was shortened."""
        is_hidden = post.visibility == Visibility.REMOVED
        return [part for part in self.parts_of(post) if is_hidden or not part.is_left_over]

    def is_touched_in(self, post: PostHere) -> bool:
        """Return whether somebody here changed or decided about any part of a post. All parts change together."""
        return post.is_touched or any(
            part.waits or (part.revision, part.visibility) != (post.revision, post.visibility)
            for part in self.parts_in_use(post)
        )


@dataclass(frozen=True)
class BoardReaders:
    """A board of ours, and who reads it now."""

    id: int
    readers: Readers


@dataclass(frozen=True)
class BoardsNow:
    """All boards: by our id, and those that moved by their old one."""

    by_id: Mapping[int, BoardReaders]
    by_old: Mapping[str, BoardReaders]
    merged: Collection[str]  # by their old ids: what went into another board


_WAITS = exists().where(col(HeldEdit.post_id) == col(Post.id), col(HeldEdit.state) == HeldState.WAITING)
_POSTS: Query = (
    query(
        *(getattr(Post, name) for name in ("id", "thread_id", "number", "author_id", "visibility", "revision")),
        col(Post.notice),
        col(Post.created_at),
        _WAITS.label("waits"),
        col(Member.handle),
        col(Member.name),
        col(MovedItem.old),
        col(MovedItem.digest),
        col(MovedItem.was),
        col(MovedItem.revision).label("left_at"),
    )
    .select_from(Post)
    .outerjoin(Member, col(Member.id) == col(Post.author_id))
    .outerjoin(
        MovedItem,
        and_(
            col(MovedItem.thread_id) == col(Post.thread_id),
            col(MovedItem.number) == col(Post.number),
            col(MovedItem.kind) == MovedKind.POST,
        ),
    )
    .order_by(col(Post.thread_id), col(Post.number))
)
# One read of the rows, in the database: a thread of 60,000 posts is compared once for each of its pieces.
_MARK = text(
    "SELECT thread.version, thread.visibility, thread.last_number, count(post.id), "
    "bit_xor(hashtextextended(concat_ws(' ', post.id, post.revision, post.visibility), 0)) "
    "FROM thread LEFT JOIN post ON post.thread_id = thread.id WHERE thread.id = :thread_id GROUP BY thread.id"
)
_WEIGHTS = text(
    "SELECT id, last_number, "
    "coalesce((SELECT sum(octet_length(body_markdown)) FROM post WHERE thread_id = thread.id), 0) "
    "+ coalesce((SELECT sum(octet_length(post_revision.body_markdown)) FROM post_revision "
    "JOIN post ON post.id = post_id WHERE thread_id = thread.id AND sealed), 0) AS size "
    "FROM thread WHERE id = ANY (:ids)"
)
_THREADS: Query = query(
    *(getattr(Thread, name) for name in ("id", "board_id", "author_id", "title", "state", "pinned", "visibility")),
    col(Thread.version),
    col(Thread.last_number),
    col(MovedItem.old),
    col(MovedItem.digest),
    col(MovedItem.was),
    col(MovedItem.stood_on),
    col(MovedItem.revision).label("left_at"),
).join(MovedItem, and_(col(MovedItem.thread_id) == col(Thread.id), col(MovedItem.kind) == MovedKind.THREAD))


async def read_threads(session: AsyncSession, ids: Sequence[int]) -> list[ThreadHere]:
    """Return threads that moved before, as they are now."""
    posts: dict[int, list[PostHere]] = {}
    same: dict[Any, Any] = {}  # what many posts of a long thread share is in memory once
    async for row in await session.stream(_POSTS.where(col(Post.thread_id).in_(ids))):
        posts.setdefault(row.thread_id, []).append(_post(row, same))
    rows = await session.execute(_THREADS.where(col(Thread.id).in_(ids)).order_by(col(Thread.id)))
    return [_thread(row, posts.get(row.id, ())) for row in rows]


async def is_as_read(session: AsyncSession, thread: ThreadHere) -> bool:
    """Return whether a thread and all of its posts are still as they were read."""
    rows = await session.execute(_THREADS.where(col(Thread.id) == thread.id))
    if [_thread(row, thread.posts) for row in rows] != [thread]:
        return False
    return await _are_posts_as_read(session, thread.posts, col(Post.thread_id) == thread.id)


async def are_as_read(session: AsyncSession, posts: Sequence[PostHere]) -> bool:
    """Return whether these posts of a thread, by number, are still as they were read."""
    ids = cast([post.id for post in posts], ARRAY(BigInteger))
    return await _are_posts_as_read(session, posts, col(Post.id) == any_(ids))


async def _are_posts_as_read(session: AsyncSession, posts: Sequence[PostHere], condition: ColumnElement[bool]) -> bool:
    expected = iter(posts)
    async for row in await session.stream(_POSTS.where(condition)):
        if _post(row, {}) != next(expected, None):
            return False
    return next(expected, None) is None


async def read_mark(session: AsyncSession, thread_id: int) -> Mark:
    """Return what is another one once a post of a thread comes, changes or is hidden, or the thread itself changes."""
    return tuple((await session.execute(_MARK, {"thread_id": thread_id})).one())


async def weigh_threads(session: AsyncSession, ids: Sequence[int]) -> Mapping[int, int]:
    """Return how much room each of these threads takes in memory: so many posts, of which long ones count as several.

    What a moderator took out of them counts, too: it is read so that no quote shows it.
    """
    found = await session.execute(_WEIGHTS, {"ids": list(ids)})
    return {row.id: max(row.last_number, row.size // POST_LENGTH) for row in found}


async def thread_batches(session: AsyncSession, ids: Sequence[int], most: int) -> AsyncIterator[list[int]]:
    """Give lists of these threads that fit into memory together: each ends once it has `most`, or is long."""
    for first in range(0, len(ids), WEIGHED):
        some = ids[first : first + WEIGHED]
        weights = Counter(await weigh_threads(session, some))
        for batch in batches(some, most, weights.__getitem__, room=MOST_POSTS):
            yield batch


async def read_boards(session: AsyncSession, source: ColumnElement[bool]) -> BoardsNow:
    """Return all boards, and which of them are of an old board."""
    every = await session.execute(select(col(Board.id), col(Board.readers)))
    boards = {board_id: BoardReaders(board_id, readers_of(readers)) for board_id, readers in every}
    moved = select(col(MovedItem.old), col(MovedItem.board_id), col(MovedItem.is_merged))
    found = (await session.execute(moved.where(col(MovedItem.kind) == MovedKind.BOARD, source))).all()
    by_old = {old: boards[board_id] for old, board_id, _ in found if board_id}
    return BoardsNow(boards, by_old, {old for old, _, is_merged in found if is_merged})


def _post(row: Any, same: dict[Any, Any]) -> PostHere:
    notice = row.notice or {}
    return PostHere(
        id=row.id,
        number=row.number,
        author_id=same.setdefault(row.author_id, row.author_id),
        handle=same.setdefault(row.handle, row.handle),
        name=same.setdefault(row.name or "", row.name or ""),
        visibility=Visibility(row.visibility),
        revision=row.revision,
        is_carried=notice.get("kind") in {"removed", "withdrawn"} and (notice["by"], notice["rules"]) == (None, []),
        created_at=row.created_at,
        waits=row.waits,
        old=row.old,
        digest=row.digest,
        was=row.was and Was(row.was),
        left=row.left_at or 1,
    )


def _thread(row: Any, posts: Sequence[PostHere]) -> ThreadHere:
    return ThreadHere(
        id=row.id,
        old=row.old,
        board_id=row.board_id,
        author_id=row.author_id,
        title=row.title,
        state=ThreadState(row.state),
        pinned=row.pinned,
        visibility=ThreadVisibility(row.visibility),
        version=row.version,
        last_number=row.last_number,
        digest=row.digest,
        was=row.was and Was(row.was),
        stood_on=row.stood_on,
        left=row.left_at or 1,
        posts=tuple(posts),
    )
