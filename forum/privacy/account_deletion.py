"""Leave the forum: asked for, cancelled, or done after fourteen days by a job."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import invitations, roles
from forum.advising.notes import forget_notes_about
from forum.authentication import email_addresses, handles, sessions
from forum.content.posts.erasure import remove_badges
from forum.content.reactions.actions import forget_reactions
from forum.core import audit, jobs
from forum.core.errors import Conflict
from forum.core.jobs import Handler, Job, Payload
from forum.core.work import Work
from forum.mail import outbox, tokens
from forum.mail.tables import MailKind
from forum.members.aliases import forget_aliases
from forum.members.departure import anonymise_member
from forum.members.queries import lock_member_row, lock_own_row
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.permissions import require_recent_sign_in
from forum.privacy import erasure_jobs, handle_changes
from forum.privacy.personal_data_source import LegalDuty, PersonalDataSource
from forum.privacy.tables import Departure, DepartureKind, LegalHold

GRACE_PERIOD = timedelta(days=14)
CLOCKS_DIFFER = timedelta(minutes=1)  # the database's clock, which starts jobs, may be ahead of ours
DEPART = Job("depart")
RUN_DUE_DELETIONS = Job("look_after_departures")


async def get_departure(work: Work, viewer: Viewer) -> Departure | None:
    """Return the viewer's departure, if they asked for one."""
    return await _get_departure(work.session, viewer.member_id)


async def request_departure(work: Work, viewer: Viewer, kind: DepartureKind) -> Departure:
    """Leave in fourteen days. Idempotent; asking for the other kind begins anew.

    The viewer gets a mail with a link that stops it: their session may be stolen. Raises SignInAgain, Throttled, and
    Conflict for the last administrator.
    """
    require_recent_sign_in(viewer, work.now)
    member = await lock_own_row(work.session, viewer)
    await roles.refuse_last_administrator(work.session, member.id)
    known = await _get_departure(work.session, member.id)
    if known and known.kind == kind:
        return known
    await work.count_try("mail", "departure", member.id)  # asked for and cancelled again, each time is a mail
    departure = known or Departure(member_id=member.id, kind=kind, asked_at=work.now, due_at=work.now)
    departure.kind, departure.asked_at, departure.due_at = kind, work.now, work.now + GRACE_PERIOD
    departure.waits_since = None
    work.session.add(departure)
    await work.session.flush()
    await outbox.cancel(work.session, member.id, MailKind.DEPARTURE)
    await outbox.enqueue(work.session, MailKind.DEPARTURE, work.now, member_id=member.id, email=member.email)
    await _enqueue(work.session, departure)
    return departure


async def cancel_departure(work: Work, viewer: Viewer) -> None:
    """Stay after all. Idempotent."""
    member = await lock_own_row(work.session, viewer)
    await _delete_departure(work.session, member.id)


async def refuse_departure(work: Work, token: str) -> None:
    """Cancel the departure with the link that was mailed, and end every session: somebody else asked for it.

    Raises NotFound when the link no longer works.
    """
    member = (await tokens.use_link(work.session, token, MailKind.DEPARTURE, work.now)).member
    await _delete_departure(work.session, member.id)
    await sessions.end_all(work.session, member.id)
    work.forget_sessions_of(member.id)


async def refuse_address_change(work: Work, token: str) -> None:
    """Refuse a change of address with the link that was mailed to the old one, and cancel a departure.

    Whoever asked for the change may have asked for both. Raises NotFound when the link no longer works.
    """
    member = await email_addresses.refuse_change(work, token)
    await _delete_departure(work.session, member.id)


async def resume(session: AsyncSession, member_id: UUID) -> None:
    """Enqueue a departure again that was blocked; nothing happens for a member who did not ask, or before it is due."""
    departure = await _get_departure(session, member_id)
    if departure and not departure.done_at:
        await _enqueue(session, departure)


