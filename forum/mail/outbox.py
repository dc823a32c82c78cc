"""The queue of outgoing mail: each mail is a row and a job, written in the transaction that needs it."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import NamedTuple
from uuid import UUID

from aiosmtplib import SMTPRecipientRefused, SMTPRecipientsRefused
from pydantic import TypeAdapter
from sqlalchemy import ARRAY, Uuid, all_, delete, exists, func, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import jobs, milestones, pagination, rate_limits
from forum.core.database import Query, Reader, query
from forum.core.errors import Throttled
from forum.core.jobs import Handler, Job, Payload
from forum.core.milestones import MilestoneKind
from forum.core.settings import Settings
from forum.mail import templates, tokens
from forum.mail.smtp import TRANSPORT_ERRORS, choose_transport
from forum.mail.tables import CAUSED_BY_ANYBODY, Mail, MailedLink, MailKind
from forum.mail.templates import MailTemplate
from forum.mail.tokens import LIFETIMES
from forum.members.tables import Member

SEND = Job("send_mail")
TRIED_FOR = timedelta(days=3)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
KEPT_FOR = timedelta(days=30)
# Whether a mail is still to be sent, asked when it is.
MailCheck = Callable[[AsyncSession, Mail, datetime], Awaitable[bool]]
BY_AGE = TypeAdapter(tuple[pagination.Instant, UUID])


class MailSubject(NamedTuple):
    """What a mail calls to, and whom that is about."""

    id: UUID
    persona_id: UUID


async def enqueue(
    session: AsyncSession,
    kind: MailKind,
    now: datetime,
    *,
    member_id: UUID | None,
    email: str | None,
    subject: MailSubject | None = None,
) -> None:
    """Queue a mail, to be sent after the commit. To nobody (None, None), it is as much work and no mail."""
    mail = Mail(kind=kind, member_id=member_id, email=email, put_down_at=now)
    if subject:
        mail.subject_id, mail.about_persona_id = subject
    session.add(mail)
    await session.flush()
    await jobs.enqueue(session, SEND, {"mail": str(mail.id)})


async def try_again(session: AsyncSession, mail: Mail) -> None:
    """Queue a mail again that was given up, whose row the caller has locked: once, as it is too old for more."""
    mail.given_up_at = None
    await jobs.enqueue(session, SEND, {"mail": str(mail.id)})


async def enqueue_sign_in_changed(session: AsyncSession, member: Member, now: datetime) -> None:
    """Queue a mail to a verified address: how its member signs in was changed, by somebody signed in as them."""
    await _enqueue_to_member(session, MailKind.SIGN_IN_CHANGED, member, now)


async def enqueue_handle_replaced(session: AsyncSession, member: Member, now: datetime) -> None:
    """Queue a mail to a verified address: moderators replaced its member's handle, or gave it back."""
    await _enqueue_to_member(session, MailKind.HANDLE_REPLACED, member, now)


async def _enqueue_to_member(session: AsyncSession, kind: MailKind, member: Member, now: datetime) -> None:
    if member.email_verified_at:
        await enqueue(session, kind, now, member_id=member.id, email=member.email)


def select_unsent(
    after: tuple[datetime, UUID] | None = None,
    limit: int | None = None,
    *,
    but_about: Collection[UUID] = (),
) -> Query:
    """Return a select of the mails that are not sent yet, oldest first, with their member and their failures.

    Mails about one of the personas `but_about` are left out.
    """
    hidden = literal(list(but_about), ARRAY(Uuid))
    found = (
        query(
            col(Mail.id),
            col(Mail.kind),
            col(Member.handle),
            col(Mail.subject_id).is_not(None).label("calls_to_a_case"),
            col(Mail.put_down_at),
            col(Mail.failures),
            col(Mail.failure),
            col(Mail.given_up_at),
        )
        .join(Member, col(Member.id) == col(Mail.member_id))
        .where(or_(col(Mail.about_persona_id).is_(None), col(Mail.about_persona_id) != all_(hidden)))
        .order_by(col(Mail.put_down_at), col(Mail.id))
        .limit(limit)
    )
    return found.where(tuple_(col(Mail.put_down_at), col(Mail.id)) > after) if after else found


