"""Leaving: asked for, taken back, and done after fourteen days, once, by whichever worker comes first."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import invitations, roles
from forum.authentication import sessions
from forum.content.posts.erasure import remove_badges, replace_handle_in_posts
from forum.content.threads.changes import replace_handle_in_titles
from forum.core import audit, jobs
from forum.core.errors import Conflict
from forum.core.jobs import Handler, Job, Payload
from forum.mail import outbox, tokens
from forum.mail.tables import Kind as tables_Kind
from forum.members.departure import anonymise_member
from forum.members.queries import lock_member_row
from forum.members.tables import Member
from forum.notifications import inbox
from forum.privacy import erasure_jobs, legal_holds
from forum.privacy.personal_data_source import PersonalDataSource
from forum.privacy.tables import Departure, Kind

GRACE_PERIOD = timedelta(days=14)
CLOCKS_DIFFER = timedelta(minutes=1)  # the database's clock, which lets jobs go, may be ahead of ours
DEPART = Job("depart")
RUN_DUE_DELETIONS = Job("look_after_departures")


async def get_for_member(session: AsyncSession, member_id: UUID) -> Departure | None:
    """What a member asked for, if they did."""
    return await session.get(Departure, member_id, populate_existing=True)


async def request(session: AsyncSession, member: Member, kind: Kind, now: datetime) -> Departure:
    """Have a member, whose row the caller holds, leave in fourteen days; asked again, it is as asked once.

    To ask for the other kind begins anew. The member is told by mail, with a link that stops it: a session may be
    stolen. Raises Conflict for the last administrator.
    """
    await roles.refuse_last_administrator(session, member.id)
    known = await get_for_member(session, member.id)
    if known and known.kind == kind:
        return known
    departure = known or Departure(member_id=member.id, kind=kind, asked_at=now, due_at=now)
    departure.kind, departure.asked_at, departure.due_at = kind, now, now + GRACE_PERIOD
    departure.waits_since = None
    session.add(departure)
    await session.flush()
    await outbox.cancel(session, member.id, tables_Kind.DEPARTURE)
    await outbox.enqueue(session, tables_Kind.DEPARTURE, now, member_id=member.id, email=member.email)
    await _put_down(session, departure, departure.due_at)
    return departure


async def cancel(session: AsyncSession, member_id: UUID) -> None:
    """Let a member, whose row the caller holds, stay after all; done twice, it is as done once."""
    mine = (col(Departure.member_id) == member_id, col(Departure.done_at).is_(None))
    await session.execute(delete(Departure).where(*mine))
    await outbox.cancel(session, member_id, tables_Kind.DEPARTURE)
    await outbox.cancel(session, member_id, tables_Kind.DEPARTURE_WAITS)


async def refuse_by_link(session: AsyncSession, token: str, now: datetime) -> UUID:
    """Let the member stay whom this link was mailed to, and end every session; who that is.

    Raises NotFound when the link no longer works.
    """
    member = (await tokens.opened(session, token, tables_Kind.DEPARTURE, now)).member
    await cancel(session, member.id)
    await sessions.end_all(session, member.id)
    return member.id


def departing(keeper: PersonalDataSource) -> Handler:
    """What lets a member go whose time has come."""

    async def depart(session: AsyncSession, payload: Payload, now: datetime) -> None:
        member = await lock_member_row(session, UUID(payload["member"]))
        departure = await get_for_member(session, member.id)
        if departure is None or departure.done_at or departure.due_at > now + CLOCKS_DIFFER:
            return
        if await _must_wait(session, departure, member, now):
            return
        await _let_go(session, keeper, departure, member, max(now, departure.due_at))

    return depart


async def run_due_deletions(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Have done what is due and is not done: it waited, or came back from a backup, or its job was given up."""
    left = select(Departure).where(col(Departure.due_at) <= now, col(Departure.cleared_at).is_(None))
    for departure in (await session.execute(left.order_by(col(Departure.due_at)))).scalars().all():
        job = erasure_jobs.ERASE if departure.done_at else DEPART
        await jobs.enqueue(session, job, {"member": str(departure.member_id)})


async def resume(session: AsyncSession, member_id: UUID) -> None:
    """Have a departure done that waited; nothing for a member who did not ask, or whose time has not come."""
    departure = await get_for_member(session, member_id)
    if departure and not departure.done_at:
        await _put_down(session, departure, departure.due_at)


async def _put_down(session: AsyncSession, departure: Departure, at: datetime) -> None:
    await jobs.enqueue(session, DEPART, {"member": str(departure.member_id)}, at=at)


async def _must_wait(session: AsyncSession, departure: Departure, member: Member, now: datetime) -> bool:
    """Whether something is in the way: a legal hold, of which the member is told once, or that nobody else is left
    to run the forum."""
    if await legal_holds.get_hold(session, member.id):
        if departure.waits_since is None:
            departure.waits_since = now
            waits = inbox.Kind.DEPARTURE_WAITS
            inbox.notify(session, member.id, waits, now)
            told: dict[str, Any] = {"member_id": member.id, "email": member.email}
            await outbox.enqueue(session, tables_Kind.DEPARTURE_WAITS, now, **told)
        return True
    try:
        await roles.refuse_last_administrator(session, member.id)
    except Conflict:
        departure.waits_since = departure.waits_since or now
        return True
    return False


async def _let_go(
    session: AsyncSession, keeper: PersonalDataSource, departure: Departure, member: Member, now: datetime
) -> None:
    """The name goes everywhere at once; words that are to be erased follow, thread by thread."""
    await replace_handle_in_posts(session, member.handle)
    await replace_handle_in_titles(session, member.handle)
    await remove_badges(session, member.id)
    await keeper.forget_name(session, member)
    await invitations.invalidate(session, member)
    await anonymise_member(session, member, now)
    departure.done_at = now
    if departure.kind == Kind.ERASE:
        await jobs.enqueue(session, erasure_jobs.ERASE, {"member": str(departure.member_id)})
    else:
        departure.cleared_at = now
    await audit.record(
        session,
        actor_id=departure.member_id,
        act="member.left",
        subject=("member", departure.member_id),
        now=now,
        details={"kind": departure.kind},
    )
