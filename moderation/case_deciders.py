"""Who sees a case and who decides it: one rule, for the queue, the screen, decisions, the log, records and notices.

For whoever a case is about, under any of their personas, nothing of it exists, whatever their role: not in the queue,
on the screen, in notes, the log, counts, or as an id.

Those who decide stand in a line; whoever is in it sees the case:

1. the moderators of the board; of a case with posts on several boards, those who moderate all of them; of a case
   about a member without a post, those of the whole forum;
2. the administrators: where no moderator is free, or each one that is free is away; once the case is overdue; and
   where it is about somebody who works here, whom only an administrator may warn or sanction.

Both only if they may read the boards. Of these, whoever is free decides: in good standing, and neither reported it, nor
stepped back, nor took the decision that is looked at again. Away is who let their claim run out. Where nobody is free,
whoever dismissed a case that an appeal opened again decides it after all; any other case waits, and says so.

Whoever took a decision is not whom the appeal against it is about. As a moderator of the board they see it, like any
case there, and cannot decide it; as an administrator they are not next in line for it only because they decided before.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, and_, any_, bindparam, exists, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core.database import Moment, Query, Record, query
from forum.core.errors import NotFound
from forum.core.work import Work
from forum.members.aliases import owner_of, personas_of
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import MODERATED_BOARDS, VIEWER_ID, VIEWER_PERSONAS, Viewer
from forum.permissions import Refusal
from moderation import cases, reports
from moderation.case_priority import Category
from moderation.cases import Case, CaseClaim, CaseKind, CasePost, CaseState, with_board_of_case
from moderation.permissions import ModerationAct, refusal

NOBODY = "nobody"  # of `who_decides`: nobody is free to decide
EVERY_MEMBER = ("everyone", "member")  # the audiences that every member belongs to
IN_LINE = {Role.MODERATOR, Role.ADMINISTRATOR}

BoardCondition = Callable[[Any], ColumnElement[bool]]

NOW = bindparam("now", type_=Moment())  # of statements built once, like the parameters about the viewer

# Under names of their own, because the statements around may join these, too.
_Other, _OtherThread = aliased(Post, name="another_post"), aliased(Thread, name="thread_of_another_post")
_Grant = aliased(RoleGrant, name="staff_grant")


class Decider(NamedTuple):
    """Somebody who may decide a case now, and as what."""

    member_id: UUID
    role: Role  # the first in the line
    administers: bool
    after_all: bool  # took the decision that an appeal opened again, and nobody else is free


# Conditions on Case, joined with the board of its first post: their statements get the viewer's `query_parameters`

IS_ABOUT = col(Case.subject_persona_id) == any_(VIEWER_PERSONAS)  # about the viewer, under any of their personas


@cache
def _is_visible(roles: frozenset[Role]) -> ColumnElement[bool]:
    """Return the condition that the case exists for a viewer with these roles: it is not about them, and they are in
    the line.
    """
    in_line = _is_moderated(roles)
    if Role.ADMINISTRATOR in roles:
        in_line = or_(in_line, _administrator_is_next(VIEWER_ID, NOW))
    return and_(in_line, _on_every_board(boards.is_readable), ~IS_ABOUT)


def is_danger() -> ColumnElement[bool]:
    """Return the condition that a case is of somebody in danger other than the viewer, on boards that they read."""
    return and_(*_is_of_danger(), _on_every_board(boards.is_readable), ~IS_ABOUT)


def _is_of_danger() -> Sequence[ColumnElement[bool]]:
    return (col(Case.category) == Category.RISK, col(Case.kind) != CaseKind.APPEAL)


def _on_every_board(condition: BoardCondition) -> ColumnElement[bool]:
    """Return a condition for the boards of all posts that a case holds; it is true of a case that holds none."""
    board = aliased(Board, name="board_of_another_post")
    others = exists().where(
        col(CasePost.case_id) == col(Case.id),
        col(_Other.id) == col(CasePost.post_id),
        col(_OtherThread.id) == col(_Other.thread_id),
        col(board.id) == col(_OtherThread.board_id),
        ~condition(board),
    )
    # Of the many cases about one post, the board is joined already.
    has_one_post = col(Case.kind) == CaseKind.POST
    all_others = or_(has_one_post, ~others.correlate_except(CasePost, _Other, _OtherThread, board))
    return or_(col(Case.post_id).is_(None), and_(condition(Board), all_others))


def _is_moderated(roles: Collection[Role]) -> ColumnElement[bool]:
    def moderates(board: Any) -> ColumnElement[bool]:
        return col(board.id) == any_(MODERATED_BOARDS)

    if Role.MODERATOR in roles:
        return true()
    return and_(col(Case.post_id).is_not(None), _on_every_board(moderates))


def _is_moderator(member_id: Any) -> ColumnElement[bool]:
    """Return the condition that a member moderates the boards of a case; without a post, the whole forum."""

    def moderates(board: Any) -> ColumnElement[bool]:
        return _has_grant(member_id, col(_Grant.role) == Role.MODERATOR, col(_Grant.board_id) == board.id)

    everywhere = _has_grant(member_id, col(_Grant.role) == Role.MODERATOR, col(_Grant.board_id).is_(None))
    return or_(everywhere, and_(col(Case.post_id).is_not(None), _on_every_board(moderates)))


def _is_able(member_id: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that a member who works here is in good standing and may read the boards of a case."""

    def reads(board: Any) -> ColumnElement[bool]:
        is_listed = or_(col(_Grant.role) == any_(board.readers), col(_Grant.board_id) == board.id)
        every_member_reads = board.readers.op("&&")(literal(list(EVERY_MEMBER), ARRAY(Text)))
        return or_(every_member_reads, _has_grant(member_id, is_listed))

    stands = exists().where(col(Member.id) == member_id, standing_at(now) == Standing.ACTIVE)
    return and_(_on_every_board(reads), stands.correlate_except(Member))


