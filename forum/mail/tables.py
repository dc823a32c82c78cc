"""Tables: queued mail, and digests of link tokens."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id


class MailKind(StrEnum):
    """What a mail is for, and what its link does."""

    VERIFY_ADDRESS = "verify_address"
    ADDRESS_CHANGE = "address_change"
    SIGN_IN_CHANGED = "sign_in_changed"
    HANDLE_REPLACED = "handle_replaced"
    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105 (no password)
    LOST_MAILBOX = "lost_mailbox"
    DEPARTURE = "departure"
    DEPARTURE_WAITS = "departure_waits"
    EXPORT_READY = "export_ready"
    CASE_URGENT = "case_urgent"
    MESSAGE_URGENT = "message_urgent"
    RECEIPT = "receipt"
    ANSWER_READY = "answer_ready"
    CONCERN_WAITING = "concern_waiting"
    NEWS = "news"
    MOVED = "moved"


# Mails that anybody can cause to any address: `FORUM_MAIL_LIMIT` says how many of them go to one address. So it does
# of every mail to an address that its member never verified. The others tell a member what was done with their account:
# they are not counted, so that a thief cannot use the limit up and then change something unheard.
CAUSED_BY_ANYBODY = frozenset(
    {MailKind.VERIFY_ADDRESS, MailKind.PASSWORD_RESET, MailKind.INVITATION, MailKind.RECEIPT, MailKind.ANSWER_READY}
)

# Mails that no list shows to administrators: that there is a concern is known to its leads alone.
UNLISTED = frozenset({MailKind.CONCERN_WAITING})


class Mail(SQLModel, table=True):
    """A mail that is not sent yet. It is deleted with its member; its text is written when it is sent.

    A mail to nobody is queued too, so that a request takes as long for an address that is not known here. One to
    somebody without an account has an address and no member.
    """

    __table_args__ = (
        check_one_of("kind", MailKind),
        CheckConstraint("member_id IS NULL OR email IS NOT NULL", name="somebody"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    member_id: UUID | None = Field(default=None, foreign_key="member.id", ondelete="CASCADE", index=True)
    email: str | None = Field(default=None, description="Where it goes: the address at the time of the request")
    subject_id: UUID | None = Field(default=None, description="Of the case or message that it calls to")
    about_persona_id: UUID | None = Field(
        default=None, foreign_key="persona.id", description="Whom that is about: they never see that it waits"
    )
    put_down_at: datetime = Field(sa_type=Moment)
    failures: int = 0
    failure: str | None = Field(
        default=None, description="The kind of the last one: a server's own words contain addresses"
    )
    given_up_at: datetime | None = Field(default=None, sa_type=Moment)


class MailedLink(SQLModel, table=True):
    """A link that was mailed: somebody who follows it in time can read mail to that address."""

    __tablename__ = "mailed_link"
    __table_args__ = (check_one_of("kind", MailKind),)

    token_digest: bytes = Field(primary_key=True)
    kind: str
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    email: str
    asked_at: datetime = Field(sa_type=Moment, description="When its mail was queued")
    expires_at: datetime = Field(sa_type=Moment, index=True)
    used_at: datetime | None = Field(
        default=None, sa_type=Moment, description="Only of a link that answers a repeat; the others are deleted by use"
    )
