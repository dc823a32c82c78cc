"""Who sends a request, with the roles and the standing that were read for it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from typing import cast as as_type
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    Integer,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.visitors import replacement_traverse
from sqlmodel import col

from forum.core.database import Query, query
from forum.members.aliases import aliases_of
from forum.members.standing import SHUT_OUT, standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing


@dataclass(frozen=True, slots=True)
class ViewerSession:
    """The session in which a member sends a request."""

    session_id: UUID
    signed_in_at: datetime
    second_factor: bool


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who sends a request: a guest, or a member with the roles and the standing that were read for it."""

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
    withheld: bool = False  # has roles, which count only in a session with a second factor
    aliases: tuple[UUID, ...] = ()
    audience_groups: tuple[str, ...] = field(init=False)
    query_parameters: Mapping[str, Any] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Who is shut out reads as a guest does, whatever they ask for: also in lists of what is their own.
        is_shut_out = self.standing in SHUT_OUT
        member = ("member",) if self.id else ()
        # Who moderates one board may read wherever moderators may, for instance in a staff room.
        roles = self.roles | ({Role.MODERATOR} if self.moderated_boards else set())
        groups = ("everyone",) if is_shut_out else ("everyone", *member, *sorted(roles))
        object.__setattr__(self, "audience_groups", groups)
        query_parameters = {
            "viewer_id": self.id,
            "viewer_personas": self.personas,
            "audiences": self.audience_groups,
            "moderated_boards": () if is_shut_out else tuple(self.moderated_boards),
            "moderates_everywhere": Role.MODERATOR in self.roles and not is_shut_out,
        }
        object.__setattr__(self, "query_parameters", query_parameters)

    @property
    def member_id(self) -> UUID:
        """Return the member's id. Raises RuntimeError for a guest."""
        if self.id is None:
            raise RuntimeError("A guest reached an action for members.")
        return self.id

    @property
    def personas(self) -> tuple[UUID, ...]:
        """Return the ids under which this member writes: their own first, then their aliases. A guest has none."""
        return (self.id, *self.aliases) if self.id else ()

    def persona_for(self, author_id: UUID) -> UUID | None:
        """Return the id under which this member acts on what `author_id` wrote: that one if it is theirs."""
        return author_id if author_id in self.personas else self.id

    @property
    def is_staff(self) -> bool:
        """Return whether this member has any role, even for one board only."""
        return bool(self.roles or self.moderated_boards)

    @property
    def moderates_somewhere(self) -> bool:
        """Return whether this member moderates any board."""
        return Role.MODERATOR in self.roles or bool(self.moderated_boards)

    def moderates(self, board_id: int) -> bool:
        """Return whether this member moderates that board."""
        return Role.MODERATOR in self.roles or board_id in self.moderated_boards

    def is_newcomer(self, days: int, now: datetime) -> bool:
        """Return whether this member joined less than `days` ago and has no role."""
        return self.joined_at is not None and not self.is_staff and now - self.joined_at < timedelta(days=days)


GUEST = Viewer()

# Parameters about the viewer, of statements built once for everybody: `Viewer.query_parameters` has their values.
VIEWER_ID = bindparam("viewer_id", type_=Uuid())
VIEWER_PERSONAS = bindparam("viewer_personas", type_=ARRAY(Uuid()))
AUDIENCES = bindparam("audiences", type_=ARRAY(Text()))
MODERATED_BOARDS = bindparam("moderated_boards", type_=ARRAY(Integer()))
MODERATES_EVERYWHERE = bindparam("moderates_everywhere", type_=Boolean())
_PARAMETERS: Sequence[BindParameter[Any]] = (
    VIEWER_ID,
    VIEWER_PERSONAS,
    AUDIENCES,
    MODERATED_BOARDS,
    MODERATES_EVERYWHERE,
)


def for_each(of_one: Query, *own: BindParameter[Any]) -> Query:
    """Return a select of what each of many viewers sees: the rows of `of_one`, with the viewer's `place` among them.

    Its parameter `viewers` is what `as_each` returns; `own` are further parameters that differ between viewers.
    """
    types = {parameter.key: parameter.type for parameter in (*_PARAMETERS, *own)}

    def replaced(element: Any, **_: Any) -> Any:
        name = element.key if isinstance(element, BindParameter) else None
        return literal_column(f"viewer.{name}", types[name]) if name in types else None

    found = as_type(Query, replacement_traverse(of_one, {}, replaced)).lateral("found")
    listed = func.jsonb_to_recordset(cast(bindparam("viewers", type_=Text()), JSONB)).table_valued(
        column("place", Integer()), *(column(name, kind) for name, kind in types.items())
    )
    viewers = listed.render_derived(name="viewer", with_types=True)
    return query(viewers.c.place, *found.c).select_from(viewers).join(found, true()).order_by(viewers.c.place)


def as_each(viewers: Sequence[Viewer], **own: Sequence[Any]) -> str:
    """Return these viewers as the parameter of a select of `for_each`; of `own`, each has the value at their place."""
    rows = [
        {"place": place, **viewer.query_parameters, **{name: values[place] for name, values in own.items()}}
        for place, viewer in enumerate(viewers)
    ]
    return json.dumps(rows, default=str)


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
        aliases_of(col(Member.id)).label("aliases"),
    )
    .select_from(Member)
    .join(_granted, true())
)


def viewers() -> Query:
    """Return a select with one row per member, of everything that a Viewer is made of; add a condition on Member."""
    return _VIEWERS


def viewer_of(row: Any, session: ViewerSession | None = None) -> Viewer:
    """Return the Viewer that a row of `viewers()` describes.

    Roles count only in a session that has shown a second factor; in any other, staff are members like others.
    Without a session, as in jobs and commands, they count.
    """
    roles, boards = frozenset(map(Role, row.roles or ())), frozenset(row.boards or ())
    withheld = session is not None and not session.second_factor and bool(roles or boards)
    return Viewer(
        id=row.id,
        handle=row.handle,
        name=row.name,
        title=row.title,
        roles=frozenset() if withheld else roles,
        moderated_boards=frozenset() if withheld else boards,
        standing=Standing(row.standing),
        joined_at=row.joined_at,
        session_id=session.session_id if session else None,
        signed_in_at=session.signed_in_at if session else None,
        withheld=withheld,
        aliases=tuple(row.aliases or ()),
    )
