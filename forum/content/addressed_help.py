"""Help beside a thread for whoever was told there to harm themselves: for a week, or until they put it away.

It says neither why it is there nor who wrote what, and nobody else sees it. The week begins when readers see the words,
so not while a post is held or an edit waits. It stays where the post goes: they have read it.
"""

from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    Integer,
    Text,
    Uuid,
    cast,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.crisis_help import Help, help_unasked
from forum.content.markup import mentions_in
from forum.content.posts.tables import Post, Visibility
from forum.core.database import Moment, Query, query
from forum.core.settings import Settings
from forum.core.work import Work
from forum.members.aliases import owner_of
from forum.members.tables import Member
from forum.members.viewer import VIEWER_ID, Viewer

SHOWN_FOR = timedelta(days=7)
MOST_MENTIONED = 10  # as many as are told of a post that names them


class AddressedHelp(SQLModel, table=True):
    """That help stands beside a thread for a member, because of a post: when they put it away, it does no longer."""

    __tablename__ = "addressed_help"
    __table_args__ = (Index("ix_addressed_help_thread", "member_id", "thread_id"),)

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id")
    thread_id: int = Field(sa_type=BigInteger, foreign_key="thread.id")
    since: datetime = Field(sa_type=Moment)
    put_away_at: datetime | None = Field(default=None, sa_type=Moment)


def _seen_from() -> Any:
    """Return the expression for when readers saw the words: of those that waited, `since` is when they were written."""
    return func.greatest(col(AddressedHelp.since), col(Post.published_at))


def _was_seen() -> ColumnElement[bool]:
    return or_(col(Post.visibility) == Visibility.VISIBLE, col(Post.told_at).is_not(None))


def select_helped(thread_id: Any, since: Any) -> Query:
    """Return a select of the number 0, if help of since then stands beside a thread for the viewer."""
    return (
        query(literal(0, Integer).label("number"), cast(null(), Text()).label("kind"))
        .select_from(AddressedHelp)
        .join(Post, col(Post.id) == col(AddressedHelp.post_id))
        .where(
            col(AddressedHelp.member_id) == VIEWER_ID,
            col(AddressedHelp.thread_id) == thread_id,
            col(AddressedHelp.put_away_at).is_(None),
            _seen_from() > since,
            _was_seen(),
        )
    )


def find_help_beside(settings: Settings, now: datetime) -> Help:
    """Return the help that stands beside a thread: it promises nobody, and says nothing of what was written."""
    return help_unasked(settings, now)


async def note(session: AsyncSession, post: Post, now: datetime) -> None:
    """Note whom a post addresses that tells somebody to harm themselves: whom it answers, and whom it mentions.

    Who put help away for what it said before is shown help again: it says something else now.
    """
    mentioned = list(islice(dict.fromkeys(mentions_in(post.body_html)), MOST_MENTIONED))
    answered = select(owner_of(col(Post.author_id))).where(
        col(Post.thread_id) == post.thread_id, col(Post.number) == post.reply_to
    )
    author = select(owner_of(literal(post.author_id, Uuid()))).scalar_subquery()
    addressed = select(col(Member.id)).where(
        or_(col(Member.id).in_(answered), col(Member.handle).in_(mentioned)), col(Member.id) != author
    )
    rows = [
        {"member_id": member_id, "post_id": post.id, "thread_id": post.thread_id, "since": now}
        for member_id in (await session.execute(addressed.order_by(col(Member.id)))).scalars()
    ]
    if rows:
        again = {"since": now, "put_away_at": None}
        key = [col(AddressedHelp.member_id), col(AddressedHelp.post_id)]
        await session.execute(insert(AddressedHelp).values(rows).on_conflict_do_update(index_elements=key, set_=again))


async def put_away(work: Work, viewer: Viewer, thread_id: int) -> None:
    """Show the viewer no help beside this thread any more, until there is another reason for it. Idempotent."""
    own = (col(AddressedHelp.member_id) == viewer.member_id, col(AddressedHelp.thread_id) == thread_id)
    # Not what belongs to a post that nobody saw yet: it is shown when that appears.
    shown = (col(AddressedHelp.put_away_at).is_(None), col(Post.id) == col(AddressedHelp.post_id), _was_seen())
    put_away = update(AddressedHelp).where(*own, *shown).values(put_away_at=work.now)
    await work.session.execute(put_away.execution_options(synchronize_session=False))


def select_shown(viewer: Viewer) -> Query:
    """Return a select of the threads beside which help was shown to the viewer, and since when."""
    shown = query(col(AddressedHelp.thread_id), col(AddressedHelp.since), col(AddressedHelp.put_away_at))
    return shown.where(col(AddressedHelp.member_id) == viewer.id).order_by(col(AddressedHelp.since))


async def delete_past(session: AsyncSession, now: datetime) -> None:
    """Delete what is shown no longer; what belongs to a post that waits is not shown yet."""
    is_past = (_seen_from() <= now - SHOWN_FOR, col(Post.visibility) != Visibility.HELD)
    gone = delete(AddressedHelp).where(col(Post.id) == col(AddressedHelp.post_id), *is_past)
    await session.execute(gone.execution_options(synchronize_session=False))
