"""The names under which members signed in on the board from which they moved: they still open their accounts here."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select
from sqlmodel import Field, SQLModel, col

from forum.members import names
from forum.members.tables import Member


class OldLogin(SQLModel, table=True):
    """What somebody typed on their old board to sign in.

    An address that nobody has used for years may have been given to somebody else: for such a member it is no proof.
    """

    __tablename__ = "old_login"

    login: str = Field(primary_key=True, description="In its normal form")
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", unique=True)
    may_reset_by_mail: bool = Field(description="They were on their old board in the last two years")


def normalise_old_login(name: str) -> str:
    """Return the normal form of a name from an old board, or of any login: however it is typed, it is one."""
    return " ".join(names.folded(without_at(name)).split())


def without_at(login: str) -> str:
    """Return a login without the "@" before it: mentions have it."""
    login = login.strip()
    return login[1:] if login.startswith("@") and login.count("@") == 1 else login


def has_old_login(login: Any) -> ColumnElement[bool]:
    """Return the condition that a member signed in with this on their old board."""
    return col(Member.id) == select(col(OldLogin.member_id)).where(col(OldLogin.login) == login).scalar_subquery()


# Whether a link to a new password may be mailed to a member's address, confirmed or not.
MAY_RESET_BY_MAIL = col(Member.email_verified_at).is_not(None) | ~exists().where(
    col(OldLogin.member_id) == col(Member.id), ~col(OldLogin.may_reset_by_mail)
)
