"""Messages to the charity, with and without an account: no report, and no decision; somebody reads and settles them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint, delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Record, new_id, query
from forum.core.errors import NotFound
from forum.core.export_section import ExportSection, items_of
from forum.core.rate_limits import network
from forum.core.secret_key import keyed_digest
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation.permissions import ModerationAct, allow
from moderation.screening import FindingKind, screen

TEXT_MAX = 5000
MOST_LISTED = 100
KEPT_FOR = timedelta(days=30)  # once settled: somebody may write again about the same


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
    digest: bytes = Field(sa_type=LargeBinary, description="Of who wrote what on which day: sent twice, it is one")
    written_at: datetime = Field(sa_type=Moment)
    settled_at: datetime | None = Field(default=None, sa_type=Moment)
    settled_by: UUID | None = Field(default=None, foreign_key="member.id")


@dataclass(frozen=True)
class ContactDraft:
    """A message as it is written: its words, where its author wants the answer, and from which address it comes."""

    text: str
    email: str | None
    address: str


async def write_to_charity(work: Work, author: Viewer, draft: ContactDraft) -> bool:
    """Keep a message; the same one again on the same day is the same. Return whether it sounds like danger.

    Everybody may write, in any standing. Raises Throttled over the limit per network.
    """
    await work.count_try("contact", "contact", network(draft.address))
    is_urgent = any(
        finding.kind == FindingKind.CRISIS for finding in screen(draft.text, work.settings.screening_region)
    )
    said = f"{author.id or network(draft.address)}\n{work.now.date()}\n{draft.email}\n{draft.text}"
    message = {
        "id": new_id(),
        "member_id": author.id,
        "text": draft.text,
        "email": draft.email,
        "is_urgent": is_urgent,
        "digest": keyed_digest(work.settings, "contact", said.encode()),
        "written_at": work.now,
    }
    await work.session.execute(insert(ContactMessage).values(message).on_conflict_do_nothing(index_elements=["digest"]))
    return is_urgent


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
    message = await work.session.get(ContactMessage, message_id, with_for_update=True)
    if message is None:
        raise NotFound("There is no such message.", code="message_not_found")
    if message.settled_at is not None:
        return
    message.settled_at, message.settled_by = work.now, moderator.member_id
    await work.session.flush()
    subject = ("message", str(message_id))
    await audit.record(work.session, actor_id=moderator.id, act="message.settled", subject=subject, now=work.now)


async def delete_settled(session: AsyncSession, now: datetime) -> None:
    """Delete the messages that were settled 30 days ago."""
    await session.execute(delete(ContactMessage).where(col(ContactMessage.settled_at) <= now - KEPT_FOR))


async def export_messages(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return what the viewer wrote to the charity."""
    own = (
        query(col(ContactMessage.text), col(ContactMessage.email), col(ContactMessage.written_at))
        .where(col(ContactMessage.member_id) == viewer.id)
        .order_by(col(ContactMessage.written_at))
    )
    return (ExportSection("messages", "What you wrote to the charity", items_of((await session.execute(own)).all())),)
