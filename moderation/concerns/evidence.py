"""Evidence of a concern: its posts in sealed copies, and the legal hold that keeps what must not be deleted."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core.database import Record, query
from forum.core.work import Work
from forum.members.aliases import is_persona_of, owner_of
from forum.members.queries import author_columns, authors
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import require_recent_sign_in
from forum.privacy import account_deletion
from forum.privacy.personal_data_source import LegalDuty
from forum.privacy.tables import HoldReason
from moderation.concerns import dates, journal
from moderation.concerns.tables import ConcernHold, ConcernPerson, ConcernPost
from moderation.concerns.visibility import get_concern


@dataclass(frozen=True)
class HoldWish:
    """Why a lead keeps data from deletion, until when somebody looks at that again, and whether nobody is told.

    `exemption` names the rule of law that allows to keep it from those who want to leave.
    """

    reason: HoldReason
    review_on: date
    note: str = ""
    exemption: str | None = None


@dataclass(frozen=True)
class SealedPost:
    """A sealed copy, and whether its digest is still that of its text."""

    post_id: int
    content: dict[str, Any]
    digest: str
    is_intact: bool
    sealed_at: datetime


async def seal_posts(work: Work, concern_id: UUID, post_ids: Collection[int]) -> Collection[UUID]:
    """Keep posts as they are at this moment, with a digest over each copy, and return under which personas they stand.

    Call it for posts that exist for whoever raises the concern. A copy has the words also of a post that was removed:
    they may have read it before.
    """
    author = authors("author")
    wanted = (
        query(Post, col(Thread.title), col(Board.slug), *author_columns(author, "author"))
        .join(Thread, col(Thread.id) == col(Post.thread_id))
        .join(Board, col(Board.id) == col(Thread.board_id))
        .join(author, author.c.id == col(Post.author_id))
        .where(col(Post.id).in_(post_ids))
    )
    rows = (await work.session.execute(wanted)).all()
    work.session.add_all(_sealed(concern_id, row, work.now) for row in rows)
    return {row.Post.author_id for row in rows}


def _sealed(concern_id: UUID, row: Record, now: datetime) -> ConcernPost:
    post: Post = row.Post
    content = {
        "author_handle": row.author_handle,
        "author_name": row.author_name,
        "board": row.slug,
        "body_markdown": post.body_markdown,
        "content_warning": post.content_warning,
        "created_at": post.created_at.isoformat(),
        "number": post.number,
        "post_id": post.id,
        "revision": post.revision,
        "thread_id": post.thread_id,
        "thread_title": row.title,
        "visibility": post.visibility,
    }
    copy_json = json.dumps(content, sort_keys=True)
    return ConcernPost(
        concern_id=concern_id, post_id=post.id, copy_json=copy_json, digest=_digest(copy_json), sealed_at=now
    )


def _digest(copy_json: str) -> bytes:
    return hashlib.sha256(copy_json.encode()).digest()


async def list_sealed(session: AsyncSession, concern_id: UUID) -> Sequence[SealedPost]:
    """Return the sealed copies of a concern, oldest post first."""
    found = select(ConcernPost).where(col(ConcernPost.concern_id) == concern_id).order_by(col(ConcernPost.post_id))
    return [
        SealedPost(
            sealed.post_id,
            json.loads(sealed.copy_json),
            sealed.digest.hex(),
            _digest(sealed.copy_json) == sealed.digest,
            sealed.sealed_at,
        )
        for sealed in (await session.execute(found)).scalars().all()
    ]


async def place_hold(work: Work, lead: Viewer, concern_id: UUID, wish: HoldWish) -> None:
    """Keep the data of those whom a concern is about from deletion; placed again, the hold has the new reason.

    Raises SignInAgain, Forbidden, NotFound, and Invalid for a review that is too far away.
    """
    require_recent_sign_in(lead, work.now)
    await get_concern(work, lead, concern_id, locked=True)
    await _lock_members(work.session, concern_id)
    dates.refuse_late_review(work, wish.review_on, "#/review_on")
    values = {
        "reason": wish.reason,
        "note": wish.note,
        "exemption": wish.exemption,
        "review_on": wish.review_on,
        "placed_by": lead.member_id,
        "placed_at": work.now,
    }
    row = insert(ConcernHold).values(concern_id=concern_id, **values)
    await work.session.execute(row.on_conflict_do_update(index_elements=[col(ConcernHold.concern_id)], set_=values))
    details = {"reason": str(wish.reason), "review_on": wish.review_on.isoformat(), "told": wish.exemption is None}
    journal.record(work.session, concern_id, lead.id, "hold_placed", work.now, **details)


async def release_hold(work: Work, lead: Viewer, concern_id: UUID) -> None:
    """End the legal hold of a concern; departures that it blocked go on. Idempotent. Raises as `place_hold` does."""
    require_recent_sign_in(lead, work.now)
    await get_concern(work, lead, concern_id, locked=True)
    held = await _lock_members(work.session, concern_id)
    this = delete(ConcernHold).where(col(ConcernHold.concern_id) == concern_id).returning(col(ConcernHold.concern_id))
    if (await work.session.execute(this)).first() is None:
        return
    journal.record(work.session, concern_id, lead.id, "hold_released", work.now)
    for member_id in held:
        await account_deletion.resume(work.session, member_id)


async def _lock_members(session: AsyncSession, concern_id: UUID) -> Sequence[UUID]:
    """Lock whom a hold of a concern keeps: one who leaves at this moment has left, or waits. Return their ids."""
    persons = select(owner_of(col(ConcernPerson.persona_id))).where(col(ConcernPerson.concern_id) == concern_id)
    authors_of_posts = (
        select(owner_of(col(Post.author_id)))
        .join(ConcernPost, col(ConcernPost.post_id) == col(Post.id))
        .where(col(ConcernPost.concern_id) == concern_id)
    )
    held = (
        select(col(Member.id))
        .where(or_(col(Member.id).in_(persons), col(Member.id).in_(authors_of_posts)))
        .order_by(col(Member.id))
        .with_for_update(key_share=True)
    )
    return (await session.execute(held)).scalars().all()


async def has_hold(session: AsyncSession, concern_id: UUID) -> bool:
    """Return whether a legal hold keeps a concern."""
    this = exists().where(col(ConcernHold.concern_id) == concern_id)
    return bool((await session.execute(select(this))).scalar_one())


async def find_duty(session: AsyncSession, member_id: UUID) -> LegalDuty | None:
    """Return whether holds of concerns keep a member's data, and whether they may be told so.

    Theirs are held whom a concern is about, and who wrote one of its posts: they may have raised it themselves. They
    are told where one hold has no exemption.
    """
    of_hold = col(ConcernHold.concern_id)
    about_them = exists().where(
        col(ConcernPerson.concern_id) == of_hold, is_persona_of(col(ConcernPerson.persona_id), member_id)
    )
    of_their_posts = exists().where(
        col(ConcernPost.concern_id) == of_hold,
        col(Post.id) == col(ConcernPost.post_id),
        is_persona_of(col(Post.author_id), member_id),
    )
    held = select(col(ConcernHold.exemption)).where(or_(about_them, of_their_posts))
    exemptions = (await session.execute(held)).scalars().all()
    return LegalDuty(may_be_told=None in exemptions) if exemptions else None


def keeps_post() -> ColumnElement[bool]:
    """Return the condition that a hold of a concern keeps the words of Post: of its own posts and its persons."""
    of_hold = col(ConcernHold.concern_id)
    linked = exists().where(of_hold == col(ConcernPost.concern_id), col(ConcernPost.post_id) == col(Post.id))
    theirs = exists().where(
        of_hold == col(ConcernPerson.concern_id),
        owner_of(col(ConcernPerson.persona_id)) == owner_of(col(Post.author_id)),
    )
    return or_(linked.correlate(Post), theirs.correlate(Post))
