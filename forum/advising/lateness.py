"""Who is told when threads wait too long: advisers after the target, administrators after twice as long.

From nine on working days, once a day and not once for each thread; later on that day where the worker was away. Whoever
has not read it yet is not told again.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board
from forum.content.threads.tables import Thread, ThreadState
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core import jobs
from forum.core.jobs import Handler, Job, Payload
from forum.core.milestones import Milestone, MilestoneKind, reach
from forum.core.settings import Settings
from forum.core.working_time import calendar_of
from forum.members.roles import has_role
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, Standing

LOOK_FOR_LATE = Job("look_for_late_threads")
TELL_LATE, TELL_VERY_LATE = Job("tell_late_threads"), Job("tell_very_late_threads")
HOUR = 9  # of the day, in the forum's time zone


def make_late_finder(settings: Settings) -> Handler:
    """Return the job handler that has advisers and administrators told of threads that wait too long."""
    calendar = calendar_of(settings)

    async def look_for_late(session: AsyncSession, _payload: Payload, now: datetime) -> None:
        local = now.astimezone(calendar.zone)
        if local.hour < HOUR or not calendar.is_working_day(local.date()):
            return
        last = await session.get(Milestone, MilestoneKind.LATE_LOOKED_FOR)
        if last and last.last_at.astimezone(calendar.zone).date() == local.date():
            return
        await reach(session, MilestoneKind.LATE_LOOKED_FOR, now)
        for role, job, days in (
            (Role.ADVISER, TELL_LATE, settings.answer_days),
            (Role.ADMINISTRATOR, TELL_VERY_LATE, 2 * settings.answer_days),
        ):
            if await _waits(session, col(Thread.asked_since) < calendar.late_before(now, days)):
                told = select(col(Member.id)).where(has_role(None, role), standing_at(now) == Standing.ACTIVE)
                for member_id in (await session.execute(told)).scalars().all():
                    await jobs.enqueue(session, job, {"member": str(member_id)})

    return look_for_late


async def _waits(session: AsyncSession, is_late: ColumnElement[bool]) -> bool:
    waiting = exists().where(
        col(Board.id) == col(Thread.board_id),
        is_late,
        col(Thread.state) == ThreadState.OPEN,
        THREAD_SHOWN,
        col(Board.advised),
        col(Board.archived_at).is_(None),
    )
    return bool((await session.execute(select(waiting))).scalar_one())
