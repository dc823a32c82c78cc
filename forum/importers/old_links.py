"""Where an address of an old board leads here: to what the reader may see, else to nothing."""

from typing import Any

from sqlalchemy import Text, bindparam, func
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.posts.visibility import POST_VISIBLE
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Prepared, Query, Reader, query
from forum.core.errors import NotFound
from forum.importers.tables import MovedItem, MovedKind
from forum.members.tables import Member
from forum.members.viewer import Viewer

OLD_MAX = 100  # characters of an old id
# Of several boards that moved here, the last one.
_NEWEST = col(MovedItem.run_id).desc()


def _found(found: Query, kind: MovedKind) -> Query:
    program = func.starts_with(col(MovedItem.source), "phpbb ")
    named = (col(MovedItem.old) == bindparam("old", type_=Text()), col(MovedItem.kind) == kind, program)
    return found.where(*named).order_by(_NEWEST).limit(1)


_moved_threads = (
    query(col(Thread.id).label("thread_id"), col(Thread.last_number), col(Thread.last_number).label("number"))
    .join(MovedItem, col(MovedItem.thread_id) == col(Thread.id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(THREAD_VISIBLE)
)
_moved_posts = (
    query(col(Thread.id).label("thread_id"), col(Thread.last_number), col(Post.number))
    .join(Post, col(Post.thread_id) == col(Thread.id))
    .join(MovedItem, (col(MovedItem.thread_id) == col(Post.thread_id)) & (col(MovedItem.number) == col(Post.number)))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(POST_VISIBLE)
)
_moved_boards = query(col(Board.slug)).join(MovedItem, col(MovedItem.board_id) == col(Board.id)).where(boards.READABLE)
_moved_people = query(col(Member.handle)).join(MovedItem, col(MovedItem.member_id) == col(Member.id))
_THREAD = Prepared(_found(_moved_threads, MovedKind.THREAD))
_POST = Prepared(_found(_moved_posts, MovedKind.POST))
_BOARD = Prepared(_found(_moved_boards, MovedKind.BOARD))
_PERSON = Prepared(_found(_moved_people.where(col(Member.left_at).is_(None)), MovedKind.PERSON))


async def find_thread(reader: Reader, viewer: Viewer, old: str) -> Any:
    """Return the `thread_id` and `last_number` of a thread, by its old id. Raises NotFound."""
    return await _find(reader, "thread", _THREAD, old, **viewer.query_parameters)


async def find_post(reader: Reader, viewer: Viewer, old: str) -> Any:
    """Return the `thread_id` and `number` of a post, by its old id. Raises NotFound."""
    return await _find(reader, "post", _POST, old, **viewer.query_parameters)


async def find_board(reader: Reader, viewer: Viewer, old: str) -> str:
    """Return the slug of a board, by its old id. Raises NotFound."""
    slug: str = (await _find(reader, "board", _BOARD, old, **viewer.query_parameters)).slug
    return slug


async def find_person(reader: Reader, old: str) -> str:
    """Return the handle of a member, by their old id. Raises NotFound."""
    handle: str = (await _find(reader, "member", _PERSON, old)).handle
    return handle


async def _find(reader: Reader, what: str, statement: Prepared, old: str, **viewer: Any) -> Any:
    row = await reader.row(statement, old=old[:OLD_MAX], **viewer)
    if row is None:
        raise NotFound(f"There is no such {what}.", code=f"{what}_not_found")
    return row
