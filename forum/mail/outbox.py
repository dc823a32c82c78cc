"""Sending: a mail is a row and a job, both put down in the transaction that wants them; sent, the row goes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

from aiosmtplib import SMTPRecipientRefused, SMTPRecipientsRefused
from pydantic import TypeAdapter
from sqlalchemy import delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import jobs, pagination
from forum.core.database import Query, query
from forum.core.jobs import Handler, Job, Payload
from forum.core.settings import Settings
from forum.mail import templates, tokens
from forum.mail.smtp import TRANSPORT_ERRORS, transport_of
from forum.mail.tables import Kind, Link, Mail
from forum.mail.templates import Template
from forum.mail.tokens import LASTS
from forum.members.tables import Member

SEND = Job("send_mail")
TRIED_FOR = timedelta(days=3)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
KEPT_FOR = timedelta(days=30)
BY_AGE = TypeAdapter(tuple[pagination.Instant, UUID])


async def enqueue(
    session: AsyncSession, kind: Kind, now: datetime, *, member_id: UUID | None, email: str | None
) -> None:
    """Have a mail sent once this transaction is committed; one to nobody (None, None) is as much work, and no mail."""
    mail = Mail(kind=kind, member_id=member_id, email=email, put_down_at=now)
    session.add(mail)
    await session.flush()
    await jobs.enqueue(session, SEND, {"mail": str(mail.id)})


async def enqueue_sign_in_changed(session: AsyncSession, member: Member, now: datetime) -> None:
    """Tell a member that how they sign in was changed, at the address that they verified."""
    if member.email_verified_at:
        await enqueue(session, Kind.SIGN_IN_CHANGED, now, member_id=member.id, email=member.email)


def select_unsent(after: tuple[datetime, UUID] | None = None, limit: int | None = None) -> Query:
    """The mails that are not sent yet, oldest first: who they are for, how often they failed, and with what."""
    found = (
        query(
            col(Mail.id),
            col(Mail.kind),
            col(Member.handle),
            col(Mail.put_down_at),
            col(Mail.failures),
            col(Mail.failure),
            col(Mail.given_up_at),
        )
        .join(Member, col(Member.id) == col(Mail.member_id))
        .order_by(col(Mail.put_down_at), col(Mail.id))
        .limit(limit)
    )
    return found.where(tuple_(col(Mail.put_down_at), col(Mail.id)) > after) if after else found


def pause(failures: int) -> timedelta:
    """How long to wait after so many failures."""
    return min(FIRST_PAUSE * float(2 ** min(failures - 1, 20)), LONGEST_PAUSE)


def sender(settings: Settings) -> Handler:
    """What sends mails as these settings say.

    A mail is sent inside of the transaction that ends its job: a worker that falls between the two sends it once more,
    and never not at all.
    """
    transport = transport_of(settings)

    async def send(session: AsyncSession, payload: Payload, now: datetime) -> None:
        mail = await session.get(Mail, UUID(payload["mail"]))
        if mail is None:  # its member is gone, or needs it no longer
            return
        try:
            async with session.begin_nested():  # a link that was not sent is not kept
                if message := await _written(session, mail, settings, now):
                    await transport.deliver(message)
        except TRANSPORT_ERRORS as error:
            await _put_off(session, mail, error, now)
        else:
            await session.execute(delete(Mail).where(col(Mail.id) == mail.id))

    return send


async def end_resets(session: AsyncSession, member_id: UUID) -> None:
    """Let no link to a new password open anything any more, nor be sent."""
    await cancel(session, member_id, Kind.PASSWORD_RESET)


async def cancel(session: AsyncSession, member_id: UUID, kind: Kind, *, email: str | None = None) -> None:
    """Let no such mail be sent any more, to this address or to any, nor any such link open anything."""
    await tokens.invalidate(session, member_id, kind, email=email)
    waiting = [col(Mail.member_id) == member_id, col(Mail.kind) == kind]
    waiting += [col(Mail.email) == email] if email else []
    await session.execute(delete(Mail).where(*waiting))


async def end_changes(session: AsyncSession, member_id: UUID, since: datetime) -> None:
    """Let no other address be confirmed, nor one that came since then refuse to go.

    Earlier ones can: who took an address away and refuses their own next one must not silence the first.
    """
    await tokens.invalidate(session, member_id, Kind.VERIFY_ADDRESS)
    for table, asked_at in ((Link, col(Link.asked_at)), (Mail, col(Mail.put_down_at))):
        theirs = (col(table.member_id) == member_id, col(table.kind) == Kind.ADDRESS_CHANGE)
        await session.execute(delete(table).where(*theirs, asked_at >= since))


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete links that ran out, and mails that were given up long ago."""
    await session.execute(delete(Link).where(col(Link.expires_at) <= now))
    await session.execute(delete(Mail).where(col(Mail.given_up_at) <= now - KEPT_FOR))


