"""Safeguarding over HTTP: the cases of somebody in danger, for the safeguarding lead."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum.api.schemas import Author, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, Limit, Moment, Uuid
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import safeguarding
from moderation.api.cases import (
    Case,
    CaseCall,
    CaseFinding,
    CaseList,
    CaseNote,
    CaseReport,
    HeldEdit,
    HeldPost,
    NoteRequest,
    RefusedText,
    report_response,
)
from moderation.cases import CaseState

router = APIRouter(prefix="/safeguarding", tags=["moderation"], route_class=Route)


State = Annotated[
    CaseState, Query(description="Open cases come by when they are due, decided ones newest first", examples=["open"])
]


class Alarm(ResponseBody):
    """That somebody was told of a case."""

    to: Author = Field(description="Who was told")
    kind: str = Field(examples=["case_urgent"])
    at: Moment
    read_at: Moment | None


class DangerCase(Case):
    """What is known of somebody in danger, and what was done."""

    posts: list[HeldPost] = Field(description="All posts that it is about, oldest first")
    held_edits: list[HeldEdit] = Field(description="Edits that wait")
    reported: list[CaseReport]
    findings: list[CaseFinding] = Field(description="What screening found in the present revision")
    refused_texts: list[RefusedText] = Field(description="What the member wrote in danger that was refused")
    notes: list[CaseNote]
    calls: list[CaseCall] = Field(description="Who was called to it, oldest first")
    told: list[Alarm] = Field(description="Who was told that it waits; empty once it is decided")


@router.get("/cases", response_model=CaseList, responses=documented(401, 403, 422))
async def list_danger_cases(
    request: Request,
    viewer: CurrentMember,
    work: CurrentWork,
    *,
    state: State = CaseState.OPEN,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the cases of somebody in danger: for the safeguarding lead, on the boards that they read."""
    page = await safeguarding.list_dangers(work, viewer, state, after, limit)
    body = CaseList(items=[Case.of_case(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.get("/cases/{id}", response_model=DangerCase, responses=documented(401, 403, 404, 422))
async def get_danger_case(request: Request, id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read what is known of somebody in danger. That a post was read which its author took back is recorded."""
    file = await safeguarding.get_danger(work, viewer, id)
    body = DangerCase.of_case(
        file.case,
        posts=[HeldPost.model_validate(row) for row in file.posts],
        held_edits=[HeldEdit.model_validate(edit) for edit in file.held_edits],
        reported=list(map(report_response, file.reports)),
        findings=[CaseFinding.model_validate(row) for row in file.findings],
        refused_texts=[RefusedText.model_validate(row) for row in file.refused_texts],
        notes=[CaseNote.of_row(row, by=Author.of(row, "author")) for row in file.notes],
        calls=[CaseCall.of_row(row, member=Author.of(row, "called")) for row in file.calls],
        told=[Alarm.of_row(row, to=Author.of(row, "told")) for row in file.told],
    )
    return cacheable_response(request, body, shared=False)


@router.post(
    "/cases/{id}/notes", status_code=201, response_model=CaseNote, responses=documented(401, 403, 404, 409, 413, 422)
)
async def note_danger_case(
    id: Uuid, wanted: NoteRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Note what was done for somebody in danger, to whom it was referred and when, for whoever decides the case."""
    note = await safeguarding.add_note(work, viewer, id, wanted.text, repeat=key.of(wanted))
    return json_response(CaseNote.of_row(note, by=Author.of_viewer(viewer)), 201)
