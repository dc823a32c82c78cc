"""Messages to the charity, with and without an account: no report, and no decision; somebody reads and settles them.

Moderators and administrators are told that one waits, once until they have read that, and by mail of each one that
sounds like danger. When none waits any more, what they were told goes away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.crisis_help import also_when_refused
from forum.core import audit
from forum.core.database import Moment, Record, new_id, query
from forum.core.errors import Invalid, NotFound
from forum.core.export_section import ExportSection, items_of
from forum.core.rate_limits import network
from forum.core.secret_key import keyed_digest
from forum.core.work import Work
from forum.mail import outbox
from forum.mail.tables import Mail, MailKind
from forum.members.queries import named_columns
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from moderation.permissions import ModerationAct, allow

TEXT_MAX = 5000
MOST_LISTED = 100
KEPT_FOR = timedelta(days=30)  # once settled: somebody may write again about the same
# One transaction at a time writes or settles messages: a message that comes while the last one is settled would be
# told of by a notification that is being taken away. It is held until the commit.
_LOCK = 0x6D736773


class ContactMessage(SQLModel, table=True):
    """What somebody wrote to the charity. It goes with its member, and 30 days after it was settled."""

    __tablename__ = "contact_message"
    __table_args__ = (
        CheckConstraint("(settled_at IS NULL) = (settled_by IS NULL)", name="settled"),
        UniqueConstraint("digest", name="uq_contact_message_digest"),
        Index(
            "ix_contact_message_waiting",
            "is_urgent",
            "written_at",
            "id",
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID | None = Field(default=None, foreign_key="member.id", ondelete="CASCADE", index=True)
    text: str
    email: str | None = Field(default=None, description="Where its author wants the answer")
    is_urgent: bool = Field(description="Whether screening found words of acute danger")
    digest: bytes = Field(
        sa_type=LargeBinary, description="Of who wrote what on which day, or of their key: sent twice, it is one"
    )
    written_at: datetime = Field(sa_type=Moment)
    settled_at: datetime | None = Field(default=None, sa_type=Moment)
    settled_by: UUID | None = Field(default=None, foreign_key="member.id")


@dataclass(frozen=True)
class ContactDraft:
    """A message as it is written: its words, where its author wants the answer, and from which address it comes.

    `key` is of one sending: the same message with it is the same, from whatever address and on whatever day.
    """

    text: str
    email: str | None
    address: str
    key: str | None = None


async def write_to_charity(work: Work, author: Viewer, draft: ContactDraft) -> bool:
    """Keep a message, and tell those who read it; the same one sent again is the same.

    Return whether it sounds like danger. Everybody may write, in any standing. Raises Throttled over the limit per
    network, and Invalid for a key that came with another message.
    """
    async with also_when_refused(work, author, "message", [draft.text]):
        return await _write_to_charity(work, author, draft)


async def _write_to_charity(work: Work, author: Viewer, draft: ContactDraft) -> bool:
    message_digest = _digest(work, author, draft)
    earlier = await _find_earlier(work.session, message_digest)
    if earlier is None:
        # Before the lock: it is counted on another connection.
        await work.count_try("contact", "contact", network(draft.address))
        await _let_one_at_a_time(work.session)
        earlier = await _find_earlier(work.session, message_digest)
    if earlier:
        return _same(earlier, draft)
    message = ContactMessage(
        member_id=author.id,
        text=draft.text,
        email=draft.email,
        is_urgent=bool(await work.gate.find_dangers([draft.text])),
        digest=message_digest,
        written_at=work.now,
    )
    work.session.add(message)
    await work.session.flush()
    await _tell(work.session, message, work.now)
    return message.is_urgent


async def list_messages(work: Work, moderator: Viewer) -> Sequence[Record]:
    """Return the messages that wait, those of danger first, then the oldest: 100 at most. Raises Forbidden."""
    allow(ModerationAct.READ_MESSAGES, moderator)
    waiting = (
        query(
            col(ContactMessage.id),
            col(ContactMessage.text),
            col(ContactMessage.email),
            col(ContactMessage.is_urgent),
            col(ContactMessage.written_at),
            *named_columns(Member, "author"),
        )
        .outerjoin(Member, col(Member.id) == col(ContactMessage.member_id))
        .where(col(ContactMessage.settled_at).is_(None))
        .order_by(col(ContactMessage.is_urgent).desc(), col(ContactMessage.written_at), col(ContactMessage.id))
        .limit(MOST_LISTED)
    )
    return (await work.session.execute(waiting)).all()


async def settle_message(work: Work, moderator: Viewer, message_id: UUID) -> None:
    """Say that a message needs nobody any more. Idempotent. Raises Forbidden, and NotFound when it is not there."""
    allow(ModerationAct.READ_MESSAGES, moderator)
    await _let_one_at_a_time(work.session)
    message = await work.session.get(ContactMessage, message_id)
    if message is None:
        raise NotFound("There is no such message.", code="message_not_found")
    if message.settled_at is not None:
        return
    message.settled_at, message.settled_by = work.now, moderator.member_id
    await work.session.flush()
    await _withdraw_what_is_over(work.session)
    subject = ("message", str(message_id))
    await audit.record(work.session, actor_id=moderator.id, act="message.settled", subject=subject, now=work.now)


async def delete_settled(session: AsyncSession, now: datetime) -> None:
    """Delete the messages that were settled 30 days ago, and what was told of those whose author has left."""
    await session.execute(delete(ContactMessage).where(col(ContactMessage.settled_at) <= now - KEPT_FOR))
    await _let_one_at_a_time(session)
    await _withdraw_what_is_over(session)


async def is_still_urgent(session: AsyncSession, mail: Mail, now: datetime) -> bool:
    """Return whether a mail is still to call its member to a message: it waits, and they may read it."""
    message = await session.get(ContactMessage, mail.subject_id)
    return message is not None and message.settled_at is None and mail.member_id in await list_readers(session, now)


async def export_messages(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return what the viewer wrote to the charity."""
    own = (
        query(col(ContactMessage.text), col(ContactMessage.email), col(ContactMessage.written_at))
        .where(col(ContactMessage.member_id) == viewer.id)
        .order_by(col(ContactMessage.written_at))
    )
    return (ExportSection("messages", "What you wrote to the charity", items_of((await session.execute(own)).all())),)


