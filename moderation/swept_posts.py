"""Posts that moved from an old board and may show who somebody is: one list, which moderators go through in their time.

Nothing was looked for when they moved. `forum import sweep` looks through those of the last two years that guests read,
for personal information alone: words of danger of years ago are no emergency. A queue of thousands of cases would help
nobody, so there is a list, from which a moderator opens the case that is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, Text, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.context import context_of_post
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import with_board_of_post
from forum.content.threads.tables import Thread
from forum.core import audit, pagination
from forum.core.database import Database, Moment, query
from forum.core.errors import NotFound
from forum.core.export_section import ExportSection, items_of
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.aliases import is_persona_of
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation.detail_effects import Treatment, find_effects
from moderation.known_details import compared, find_known
from moderation.permissions import ModerationAct, allow
from moderation.screening import personal_information
from moderation.screening.finding import DetailKind

SWEPT = timedelta(days=2 * 365)
AT_ONCE = 500  # posts in one transaction
SHOWN = 20  # on a page
BY_ID = TypeAdapter(tuple[pagination.Identity])


class SweptPost(SQLModel, table=True):
    """That something in a revision of a post may show who somebody is; which words that are, the post says."""

    __tablename__ = "swept_post"
    __table_args__ = (
        CheckConstraint("cardinality(kinds) > 0", name="kinds"),
        CheckConstraint("(settled_at IS NULL) = (settled_by IS NULL)", name="settled"),
        Index("ix_swept_post_open", "post_id", postgresql_where=text("settled_at IS NULL")),
    )

    post_id: int = Field(
        primary_key=True,
        sa_type=BigInteger,
        foreign_key="post.id",
        ondelete="CASCADE",
        sa_column_kwargs={"autoincrement": False},
    )
    revision: int
    kinds: list[str] = Field(sa_type=ARRAY(Text))
    found_at: datetime = Field(sa_type=Moment)
    settled_at: datetime | None = Field(default=None, sa_type=Moment, description="When a moderator left it as it is")
    settled_by: UUID | None = Field(default=None, foreign_key="member.id")


# Whether what was found is still there to be read; whatever was changed, taken down or withdrawn is done with.
_IS_THERE = (col(Post.visibility) == Visibility.VISIBLE, col(Post.revision) == col(SweptPost.revision))


# Moderators' list


async def list_swept(work: Work, moderator: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of the posts that nobody settled, on the moderator's boards, without their own.

    Raises Forbidden, and Invalid for a cursor of another list.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    last = pagination.decode(after, BY_ID) if after is not None else None
    listed = (
        with_board_of_post(
            query(
                col(Post.id),
                col(Post.thread_id),
                col(Post.number),
                col(Thread.title).label("thread_title"),
                col(Board.slug).label("board"),
                col(Board.name).label("board_name"),
                col(Post.content_warning),
                col(Post.body_markdown),
                col(Post.created_at),
                col(SweptPost.kinds),
                col(SweptPost.found_at),
                *named_columns(Member, "author"),
            )
        )
        .join(SweptPost, col(SweptPost.post_id) == col(Post.id))
        .outerjoin(Member, col(Member.id) == col(Post.author_id))
        .where(col(SweptPost.settled_at).is_(None), *_IS_THERE)
        .where(boards.MODERATED, boards.READABLE, col(Post.author_id) != moderator.member_id)
        .order_by(col(SweptPost.post_id))
        .limit(limit + 1)
    )
    if last:
        listed = listed.where(col(SweptPost.post_id) > last[0])
    rows = (await work.session.execute(listed, moderator.query_parameters)).all()
    return pagination.page_of(rows, limit, lambda row: (row.id,))


async def settle(work: Work, moderator: Viewer, post_id: int) -> None:
    """Leave a post as it is, and off the list from now on. Idempotent.

    Raises NotFound when nothing was found in it, and Forbidden for their own post and on boards of others.
    """
    context = await context_of_post(work, moderator, post_id, NO_WORDS)
    allow(ModerationAct.OPEN_CASE, moderator, context)
    found = select(SweptPost).where(col(SweptPost.post_id) == post_id).with_for_update()
    swept = (await work.session.execute(found)).scalar_one_or_none()
    if swept is None:
        raise NotFound("Nothing was found in this post.", code="swept_post_not_found")
    if swept.settled_at is None:
        swept.settled_at, swept.settled_by = work.now, moderator.member_id
        await work.session.flush()
        act, subject = "swept_post.settled", ("post", post_id)
        await audit.record(work.session, actor_id=moderator.id, act=act, subject=subject, now=work.now)


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return what was found in posts of the viewer that moved."""
    found = (
        query(col(Post.thread_id), col(Post.number), col(SweptPost.kinds), col(SweptPost.found_at))
        .join(SweptPost, col(SweptPost.post_id) == col(Post.id))
        .where(is_persona_of(col(Post.author_id), viewer.member_id))
        .order_by(col(Post.id))
    )
    rows = (await session.execute(found)).all()
    title = "What a computer found in what you wrote on the old board"
    return [ExportSection("swept_posts", title, items_of(rows))]


