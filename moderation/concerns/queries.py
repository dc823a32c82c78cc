"""What leads read of concerns: the list, and everything of one. Each reading is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, TypeAdapter
from sqlalchemy import exists, select, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.core import pagination
from forum.core.database import Query, Record, query
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import author_columns, authors, named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation.concerns import evidence, journal
from moderation.concerns.evidence import SealedPost
from moderation.concerns.tables import (
    Concern,
    ConcernAssessment,
    ConcernCase,
    ConcernDisclosure,
    ConcernEntry,
    ConcernExclusion,
    ConcernHold,
    ConcernPerson,
    ConcernState,
)
from moderation.concerns.visibility import IS_LED, get_concern
from moderation.permissions import ModerationAct, allow, refusal

# What a cursor holds: a date, as it is written, and an id.
BY_DATE = TypeAdapter(tuple[Annotated[date, BeforeValidator(str)], UUID])


@dataclass(frozen=True)
class ListedConcern:
    """A concern in the list: whom it is about, and when somebody has to look at it."""

    concern: Record
    about: Sequence[Record]


@dataclass(frozen=True)
class ConcernFile:
    """Everything of one concern."""

    concern: Record
    about: Sequence[Record]
    posts: Sequence[SealedPost]
    case_ids: Sequence[UUID]
    assessments: Sequence[Record]  # the newest last
    entries: Sequence[Record]  # the oldest first
    exclusions: Sequence[Record]
    hold: Record | None
    disclosures: Sequence[Record]


_Closer = aliased(Member, name="closer")
_Subject = aliased(Member, name="asking_member")

_CONCERNS = (
    query(
        *(col(Concern.id), col(Concern.raised_at), col(Concern.about_staff), col(Concern.review_on)),
        *(col(Concern.state), col(Concern.closed_at), col(Concern.keep_until), col(Concern.text)),
        col(Concern.reply_to),
        exists()
        .where(col(ConcernDisclosure.concern_id) == col(Concern.id), col(ConcernDisclosure.decided_at).is_(None))
        .label("is_asked"),
        *named_columns(Member, "raiser"),
        *named_columns(_Closer, "closer"),
    )
    .join(Member, col(Member.id) == col(Concern.raised_by))
    .outerjoin(_Closer, col(_Closer.id) == col(Concern.closed_by))
    .where(IS_LED)
)


def leads_concerns(viewer: Viewer) -> bool:
    """Return whether somebody has this list: for what a page offers."""
    return refusal(ModerationAct.LEAD_CONCERNS, viewer) is None


async def list_concerns(work: Work, lead: Viewer, state: ConcernState, after: str | None, limit: int) -> Page:
    """Return a page of the concerns that exist for a lead: whichever has to be looked at first comes first.

    Open ones come by the day of their review, closed ones by the day until which they are kept. That they were listed
    is recorded. Raises Forbidden, and Invalid for a cursor of another list.
    """
    allow(ModerationAct.LEAD_CONCERNS, lead)
    key = (col(Concern.review_on if state == ConcernState.OPEN else Concern.keep_until), col(Concern.id))
    place = pagination.decode(after, BY_DATE) if after is not None else None
    found = _CONCERNS.where(col(Concern.state) == state).order_by(*key).limit(limit + 1)
    found = found.where(tuple_(*key) > tuple_(*place)) if place else found
    page = pagination.page_of(
        (await work.session.execute(found, lead.query_parameters)).all(),
        limit,
        lambda row: (str(row.review_on if state == ConcernState.OPEN else row.keep_until), str(row.id)),
    )
    ids = [row.id for row in page.rows]
    about = await _rows(work, _select_about(ids))
    journal.record_listing(work.session, ids, lead.member_id, work.now)
    return Page(
        [ListedConcern(row, [person for person in about if person.concern_id == row.id]) for row in page.rows],
        page.next,
    )


async def read_concern(work: Work, lead: Viewer, concern_id: UUID) -> ConcernFile:
    """Return everything of a concern, and record that it was read. Raises Forbidden and NotFound."""
    await get_concern(work, lead, concern_id)
    this = _CONCERNS.where(col(Concern.id) == concern_id)
    cases = select(col(ConcernCase.case_id)).where(col(ConcernCase.concern_id) == concern_id)
    file = ConcernFile(
        concern=(await work.session.execute(this, lead.query_parameters)).one(),
        about=await _rows(work, _select_about([concern_id])),
        posts=await evidence.list_sealed(work.session, concern_id),
        case_ids=(await work.session.execute(cases)).scalars().all(),
        assessments=await _rows(work, _select_assessments(concern_id)),
        entries=await _rows(work, select_entries(concern_id)),
        exclusions=await _rows(work, _select_exclusions(concern_id)),
        hold=(await work.session.execute(_select_hold(concern_id))).one_or_none(),
        disclosures=await _rows(work, _select_disclosures(concern_id)),
    )
    journal.record(work.session, concern_id, lead.id, "read", work.now)
    return file


def _select_about(concern_ids: Sequence[UUID]) -> Query:
    person = authors("person")
    return (
        query(col(ConcernPerson.concern_id), *author_columns(person, "person"))
        .join(person, person.c.id == col(ConcernPerson.persona_id))
        .where(col(ConcernPerson.concern_id).in_(concern_ids))
        .order_by(col(ConcernPerson.persona_id))
    )


def _select_assessments(concern_id: UUID) -> Query:
    return (
        query(
            *(col(ConcernAssessment.number), col(ConcernAssessment.consent), col(ConcernAssessment.consent_why)),
            *(col(ConcernAssessment.lawful_ground), col(ConcernAssessment.immediate_action)),
            col(ConcernAssessment.written_at),
            *named_columns(Member, "author"),
        )
        .join(Member, col(Member.id) == col(ConcernAssessment.written_by))
        .where(col(ConcernAssessment.concern_id) == concern_id)
        .order_by(col(ConcernAssessment.number))
    )


def select_entries(concern_id: UUID) -> Query:
    """Return a select of the chronology of a concern, oldest entry first."""
    return (
        query(
            *(col(ConcernEntry.id), col(ConcernEntry.text), col(ConcernEntry.happened_at)),
            *(col(ConcernEntry.corrects), col(ConcernEntry.written_at)),
            *named_columns(Member, "author"),
        )
        .join(Member, col(Member.id) == col(ConcernEntry.author_id))
        .where(col(ConcernEntry.concern_id) == concern_id)
        .order_by(col(ConcernEntry.id))
    )


def _select_exclusions(concern_id: UUID) -> Query:
    by = aliased(Member, name="excluder")
    return (
        query(
            *(col(ConcernExclusion.reason), col(ConcernExclusion.excluded_at)),
            *named_columns(Member, "lead"),
            *named_columns(by, "by"),
        )
        .join(Member, col(Member.id) == col(ConcernExclusion.member_id))
        .join(by, col(by.id) == col(ConcernExclusion.excluded_by))
        .where(col(ConcernExclusion.concern_id) == concern_id)
        .order_by(col(ConcernExclusion.excluded_at), col(ConcernExclusion.member_id))
    )


def _select_hold(concern_id: UUID) -> Query:
    return (
        query(
            *(col(ConcernHold.reason), col(ConcernHold.note), col(ConcernHold.exemption)),
            *(col(ConcernHold.review_on), col(ConcernHold.placed_at)),
            *named_columns(Member, "by"),
        )
        .join(Member, col(Member.id) == col(ConcernHold.placed_by))
        .where(col(ConcernHold.concern_id) == concern_id)
    )


def _select_disclosures(concern_id: UUID) -> Query:
    return (
        query(
            *(col(ConcernDisclosure.id), col(ConcernDisclosure.asked_at), col(ConcernDisclosure.due_on)),
            *(col(ConcernDisclosure.outcome), col(ConcernDisclosure.exemption), col(ConcernDisclosure.reason)),
            col(ConcernDisclosure.decided_at),
            *named_columns(_Subject, "member"),
            *named_columns(Member, "by"),
        )
        .join(_Subject, col(_Subject.id) == col(ConcernDisclosure.member_id))
        .outerjoin(Member, col(Member.id) == col(ConcernDisclosure.decided_by))
        .where(col(ConcernDisclosure.concern_id) == concern_id)
        .order_by(col(ConcernDisclosure.asked_at), col(ConcernDisclosure.id))
    )


async def _rows(work: Work, wanted: Query) -> Sequence[Record]:
    return (await work.session.execute(wanted)).all()
