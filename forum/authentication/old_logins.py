"""The names under which members signed in on the board from which they moved: they still open their accounts here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment
from forum.members import names
from forum.members.tables import Member

LOGIN_MAX = 255  # of a longer one, this much counts: an index bears no more than 2,700 bytes


class OldLogin(SQLModel, table=True):
    """That somebody moved here from an old board, and what they typed there to sign in: where nobody else types it.

    An address that nobody has used for years may have been given to somebody else: for such a member it is no proof.
    """

    __tablename__ = "old_login"

    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", primary_key=True)
    login: str | None = Field(default=None, unique=True, description="In its normal form")
    may_reset_by_mail: bool = Field(description="Mail reaches them: they were on their old board in the last two years")
    told_at: datetime | None = Field(
        default=None, sa_type=Moment, description="When the one letter was queued that says that the board moved"
    )


def normalise_old_login(name: str) -> str:
    """Return the normal form of a name from an old board, or of any login: however it is typed, it is one."""
    return " ".join(names.folded(without_at(name)).split())[:LOGIN_MAX]


def without_at(login: str) -> str:
    """Return a login without the "@" before it: mentions have it."""
    login = login.strip()
    return login[1:] if login.startswith("@") and login.count("@") == 1 else login


def has_old_login(login: Any) -> ColumnElement[bool]:
    """Return the condition that a member signed in with this on their old board."""
    return col(Member.id) == select(col(OldLogin.member_id)).where(col(OldLogin.login) == login).scalar_subquery()


async def trust_address(session: AsyncSession, member_id: UUID) -> None:
    """Note that a member's address is no more the one that they had on their old board. Idempotent."""
    of_member = col(OldLogin.member_id) == member_id
    await session.execute(update(OldLogin).where(of_member).values(may_reset_by_mail=True))


# Whether a link may be mailed to a member's address, confirmed or not: whoever follows it has the account.
# No EXISTS: PostgreSQL would rather read the whole table once than one row.
MAY_RESET_BY_MAIL = col(Member.email_verified_at).is_not(None) | func.coalesce(
    select(col(OldLogin.may_reset_by_mail)).where(col(OldLogin.member_id) == col(Member.id)).scalar_subquery(), true()
)
