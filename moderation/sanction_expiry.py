"""What happens when a review, a silence or a suspension runs out: the member is told."""

from datetime import datetime

from sqlalchemy import exists, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import jobs
from forum.core.jobs import Job
from forum.members.standing import standing_of
from forum.members.tables import Standing
from forum.notifications import inbox
from moderation import statements
from moderation.measures.tables import AppliedMeasure

# Runs when a measure that holds until some time has run out.
STANDING_ENDED = Job("standing_ended")


async def tell_that_sanction_ended(session: AsyncSession, payload: jobs.Payload, now: datetime) -> None:
    """Job handler: tell a member that they are in good standing again, if they are and the measure was not undone."""
    applied = await session.get(AppliedMeasure, int(payload["measure"]), with_for_update=True)
    if applied is None or applied.undone_at or applied.until is None:
        return
    then = max(now, applied.until)  # the database's clock, which started the job, may be ahead of ours
    if await standing_of(session, applied.member_id, then) != Standing.ACTIVE:
        return
    if await _has_longer_measure(session, applied, then):
        return
    statement = await statements.get_for_decision(session, applied.decision_id)
    ended = inbox.NotificationKind.STANDING_ENDED
    await inbox.notify_once(session, applied.member_id, ended, then, post_id=applied.post_id, subject_id=statement.id)


async def _has_longer_measure(session: AsyncSession, applied: AppliedMeasure, now: datetime) -> bool:
    """Whether another measure against the member ran longer and is over too: its own job tells them."""
    longer = exists().where(
        col(AppliedMeasure.member_id) == applied.member_id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.until) <= now,
        tuple_(col(AppliedMeasure.until), col(AppliedMeasure.id)) > (applied.until, applied.id),
    )
    return bool((await session.execute(select(longer))).scalar_one())