def pause_after(failures: int) -> timedelta:
    """Return how long to wait after so many failures."""
    return min(FIRST_PAUSE * float(2 ** min(failures - 1, 20)), LONGEST_PAUSE)


def make_sender(settings: Settings, reader: Reader, checks: Mapping[MailKind, MailCheck] | None = None) -> Handler:
    """Return the job handler that sends mails as these settings say, but those that a check no longer wants.

    A mail is sent inside the transaction that ends its job: a worker that stops between the two sends it twice, never
    not at all. Its link is committed before it leaves, or whoever follows it at once would find nothing.
    """
    transport = choose_transport(settings)

    async def send(session: AsyncSession, payload: Payload, now: datetime) -> None:
        mail = await session.get(Mail, UUID(payload["mail"]))
        if mail is None:  # its member has left, or no longer needs it
            return
        is_wanted = (checks or {}).get(MailKind(mail.kind))
        if is_wanted and not await is_wanted(session, mail, now):
            await session.execute(delete(Mail).where(col(Mail.id) == mail.id))
            return
        template = await _choose_template(session, mail, now)
        token = await _create_link(reader, mail, now) if template and template.path else None
        try:
            if template and mail.email:
                async with session.begin_nested():  # what was not sent is not counted
                    await _count(session, mail, settings)
                    await transport.deliver(_compose(template, mail.email, settings, now, token))
                    await milestones.reach_first(session, MilestoneKind.MAIL_SENT, now)
        except TRANSPORT_ERRORS as error:
            if token:
                await tokens.discard_link(session, token)
            await _postpone(session, mail, error, now)
        except Throttled as over:
            if token:
                await tokens.discard_link(session, token)
            await _wait(session, mail, now + timedelta(seconds=over.retry_after))
        else:
            await session.execute(delete(Mail).where(col(Mail.id) == mail.id))

    return send


async def cancel_password_resets(session: AsyncSession, member_id: UUID) -> None:
    """Delete the member's links to a new password, sent or queued."""
    await cancel(session, member_id, MailKind.PASSWORD_RESET)


async def cancel(session: AsyncSession, member_id: UUID, kind: MailKind, *, email: str | None = None) -> None:
    """Delete the member's queued mails and links of this kind: those to this address, or all."""
    await tokens.invalidate_links(session, member_id, kind, email=email)
    waiting = [col(Mail.member_id) == member_id, col(Mail.kind) == kind]
    waiting += [col(Mail.email) == email] if email else []
    await session.execute(delete(Mail).where(*waiting))