async def _let_one_at_a_time(session: AsyncSession) -> None:
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _digest(work: Work, author: Viewer, draft: ContactDraft) -> bytes:
    """Return what is the same for a message that is sent again: of its key, otherwise of its author, day and words."""
    if draft.key:
        said = f"key\n{author.id}\n{draft.key}"
    else:
        said = f"{author.id or network(draft.address)}\n{work.now.date()}\n{draft.email}\n{draft.text}"
    return keyed_digest(work.settings, "contact", said.encode())


async def _find_earlier(session: AsyncSession, message_digest: bytes) -> ContactMessage | None:
    found = select(ContactMessage).where(col(ContactMessage.digest) == message_digest)
    return (await session.execute(found)).scalar_one_or_none()


def _same(earlier: ContactMessage, draft: ContactDraft) -> bool:
    if (earlier.text, earlier.email) != (draft.text, draft.email):
        raise Invalid(
            "This key was already used with another request. Use a new key for each thing that you create.",
            "header/Idempotency-Key",
            code="idempotency_key_reused",
        )
    return earlier.is_urgent


async def _tell(session: AsyncSession, message: ContactMessage, now: datetime) -> None:
    """Tell all who may read a message, but its author; of one that sounds like danger by mail, too."""
    told = [member_id for member_id in await list_readers(session, now) if member_id != message.member_id]
    kind = NotificationKind.MESSAGE_URGENT if message.is_urgent else NotificationKind.MESSAGE_WAITING
    await inbox.notify_each(session, told, kind, now)
    if message.is_urgent:
        subject = outbox.MailSubject(message.id, message.member_id)
        await outbox.enqueue_to_each(session, MailKind.MESSAGE_URGENT, told, now, subject)


async def list_readers(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    """Return who may read messages, as ModerationAct.READ_MESSAGES says."""
    return await _list_staff(session, now, Role.MODERATOR, Role.ADMINISTRATOR)


async def list_administrators(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    """Return who is told of what waits too long."""
    return await _list_staff(session, now, Role.ADMINISTRATOR)


async def _list_staff(session: AsyncSession, now: datetime, *roles: Role) -> Sequence[UUID]:
    staff = (
        select(col(Member.id))
        .join(RoleGrant, col(RoleGrant.member_id) == col(Member.id))
        .where(col(RoleGrant.role).in_(roles), standing_at(now) == Standing.ACTIVE)
        .distinct()
        .order_by(col(Member.id))
    )
    return (await session.execute(staff)).scalars().all()


async def _withdraw_what_is_over(session: AsyncSession) -> None:
    """Withdraw what was told of messages, if none of that kind waits any more."""
    waiting = select(col(ContactMessage.is_urgent)).where(col(ContactMessage.settled_at).is_(None)).distinct()
    are_urgent = (await session.execute(waiting)).scalars().all()
    kinds = {True: NotificationKind.MESSAGE_URGENT, False: NotificationKind.MESSAGE_WAITING}
    over = [kind for is_urgent, kind in kinds.items() if is_urgent not in are_urgent]
    await inbox.withdraw(session, over, None)
