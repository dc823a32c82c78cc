"""Tell members of a new post: who asked, who is named, quoted or answered, and who follows its thread or board.

The worker does it within about a second, once a post is there for its readers: at once, or after a moderator has read
it; never for an edit. One statement tells everybody: of 5,000 followers, each would otherwise be a round trip. Who may
not see the post at that moment is not told, and whoever reads of it later sees what is to be seen then.
"""

import time
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Interval,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board, readable_by_member
from forum.content.ignored import ignores
from forum.content.markup import mentions_in
from forum.content.posts.tables import Post, PostQuote, UntoldPost, Visibility, Voice
from forum.content.read_marks import ReadMark
from forum.content.subscriptions import Mode, Subscription
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core import jobs
from forum.core.database import Moment, query, rows_of
from forum.core.jobs import Job, Payload
from forum.members.aliases import is_persona_of, owner_of
from forum.members.standing import SHUT_OUT, standing_at
from forum.members.tables import Member
from forum.notifications import letters
from forum.notifications.inbox import OF_NEW_POSTS, UNREAD_OF_THREAD, Notification, NotificationKind

MOST_MENTIONED = 10  # in one post: who names more people speaks to nobody
MOST_MENTIONS_A_DAY = 10  # of one person by another: more is pestering
MOST_NUMBERS = 100  # posts in one notification; what comes after them is not counted
DAY = timedelta(days=1)
ID_PREFIX = len("01234567-89ab-7")  # of a UUIDv7: its time in milliseconds and its version

# Parameters: what `_CLAIM` returned, the time, and the handles that the post mentions.
_POST_ID, _THREAD_ID = bindparam("post_id", type_=BigInteger()), bindparam("in_thread", type_=BigInteger())
_NUMBER, _REVISION = bindparam("post_number", type_=Integer()), bindparam("revision", type_=Integer())
_REPLY_TO, _IS_ADVISER = bindparam("reply_to", type_=Integer()), bindparam("is_adviser", type_=Boolean())
_AUTHOR, _NOW = bindparam("author", type_=Uuid()), bindparam("now", type_=Moment())
_WRITTEN_AS = bindparam("written_as", type_=Uuid())  # the name under which it was written
_APPEARED_AT, _MENTIONED = bindparam("appeared_at", type_=Moment()), bindparam("mentioned", type_=ARRAY(Text()))

# Tells of a post when telling of several at once failed.
TELL_OF_POST = Job("tell_of_post")
AT_ONCE = 20  # posts in one transaction: meanwhile, nobody can change them

# The next posts to tell of, but for those that somebody changes at this moment: they come a second later.
_posts, _untold = rows_of(Post), rows_of(UntoldPost)
_NEXT = (
    select(_untold.c.post_id)
    .join(_posts, _posts.c.id == _untold.c.post_id)
    .order_by(_untold.c.post_id)
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True, key_share=True)
    .cte("next_posts")
)
_TAKE = delete(_untold).where(_untold.c.post_id == _NEXT.c.post_id).returning(_untold.c.post_id)
# Claims posts, so that nobody is told of them again, and keeps them as they are until all are told.
_CLAIM = (
    update(_posts)
    .where(
        _posts.c.told_at.is_(None),
        _posts.c.visibility == Visibility.VISIBLE,
        col(Thread.id) == _posts.c.thread_id,
        THREAD_SHOWN,
    )
    .values(told_at=_NOW)
    .returning(
        _posts.c.id.label("post_id"),
        _posts.c.thread_id.label("in_thread"),
        _posts.c.number.label("post_number"),
        _posts.c.revision,
        _posts.c.reply_to,
        (_posts.c.voice == Voice.ADVISER).label("is_adviser"),
        owner_of(_posts.c.author_id).label("author"),
        _posts.c.author_id.label("written_as"),
        func.coalesce(_posts.c.published_at, _posts.c.created_at).label("appeared_at"),
        _posts.c.body_html,
    )
)
_CLAIM_ONE = _CLAIM.where(_posts.c.id == _POST_ID)
_CLAIM_TAKEN = _CLAIM.where(_posts.c.id == any_(bindparam("taken", type_=ARRAY(BigInteger()))))


