"""Whoever asks, with the roles and the standing that were read for this request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Integer, Text, Uuid, bindparam, func, select, true
from sqlmodel import col

from forum.core.database import Query, query
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing


@dataclass(frozen=True, slots=True)
class Via:
    """The session through which a member asks."""

    session_id: UUID
    signed_in_at: datetime
    second_factor: bool


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
    signed_in_at: datetime | None = None
    withheld: bool = False  # has roles, which count once a second factor is shown
    audiences: tuple[str, ...] = field(init=False)
    sight: Mapping[str, Any] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        member = ("member",) if self.id else ()
        # Who moderates one board is let in wherever moderators are, a staff room for instance.
        roles = self.roles | ({Role.MODERATOR} if self.moderated_boards else set())
        object.__setattr__(self, "audiences", ("everyone", *member, *sorted(roles)))
        sight = {
            "viewer_id": self.id,
            "audiences": self.audiences,
            "moderated_boards": tuple(self.moderated_boards),
            "moderates_everywhere": Role.MODERATOR in self.roles,
        }
        object.__setattr__(self, "sight", sight)

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

# What a statement that is built once for everybody asks about whoever reads. `Viewer.sight` has the answers.
VIEWER_ID = bindparam("viewer_id", type_=Uuid())
AUDIENCES = bindparam("audiences", type_=ARRAY(Text()))
MODERATED_BOARDS = bindparam("moderated_boards", type_=ARRAY(Integer()))
MODERATES_EVERYWHERE = bindparam("moderates_everywhere", type_=Boolean())

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


def viewer_of(row: Any, via: Via | None = None) -> Viewer:
    """The Viewer that a row of `viewers()` describes.

    Roles count in a session that has shown a second factor: to any other, whoever holds them is a member like
    others. Without a session, as the verbs know each other, they count.
    """
    roles, boards = frozenset(map(Role, row.roles or ())), frozenset(row.boards or ())
    withheld = via is not None and not via.second_factor and bool(roles or boards)
    return Viewer(
        id=row.id,
        handle=row.handle,
        name=row.name,
        title=row.title,
        roles=frozenset() if withheld else roles,
        moderated_boards=frozenset() if withheld else boards,
        standing=Standing(row.standing),
        joined_at=row.joined_at,
        session_id=via.session_id if via else None,
        signed_in_at=via.signed_in_at if via else None,
        withheld=withheld,
    )
