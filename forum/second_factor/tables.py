"""What is kept of second factors."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, exists
from sqlmodel import Field, SQLModel, col

from forum.database import Moment
from forum.members import Member


class Totp(SQLModel, table=True):
    """The secret of a member's authenticator app (RFC 6238), and the next one until it is confirmed."""

    __table_args__ = (CheckConstraint("(secret IS NULL) = (since IS NULL)", name="since"),)

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    secret: str | None = Field(default=None, description="In base32; none until a first code was shown")
    since: datetime | None = Field(default=None, sa_type=Moment)
    last_step: int = Field(default=0, sa_type=BigInteger, description="Of the last code taken: each opens once")
    next_secret: str | None = Field(default=None, description="Takes the secret's place once a code of it was shown")


class RecoveryCode(SQLModel, table=True):
    """A code that opens once, in the place of the authenticator app's; taken, it goes."""

    __tablename__ = "recovery_code"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    number: int = Field(primary_key=True, description="1 to 8: it stands in the code, so that one hash is computed")
    code_hash: str


def has_one() -> ColumnElement[bool]:
    """The condition that a member has set one up."""
    return exists().where(col(Totp.member_id) == col(Member.id), col(Totp.secret).is_not(None))
