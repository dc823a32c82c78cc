"""Who somebody is: members under their pseudonyms, and the roles they were given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Index,
    UniqueConstraint,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum import audit, names, passwords
from forum.database import Moment, Query, broken_constraint, new_id, query
from forum.errors import Conflict, Forbidden, Invalid, NotFound


class Role(StrEnum):
    """What somebody may be beyond a member."""

    ADVISER = "adviser"
    MODERATOR = "moderator"
    SAFEGUARDING_LEAD = "safeguarding_lead"
    ADMINISTRATOR = "administrator"


class Standing(StrEnum):
    """Where a member stands with the house."""

    ACTIVE = "active"
    SILENCED = "silenced"
    SUSPENDED = "suspended"
    BANNED = "banned"


class RulesEdition(SQLModel, table=True):
    """A version of the house rules that a member can accept; what they say is moderation's to know."""

    __tablename__ = "rules_edition"

    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    since: datetime = Field(sa_type=Moment)


class Member(SQLModel, table=True):
    """A person behind a pseudonym."""

    __table_args__ = (
        UniqueConstraint("handle", name="uq_member_handle"),
        UniqueConstraint("skeleton", name="uq_member_skeleton"),
        Index("ix_member_email", text("lower(email)")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    handle: str
    skeleton: str = Field(description="What the handle looks like: no two members look alike")
    name: str
    name_skeleton: str = Field(index=True)
    title: str | None = None
    email: str
    email_verified_at: datetime | None = Field(default=None, sa_type=Moment)
    password_hash: str
    staff_password: bool = Field(default=False, description="Whether the password is as long as staff's must be")
    rules_version: int | None = Field(default=None, foreign_key="rules_edition.version")
    joined_at: datetime = Field(sa_type=Moment)


class Sanction(SQLModel, table=True):
    """A standing that moderation gave a member, until it runs out or is lifted; the gravest one counts."""

    __table_args__ = (
        CheckConstraint("standing IN ('silenced', 'suspended', 'banned')", name="standing"),
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
        CheckConstraint(f"role IN ({', '.join(repr(str(r)) for r in Role)})", name="role"),
        CheckConstraint("board_id IS NULL OR role = 'moderator'", name="board_only_for_moderators"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    role: str
    board_id: int | None = Field(default=None, foreign_key="board.id", ondelete="CASCADE")
    given_by: UUID | None = Field(default=None, foreign_key="member.id", ondelete="SET NULL")
    given_at: datetime = Field(sa_type=Moment)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever asks: a guest, or a member with the roles and the standing that were read for this request."""

    id: UUID | None = None
    handle: str | None = None
    name: str | None = None
    title: str | None = None
    roles: frozenset[Role] = frozenset()
    moderated_boards: frozenset[int] = frozenset()
    standing: Standing = Standing.ACTIVE
    joined_at: datetime | None = None
    session_id: UUID | None = None
    audiences: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        member = ("member",) if self.id else ()
        # Who moderates one board is let in wherever moderators are, a staff room for instance.
        roles = self.roles | ({Role.MODERATOR} if self.moderated_boards else set())
        object.__setattr__(self, "audiences", ("everyone", *member, *sorted(roles)))

    @property
    def member_id(self) -> UUID:
        """The member's id; RuntimeError for a guest, who can be no author."""
        if self.id is None:
            raise RuntimeError("A guest was let through to where only members write.")
        return self.id

    @property
    def is_staff(self) -> bool:
        """Whether this member has any role at all, be it for one board."""
        return bool(self.roles or self.moderated_boards)

    def moderates(self, board_id: int) -> bool:
        """Whether this member moderates that board."""
        return Role.MODERATOR in self.roles or board_id in self.moderated_boards

    def is_newcomer(self, days: int, now: datetime) -> bool:
        """Whether this member joined less than `days` ago and has no role."""
        return self.joined_at is not None and not self.is_staff and now - self.joined_at < timedelta(days=days)


GUEST = Viewer()


@dataclass(frozen=True)
class Account:
    """A member's own row, held until the commit, and where they stand while it changes."""

    member: Member
    standing: Standing


# Predicates


def standing_at(moment: Any) -> ColumnElement[str]:
    """The standing of Member at a moment: the gravest that holds then. Expiry is this comparison and nothing else."""
    grave = {standing: place for place, standing in enumerate(Standing)}
    holds = or_(col(Sanction.until).is_(None), col(Sanction.until) > moment)
    gravest = (
        select(col(Sanction.standing))
        .where(col(Sanction.member_id) == col(Member.id), holds)
        .order_by(case(grave, value=col(Sanction.standing)).desc())
        .limit(1)
    )
    return func.coalesce(gravest.scalar_subquery(), Standing.ACTIVE.value)


# Queries


_granted = (
    select(
        func.array_agg(col(RoleGrant.role)).filter(col(RoleGrant.board_id).is_(None)).label("roles"),
        func.array_agg(col(RoleGrant.board_id)).filter(col(RoleGrant.board_id).is_not(None)).label("boards"),
    )
    .where(col(RoleGrant.member_id) == col(Member.id))
    .lateral("granted")
)
# Built once: building a select costs more than sending it.
_VIEWERS = (
    query(
        Member.id,
        Member.handle,
        Member.name,
        Member.title,
        standing_at(func.now()).label("standing"),
        Member.joined_at,
        _granted.c.roles,
        _granted.c.boards,
    )
    .select_from(Member)
    .join(_granted, true())
)


def viewers() -> Query:
    """One row a member with everything a Viewer is made of; add a condition on Member."""
    return _VIEWERS


def viewer_of(row: Any, session_id: UUID | None = None) -> Viewer:
    """The Viewer that a row of `viewers()` describes."""
    return Viewer(
        id=row.id,
        handle=row.handle,
        name=row.name,
        title=row.title,
        roles=frozenset(map(Role, row.roles or ())),
        moderated_boards=frozenset(row.boards or ()),
        standing=Standing(row.standing),
        joined_at=row.joined_at,
        session_id=session_id,
    )


def has_a_role(member_id: Any = None) -> ColumnElement[bool]:
    """The condition that a member is staff."""
    return exists().where(col(RoleGrant.member_id) == (col(Member.id) if member_id is None else member_id))


def public_cards(handles: Sequence[str]) -> Query:
    """What everybody may know of these members (handles in their normal form): those who exist and have not left."""
    return (
        query(
            col(Member.id),
            col(Member.handle),
            col(Member.name),
            col(Member.title),
            col(Member.joined_at),
        )
        .where(col(Member.handle).in_(handles))
        .order_by(col(Member.handle))
    )


def profiles() -> Query:
    """One row a member with what only they may read of themselves; add a condition on Member."""
    return viewers().add_columns(col(Member.email), col(Member.email_verified_at), col(Member.rules_version))


async def standing_of(session: AsyncSession, member_id: UUID, now: datetime) -> Standing:
    """Where a member stands at `now`."""
    found = await session.execute(select(standing_at(now)).where(col(Member.id) == member_id))
    return Standing(found.scalar_one())


async def account_of(session: AsyncSession, member_id: UUID, now: datetime) -> Account:
    """The account of a member who is about to change it."""
    return Account(await hold(session, member_id), await standing_of(session, member_id, now))


async def hold(session: AsyncSession, member_id: UUID) -> Member:
    """A member's own row, held until the commit."""
    # Only against other changes of it: what they write meanwhile points to the row, and must not wait.
    found = select(Member).where(col(Member.id) == member_id).with_for_update(key_share=True)
    return (await session.execute(found.execution_options(populate_existing=True))).scalar_one()


async def is_staff(session: AsyncSession, member_id: UUID) -> bool:
    """Whether a member has a role."""
    return bool((await session.execute(select(has_a_role(member_id)))).scalar_one())


async def by_handle(session: AsyncSession, handle: str) -> Member:
    """The member with this handle; NotFound when there is none."""
    found = await session.execute(select(Member).where(col(Member.handle) == names.folded(handle)))
    member = found.scalar_one_or_none()
    if member is None:
        raise NotFound(f"There is no member called {handle}.")
    return member


# Verbs


@dataclass(frozen=True)
class Newcomer:
    """What somebody says of themselves when they join; of their password, only the hash."""

    handle: str
    name: str
    email: str
    password_hash: str
    staff_password: bool
    rules_version: int | None = None


async def newcomer(
    handle: str, name: str, email: str, password: str, rules_version: int | None = None, *, staff: bool = False
) -> Newcomer:
    """Somebody who is ready to join; Invalid (handle, name, password) when they cannot be.

    A step of its own, before the transaction: nobody holds a connection while a password waits to be hashed.
    """
    handle, name = names.handle(handle), names.display_name(name)
    hashed = await passwords.hash_new(password, about=(handle, name, email), staff=staff, pointer="#/password")
    return Newcomer(handle, name, email, hashed, len(password) >= passwords.STAFF_MIN, rules_version)


async def join(session: AsyncSession, newcomer: Newcomer, now: datetime) -> Member:
    """Make an account.

    Raises Invalid (handle, name, rules_version) and Conflict for a handle that is taken or
    looks like another's. An address that has an account is no obstacle and no difference: whether it has
    one is nobody's business, and only the one who can verify it will sign in with it.
    """
    member = Member(
        handle=newcomer.handle,
        skeleton=names.skeleton(newcomer.handle),
        name=newcomer.name,
        name_skeleton=names.skeleton(newcomer.name),
        email=newcomer.email,
        password_hash=newcomer.password_hash,
        staff_password=newcomer.staff_password,
        rules_version=newcomer.rules_version,
        joined_at=now,
    )
    await _refuse_look_alikes(session, member)
    session.add(member)
    try:
        await session.flush()
    except IntegrityError as error:
        raise _refusal(error, member) from error
    return member


async def rename(session: AsyncSession, member: Member, name: str) -> None:
    """Give a member another display name; Invalid when it cannot be read or looks like staff's."""
    member.name = names.display_name(name)
    member.name_skeleton = names.skeleton(member.name)
    await _refuse_look_alikes(session, member, pointers=("#/name",))
    await session.flush()


async def grant(
    session: AsyncSession,
    member: Member,
    role: Role,
    now: datetime,
    *,
    board_id: int | None = None,
    by: UUID | None = None,
) -> None:
    """Give a role, of the whole forum or (a moderator's) of one board.

    Raises Conflict when the member has it, Forbidden when the password is shorter than staff's must be, and
    Invalid for a board with another role than moderator.
    """
    if board_id is not None and role != Role.MODERATOR:
        raise Invalid("Only a moderator's role can be for one board.", "#/board")
    # Held until the commit: meanwhile nobody takes a shorter password.
    await session.refresh(member, ["staff_password"], with_for_update={"read": True})
    if not member.staff_password:
        raise Forbidden(
            f"{member.handle} needs a password of at least {passwords.STAFF_MIN} characters before they can be {role}."
        )
    handle = member.handle  # a failed flush forgets it
    session.add(RoleGrant(member_id=member.id, role=role, board_id=board_id, given_by=by, given_at=now))
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict(f"{handle} is {role} already.") from error
    await audit.record(
        session,
        actor_id=by,
        act="role.granted",
        subject=("member", member.id),
        now=now,
        details={"role": role, "board": board_id},
    )


async def revoke(
    session: AsyncSession,
    member: Member,
    role: Role,
    now: datetime,
    *,
    board_id: int | None = None,
    by: UUID | None = None,
) -> None:
    """Take a role away; NotFound when the member does not have it."""
    same_board = col(RoleGrant.board_id).is_not_distinct_from(board_id)
    gone = await session.execute(
        delete(RoleGrant)
        .where(col(RoleGrant.member_id) == member.id, col(RoleGrant.role) == role, same_board)
        .returning(col(RoleGrant.id))
    )
    if gone.first() is None:
        raise NotFound(f"{member.handle} is not {role}.")
    await audit.record(
        session,
        actor_id=by,
        act="role.revoked",
        subject=("member", member.id),
        now=now,
        details={"role": role, "board": board_id},
    )


async def sanction(
    session: AsyncSession, member_id: UUID, standing: Standing, now: datetime, until: datetime | None
) -> Sanction:
    """Give a member a standing until it runs out, or for good; moderation decides, and keeps the reasons."""
    given = Sanction(member_id=member_id, standing=standing, since=now, until=until)
    session.add(given)
    await session.flush()
    return given


async def lift(session: AsyncSession, sanction_id: UUID) -> None:
    """Take a standing back, as if it had never been given."""
    await session.execute(delete(Sanction).where(col(Sanction.id) == sanction_id))


async def _refuse_look_alikes(
    session: AsyncSession, member: Member, pointers: Sequence[str] = ("#/handle", "#/name")
) -> None:
    """A handle may look like no other handle; neither handle nor name may look like staff or the house."""
    worn = {"#/handle": frozenset({member.skeleton}), "#/name": names.looks(member.name)}
    for pointer in pointers:
        if worn[pointer] & names.reserved():
            raise Invalid("This name is kept for the people who run the forum. Please choose another.", pointer)
    alike = worn["#/handle"] | worn["#/name"]
    staff = select(col(Member.skeleton), col(Member.name_skeleton), col(Member.handle)).where(
        has_a_role(),
        col(Member.id) != member.id,
        or_(col(Member.skeleton).in_(alike), col(Member.name_skeleton).in_(alike)),
    )
    for *taken, handle in (await session.execute(staff)).all():
        if handle == member.handle:
            raise _is_taken(handle)
        for pointer in pointers:
            if worn[pointer].intersection(taken):
                raise Invalid("This looks like the name of somebody who works here. Please choose another.", pointer)


def _refusal(error: IntegrityError, member: Member) -> Exception:
    match broken_constraint(error):
        case "uq_member_handle":
            return _is_taken(member.handle)
        case "uq_member_skeleton":
            return Conflict(
                f"The handle {member.handle} looks like another member's. Please choose another.",
                pointer="#/handle",
            )
        case "fk_member_rules_version":
            return Invalid("There is no such version of the rules. Read them again at /rules.", "#/rules_version")
        case _:
            return error


def _is_taken(handle: str) -> Conflict:
    return Conflict(f"The handle {handle} is taken. Please choose another.", pointer="#/handle")
