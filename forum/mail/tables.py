"""What is kept of mails: those that are not sent yet, and of the links that they carried, what knows them again."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, new_id


class Kind(StrEnum):
    """What a mail is for, and what its link opens."""

    VERIFY_ADDRESS = "verify_address"
    ADDRESS_CHANGE = "address_change"
    SIGN_IN_CHANGED = "sign_in_changed"
    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105 (no password)
    DEPARTURE = "departure"
    DEPARTURE_WAITS = "departure_waits"
    EXPORT_READY = "export_ready"


_KINDS = f"kind IN ({', '.join(repr(str(kind)) for kind in Kind)})"


class Mail(SQLModel, table=True):
    """A mail that is not sent yet. It goes when its member goes; its words are written when it is sent.

    One to nobody is put down like any other, so that asking takes as long for an address that is not known here.
    """

    __table_args__ = (
        CheckConstraint(_KINDS, name="kind"),
        CheckConstraint("(member_id IS NULL) = (email IS NULL)", name="somebody"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    member_id: UUID | None = Field(default=None, foreign_key="member.id", ondelete="CASCADE", index=True)
    email: str | None = Field(default=None, description="Where it goes, as it was when it was asked for")
    put_down_at: datetime = Field(sa_type=Moment)
    failures: int = 0
    failure: str | None = Field(default=None, description="The last one, by its kind: servers' words name addresses")
    given_up_at: datetime | None = Field(default=None, sa_type=Moment)


class Link(SQLModel, table=True):
    """A link that was mailed: whoever follows it in time can read what is sent to that address."""

    __tablename__ = "mailed_link"
    __table_args__ = (CheckConstraint(_KINDS, name="kind"),)

    token_digest: bytes = Field(primary_key=True)
    kind: str
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    email: str
    asked_at: datetime = Field(sa_type=Moment, description="When its mail was put down")
    expires_at: datetime = Field(sa_type=Moment, index=True)