async def _written(session: AsyncSession, mail: Mail, settings: Settings, now: datetime) -> EmailMessage | None:
    """The mail with its words and its link; None when it has become needless."""
    if mail.member_id is None or mail.email is None:
        return None
    letter = await _letter(session, mail, await session.get_one(Member, mail.member_id), now)
    if letter is None:
        return None
    link = None
    if letter.path:
        token = await tokens.make(session, Kind(mail.kind), mail.member_id, mail.email, mail.put_down_at, now)
        # Behind the `#`, where no server on the way writes it down.
        link = f"{settings.public_url}/{letter.path}#{token}"
    return templates.compose(letter, settings.mail_from, mail.email, now, link)


_ALWAYS: Mapping[Kind, Template] = {
    Kind.ADDRESS_CHANGE: templates.CHANGE,
    Kind.SIGN_IN_CHANGED: templates.SIGN_IN,
    Kind.INVITATION: templates.INVITATION,
    Kind.DEPARTURE: templates.DEPARTURE,
    Kind.DEPARTURE_WAITS: templates.DEPARTURE_WAITS,
    Kind.EXPORT_READY: templates.EXPORT_READY,
}


async def _letter(session: AsyncSession, mail: Mail, member: Member, now: datetime) -> Template | None:
    match mail.kind:
        case Kind.VERIFY_ADDRESS if mail.email == member.wanted_email or (
            mail.email == member.email and not member.email_verified_at
        ):
            return templates.TAKEN if await _is_anothers(session, member, mail.email) else templates.VERIFY
        case Kind.PASSWORD_RESET if mail.email == member.email and now < mail.put_down_at + LASTS[Kind.PASSWORD_RESET]:
            return templates.RESET
        case _:
            return _ALWAYS.get(Kind(mail.kind))


async def _is_anothers(session: AsyncSession, member: Member, email: str | None) -> bool:
    """Whether somebody else has verified this address; found out here, where nobody waits for the answer."""
    verified = exists().where(
        func.lower(col(Member.email)) == func.lower(email),
        col(Member.email_verified_at).is_not(None),
        col(Member.id) != member.id,
    )
    return bool((await session.execute(select(verified))).scalar_one())


async def _put_off(session: AsyncSession, mail: Mail, error: Exception, now: datetime) -> None:
    """Try again later; after three days, or when the address does not exist, keep it for administrators to see."""
    failures, again = mail.failures + 1, now + pause(mail.failures + 1)
    over = _is_final(error) or again > mail.put_down_at + TRIED_FOR
    noted = {"failures": failures, "failure": _named(error), "given_up_at": now if over else None}
    await session.execute(update(Mail).where(col(Mail.id) == mail.id).values(noted))
    if not over:
        await jobs.enqueue(session, SEND, {"mail": str(mail.id)}, at=again)


def _is_final(error: Exception) -> bool:
    refusals = _refusals(error)
    return bool(refusals) and all(refusal.code >= 500 for refusal in refusals)


def _named(error: Exception) -> str:
    code = getattr(_refusals(error)[0] if _refusals(error) else error, "code", "")
    return f"{type(error).__name__} {code}".strip()


def _refusals(error: Exception) -> list[SMTPRecipientRefused]:
    return error.recipients if isinstance(error, SMTPRecipientsRefused) else []
