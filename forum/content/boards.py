"""Boards: the place of threads, with who may read, open threads and reply there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Identity,
    Text,
    UniqueConstraint,
    any_,
    bindparam,
    exists,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content import markup
from forum.content.opening_hours import OpeningHours, Outside, opening_of
from forum.core import audit
from forum.core.database import Moment, Prepared, Reader, check_one_of, columns
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.text import has_seen
from forum.members.tables import Role, RoleGrant
from forum.members.viewer import AUDIENCES as VIEWERS_AUDIENCES
from forum.members.viewer import MODERATED_BOARDS, MODERATES_EVERYWHERE, Viewer

# A trusted flagger reads and writes as other members do.
AUDIENCES = ("everyone", "member", *(role for role in Role if role != Role.TRUSTED_FLAGGER))
SLUG = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
_KNOWN = f"ARRAY[{', '.join(repr(str(audience)) for audience in AUDIENCES)}]::text[]"


class Publication(StrEnum):
    """When others see a new post on a board; the gate decides by it."""

    AT_ONCE = "at_once"
    HOLD_NEWCOMERS = "hold_newcomers"
    HOLD_ALL = "hold_all"


# What members are told before they write, and again when a post of theirs waits.
HELD_BECAUSE: Mapping[Publication, str] = {
    Publication.HOLD_NEWCOMERS: "A moderator reads everybody's first posts here before they appear. You will be told.",
    Publication.HOLD_ALL: "On this board a moderator reads every post before it appears. You will be told.",
}
HELD_WHILE_CLOSED: Mapping[Publication, str] = {
    Publication.HOLD_NEWCOMERS: "This board is closed now. When it opens, a moderator reads everybody's first posts "
    "before they appear. You will be told.",
    Publication.HOLD_ALL: "This board is closed now. When it opens, a moderator reads what was written meanwhile. You "
    "will be told.",
}
READ_ONLY_NOW = "This board is closed now: you can read it. What you write, you can keep until it opens."
# What a board asks of a post while it is closed, at least.
_WHILE_CLOSED: Mapping[Outside | None, Publication] = {
    Outside.HOLD_NEWCOMERS: Publication.HOLD_NEWCOMERS,
    Outside.HOLD_ALL: Publication.HOLD_ALL,
}


class Policy(NamedTuple):
    """When others see what is written on a board now, and whether that is so because it is closed."""

    publication: Publication
    is_closed: bool

    @property
    def held_because(self) -> str | None:
        """Why a post waits that this holds."""
        return (HELD_WHILE_CLOSED if self.is_closed else HELD_BECAUSE).get(self.publication)


class Board(SQLModel, table=True):
    """A place for threads on one subject."""

    __table_args__ = (
        UniqueConstraint("slug"),
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 50", name="slug"),
        check_one_of("publication", Publication),
        CheckConstraint("jsonb_typeof(hours) = 'object'", name="hours"),
        CheckConstraint(f"readers <@ {_KNOWN} AND cardinality(readers) > 0", name="readers"),
        CheckConstraint(f"openers <@ {_KNOWN} AND NOT 'everyone' = ANY (openers)", name="openers"),
        CheckConstraint(f"repliers <@ {_KNOWN} AND NOT 'everyone' = ANY (repliers)", name="repliers"),
    )

    id: int = Field(default=None, primary_key=True, sa_column_args=[Identity(always=True)])
    slug: str
    name: str
    section: str = Field(description="The heading under which the board is listed")
    position: int
    description: str
    help_markdown: str = Field(description="Who can help at once, telephone numbers first")
    help_html: str
    readers: list[str] = Field(sa_type=ARRAY(Text))
    openers: list[str] = Field(sa_type=ARRAY(Text))
    repliers: list[str] = Field(sa_type=ARRAY(Text))
    indexable: bool
    publication: str = Field(default=Publication.AT_ONCE, sa_column_kwargs={"server_default": Publication.AT_ONCE})
    hours: dict[str, Any] | None = Field(
        default=None, sa_type=JSONB(none_as_null=True), description="Null: it is always open"
    )
    advised: bool = Field(description="Whether advisers answer here, so that threads can wait for an adviser")
    made_at: datetime = Field(sa_type=Moment)
    archived_at: datetime | None = Field(default=None, sa_type=Moment, description="Since then nobody can write here")
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    changed_at: datetime | None = Field(default=None, sa_type=Moment)
    changed_by: UUID | None = Field(default=None, foreign_key="member.id")


@dataclass(frozen=True)
class BoardPlan:
    """The settings of a board, as an administrator gives them."""

    slug: str
    name: str
    section: str = "Boards"
    position: int = 1
    description: str = ""
    help_markdown: str = ""
    readers: tuple[str, ...] = ("everyone",)
    openers: tuple[str, ...] = ("member",)
    repliers: tuple[str, ...] = ("member",)
    publication: str = Publication.AT_ONCE
    indexable: bool = False
    advised: bool = True


def policy_of(board: Any, now: datetime) -> Policy:
    """Return when others see what is written on a board at a time: while it is closed, the stricter rule counts."""
    opening, usual = opening_of(board, now), Publication(board.publication)
    while_closed = None if opening.is_open else _WHILE_CLOSED.get(opening.outside)
    strictest = list(Publication).index
    if while_closed is None or strictest(while_closed) <= strictest(usual):
        return Policy(usual, is_closed=False)
    return Policy(while_closed, is_closed=True)


# Predicates


# The viewer moderates the board.
MODERATED = or_(MODERATES_EVERYWHERE, col(Board.id) == any_(MODERATED_BOARDS))


def is_readable(board: Any = Board) -> ColumnElement[bool]:
    """Return the condition that a board exists for the viewer."""
    return or_(col(board.readers).op("&&")(VIEWERS_AUDIENCES), col(board.id) == any_(MODERATED_BOARDS))


READABLE = is_readable()


def readable_by_member(member_id: Any) -> ColumnElement[bool]:
    """Return `READABLE` for each of many members, with every role that they have: for jobs, which have no viewer."""
    # Who moderates one board may read wherever moderators may.
    reads = col(RoleGrant.role) == any_(col(Board.readers))
    granted = exists().where(
        col(RoleGrant.member_id) == member_id, or_(col(RoleGrant.board_id) == col(Board.id), reads)
    )
    return or_(
        col(Board.readers).op("&&")(literal(["everyone", "member"], ARRAY(Text))), granted.correlate_except(RoleGrant)
    )


# Queries

_VISIBLE = select(*columns(Board)).where(READABLE)

_ONE = Prepared(_VISIBLE.where(col(Board.slug) == bindparam("slug", type_=Text())))


_EVERY_READABLE = Prepared(_VISIBLE.order_by(col(Board.position), col(Board.id)))


async def list_readable(reader: Reader, viewer: Viewer) -> Sequence[Any]:
    """Return every board that exists for the viewer, in order."""
    return await reader.rows(_EVERY_READABLE, **viewer.query_parameters)


async def get_board(reader: Reader, viewer: Viewer, slug: str) -> Any:
    """Return a board. Raises NotFound when it does not exist for the viewer."""
    row = await reader.row(_ONE, **viewer.query_parameters, slug=slug)
    if row is None:
        raise NotFound("There is no such board.", code="board_not_found")
    return row


async def get_board_in_transaction(session: AsyncSession, viewer: Viewer, slug: str) -> Any:
    """Return a board as it is in this transaction. Raises NotFound when it does not exist for the viewer."""
    row = (await session.execute(_ONE.query, {**viewer.query_parameters, "slug": slug})).one_or_none()
    if row is None:
        raise NotFound("There is no such board.", code="board_not_found")
    return row


# Every board in its order, whoever may see it: for administration, not for readers.
EVERY = select(Board).order_by(col(Board.position), col(Board.id))


async def find_board(session: AsyncSession, slug: str) -> Board | None:
    """Return a board or None, whoever may see it: for administration, not for readers."""
    return (await session.execute(select(Board).where(col(Board.slug) == slug))).scalar_one_or_none()


async def create_board(session: AsyncSession, plan: BoardPlan, now: datetime, *, by: UUID | None = None) -> Board:
    """Create a board. Raises Invalid for a plan that is not allowed, and Conflict when the slug is in use."""
    _refuse_invalid_plan(plan)
    board = Board(
        **{field.name: getattr(plan, field.name) for field in fields(plan)},
        help_html=markup.parse(plan.help_markdown).html(),
        made_at=now,
    )
    for audience in ("readers", "openers", "repliers"):
        setattr(board, audience, list(getattr(plan, audience)))
    session.add(board)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict(f"There is already a board {plan.slug}.", code="board_exists") from error
    await audit.record(session, actor_id=by, act="board.made", subject=("board", board.id), now=now)
    return board


async def lock_board_row(session: AsyncSession, slug: str) -> Board:
    """Lock a board's row until the transaction ends, and return it. Raises NotFound."""
    found = select(Board).where(col(Board.slug) == slug).with_for_update(key_share=True)
    board = (await session.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()
    if board is None:
        raise NotFound(f"There is no board {slug}.", code="board_not_found")
    return board


async def change_board(
    session: AsyncSession, board: Board, changes: Mapping[str, Any], now: datetime, *, by: UUID | None = None
) -> None:
    """Change some settings of a board, whose row the caller has locked. Raises Invalid for what is not allowed."""
    plan = {field.name: getattr(board, field.name) for field in fields(BoardPlan)} | {**changes}
    _refuse_invalid_plan(BoardPlan(**plan))
    for name, value in plan.items():
        setattr(board, name, list(value) if isinstance(value, tuple) else value)
    board.help_html = markup.parse(board.help_markdown).html()
    await _record_change(session, board, "board.changed", now, by=by, changed=sorted(changes))


async def set_hours(
    session: AsyncSession, board: Board, hours: OpeningHours | None, now: datetime, *, by: UUID | None = None
) -> None:
    """Give a board opening hours, or none: then it is always open. The caller has locked its row. Idempotent.

    Raises Invalid for hours that make no sense.
    """
    if hours:
        hours.refuse_impossible()
    wanted = hours.as_json() if hours else None
    if board.hours != wanted:
        board.hours = wanted
        await _record_change(session, board, "board.changed", now, by=by, changed=["hours"])


async def set_archived(
    session: AsyncSession, board: Board, archived: bool, now: datetime, *, by: UUID | None = None
) -> None:
    """Archive a board, or open it again; the caller has locked its row. Idempotent.

    An archived board stays readable, and nobody can write there.
    """
    if archived == (board.archived_at is not None):
        return
    board.archived_at = now if archived else None
    await _record_change(session, board, "board.archived" if archived else "board.opened", now, by=by)


async def set_order(session: AsyncSession, slugs: Sequence[str], now: datetime, *, by: UUID | None = None) -> None:
    """List the boards in this order from now on. Raises Invalid unless each board is named once. Idempotent."""
    every = select(Board).order_by(col(Board.id)).with_for_update(key_share=True)
    found = {board.slug: board for board in (await session.execute(every)).scalars().all()}
    if sorted(slugs) != sorted(found):
        raise Invalid("Name every board once, in the order that you want.", "#/slugs", code="boards_incomplete")
    for position, slug in enumerate(slugs, start=1):
        if found[slug].position != position:
            found[slug].position = position
            await _record_change(session, found[slug], "board.changed", now, by=by, changed=["position"])


async def _record_change(
    session: AsyncSession, board: Board, act: str, now: datetime, *, by: UUID | None, changed: Sequence[str] = ()
) -> None:
    board.version += 1
    board.changed_at, board.changed_by = now, by
    await session.flush()
    details: audit.Details = {"changed": list(changed)} if changed else {}
    await audit.record(session, actor_id=by, act=act, subject=("board", board.id), now=now, details=details)


def _refuse_invalid_plan(plan: BoardPlan) -> None:
    if not SLUG.fullmatch(plan.slug) or len(plan.slug) > 50:
        raise Invalid(
            "A slug has small letters and digits, with '-' between words: at most 50 characters.",
            "#/slug",
            code="wrong_format",
        )
    if not has_seen(plan.name):
        raise Invalid("A board needs a name.", "#/name", code="blank")
    for field in ("readers", "openers", "repliers"):
        audiences = set(getattr(plan, field))
        allowed = set(AUDIENCES) - (set() if field == "readers" else {"everyone"})
        if not audiences <= allowed or (field == "readers" and not audiences):
            sentence = f"Choose {field} among: {', '.join(sorted(allowed))}."
            raise Invalid(sentence, f"#/{field}", code="unknown_audience")