async def delete_past(session: AsyncSession, _now: datetime) -> None:
    """Delete what was found in words that are no longer there."""
    gone = or_(col(Post.visibility) != Visibility.VISIBLE, col(Post.revision) != col(SweptPost.revision))
    await session.execute(delete(SweptPost).where(col(SweptPost.post_id) == col(Post.id), gone))


# Looking through what moved


# Posts that moved, or parts of one that was too long, whom guests read. What advisers wrote has the charity's numbers.
_TO_SWEEP = text("""
SELECT post.id, post.revision, board.id AS board_id, post.number, thread.title, body_markdown, content_warning
FROM post JOIN thread ON thread.id = post.thread_id JOIN board ON board.id = thread.board_id
WHERE post.id > :after AND post.created_at >= :since AND post.voice <> 'adviser'
    AND post.visibility = 'visible' AND thread.visibility = 'visible' AND 'everyone' = ANY (board.readers)
    AND EXISTS (
        SELECT FROM moved JOIN post AS first USING (thread_id, number)
        WHERE moved.thread_id = post.thread_id AND moved.number <= post.number AND moved.kind = 'post'
            AND first.author_id = post.author_id AND first.created_at = post.created_at
    )
ORDER BY post.id LIMIT :most
""")


class Swept(NamedTuple):
    """How many posts were looked through, and in how many something was found."""

    posts: int
    found: int


async def sweep(
    database: Database, region: str, now: datetime, *, seen: Callable[[int], None] = lambda _posts: None
) -> Swept:
    """Look through the posts that moved, and list those in which something may show who somebody is.

    What was settled stays so, unless the post changed since. `seen` is told of each batch.
    """
    after = posts = found = 0
    while True:
        async with database.work() as session:
            some = {"after": after, "since": now - SWEPT, "most": AT_ONCE}
            rows = (await session.execute(_TO_SWEEP, some)).all()
            found += await _note(session, rows, region, now)
        if not rows:
            return Swept(posts, found)
        after, posts = rows[-1].id, posts + len(rows)
        seen(len(rows))


async def _note(session: AsyncSession, rows: Sequence[Any], region: str, now: datetime) -> int:
    """Note in which of these posts something was found, and return in how many."""
    details = {row.id: _details_in(row, region) for row in rows}
    known = await find_known(session, {words for found in details.values() for _, words in found})
    effects: dict[int, Mapping[DetailKind, Treatment]] = {}
    noted = []
    for row in rows:
        if row.board_id not in effects:
            effects[row.board_id] = await find_effects(session, row.board_id, is_public=True)
        told = {kind for kind, words in details[row.id] if words not in known}
        if kinds := [kind for kind in DetailKind if kind in told and effects[row.board_id][kind] != Treatment.TELL]:
            noted.append({"post_id": row.id, "revision": row.revision, "kinds": kinds, "found_at": now})
    if noted:
        new = insert(SweptPost)
        again = {"settled_at": None, "settled_by": None}
        again |= {name: getattr(new.excluded, name) for name in ("revision", "kinds", "found_at")}
        changed = col(SweptPost.revision) != new.excluded.revision
        kept = new.on_conflict_do_update(index_elements=["post_id"], set_=again, where=changed)
        await session.execute(kept, noted)
    return len(noted)


def _details_in(row: Any, region: str) -> set[tuple[DetailKind, str]]:
    """Return what may show who somebody is in a post, with the words as they are compared."""
    texts = [row.body_markdown, row.content_warning or "", row.title if row.number == 1 else ""]
    return {
        (DetailKind(found.recogniser), compared(words[found.start : found.end]))
        for words in texts
        for found in personal_information.find(words, region)
    }


async def count_open(session: AsyncSession) -> int:
    """Return how many posts nobody settled."""
    listed = select(func.count()).select_from(SweptPost).join(Post, col(Post.id) == col(SweptPost.post_id))
    return int((await session.execute(listed.where(col(SweptPost.settled_at).is_(None), *_IS_THERE))).scalar_one())
