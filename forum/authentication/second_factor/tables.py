"""Tables: authenticator apps, passkeys and recovery codes; and whether a member has set one up."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, UniqueConstraint, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, check_one_of, new_id
from forum.members.tables import Member


class Totp(SQLModel, table=True):
    """The secret of a member's authenticator app (RFC 6238), and the next one until it is confirmed."""

    __table_args__ = (CheckConstraint("(secret IS NULL) = (since IS NULL)", name="since"),)

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    secret: str | None = Field(default=None, description="In base32; none until a first code was sent")
    since: datetime | None = Field(default=None, sa_type=Moment)
    last_step: int = Field(default=0, sa_type=BigInteger, description="Of the last code that was used: each works once")
    next_secret: str | None = Field(default=None, description="Replaces the secret once a code of it was sent")


class RecoveryCode(SQLModel, table=True):
    """A code that works once, instead of what a device shows; used, it is deleted."""

    __tablename__ = "recovery_code"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    number: int = Field(primary_key=True, description="1 to 8: part of the code, so that one hash is computed")
    code_hash: str


class Purpose(StrEnum):
    """What a challenge was asked for: its answer counts for nothing else."""

    REGISTRATION = "registration"
    SIGN_IN = "sign_in"
    SECOND_FACTOR = "second_factor"


class Passkey(SQLModel, table=True):
    """A key pair of a member's device (WebAuthn level 3), of which we store the public half.

    The kind of device is neither asked for nor stored.
    """

    __table_args__ = (UniqueConstraint("credential_id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    user_handle: bytes = Field(description="Random: the device's name for the account, which it sends back")
    credential_id: bytes = Field(description="The device's name for the key")
    public_key: bytes = Field(description="In COSE (RFC 9052)")
    sign_count: int = Field(sa_type=BigInteger, description="How often it was used, as the device says; many say 0")
    backed_up: bool = Field(description="Whether it survives the loss of the device")
    name: str = Field(description="Its owner's word for it")
    created_at: datetime = Field(sa_type=Moment)
    used_at: datetime | None = Field(default=None, sa_type=Moment)


class PasskeyChallenge(SQLModel, table=True):
    """Random bytes that a passkey signs once; answered or expired, they are deleted."""

    __tablename__ = "passkey_challenge"
    __table_args__ = (
        check_one_of("purpose", Purpose),
        CheckConstraint("(purpose = 'registration') = (member_id IS NOT NULL)", name="member"),
        CheckConstraint("(member_id IS NULL) = (user_handle IS NULL)", name="user_handle"),
    )

    digest: bytes = Field(primary_key=True)
    purpose: str
    member_id: UUID | None = Field(default=None, foreign_key="member.id", ondelete="CASCADE", index=True)
    user_handle: bytes | None = Field(default=None, description="For the passkey that is to be made")
    expires_at: datetime = Field(sa_type=Moment, index=True)


def has_second_factor(member_id: UUID | None = None) -> ColumnElement[bool]:
    """Return the condition that a member has set one up: this member, or each of a select."""
    whose = col(Member.id) if member_id is None else member_id
    app = exists().where(col(Totp.member_id) == whose, col(Totp.secret).is_not(None))
    return or_(app, exists().where(col(Passkey.member_id) == whose))


@dataclass(frozen=True)
class SecondFactorState:
    """Which second factors a member has, and since when; how many recovery codes are left."""

    app_since: datetime | None
    passkeys: int
    passkeys_since: datetime | None
    recovery_codes: int

    @property
    def since(self) -> datetime | None:
        """Since when a second factor is needed, if it is."""
        return min((since for since in (self.app_since, self.passkeys_since) if since), default=None)


async def is_set_up(session: AsyncSession, member_id: UUID) -> bool:
    """Return whether a member needs more than the password to sign in."""
    return bool((await session.execute(select(has_second_factor(member_id)))).scalar_one())


async def get_state(session: AsyncSession, member_id: UUID) -> SecondFactorState:
    """Return which second factors a member has."""
    left = select(func.count()).select_from(RecoveryCode).where(col(RecoveryCode.member_id) == member_id)
    keys = select(func.count(), func.min(col(Passkey.created_at))).where(col(Passkey.member_id) == member_id)
    totp = await session.get(Totp, member_id)
    number, since = (await session.execute(keys)).one()
    return SecondFactorState(totp.since if totp else None, number, since, (await session.execute(left)).scalar_one())
