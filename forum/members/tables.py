"""Tables: members, their roles and their sanctions."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id


class Role(StrEnum):
    """The roles that a member can have."""

    ADVISER = "adviser"
    MODERATOR = "moderator"
    SAFEGUARDING_LEAD = "safeguarding_lead"
    ADMINISTRATOR = "administrator"
    TRUSTED_FLAGGER = "trusted_flagger"  # of an organisation whose reports come first; it decides nothing


class Standing(StrEnum):
    """What a member may do at present, from everything to nothing; the order is the gravity."""

    ACTIVE = "active"
    REVIEWED = "reviewed"  # what they write is read before it appears
    SILENCED = "silenced"
    SUSPENDED = "suspended"
    BANNED = "banned"
    LEFT = "left"


# What is shown instead of a name once its member has left.
FORMER = "A former member"
NO_PASSWORD = ""  # a hash that is none: every password is wrong
_LEFT = (
    "(left_at IS NULL AND num_nonnulls(handle, skeleton, email) = 3) OR (left_at IS NOT NULL AND password_hash = '' "
    "AND num_nonnulls(handle, skeleton, email, title, email_verified_at, wanted_email) = 0)"
)


class RulesEdition(SQLModel, table=True):
    """A version of the house rules that a member can accept. Moderation stores their text."""

    __tablename__ = "rules_edition"

    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    since: datetime = Field(sa_type=Moment)


class Member(SQLModel, table=True):
    """A person behind a pseudonym.

    When a member has left, the row stays, because posts and decisions point to it, without handle, name or address.
    """

    __table_args__ = (
        CheckConstraint(_LEFT, name="left"),
        UniqueConstraint("handle", name="uq_member_handle"),
        UniqueConstraint("skeleton", name="uq_member_skeleton"),
        Index("ix_member_email", text("lower(email)")),
        Index(
            "uq_member_verified_email",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("email_verified_at IS NOT NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    handle: str = Field(nullable=True)
    skeleton: str = Field(nullable=True, description="What the handle looks like: no two members look alike")
    name: str
    name_skeleton: str = Field(index=True)
    title: str | None = None
    email: str = Field(nullable=True)
    email_verified_at: datetime | None = Field(default=None, sa_type=Moment)
    wanted_email: str | None = Field(default=None, description="Replaces the address once it is confirmed")
    password_hash: str
    staff_password: bool = Field(default=False, description="Whether the password is as long as staff's must be")
    rules_version: int | None = Field(default=None, foreign_key="rules_edition.version")
    least_age: int | None = Field(default=None, description="The age that they said they have reached, if asked")
    joined_at: datetime = Field(sa_type=Moment)
    caught_up_at: datetime = Field(
        default=None,
        sa_type=Moment,
        sa_column_kwargs={"server_default": text("now()")},
        description="Nothing that was there by then is unread",
    )
    handle_changed_at: datetime | None = Field(default=None, sa_type=Moment)
    left_at: datetime | None = Field(default=None, sa_type=Moment)


class Persona(SQLModel, table=True):
    """A name under which somebody writes: a member's own, or an alias in one thread.

    Whatever is written points to a persona. A member's own has the member's id, and no name here: their names are in
    Member. A trigger inserts it with the member's row. `aliases.py` knows whose an alias is; nothing else does.
    """

    __table_args__ = (CheckConstraint("(thread_id IS NULL) = (name IS NULL)", name="alias"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    thread_id: int | None = Field(
        default=None, sa_type=BigInteger, sa_column_args=[ForeignKey("thread.id", use_alter=True)], index=True
    )
    name: str | None = None


class RulesAcceptance(SQLModel, table=True):
    """That a member accepted an edition of the house rules, and when. Their row has the last one that they accepted."""

    __tablename__ = "rules_acceptance"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    edition: int = Field(primary_key=True, foreign_key="rules_edition.version")
    accepted_at: datetime = Field(sa_type=Moment)


class HandleChange(SQLModel, table=True):
    """An old handle of a member who has another, until a job has replaced it wherever they are mentioned or quoted.

    Not ON DELETE CASCADE: when they leave meanwhile, the job still has to find it.
    """

    __tablename__ = "handle_change"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id")
    old_handle: str = Field(primary_key=True)


class SpentHandle(SQLModel, table=True):
    """What the handle of somebody who left or has another looked like: nobody can take it again.

    Only a digest, and without a member: it does not say who had it.
    """

    __tablename__ = "spent_handle"

    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)


class Sanction(SQLModel, table=True):
    """A standing that moderation gave a member, until it expires or is lifted; the gravest one counts."""

    __table_args__ = (
        CheckConstraint("standing IN ('reviewed', 'silenced', 'suspended', 'banned')", name="standing"),
        CheckConstraint("until > since", name="until"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    standing: str
    since: datetime = Field(sa_type=Moment)
    until: datetime | None = Field(default=None, sa_type=Moment)


class RoleGrant(SQLModel, table=True):
    """A role that a member has; a moderator's may be for one board only."""

    __tablename__ = "role_grant"
    __table_args__ = (
        UniqueConstraint("member_id", "role", "board_id", postgresql_nulls_not_distinct=True),
        check_one_of("role", Role),
        CheckConstraint("board_id IS NULL OR role = 'moderator'", name="board_only_for_moderators"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    role: str
    board_id: int | None = Field(default=None, foreign_key="board.id", ondelete="CASCADE")
    given_by: UUID | None = Field(default=None, foreign_key="member.id", ondelete="SET NULL")
    given_at: datetime = Field(sa_type=Moment)