def _is_impartial(member_id: Any) -> ColumnElement[bool]:
    """Return the condition that a case is not about a member, who neither reported it nor stepped back from it."""
    return and_(
        owner_of(col(Case.subject_persona_id)) != member_id,
        ~reports.reported_by(col(Case.id), member_id),
        ~cases.has_recused(col(Case.id), member_id),
    )


def _is_about_staff() -> ColumnElement[bool]:
    return col(Case.subject_persona_id).in_(personas_of(select(col(RoleGrant.member_id))))


def _has_grant(member_id: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(col(_Grant.member_id) == member_id, *conditions).correlate_except(_Grant)


def _has_claim(member_id: Any, is_so: ColumnElement[bool]) -> ColumnElement[bool]:
    own = (col(CaseClaim.case_id) == col(Case.id), col(CaseClaim.moderator_id) == member_id)
    return exists().where(*own, is_so).correlate_except(CaseClaim)


def _is_overdue(now: Any) -> ColumnElement[bool]:
    return and_(col(Case.state) == CaseState.OPEN, col(Case.due_at) <= now)


def _works_on_it(administrator_id: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that somebody claimed a case while it was theirs to decide, or decided it."""
    decided_it = and_(col(Case.state) == CaseState.DECIDED, col(Case.changed_by) == administrator_id)
    return or_(decided_it, _has_claim(administrator_id, col(CaseClaim.until) > now))


def _is_away(moderator_id: Any, now: Any) -> ColumnElement[bool]:
    return _has_claim(moderator_id, col(CaseClaim.until) <= now)


def _administrator_is_next(administrator_id: Any, now: Any) -> ColumnElement[bool]:
    """Return the condition that administrators are next in line, as `_in_line` says of the rows of one open case.

    Of decided cases, they see those of boards without any moderator, and those that they decided themselves: to ask
    for each of a hundred thousand who would be free to decide it takes seconds, and nobody is to decide it any more.
    """
    grant = aliased(RoleGrant, name="moderator_grant")
    moderator_id = col(grant.member_id)
    moderators = (col(grant.role) == Role.MODERATOR, _is_moderator(moderator_id), _is_able(moderator_id, now))
    is_free = (
        col(Case.barred_id).is_distinct_from(moderator_id),
        ~_is_away(moderator_id, now),
        _is_impartial(moderator_id),
    )
    nobody_is_there = ~exists().where(*is_free, *moderators).correlate_except(grant)
    no_moderators = ~exists().where(*moderators).correlate_except(grant)
    return or_(
        _is_about_staff(),
        _works_on_it(administrator_id, now),
        and_(col(Case.state) == CaseState.OPEN, or_(_is_overdue(now), nobody_is_there)),
        and_(col(Case.state) == CaseState.DECIDED, no_moderators),
    )


def is_for_another(leaves_it_out: BoardCondition) -> ColumnElement[bool]:
    """Return the condition that a moderator other than the viewer is free to decide a case and does not leave it out;
    `leaves_it_out` is that condition for a member's id.
    """
    grant = aliased(RoleGrant, name="another_grant")
    another = col(grant.member_id)
    is_free = (
        col(Case.barred_id).is_distinct_from(another),
        ~_is_away(another, NOW),
        _is_able(another, NOW),
        _is_impartial(another),
        ~leaves_it_out(another),
    )
    there = (col(grant.role) == Role.MODERATOR, another != VIEWER_ID, _is_moderator(another))
    return exists().where(*there, *is_free).correlate_except(grant)


# Queries


@lru_cache(maxsize=1000)  # there are some 600 selects with all sets of roles
def _select_visible(of_cases: Query, roles: frozenset[Role]) -> Query:
    # Built once for each set of roles: building it for an administrator takes longer than all the rest of a request.
    # Roles are no parameters, so that PostgreSQL plans the simple one of moderators without the line.
    return of_cases.where(_is_visible(roles))


async def list_visible(work: Work, viewer: Viewer, of_cases: Query, **values: Any) -> Sequence[Record]:
    """Return the rows of a select of cases, joined with the board of each, without cases that do not exist for the
    viewer; `values` are those of its own parameters.

    The select has to be one that was built once, with all that differs between requests as parameters.
    """
    visible = _select_visible(of_cases, viewer.roles & IN_LINE)
    return (await work.session.execute(visible, {**viewer.query_parameters, "now": work.now, **values})).all()


def _select_impartial_staff() -> Query:
    """Return a select of every moderator and administrator who is free, for each of the cases `case_ids`."""
    case_ids = bindparam("case_ids", type_=ARRAY(Uuid))
    grant = aliased(RoleGrant, name="decider_grant")
    member_id = col(grant.member_id)
    listed = query(
        col(Case.id),
        col(Case.kind),
        member_id,
        _is_moderator(member_id).label("moderates"),
        _has_grant(member_id, col(_Grant.role) == Role.ADMINISTRATOR).label("administers"),
        func.coalesce(col(Case.barred_id) == member_id, False).label("barred"),
        _is_away(member_id, NOW).label("away"),
        or_(_is_overdue(NOW), _is_about_staff(), _works_on_it(member_id, NOW)).label("next_anyway"),
    )
    return (
        with_board_of_case(listed)
        .join(grant, col(grant.role).in_(IN_LINE))
        .where(col(Case.id) == any_(case_ids), _is_able(member_id, NOW), _is_impartial(member_id))
        .distinct()
        .order_by(member_id)
    )


# Built once: building it takes longer than sending it.
_IMPARTIAL_STAFF = _select_impartial_staff()


async def list_deciders_of(
    session: AsyncSession, case_ids: Collection[UUID], now: datetime
) -> Mapping[UUID, Sequence[Decider]]:
    """Return who may decide each of these cases now, in the order of the line."""
    values = {"case_ids": list(case_ids), "now": now}
    rows = (await session.execute(_IMPARTIAL_STAFF, values)).all() if case_ids else []
    return {case_id: _in_line([row for row in rows if row.id == case_id]) for case_id in case_ids}


async def list_deciders(session: AsyncSession, case_id: UUID, now: datetime) -> list[UUID]:
    """Return the ids of all who may decide a case now, in the order of the line: moderators, then administrators."""
    return [decider.member_id for decider in (await list_deciders_of(session, [case_id], now))[case_id]]


async def who_decides(work: Work, case_id: UUID) -> str:
    """Return who can decide a case now: "moderator", "administrator", or "nobody" but, perhaps, whoever is barred."""
    return as_word((await list_deciders_of(work.session, [case_id], work.now))[case_id])


def as_word(deciders: Sequence[Decider]) -> str:
    """Return who comes first in the line: "moderator", "administrator", or "nobody" as `who_decides` does."""
    return next((str(decider.role) for decider in deciders if not decider.after_all), NOBODY)


async def list_told_that_nobody_decides(session: AsyncSession, case_id: UUID, now: datetime) -> Sequence[UUID]:
    """Return the administrators who are told that nobody can decide a case: all but those whom it is about."""
    grant = aliased(RoleGrant, name="told_grant")
    told = (
        select(col(grant.member_id))
        .join(Case, col(Case.id) == case_id)
        .join(Member, col(Member.id) == col(grant.member_id))
        .where(
            col(grant.role) == Role.ADMINISTRATOR,
            standing_at(now) == Standing.ACTIVE,
            owner_of(col(Case.subject_persona_id)) != col(grant.member_id),
        )
    )
    return (await session.execute(told.order_by(col(grant.member_id)))).scalars().all()


async def find_outside_contact(work: Work, case_id: UUID) -> str | None:
    """Return whom a reporter can turn to outside, if nobody decides a case and nobody is told who could change that."""
    if await list_deciders(work.session, case_id, work.now):
        return None
    told = await list_told_that_nobody_decides(work.session, case_id, work.now)
    return None if told else work.settings.outside_contact


async def list_leads(session: AsyncSession, case_id: UUID, now: datetime) -> Sequence[UUID]:
    """Return the safeguarding leads who may read a case of danger; nobody for another case."""
    grant = aliased(RoleGrant, name="lead_grant")
    member_id = col(grant.member_id)
    leads = (
        with_board_of_case(query(col(Case.id), member_id))
        .join(grant, col(grant.role) == Role.SAFEGUARDING_LEAD)
        .where(
            col(Case.id) == case_id,
            *_is_of_danger(),
            _is_able(member_id, now),
            owner_of(col(Case.subject_persona_id)) != member_id,
        )
    )
    return [row.member_id for row in (await session.execute(leads.order_by(member_id))).all()]


async def why_not_decide(work: Work, moderator: Viewer, case_id: UUID, *, sanctions: bool = False) -> Refusal | None:
    """Return why the moderator may not decide a case, or None.

    `sanctions` says whether they want to warn or sanction its author. Raises NotFound where it is about themselves.
    """
    ties = await _get_ties(work, moderator, case_id)
    if ties.is_about:
        raise NotFound("There is no such case.", code="case_not_found")
    if reason := refusal(ModerationAct.DECIDE_CASE, moderator, ties):
        return reason
    administrator_is_free = any(decider.administers for decider in ties.deciders)
    if sanctions and ties.is_about_staff and administrator_is_free and Role.ADMINISTRATOR not in moderator.roles:
        return Refusal(
            "author_is_staff",
            "The author works here: only an administrator can warn, review, silence, suspend or ban them.",
        )
    return None


@dataclass(frozen=True)
class _Ties:
    """What somebody has to do with a case, and who may decide it."""

    is_about: bool
    is_about_staff: bool
    own_part: Refusal | None
    deciders: Sequence[Decider]

    @property
    def decider_ids(self) -> Collection[UUID]:
        return {decider.member_id for decider in self.deciders}


# Built once, like the select of staff.
_TIES = query(
    IS_ABOUT.label("is_about"),
    _is_about_staff().label("is_about_staff"),
    reports.reported_by(col(Case.id), VIEWER_ID).label("reported"),
    cases.has_recused(col(Case.id), VIEWER_ID).label("recused"),
    func.coalesce(col(Case.barred_id) == VIEWER_ID, False).label("barred"),
    col(Case.kind),
).where(col(Case.id) == bindparam("case_id", type_=Uuid()))


async def _get_ties(work: Work, viewer: Viewer, case_id: UUID) -> _Ties:
    row = (await work.session.execute(_TIES, {**viewer.query_parameters, "case_id": case_id})).one()
    deciders = (await list_deciders_of(work.session, [case_id], work.now))[case_id]
    return _Ties(row.is_about, row.is_about_staff, _own_part(row), deciders)


def _own_part(row: Any) -> Refusal | None:
    """Return what part somebody had in a case, which keeps them from deciding it."""
    if row.reported:
        return Refusal("own_report", "You reported this: somebody else decides.")
    if row.recused:
        return Refusal("stepped_back", "You stepped back from this case: somebody else decides.")
    if row.barred and row.kind == CaseKind.APPEAL:
        return Refusal("own_decision_or_appeal", "This is about your own decision: somebody else decides.")
    if row.barred:
        return Refusal(
            "own_dismissal", "You decided about this before, and it is looked at again: somebody else decides."
        )
    return None


def _in_line(rows: Sequence[Any]) -> Sequence[Decider]:
    """Return who of these, who are free, decides: moderators, administrators where they are next, then the barred."""
    nobody_is_there = not any(row.moderates and not row.barred and not row.away for row in rows)
    deciders = []
    for row in rows:
        administers = row.administers and (nobody_is_there or row.next_anyway)
        if row.moderates or administers:
            role = Role.MODERATOR if row.moderates else Role.ADMINISTRATOR
            deciders.append(Decider(row.member_id, role, administers=administers, after_all=row.barred))
    others = [decider for decider in deciders if not decider.after_all]
    is_appeal = bool(rows) and rows[0].kind == CaseKind.APPEAL
    found = others or ([] if is_appeal else deciders)
    return sorted(found, key=lambda decider: decider.role != Role.MODERATOR)