# Whom the post concerns, each with why: the place of the kind in OF_NEW_POSTS.
def _because(kind: NotificationKind) -> ColumnElement[int]:
    return literal(OF_NEW_POSTS.index(kind), Integer).label("place")


def _following(place: Any, of: Any, kind: NotificationKind) -> Any:
    """Return a select of those who followed a place already when the post appeared."""
    wanted = (col(Subscription.mode) != Mode.OFF, col(Subscription.since) <= _APPEARED_AT)
    return select(col(Subscription.member_id), _because(kind)).where(place == of, *wanted)


_ANSWERED, _REPLIED = _because(NotificationKind.ADVISER_ANSWERED), _because(NotificationKind.REPLY)
_BOARD_ID = select(col(Thread.board_id)).where(col(Thread.id) == _THREAD_ID).scalar_subquery()
_MENTIONS_TODAY = (
    select(func.count())
    .where(
        is_persona_of(col(Post.author_id), _AUTHOR),
        col(Post.created_at) > _APPEARED_AT - literal(DAY, Interval),
        col(Post.id) < _POST_ID,
        func.strpos(col(Post.body_html), func.concat('data-handle="', col(Member.handle), '"')) > 0,
    )
    .correlate(Member)
    .scalar_subquery()
)
_CONCERNED = union_all(
    select(owner_of(col(Thread.author_id)).label("member_id"), _ANSWERED).where(
        col(Thread.id) == _THREAD_ID, _IS_ADVISER
    ),
    select(col(Member.id), _because(NotificationKind.MENTION)).where(
        col(Member.handle) == any_(_MENTIONED), _MENTIONS_TODAY < MOST_MENTIONS_A_DAY
    ),
    # A quote of a post in another thread names nobody.
    select(owner_of(col(Post.author_id)), _because(NotificationKind.QUOTE))
    .join(PostQuote, col(PostQuote.quoted_post_id) == col(Post.id))
    .where(col(PostQuote.post_id) == _POST_ID, col(PostQuote.revision) == _REVISION, col(Post.thread_id) == _THREAD_ID),
    select(owner_of(col(Post.author_id)), case((_IS_ADVISER, _ANSWERED), else_=_REPLIED)).where(
        col(Post.thread_id) == _THREAD_ID, col(Post.number) == _REPLY_TO
    ),
    _following(col(Subscription.thread_id), _THREAD_ID, NotificationKind.THREAD_POST),
    _following(col(Subscription.board_id), _BOARD_ID, NotificationKind.BOARD_POST),
).subquery("concerned")
_FIRST_REASONS = (
    select(_CONCERNED.c.member_id, func.min(_CONCERNED.c.place).label("place"))
    .group_by(_CONCERNED.c.member_id)
    .subquery("first_reasons")
)

# Who is told at all, of those whom it concerns.
_WANTS_NOTHING = exists().where(
    col(Subscription.member_id) == col(Member.id),
    col(Subscription.thread_id) == _THREAD_ID,
    col(Subscription.mode) == Mode.OFF,
)
_HAS_READ = exists().where(
    col(ReadMark.member_id) == col(Member.id),
    col(ReadMark.thread_id) == _THREAD_ID,
    col(ReadMark.read_number) >= _NUMBER,
    col(ReadMark.read_at) >= _APPEARED_AT,
)
IS_TOLD = and_(
    col(Member.id) != _AUTHOR,
    standing_at(_NOW).not_in(SHUT_OUT),
    readable_by_member(col(Member.id)),
    not_(_WANTS_NOTHING),
    not_(_HAS_READ),
    not_(ignores(col(Member.id), _WRITTEN_AS)),
    col(Member.caught_up_at) < _APPEARED_AT,
)

