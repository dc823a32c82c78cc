"""The queue of outgoing mail: each mail is a row and a job, written in the transaction that needs it."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any, NamedTuple
from uuid import UUID

from aiosmtplib import SMTPRecipientRefused, SMTPRecipientsRefused
from pydantic import TypeAdapter
from sqlalchemy import ARRAY, Uuid, all_, delete, exists, func, literal, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import jobs, milestones, pagination, rate_limits
from forum.core.database import Query, query
from forum.core.errors import Throttled
from forum.core.figures import figure
from forum.core.jobs import Job, Payload
from forum.core.milestones import MilestoneKind
from forum.core.settings import Settings
from forum.mail import templates, tokens
from forum.mail.smtp import TRANSPORT_ERRORS, choose_transport
from forum.mail.tables import CAUSED_BY_ANYBODY, UNLISTED, Mail, MailedLink, MailKind
from forum.mail.templates import MailTemplate
from forum.mail.tokens import LIFETIMES
from forum.members.tables import Member

SEND = Job("send_mail")
TRIED_FOR = timedelta(days=3)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
KEPT_FOR = timedelta(days=30)
AT_ONCE = 4  # a server that hangs for half a minute takes no more places of the worker's ten
# Without those that tell of a concern: nothing outside counts them.
_UNSENT = f"FROM mail WHERE kind <> ALL (ARRAY[{', '.join(repr(str(kind)) for kind in UNLISTED)}])"
FIGURES = (
    figure("forum_mails_waiting", "Mails that are not sent yet", "count(*)", f"{_UNSENT} AND given_up_at IS NULL"),
    figure("forum_mails_given_up", "Mails that were given up", "count(*)", f"{_UNSENT} AND given_up_at IS NOT NULL"),
)
BY_AGE = TypeAdapter(tuple[pagination.Instant, UUID])


@dataclass(frozen=True)
class MailHooks:
    """What a feature adds to the mails of one kind."""

    # Whether a mail is still to be sent, asked when it is.
    is_wanted: Callable[[AsyncSession, Mail, datetime], Awaitable[bool]]
    # Told whether the mail server took a member's mail (True) or refused it for good.
    note_end: Callable[[AsyncSession, UUID, bool, datetime], Awaitable[None]] | None = None
    # Gives the token of the link that turns these mails off for a member; it may leave once it is committed.
    create_off_token: Callable[[AsyncSession, UUID, Settings, datetime], Awaitable[str]] | None = None


class MailSubject(NamedTuple):
    """What a mail calls to, and whom that is about."""

    id: UUID
    persona_id: UUID | None  # None: it is not known, or nobody's


async def enqueue(
    session: AsyncSession,
    kind: MailKind,
    now: datetime,
    *,
    member_id: UUID | None,
    email: str | None,
    subject: MailSubject | None = None,
) -> None:
    """Queue a mail, to be sent after the commit. To nobody (None, None), it is as much work and no mail.

    To somebody without an account it has an address, and no member.
    """
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


async def enqueue_to_each(
    session: AsyncSession, kind: MailKind, members: Collection[UUID], now: datetime, subject: MailSubject
) -> Collection[UUID]:
    """Queue a mail to each of these members who has a verified address. Return who gets one."""
    addresses = query(col(Member.id), col(Member.email)).where(
        col(Member.id).in_(members), col(Member.email_verified_at).is_not(None)
    )
    rows = (await session.execute(addresses)).all()
    for row in rows:
        await enqueue(session, kind, now, member_id=row.id, email=row.email, subject=subject)
    return {row.id for row in rows}


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

    Mails about one of the personas `but_about` are left out, and those of which only their reader may know.
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
        .where(*(col(Mail.kind) != kind for kind in sorted(UNLISTED)))
        .order_by(col(Mail.put_down_at), col(Mail.id))
        .limit(limit)
    )
    return found.where(tuple_(col(Mail.put_down_at), col(Mail.id)) > after) if after else found


def pause_after(failures: int) -> timedelta:
    """Return how long to wait after so many failures."""
    return min(FIRST_PAUSE * float(2 ** min(failures - 1, 20)), LONGEST_PAUSE)


@dataclass(frozen=True)
class OutgoingMail:
    """A mail that is about to be handed over, with what its worker did for it: all that is committed by then."""

    id: UUID
    kind: MailKind
    member_id: UUID | None
    message: EmailMessage
    token: str | None
    counted_as: str | None  # the mailbox for which it was counted


class MailSender:
    """The errand that sends a mail: it is claimed, handed over, and deleted.

    Its link is committed before it leaves, or whoever follows it at once would find nothing. A worker that dies between
    the handing over and the deletion sends it twice, never not at all.
    """

    at_once = AT_ONCE

    def __init__(self, settings: Settings, hooks: Mapping[MailKind, MailHooks]) -> None:
        self._settings, self._hooks = settings, hooks
        self._transport = choose_transport(settings)

    async def prepare(self, session: AsyncSession, payload: Payload, now: datetime) -> OutgoingMail | None:
        """Write the mail, with a new link, and count it. None: nobody needs it any more, or it waits for its turn."""
        mail = await session.get(Mail, UUID(payload["mail"]))
        if mail is None:  # its member has left, or no longer needs it
            return None
        hooks = self._hooks.get(MailKind(mail.kind))
        is_wanted = hooks is None or await hooks.is_wanted(session, mail, now)
        template = await _choose_template(session, mail, now) if is_wanted else None
        if template is None or mail.email is None:
            await session.execute(delete(Mail).where(col(Mail.id) == mail.id))
            return None
        try:
            async with session.begin_nested():  # what is not sent is not counted
                counted_as = await _count(session, mail, self._settings)
        except Throttled as over:
            await _wait(session, mail, now + timedelta(seconds=over.retry_after))
            return None
        kind, token, off_token = MailKind(mail.kind), None, None
        if template.path and template.has_token and mail.member_id:
            about: dict[str, Any] = {"member_id": mail.member_id, "email": mail.email, "asked_at": mail.put_down_at}
            token = await tokens.create_link(session, kind, now, **about)
        if hooks and hooks.create_off_token and mail.member_id:
            off_token = await hooks.create_off_token(session, mail.member_id, self._settings, now)
        message = templates.compose(
            template,
            self._settings.mail_from,
            mail.email,
            now,
            self._link(template, token),
            off_link=f"{self._settings.public_url}/unsubscribe/{off_token}" if off_token else None,
        )
        return OutgoingMail(mail.id, kind, mail.member_id, message, token, counted_as)

    def _link(self, template: MailTemplate, token: str | None) -> str | None:
        if template.path is None:
            return None
        # After the `#`: browsers do not send it, so no server logs it.
        return f"{self._settings.public_url}/{template.path}" + (f"#{token}" if token else "")

    async def go(self, prepared: OutgoingMail) -> Exception | None:
        """Hand the mail over to the server. Return why that failed, if it did."""
        try:
            await self._transport.deliver(prepared.message)
        except TRANSPORT_ERRORS as error:
            return error
        return None

    async def settle(
        self, session: AsyncSession, prepared: OutgoingMail, outcome: Exception | None, now: datetime
    ) -> None:
        """Delete a mail that was sent; take back what was done for one that was not, and try again later."""
        mail = await session.get(Mail, prepared.id)
        hooks = self._hooks.get(prepared.kind)
        if hooks and hooks.note_end and prepared.member_id and (outcome is None or _is_final(outcome)):
            await hooks.note_end(session, prepared.member_id, outcome is None, now)
        if outcome is None:
            await milestones.reach_first(session, MilestoneKind.MAIL_SENT, now)
            await session.execute(delete(Mail).where(col(Mail.id) == prepared.id))
            return
        if prepared.token:
            await tokens.discard_link(session, prepared.token)
        if prepared.counted_as:
            await rate_limits.take_back_in(session, self._settings.limit("mail"), "mail", prepared.counted_as)
        if mail:  # or it was cancelled meanwhile
            await _postpone(session, mail, outcome, now)


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
    MailKind.MESSAGE_URGENT: templates.MESSAGE_URGENT,
    MailKind.RECEIPT: templates.RECEIPT,
    MailKind.ANSWER_READY: templates.ANSWER_READY,
    MailKind.CONCERN_WAITING: templates.CONCERN_WAITING,
    MailKind.NEWS: templates.NEWS,
    MailKind.MOVED: templates.MOVED,
}


async def _choose_template(session: AsyncSession, mail: Mail, now: datetime) -> MailTemplate | None:
    """Return what the mail says; None when it is to nobody, or no longer needed."""
    if mail.email is None:
        return None
    if mail.member_id is None:
        return _TEMPLATES.get(MailKind(mail.kind))
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
        case MailKind.MOVED:
            return await _choose_moved(session, member) if mail.email == member.email else None
        case _:
            return _TEMPLATES.get(MailKind(mail.kind))


# What opens an account: an old name where its member has one here, and an address where it leads to them.
_OPENS = text("""
SELECT (SELECT login FROM old_login WHERE member_id = :member) IS NOT NULL AS by_name, :member = (
    SELECT id FROM member WHERE lower(email) = lower(:email) ORDER BY email_verified_at NULLS LAST, joined_at LIMIT 1
) AS by_address
""")


async def _choose_moved(session: AsyncSession, member: Member) -> MailTemplate:
    """Return the letter that a member's old board moved, which names what opens their account."""
    opens = (await session.execute(_OPENS, {"member": member.id, "email": member.email})).one()
    if not opens.by_name:
        return templates.MOVED_BY_ADDRESS
    return templates.MOVED if opens.by_address else templates.MOVED_BY_NAME


