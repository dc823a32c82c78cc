"""Who is on call: a rota by weekday and hour, which administrators write, and a switch: "I am here tonight".

Only moderators are on call, each on the boards that they moderate: administrators are told when no moderator answers.
Whoever lost the role, left or may not act for a while is not on call, whatever the rota says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    String,
    delete,
    exists,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content import boards
from forum.content.boards import Board
from forum.core import audit
from forum.core.database import Moment, Record, new_id, query
from forum.core.errors import Conflict, Invalid
from forum.core.export_section import ExportSection, items_of
from forum.core.gate import Attendance
from forum.core.weekly_hours import WEEK, HoursSpan, Weekday, WeeklyHours, known_zones, spans, zone_of
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation.permissions import ModerationAct, allow, refusal

MOST_SHIFTS = 200
HERE_MAX = 12  # hours: who forgets the switch is not counted on next evening
_WEEK_AND_A_DAY = 8  # days in which each shift begins at least once
# Held until the commit by whoever changes the rota: of two at once, the second sees what the first one wrote.
_ONE_AT_A_TIME = text("LOCK TABLE on_call_shift IN SHARE ROW EXCLUSIVE MODE")


class OnCallShift(SQLModel, table=True):
    """When a moderator is on call. One that ends at the hour of its beginning, or before it, ends on the next day."""

    __tablename__ = "on_call_shift"
    __table_args__ = (
        CheckConstraint(
            f"cardinality(weekdays) > 0 AND weekdays <@ ARRAY[{', '.join(repr(str(day)) for day in WEEK)}]::varchar[]",
            name="weekdays",
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    board_id: int | None = Field(
        default=None, sa_type=BigInteger, foreign_key="board.id", ondelete="CASCADE", description="None: all of theirs"
    )
    weekdays: list[str] = Field(sa_type=ARRAY(String), description="On which it begins")
    starts: time
    ends: time
    zone: str
    place: int = Field(description="In the rota: of two who are on call, the first is called first")


class OnCallPresence(SQLModel, table=True):
    """That a moderator said: I am here, until then."""

    __tablename__ = "on_call_presence"
    __table_args__ = (CheckConstraint("until > since", name="until"),)

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    since: datetime = Field(sa_type=Moment)
    until: datetime = Field(sa_type=Moment)


@dataclass(frozen=True)
class ShiftWish:
    """A shift as an administrator writes it."""

    handle: str
    board: str | None
    weekdays: Sequence[Weekday]
    starts: time
    ends: time
    zone: str | None = None  # None: the forum's


class OnCall(NamedTuple):
    """Somebody who is on call now."""

    member_id: UUID
    until: datetime


@dataclass(frozen=True)
class Rota:
    """The rota, who is here besides it, and what the viewer may do."""

    shifts: Sequence[Record]
    here: Sequence[Record]
    version: str
    own_until: datetime | None  # the viewer said that they are here
    zone: str
    boards: Sequence[Record]
    no_change_because: Refusal | None
    not_here_because: Refusal | None


# Reads


async def read_rota(work: Work, viewer: Viewer) -> Rota:
    """Return who is on call when. Raises Forbidden for whoever moderates nothing.

    A moderator sees the shifts of boards that they read, an administrator all.
    """
    allow(ModerationAct.SEE_ON_CALL, viewer)
    shifts = await _list_shifts(work.session)
    readable = await _list_boards(work.session, viewer)
    slugs, sees_all = {board.slug for board in readable}, Role.ADMINISTRATOR in viewer.roles
    here = (await work.session.execute(_select_here(work.now))).all()
    return Rota(
        shifts=[shift for shift in shifts if sees_all or shift.board is None or shift.board in slugs],
        here=here,
        version=_version_of(await _list_rows(work.session)),
        own_until=next((row.until for row in here if row.handle == viewer.handle), None),
        zone=work.settings.time_zone,
        boards=readable,
        no_change_because=refusal(ModerationAct.WRITE_ROTA, viewer),
        not_here_because=refusal(ModerationAct.SAY_HERE, viewer),
    )


async def list_on_call(session: AsyncSession, board_id: int | None, now: datetime) -> Sequence[OnCall]:
    """Return who is on call for a board, in the order in which they are called; None is what is on no board.

    Whoever said that they are here comes first: they are awake.
    """
    here = [OnCall(row.member_id, row.until) for row in (await session.execute(_select_present(board_id, now))).all()]
    for shift in (await session.execute(_select_shifts_on(board_id, now))).all():
        ends = next((end for start, end in _spans(shift, now) if start <= now < end), None)
        if ends and shift.member_id not in {person.member_id for person in here}:
            here.append(OnCall(shift.member_id, ends))
    return here


async def find_attendance(
    session: AsyncSession, board_id: int | None, now: datetime, *, but_not: UUID | None = None
) -> Attendance:
    """Return whether somebody other than `but_not` is on call for a board now, and otherwise from when on."""
    if any(person.member_id != but_not for person in await list_on_call(session, board_id, now)):
        return Attendance(now=True, next_at=None)
    shifts = (await session.execute(_select_shifts_on(board_id, now))).all()
    coming = [start for shift in shifts if shift.member_id != but_not for start, _ in _spans(shift, now) if start > now]
    return Attendance(now=False, next_at=min(coming, default=None))


def _select_shifts_on(board_id: int | None, now: datetime) -> Any:
    """Return a select of the shifts for a board of those who moderate it and can act, in order."""
    this = _is_for_all() if board_id is None else or_(_is_for_all(), col(OnCallShift.board_id) == board_id)
    return (
        query(
            *(col(OnCallShift.member_id), col(OnCallShift.weekdays), col(OnCallShift.starts)),
            *(col(OnCallShift.ends), col(OnCallShift.zone)),
        )
        .where(this, _moderates(col(OnCallShift.member_id), board_id, now))
        .order_by(col(OnCallShift.place), col(OnCallShift.id))
    )


def _select_present(board_id: int | None, now: datetime) -> Any:
    member_id = col(OnCallPresence.member_id)
    return (
        query(member_id, col(OnCallPresence.until))
        .where(col(OnCallPresence.until) > now, _moderates(member_id, board_id, now))
        .order_by(col(OnCallPresence.since), member_id)
    )


def _is_for_all() -> ColumnElement[bool]:
    return col(OnCallShift.board_id).is_(None)


def _moderates(member_id: Any, board_id: int | None, now: datetime) -> ColumnElement[bool]:
    """Return the condition that somebody moderates a board, or the whole forum, and may act."""
    everywhere = col(RoleGrant.board_id).is_(None)
    return exists().where(
        col(RoleGrant.member_id) == member_id,
        col(RoleGrant.role) == Role.MODERATOR,
        everywhere if board_id is None else or_(everywhere, col(RoleGrant.board_id) == board_id),
        col(Member.id) == member_id,
        standing_at(now) == Standing.ACTIVE,
    )


def _spans(shift: Any, now: datetime) -> Iterator[HoursSpan]:
    """Give from when until when a shift is, from yesterday on, over a week."""
    hours = WeeklyHours(shift.weekdays, shift.starts, shift.ends)
    return spans([hours], zone_of(shift.zone), now, _WEEK_AND_A_DAY)


async def _list_shifts(session: AsyncSession) -> Sequence[Record]:
    listed = (
        query(
            col(OnCallShift.id),
            *named_columns(Member, "member"),
            col(Board.slug).label("board"),
            col(Board.name).label("board_name"),
            *(col(OnCallShift.weekdays), col(OnCallShift.starts), col(OnCallShift.ends), col(OnCallShift.zone)),
        )
        .join(Member, col(Member.id) == col(OnCallShift.member_id))
        .outerjoin(Board, col(Board.id) == col(OnCallShift.board_id))
        .order_by(col(OnCallShift.place), col(OnCallShift.id))
    )
    return (await session.execute(listed)).all()


def _select_here(now: datetime) -> Any:
    """Return a select of who said that they are here, and still can act."""
    grants = exists().where(
        col(RoleGrant.member_id) == col(OnCallPresence.member_id), col(RoleGrant.role) == Role.MODERATOR
    )
    return (
        query(col(Member.handle), col(Member.name), col(Member.title), col(OnCallPresence.until))
        .join(OnCallPresence, col(OnCallPresence.member_id) == col(Member.id))
        .where(col(OnCallPresence.until) > now, standing_at(now) == Standing.ACTIVE, grants)
        .order_by(col(OnCallPresence.since), col(Member.id))
    )


async def _list_boards(session: AsyncSession, viewer: Viewer) -> Sequence[Record]:
    listed = query(col(Board.slug), col(Board.name)).where(col(Board.archived_at).is_(None))
    if Role.ADMINISTRATOR not in viewer.roles:
        listed = listed.where(boards.READABLE)
    return (await session.execute(listed.order_by(col(Board.position), col(Board.id)), viewer.query_parameters)).all()


async def _list_rows(session: AsyncSession) -> Sequence[OnCallShift]:
    listed = select(OnCallShift).order_by(col(OnCallShift.place), col(OnCallShift.id))
    return (await session.execute(listed)).scalars().all()


def _content_of(shift: OnCallShift) -> tuple[Any, ...]:
    return (shift.member_id, shift.board_id, tuple(shift.weekdays), shift.starts, shift.ends, shift.zone)


def _version_of(shifts: Sequence[OnCallShift]) -> str:
    """Return a word that is another one for each other rota."""
    return sha256(repr([_content_of(shift) for shift in shifts]).encode()).hexdigest()[:16]


# What changes it


async def write_rota(work: Work, administrator: Viewer, wishes: Sequence[ShiftWish], version: str) -> None:
    """Put these shifts in the place of the rota, in their order. Idempotent.

    Raises Forbidden, Conflict when somebody changed it since `version`, and Invalid for a member who moderates nothing
    there, a board or a time zone that does not exist.
    """
    allow(ModerationAct.WRITE_ROTA, administrator)
    await work.session.execute(_ONE_AT_A_TIME)
    made = [await _shift_of(work, wish, place, f"#/items/{place}/") for place, wish in enumerate(wishes)]
    there = await _list_rows(work.session)
    if [_content_of(shift) for shift in made] == [_content_of(shift) for shift in there]:
        return
    if _version_of(there) != version:
        raise Conflict("Somebody changed the rota meanwhile: please look at it again.", code="rota_changed")
    await work.session.execute(delete(OnCallShift))
    work.session.add_all(made)
    await _record(work, administrator, "on_call.changed", shifts=len(made))


async def add_shift(work: Work, administrator: Viewer, wish: ShiftWish) -> None:
    """Add a shift at the end of the rota. Idempotent. Raises as `write_rota` does, and Invalid for too many."""
    allow(ModerationAct.WRITE_ROTA, administrator)
    await work.session.execute(_ONE_AT_A_TIME)
    there = await _list_rows(work.session)
    made = await _shift_of(work, wish, there[-1].place + 1 if there else 0, "#/")
    if _content_of(made) in [_content_of(shift) for shift in there]:
        return
    if len(there) >= MOST_SHIFTS:
        raise Invalid("A rota has 200 shifts at most.", "#/handle", code="too_many_shifts")
    work.session.add(made)
    await _record(work, administrator, "on_call.changed", shifts=len(there) + 1)


async def remove_shift(work: Work, administrator: Viewer, shift_id: UUID) -> None:
    """Take a shift out of the rota. Idempotent. Raises Forbidden."""
    allow(ModerationAct.WRITE_ROTA, administrator)
    await work.session.execute(_ONE_AT_A_TIME)
    gone = delete(OnCallShift).where(col(OnCallShift.id) == shift_id).returning(col(OnCallShift.id))
    if (await work.session.execute(gone)).first():
        count = (await work.session.execute(select(func.count()).select_from(OnCallShift))).scalar_one()
        await _record(work, administrator, "on_call.changed", shifts=count)


async def say_here(work: Work, moderator: Viewer, hours: int) -> datetime:
    """Note that a moderator is here for so many hours from now on, and return until when. Idempotent.

    Raises Forbidden for whoever is no moderator.
    """
    allow(ModerationAct.SAY_HERE, moderator)
    until = work.now + timedelta(hours=hours)
    values = {"since": work.now, "until": until}
    row = insert(OnCallPresence).values(member_id=moderator.member_id, **values)
    await work.session.execute(row.on_conflict_do_update(index_elements=[col(OnCallPresence.member_id)], set_=values))
    await _record(work, moderator, "on_call.here", hours=hours)
    return until


async def say_gone(work: Work, moderator: Viewer) -> None:
    """Note that a moderator is no longer here. Idempotent. Raises Forbidden for whoever is no moderator."""
    allow(ModerationAct.SAY_HERE, moderator)
    own = delete(OnCallPresence).where(col(OnCallPresence.member_id) == moderator.member_id)
    if (await work.session.execute(own.returning(col(OnCallPresence.member_id)))).first():
        await _record(work, moderator, "on_call.gone")


async def _shift_of(work: Work, wish: ShiftWish, place: int, pointer: str) -> OnCallShift:
    board = await boards.find_board(work.session, wish.board) if wish.board else None
    if wish.board and (board is None or board.archived_at):
        raise Invalid("There is no such board.", f"{pointer}board", code="board_not_found")
    zone = wish.zone or work.settings.time_zone
    if zone not in known_zones():
        raise Invalid("must be the name of a time zone, such as Europe/London", f"{pointer}zone", code="unknown_zone")
    grants = select(col(Member.id)).join(RoleGrant, col(RoleGrant.member_id) == col(Member.id))
    grants = grants.where(col(Member.handle) == wish.handle.lower(), col(RoleGrant.role) == Role.MODERATOR)
    if board:
        grants = grants.where(or_(col(RoleGrant.board_id).is_(None), col(RoleGrant.board_id) == board.id))
    member_id = (await work.session.execute(grants.limit(1))).scalar_one_or_none()
    if member_id is None:
        raise Invalid("Only whoever moderates there can be on call.", f"{pointer}handle", code="not_on_the_team")
    return OnCallShift(
        member_id=member_id,
        board_id=board.id if board else None,
        weekdays=[str(day) for day in WEEK if day in wish.weekdays],
        starts=wish.starts,
        ends=wish.ends,
        zone=zone,
        place=place,
    )


async def _record(work: Work, actor: Viewer, act: str, **details: int) -> None:
    about = ("on_call", "rota" if act == "on_call.changed" else str(actor.id))
    await audit.record(work.session, actor_id=actor.id, act=act, subject=about, now=work.now, details={**details})


# Personal data


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return when the viewer is on call."""
    theirs = query(
        *(col(OnCallShift.weekdays), func.to_char(col(OnCallShift.starts), "HH24:MI").label("starts")),
        func.to_char(col(OnCallShift.ends), "HH24:MI").label("ends"),
        *(col(OnCallShift.zone), col(Board.slug).label("board")),
    ).outerjoin(Board, col(Board.id) == col(OnCallShift.board_id))
    rows = (await session.execute(theirs.where(col(OnCallShift.member_id) == viewer.id))).all()
    said = query(col(OnCallPresence.since), col(OnCallPresence.until))
    here = (await session.execute(said.where(col(OnCallPresence.member_id) == viewer.id))).all()
    return (
        ExportSection("on_call", "When you are on call", items_of(rows)),
        ExportSection("here", "That you said you are here", items_of(here)),
    )


async def forget(session: AsyncSession, member_id: UUID) -> None:
    """Take somebody who leaves out of the rota."""
    for table in (OnCallShift, OnCallPresence):
        await session.execute(delete(table).where(col(table.member_id) == member_id))


async def delete_past(session: AsyncSession, now: datetime) -> None:
    """Delete that somebody was here, once it is over."""
    await session.execute(delete(OnCallPresence).where(col(OnCallPresence.until) <= now))