_KIND = case({place: str(kind) for place, kind in enumerate(OF_NEW_POSTS)}, value=_FIRST_REASONS.c.place)
# A UUIDv7 of now: made here, because nobody knows before how many it takes.
_RANDOM = func.substr(cast(func.gen_random_uuid(), Text), ID_PREFIX + 1)
_ID = cast(func.concat(bindparam("id_prefix", type_=Text()), _RANDOM), Uuid)
_told = rows_of(Notification)
_NEW = insert(_told).from_select(
    ["id", "member_id", "kind", "thread_id", "numbers", "at"],
    query(_ID, col(Member.id), _KIND, _THREAD_ID, array([_NUMBER]), _NOW)
    .select_from(_FIRST_REASONS)
    .join(Member, col(Member.id) == _FIRST_REASONS.c.member_id)
    .join(Board, col(Board.id) == _BOARD_ID)
    .where(IS_TOLD)
    .order_by(col(Member.id)),  # so that no two jobs of one thread wait for each other
)
# One that is not read yet tells of this post too, and comes to the top: with another id, so that whoever marks all as
# read that they have seen does not mark this.
_TELL = _NEW.on_conflict_do_update(
    index_elements=["member_id", "kind", "thread_id"],
    index_where=text(UNREAD_OF_THREAD),
    set_={"id": _NEW.excluded.id, "at": _NEW.excluded.at, "numbers": _told.c.numbers + _NEW.excluded.numbers},
    where=func.cardinality(_told.c.numbers) < MOST_NUMBERS,
).returning(_told.c.member_id)

# What each of those who were told wants to hear of the board, and then of the thread, which counts before it.
_MODES = (
    select(col(Subscription.member_id), col(Subscription.mode))
    .where(
        col(Subscription.member_id) == any_(bindparam("told", type_=ARRAY(Uuid()))),
        or_(col(Subscription.thread_id) == _THREAD_ID, col(Subscription.board_id) == _BOARD_ID),
    )
    .order_by(col(Subscription.thread_id).nulls_first())
)


async def tell_of_posts(session: AsyncSession, now: datetime) -> bool:
    """Tell of the posts that appeared last, and return whether there may be more.

    Those who are told of several of them get their letters in one call: two would not lock their rows in one order.
    """
    taken = (await session.execute(_TAKE)).scalars().all()
    if not taken:
        return False
    claimed = (await session.execute(_CLAIM_TAKEN, {"now": now, "taken": taken})).all()
    ordered = enumerate(sorted(claimed, key=lambda post: int(post.post_id)))
    reached = [await _tell(session, post, now, place) for place, post in ordered]
    told = {member_id for one in reached for member_id in one.told}
    at_once = {member_id for one in reached for member_id in one.told - one.patient}
    await letters.mark_due(session, told, now, patient=told - at_once)
    return len(taken) == AT_ONCE


async def tell_each_by_itself(session: AsyncSession, _now: datetime) -> None:
    """Make a job for each of the posts that come next: one of them cannot be told of, and must not keep the others."""
    for post_id in (await session.execute(_TAKE)).scalars().all():
        await jobs.enqueue(session, TELL_OF_POST, {"post": str(post_id)})


async def tell_of_post(session: AsyncSession, payload: Payload, now: datetime) -> None:
    """Job handler: tell everybody whom a post concerns of it, unless that was done or readers do not see it now."""
    claimed = (await session.execute(_CLAIM_ONE, {"post_id": int(payload["post"]), "now": now})).one_or_none()
    if claimed:
        reached = await _tell(session, claimed, now)
        await letters.mark_due(session, reached.told, now, patient=reached.patient)


class _Reached(NamedTuple):
    """Who was told of a post, and who of them can wait for the daily letter."""

    told: set[UUID]
    patient: set[UUID]


async def _tell(session: AsyncSession, claimed: Any, now: datetime, place: int = 0) -> _Reached:
    mentioned = list(islice(dict.fromkeys(mentions_in(claimed.body_html)), MOST_MENTIONED))
    values = {**claimed._mapping, "now": now, "mentioned": mentioned, "id_prefix": _id_prefix(place)}
    told = set((await session.execute(_TELL, values)).scalars())
    if not told:
        return _Reached(told, set())
    modes = {row.member_id: row.mode for row in await session.execute(_MODES, values | {"told": list(told)})}
    return _Reached(told, {member_id for member_id, mode in modes.items() if mode == Mode.DIGEST})


def _id_prefix(place: int) -> str:
    """Return how the ids of notifications begin: those of a later post of the same transaction come later."""
    milliseconds = f"{time.time_ns() // 1_000_000 + place:012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7"