async def cancel_address_changes(session: AsyncSession, member_id: UUID, since: datetime) -> None:
    """Delete every link that confirms another address, and each link that refuses a change requested since then.

    Earlier refusals stay: a thief who changes the address twice and refuses the second change must not take the
    first address's refusal away.
    """
    await tokens.invalidate_links(session, member_id, MailKind.VERIFY_ADDRESS)
    for table, asked_at in ((MailedLink, col(MailedLink.asked_at)), (Mail, col(Mail.put_down_at))):
        theirs = (col(table.member_id) == member_id, col(table.kind) == MailKind.ADDRESS_CHANGE)
        await session.execute(delete(table).where(*theirs, asked_at >= since))


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete expired links, and mails that were given up long ago."""
    await session.execute(delete(MailedLink).where(col(MailedLink.expires_at) <= now))
    await session.execute(delete(Mail).where(col(Mail.given_up_at) <= now - KEPT_FOR))


async def _create_link(reader: Reader, mail: Mail, now: datetime) -> str | None:
    if mail.member_id is None or mail.email is None:
        return None
    kind, asked_at = MailKind(mail.kind), mail.put_down_at
    return await tokens.create_link(reader, kind, now, member_id=mail.member_id, email=mail.email, asked_at=asked_at)


def _compose(
    template: MailTemplate, recipient: str, settings: Settings, now: datetime, token: str | None
) -> EmailMessage:
    # After the `#`: browsers do not send it, so no server logs it.
    link = f"{settings.public_url}/{template.path}#{token}" if token else None
    return templates.compose(template, settings.mail_from, recipient, now, link)


_TEMPLATES: Mapping[MailKind, MailTemplate] = {
    MailKind.ADDRESS_CHANGE: templates.CHANGE,
    MailKind.SIGN_IN_CHANGED: templates.SIGN_IN,
    MailKind.HANDLE_REPLACED: templates.HANDLE_REPLACED,
    MailKind.INVITATION: templates.INVITATION,
    MailKind.LOST_MAILBOX: templates.LOST_MAILBOX,
    MailKind.DEPARTURE: templates.DEPARTURE,
    MailKind.DEPARTURE_WAITS: templates.DEPARTURE_WAITS,
    MailKind.EXPORT_READY: templates.EXPORT_READY,
    MailKind.CASE_URGENT: templates.CASE_URGENT,
}


async def _choose_template(session: AsyncSession, mail: Mail, now: datetime) -> MailTemplate | None:
    """Return what the mail says; None when it is to nobody, or no longer needed."""
    if mail.member_id is None:
        return None
    member = await session.get_one(Member, mail.member_id)
    match mail.kind:
        case MailKind.VERIFY_ADDRESS if mail.email == member.wanted_email or (
            mail.email == member.email and not member.email_verified_at
        ):
            return templates.TAKEN if await _is_taken(session, member, mail.email) else templates.VERIFY
        case MailKind.PASSWORD_RESET if (
            mail.email == member.email and now < mail.put_down_at + LIFETIMES[MailKind.PASSWORD_RESET]
        ):
            return templates.RESET
        case _:
            return _TEMPLATES.get(MailKind(mail.kind))


async def _is_taken(session: AsyncSession, member: Member, email: str | None) -> bool:
    """Return whether another member has verified this address: asked here, where its time reveals nothing."""
    verified = exists().where(
        func.lower(col(Member.email)) == func.lower(email),
        col(Member.email_verified_at).is_not(None),
        col(Member.id) != member.id,
    )
    return bool((await session.execute(select(verified))).scalar_one())


async def _count(session: AsyncSession, mail: Mail, settings: Settings) -> None:
    """Count a mail that strangers can cause, by its mailbox. Raises Throttled over the limit.

    It is counted here and not where it is asked for: there, the answer or its time would tell whose address it is.
    """
    member = await session.get_one(Member, mail.member_id)
    if mail.kind in CAUSED_BY_ANYBODY or member.email_verified_at is None:
        await rate_limits.count_in(session, settings.limit("mail"), "mail", _mailbox(str(mail.email)))


def _mailbox(email: str) -> str:
    """Return one name for the addresses that many servers deliver into one mailbox: `heron+1@` and `Heron@`."""
    local, _, domain = email.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


async def _wait(session: AsyncSession, mail: Mail, until: datetime) -> None:
    """Send it when another day begins for its address. After three days nobody waits for it any more."""
    if until > mail.put_down_at + TRIED_FOR:
        await session.execute(delete(Mail).where(col(Mail.id) == mail.id))
    else:
        await jobs.enqueue(session, SEND, {"mail": str(mail.id)}, at=until)


async def _postpone(session: AsyncSession, mail: Mail, error: Exception, now: datetime) -> None:
    """Try again later; after three days, or when the address does not exist, give up and keep it for administrators."""
    failures, again = mail.failures + 1, now + pause_after(mail.failures + 1)
    over = _is_final(error) or again > mail.put_down_at + TRIED_FOR
    noted = {"failures": failures, "failure": _describe(error), "given_up_at": now if over else None}
    await session.execute(update(Mail).where(col(Mail.id) == mail.id).values(noted))
    if not over:
        await jobs.enqueue(session, SEND, {"mail": str(mail.id)}, at=again)


def _is_final(error: Exception) -> bool:
    refusals = _refusals(error)
    return bool(refusals) and all(refusal.code >= 500 for refusal in refusals)


def _describe(error: Exception) -> str:
    code = getattr(_refusals(error)[0] if _refusals(error) else error, "code", "")
    return f"{type(error).__name__} {code}".strip()


def _refusals(error: Exception) -> list[SMTPRecipientRefused]:
    return error.recipients if isinstance(error, SMTPRecipientsRefused) else []
