"""Claims: an adviser keeps a thread that they want to answer, for a few hours of work, so that nobody else begins too.

A claim stops nobody from answering. It counts no more as soon as its time is over or an adviser has answered; a job
then deletes it, and tells its holder if somebody else answered or if they came too late.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.context import ReplyContext, context_in_thread
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.tables import Post
from forum.content.threads.changes import lock_thread_row, refuse_stale_thread
from forum.content.threads.claims import IS_ANSWERED, ThreadClaim, find_claim_in_transaction, is_running
from forum.content.threads.tables import Thread, ThreadState
from forum.core import jobs
from forum.core.database import query, rows_of
from forum.core.errors import Conflict
from forum.core.jobs import Job, Payload
from forum.core.work import Work
from forum.core.working_time import calendar_of
from forum.members.queries import changer_of
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

END_CLAIMS = Job("end_claims")
TELL_CLAIM_ANSWERED, TELL_CLAIM_ENDED = Job("tell_claim_answered"), Job("tell_claim_ended")
BATCH = 100


_ADVISES = exists().where(
    col(RoleGrant.member_id) == col(Member.id),
    col(RoleGrant.role).in_((Role.ADVISER, Role.MODERATOR, Role.ADMINISTRATOR)),
    col(RoleGrant.board_id).is_(None),
)


async def claim(work: Work, adviser: Viewer, thread_id: int, version: int) -> datetime:
    """Keep a thread for the hours of the setting, or renew one's own claim. Return when it ends.

    Raises NotFound, Forbidden, Stale when the thread is no longer at `version`, and Conflict for a locked thread and
    for one that somebody else keeps, with who and until when.
    """
    await open_thread_for_advice(work, adviser, thread_id)
    thread = await lock_thread_row(work.session, thread_id)
    await refuse_stale_thread(work.session, thread, version)
    kept = await find_claim_in_transaction(work.session, thread_id, work.now)
    if kept is not None and kept.member_id != adviser.member_id:
        raise _kept_by(kept)
    if kept is None:
        await _end_over(work.session, work.now, col(ThreadClaim.thread_id) == thread_id)
    until = calendar_of(work.settings).after_hours(work.now, work.settings.claim_hours)
    values = {"until": until, "seen_number": thread.last_number}
    new = insert(ThreadClaim).values(thread_id=thread_id, member_id=adviser.member_id, since=work.now, **values)
    await work.session.execute(new.on_conflict_do_update(index_elements=[col(ThreadClaim.thread_id)], set_=values))
    return until


async def give_back(work: Work, adviser: Viewer, thread_id: int) -> None:
    """Give a thread back that one keeps, also where one sees it no longer. Idempotent."""
    own = (col(ThreadClaim.thread_id) == thread_id, col(ThreadClaim.member_id) == adviser.member_id)
    await work.session.execute(delete(ThreadClaim).where(*own))


async def open_thread_for_advice(work: Work, adviser: Viewer, thread_id: int) -> ReplyContext:
    """Return the context of an open thread to whoever advises in it. Raises NotFound, Forbidden and Conflict."""
    context = await context_in_thread(work, adviser, thread_id, NO_WORDS)
    allow(Act.ADVISE, adviser, context)
    if context.thread.state != ThreadState.OPEN:
        raise Conflict("This thread is locked. It waits for nobody.", code="thread_locked")
    return context


async def end_claims(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: delete the claims that count no more, and have their holders told.

    Those of somebody who does not advise any more, or may not write, go too; nobody is told of these.
    """
    await _end_over(session, now)


async def _end_over(session: AsyncSession, now: datetime, *which: ColumnElement[bool]) -> None:
    may_work = and_(_ADVISES, standing_at(now) == Standing.ACTIVE)
    # A notice leads to the answer, or to what still waits.
    place = func.coalesce(case((IS_ANSWERED, col(Thread.latest_adviser_number))), col(Thread.asked_number), 1)
    over = (
        query(
            col(ThreadClaim.thread_id),
            col(ThreadClaim.member_id),
            may_work.label("may_work"),
            IS_ANSWERED.label("is_answered"),
            col(Post.id).label("post_id"),
            (col(Post.author_id) == col(ThreadClaim.member_id)).label("is_own"),
        )
        .join(Thread, col(Thread.id) == col(ThreadClaim.thread_id))
        .join(Member, col(Member.id) == col(ThreadClaim.member_id))
        .join(Post, and_(col(Post.thread_id) == col(Thread.id), col(Post.number) == place))
        .where(or_(~is_running(now), ~may_work), *which)
        .limit(BATCH)
        .with_for_update(of=rows_of(ThreadClaim), skip_locked=True)
    )
    for row in (await session.execute(over)).all():
        await session.execute(delete(ThreadClaim).where(col(ThreadClaim.thread_id) == row.thread_id))
        if row.may_work and not (row.is_answered and row.is_own):
            tell = TELL_CLAIM_ANSWERED if row.is_answered else TELL_CLAIM_ENDED
            await jobs.enqueue(session, tell, {"member": str(row.member_id), "post": str(row.post_id)})


def _kept_by(kept: Any) -> Conflict:
    return Conflict(
        f"{kept.name} wants to answer this thread.",
        code="thread_claimed",
        changed_by=changer_of(kept),
        changed_at=kept.since,
        until=kept.until,
    )