def make_departer(source: PersonalDataSource) -> Handler:
    """Return the job handler that deletes the account of a member whose departure is due."""

    async def depart(session: AsyncSession, payload: Payload, now: datetime) -> None:
        member = await lock_member_row(session, UUID(payload["member"]))
        departure = await _get_departure(session, member.id)
        if departure is None or departure.done_at or departure.due_at > now + CLOCKS_DIFFER:
            return
        duty = await _find_duty(session, source, member.id)
        if await _is_blocked(session, departure, member, duty, now):
            return
        await _delete_account(session, source, departure, member, max(now, departure.due_at))

    return depart


async def run_due_deletions(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Enqueue departures that are due and not done: blocked ones, restored ones, and those whose job was given up."""
    due = select(Departure).where(col(Departure.due_at) <= now, col(Departure.cleared_at).is_(None))
    for departure in (await session.execute(due.order_by(col(Departure.due_at)))).scalars().all():
        job = erasure_jobs.ERASE if departure.done_at else DEPART
        await jobs.enqueue(session, job, {"member": str(departure.member_id)})


async def _get_departure(session: AsyncSession, member_id: UUID) -> Departure | None:
    return await session.get(Departure, member_id, populate_existing=True)


async def _enqueue(session: AsyncSession, departure: Departure) -> None:
    await jobs.enqueue(session, DEPART, {"member": str(departure.member_id)}, at=departure.due_at)


async def _delete_departure(session: AsyncSession, member_id: UUID) -> None:
    own = (col(Departure.member_id) == member_id, col(Departure.done_at).is_(None))
    await session.execute(delete(Departure).where(*own))
    await outbox.cancel(session, member_id, MailKind.DEPARTURE)
    await outbox.cancel(session, member_id, MailKind.DEPARTURE_WAITS)


async def _find_duty(session: AsyncSession, source: PersonalDataSource, member_id: UUID) -> LegalDuty | None:
    """Return the duty to keep a member's data: by a legal hold, or by what else is stored."""
    if await session.get(LegalHold, member_id, populate_existing=True):
        return LegalDuty(may_be_told=True)
    return await source.find_duty(session, member_id)


async def _is_blocked(
    session: AsyncSession, departure: Departure, member: Member, duty: LegalDuty | None, now: datetime
) -> bool:
    """Return whether a legal duty blocks it, of which the member is told once if they may be, or that nobody else
    administers.
    """
    if duty:
        if duty.may_be_told and departure.waits_since is None:
            departure.waits_since = now
            await inbox.notify(session, member.id, inbox.NotificationKind.DEPARTURE_WAITS, now)
            await outbox.enqueue(session, MailKind.DEPARTURE_WAITS, now, member_id=member.id, email=member.email)
        return True
    try:
        await roles.refuse_last_administrator(session, member.id)
    except Conflict:
        departure.waits_since = departure.waits_since or now
        return True
    return False


async def _delete_account(
    session: AsyncSession, source: PersonalDataSource, departure: Departure, member: Member, now: datetime
) -> None:
    """Remove the name everywhere at once; texts that must be erased follow, one job per thread.

    Handles that the member had a moment ago go too, and a job looks again for what was being written meanwhile.
    """
    await handles.keep_until_gone(session, member.id, member.handle)
    await handle_changes.replace_old_handles(session, source, member.id, None)
    await handles.look_again(session, member.id, now)
    await remove_badges(session, member.id)
    await forget_reactions(session, member.id)
    await forget_notes_about(session, member.id)
    await source.remove_name(session, member)
    await invitations.withdraw_all_to(session, member)
    await anonymise_member(session, member, now)
    departure.done_at = now
    if departure.kind == DepartureKind.ERASE:
        await jobs.enqueue(session, erasure_jobs.ERASE, {"member": str(departure.member_id)})
    else:
        await forget_aliases(session, departure.member_id)
        departure.cleared_at = now
    await audit.record(
        session,
        actor_id=departure.member_id,
        act="member.left",
        subject=("member", departure.member_id),
        now=now,
        details={"kind": departure.kind},
    )
