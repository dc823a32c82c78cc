"""The waiting list: threads in which a member has written since an adviser last did, longest wait first."""

from pydantic import TypeAdapter
from sqlalchemy import func, select, true
from sqlmodel import col

from forum.content.boards import Board
from forum.content.posts.tables import Post, Visibility, Voice
from forum.content.threads.queries import SELECT_VISIBLE, keyset_pages, read_page
from forum.content.threads.tables import Thread, ThreadState
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core import pagination
from forum.core.database import Prepared, Reader, query
from forum.core.pagination import Page
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, why_not

_BY_WAITING = TypeAdapter(tuple[pagination.Instant, pagination.Identity])
# The post that waits: the first that a member has written since an adviser last did.
_WAITING_POST = (
    select(
        col(Post.number).label("waiting_number"),
        col(Post.content_warning).label("waiting_warning"),
        col(Post.body_html).label("waiting_html"),
    )
    .where(
        col(Post.thread_id) == col(Thread.id),
        col(Post.visibility) == Visibility.VISIBLE,
        col(Post.voice) == Voice.MEMBER,
        col(Post.number) > func.coalesce(col(Thread.latest_adviser_number), 0),
    )
    .order_by(col(Post.number))
    .limit(1)
    .lateral("waiting_post")
)
_IS_WAITING = (
    col(Thread.waiting_since).is_not(None),
    col(Thread.state) == ThreadState.OPEN,
    THREAD_SHOWN,
    col(Board.advised),
)
_WAITING = keyset_pages(
    SELECT_VISIBLE.add_columns(*_WAITING_POST.c).outerjoin(_WAITING_POST, true()).where(*_IS_WAITING),
    (col(Thread.waiting_since), col(Thread.id)),
    falling=False,
)
COUNTED = 100  # counting stops here: more would tell nobody more
_COUNT = Prepared(
    query(func.count().label("waiting")).select_from(SELECT_VISIBLE.where(*_IS_WAITING).limit(COUNTED).subquery())
)


async def list_waiting(reader: Reader, adviser: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of the open threads that wait for an adviser, each with the post that waits.

    For advisers, moderators and administrators. Raises Forbidden, and Invalid for an unknown cursor.
    """
    allow(Act.SEE_WAITING_THREADS, adviser)
    sort_key = pagination.decode(after, _BY_WAITING) if after is not None else None
    rows = await read_page(reader, _WAITING, adviser, sort_key, limit=limit + 1)
    return pagination.page_of(rows, limit, lambda row: (row.waiting_since, row.id))


async def count_waiting(reader: Reader, viewer: Viewer) -> int | None:
    """Return how many threads wait for an adviser, at most `COUNTED`; None for those who may not see the list."""
    if viewer.id is None or why_not(Act.SEE_WAITING_THREADS, viewer):
        return None
    return int((await reader.row(_COUNT, **viewer.query_parameters)).waiting)