async def _is_taken(session: AsyncSession, member: Member, email: str | None) -> bool:
    """Return whether another member has verified this address: asked here, where its time reveals nothing."""
    verified = exists().where(
        func.lower(col(Member.email)) == func.lower(email),
        col(Member.email_verified_at).is_not(None),
        col(Member.id) != member.id,
    )
    return bool((await session.execute(select(verified))).scalar_one())


async def _count(session: AsyncSession, mail: Mail, settings: Settings) -> str | None:
    """Count a mail that strangers can cause, by its mailbox, and return that. Raises Throttled over the limit.

    It is counted here and not where it is asked for: there, the answer or its time would tell whose address it is.
    """
    if mail.kind not in CAUSED_BY_ANYBODY and await _is_verified(session, mail):
        return None
    mailbox = _mailbox(str(mail.email))
    await rate_limits.count_in(session, settings.limit("mail"), "mail", mailbox)
    return mailbox


async def _is_verified(session: AsyncSession, mail: Mail) -> bool:
    member = await session.get(Member, mail.member_id) if mail.member_id else None
    return member is not None and member.email_verified_at is not None


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
    """Try again later; after three days, or when the address does not exist, give up and keep it for administrators.

    An address that belongs to no account is not kept.
    """
    failures, again = mail.failures + 1, now + pause_after(mail.failures + 1)
    over = _is_final(error) or again > mail.put_down_at + TRIED_FOR
    if over and mail.member_id is None:
        await session.execute(delete(Mail).where(col(Mail.id) == mail.id))
        return
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
