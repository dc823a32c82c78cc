"""Send the letters that are due, and stop where a mail server refuses them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import jobs
from forum.core.database import Record, query, rows_of
from forum.core.jobs import Job, Payload
from forum.mail import outbox
from forum.mail.outbox import MailHooks
from forum.mail.tables import Mail, MailKind
from forum.members.queries import lock_member_row
from forum.members.tables import Member
from forum.members.viewer import viewer_of, viewers
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from forum.notifications.letter_choices import create_off_token
from forum.notifications.letter_times import first_free, least_gap_over
from forum.notifications.letters import TIMES, WANTED, LetterChoice, MailDue, add_due, forget_due, times_of

SEND_DUE = Job("send_due_letters")
AT_ONCE = 50  # members in one transaction: what they are told meanwhile waits for its end
MOST_REFUSALS = 3
# A letter leaves once in three hours at most: what comes back within one of the last is the same letter once more.
ONE_LETTER = timedelta(hours=1)
IN_A_ROW = timedelta(days=30)  # a letter that did not come back tells nobody, so only time ends a row


async def send_due(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Queue a letter to everybody to whom one is due and who has something unread."""
    members = await _lock_due(session, now)
    wanted = {row.member_id: row for row in await _wanted(session, members)}
    for member_id in members:
        row = wanted.get(member_id)
        later = _later(row, now) if row else None
        if later:
            await session.execute(update(MailDue).where(col(MailDue.member_id) == member_id).values(due_at=later))
            continue
        await session.execute(delete(MailDue).where(col(MailDue.member_id) == member_id))
        if row and await _has_news(session, member_id):
            await outbox.enqueue(session, MailKind.NEWS, now, member_id=member_id, email=row.email)
            sent = update(LetterChoice).where(col(LetterChoice.member_id) == member_id)
            await session.execute(sent.values(sent_at=now))
    if len(members) == AT_ONCE:
        await jobs.enqueue(session, SEND_DUE, {})


async def is_wanted(session: AsyncSession, mail: Mail, now: datetime) -> bool:
    """Return whether a letter is still to be sent, as it is about to leave.

    In the quiet hours, which may have come while the mail server was away, it waits for their end.
    """
    if mail.member_id is None:
        return False
    row = next(iter(await _wanted(session, [mail.member_id])), None)
    if row is None or row.email != mail.email or not await _has_news(session, mail.member_id):
        return False
    free = first_free(times_of(row), now)
    if free > now:
        await add_due(session, [{"member_id": mail.member_id, "due_at": free}])
    return free <= now


async def note_end(session: AsyncSession, member_id: UUID, was_taken: bool, now: datetime) -> None:
    """Count the letters that a member's mail server refused for good; after the third in a row, send none any more."""
    await lock_member_row(session, member_id)
    choice = await session.get(LetterChoice, member_id)
    if choice is None:
        return
    choice.refusals = 0 if was_taken else choice.refusals + 1
    if choice.refusals == MOST_REFUSALS:
        await _stop(session, choice, now)


async def note_returned(session: AsyncSession, member_id: UUID, now: datetime) -> None:
    """Count the letters of a member that came back; after the third in a row, send none any more."""
    await lock_member_row(session, member_id)
    choice = await session.get(LetterChoice, member_id)
    if choice is None or choice.stopped_at is not None:
        return
    since = now - choice.returned_at if choice.returned_at else IN_A_ROW
    if since < ONE_LETTER:
        return
    choice.returns, choice.returned_at = choice.returns + 1 if since < IN_A_ROW else 1, now
    if choice.returns == MOST_REFUSALS:
        await _stop(session, choice, now)


async def _stop(session: AsyncSession, choice: LetterChoice, now: datetime) -> None:
    choice.stopped_at = now
    await session.flush()
    await forget_due(session, choice.member_id)
    await inbox.notify(session, choice.member_id, NotificationKind.MAILS_STOPPED, now)


HOOKS = MailHooks(is_wanted, note_end, create_off_token)


async def _lock_due(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    """Lock the rows of members to whom a letter is due, after the members' own, as everybody does who locks both.

    Those that others have locked come a minute later: their member is being told something, or chooses otherwise.
    """
    due = (
        select(col(Member.id))
        .join(MailDue, col(MailDue.member_id) == col(Member.id))
        .where(col(MailDue.due_at) <= now)
        .order_by(col(MailDue.due_at))
        .limit(AT_ONCE)
        .with_for_update(of=rows_of(Member), key_share=True, skip_locked=True)
    )
    members = (await session.execute(due)).scalars().all()
    theirs = select(col(MailDue.member_id)).where(col(MailDue.member_id).in_(members), col(MailDue.due_at) <= now)
    return (await session.execute(theirs.with_for_update(skip_locked=True))).scalars().all()


async def _wanted(session: AsyncSession, members: Sequence[UUID]) -> list[Record]:
    """Return address and times of those of these members who want letters."""
    chosen = (
        query(col(LetterChoice.member_id), col(Member.email), *TIMES)
        .join(Member, col(Member.id) == col(LetterChoice.member_id))
        .where(col(LetterChoice.member_id).in_(members), *WANTED)
    )
    return list((await session.execute(chosen)).all())


def _later(row: Record, now: datetime) -> datetime | None:
    """Return when a letter may leave that may not leave now."""
    times = times_of(row)
    moment = first_free(times, least_gap_over(times, now))
    return moment if moment > now else None


async def _has_news(session: AsyncSession, member_id: UUID) -> bool:
    """Return whether something that is mailed is unread and can be seen by the member, as they would find it."""
    row = (await session.execute(viewers().where(col(Member.id) == member_id))).one()
    return await inbox.has_news(session, viewer_of(row))
