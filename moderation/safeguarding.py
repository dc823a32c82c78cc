"""Safeguarding: the lead reads the cases of somebody in danger, and notes what was done, for whoever decides them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import tuple_
from sqlmodel import col

from forum.content.posts.held_edits import list_waiting
from forum.content.posts.tables import HeldEdit
from forum.core import audit, pagination
from forum.core.database import Query, Record
from forum.core.errors import NotFound
from forum.core.idempotency import Repeat
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.viewer import Viewer
from moderation import (
    case_calls,
    case_deciders,
    case_file,
    case_queue,
    case_screen,
    cases,
    findings,
    refused_texts,
    reports,
)
from moderation.cases import Case, CaseNote, CaseState
from moderation.findings import Place
from moderation.permissions import ModerationAct, allow, refusal

# What a cursor holds: when the last case of the page before was due, or decided, and its id.
BY_MOMENT = TypeAdapter(tuple[pagination.Instant, UUID])

_DANGERS = case_queue.ALL_CASES.where(case_deciders.is_danger())


@dataclass(frozen=True)
class DangerFile:
    """What is known of somebody in danger, and what was done."""

    case: Record
    posts: Sequence[Record]
    held_edits: Sequence[HeldEdit]
    findings: Sequence[Record]
    refused_texts: Sequence[Record]  # of acute danger, and not published
    reports: Sequence[Record]
    notes: Sequence[Record]
    decided: Sequence[Record]
    calls: Sequence[Record]  # who was called to it
    told: Sequence[Record]  # who was told that it waits, and when


def sees_dangers(viewer: Viewer) -> bool:
    """Return whether somebody has this list: for what a page offers."""
    return refusal(ModerationAct.SEE_DANGERS, viewer) is None


async def list_dangers(work: Work, lead: Viewer, state: CaseState, after: str | None, limit: int) -> Page:
    """Return a page of the cases of danger: open ones by when they are due, decided ones newest first.

    Raises Forbidden for anybody but the safeguarding lead, and Invalid for a cursor of another list.
    """
    allow(ModerationAct.SEE_DANGERS, lead)
    place = pagination.decode(after, BY_MOMENT) if after is not None else None
    found = _DANGERS.where(col(Case.state) == state)
    key = (col(Case.due_at if state == CaseState.OPEN else Case.decided_at), col(Case.id))
    if state == CaseState.OPEN:
        found = found.where(tuple_(*key) > tuple_(*place)) if place else found
        found = found.order_by(*key)
    else:
        found = found.where(tuple_(*key) < tuple_(*place)) if place else found
        found = found.order_by(*(column.desc() for column in key))
    rows = await _rows(work, lead, found.limit(limit + 1))
    return pagination.page_of(rows, limit, lambda row: (row.decided_at or row.due_at, str(row.id)))


async def get_danger(work: Work, lead: Viewer, case_id: UUID) -> DangerFile:
    """Return what is known of somebody in danger. Raises Forbidden, and NotFound when it does not exist for the lead.

    That somebody read a post that was taken back is recorded.
    """
    case = await _get_case(work, lead, case_id)
    posts = (await work.session.execute(case_file.select_held_posts(case_id))).all()
    edits = await list_waiting(work.session, [post.id for post in posts])
    present = Place(case.post_revision, case.title_revision, post_id=case.post_id)
    found = findings.select_for_case(case_id, present, [edit.id for edit in edits])
    file = DangerFile(
        case=case,
        posts=posts,
        held_edits=edits,
        findings=(await work.session.execute(found)).all(),
        refused_texts=(await work.session.execute(refused_texts.select_for_case(case_id))).all(),
        reports=(await work.session.execute(reports.select_for_case(case_id))).all(),
        notes=(await work.session.execute(cases.select_notes(case_id))).all(),
        decided=(await work.session.execute(case_screen.select_decisions(case_id))).all(),
        calls=(await work.session.execute(case_calls.select_calls(case_id))).all(),
        told=(await work.session.execute(case_screen.select_told(case_id))).all(),
    )
    await case_file.record_reading(work, lead, posts)
    return file


async def require_danger(work: Work, lead: Viewer, case_id: UUID) -> None:
    """Return when a case of danger exists for the lead. Raises Forbidden and NotFound."""
    await _get_case(work, lead, case_id)


async def add_note(work: Work, lead: Viewer, case_id: UUID, words: str, *, repeat: Repeat | None = None) -> CaseNote:
    """Note what was done for somebody in danger: whoever decides the case reads it. A `repeat` returns its note.

    Raises Forbidden, NotFound, and what `Repeat.earlier` raises.
    """
    await _get_case(work, lead, case_id)
    if repeat and (earlier := await repeat.earlier(work)):
        return await work.session.get_one(CaseNote, UUID(earlier))
    note = CaseNote(case_id=case_id, author_id=lead.member_id, text=words, at=work.now)
    work.session.add(note)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, note.id)
    subject = ("case", case_id)
    await audit.record(work.session, actor_id=lead.id, act="danger.noted", subject=subject, now=work.now)
    return note


async def _get_case(work: Work, lead: Viewer, case_id: UUID) -> Record:
    allow(ModerationAct.SEE_DANGERS, lead)
    found = await _rows(work, lead, _DANGERS.where(col(Case.id) == case_id))
    if not found:
        raise NotFound("There is no such case.", code="case_not_found")
    return found[0]


async def _rows(work: Work, lead: Viewer, dangers: Query) -> Sequence[Record]:
    return (await work.session.execute(dangers, {**lead.query_parameters, "now": work.now})).all()
