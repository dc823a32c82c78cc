"""Notes from shift to shift over HTTP: what moderators of a board leave for those who come next."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, Limit, Moment, Slug, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import handover

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class HandoverNote(ResponseBody):
    """What a moderator leaves for the next shift."""

    id: Uuid
    by: Author
    text: str = Field(examples=["Wren was quiet tonight. Please look at her thread first."])
    at: Moment


class HandoverNoteList(ResponseBody):
    """Notes on a board, newest first."""

    items: list[HandoverNote]
    next: Next


class HandoverNoteRequest(RequestBody):
    """What the next shift should know."""

    text: Words = Field(
        min_length=1,
        max_length=handover.NOTE_MAX,
        examples=["Wren was quiet tonight. Please look at her thread first."],
    )


@router.get("/boards/{slug}/handover", response_model=HandoverNoteList, responses=documented(401, 403, 404, 422))
async def list_handover_notes(
    request: Request,
    slug: Slug,
    viewer: CurrentMember,
    work: CurrentWork,
    *,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List what earlier shifts left for the next one: for the board's moderators. Notes are kept for 90 days."""
    page = await handover.list_notes(work, viewer, slug, after, limit)
    items = [HandoverNote.of_row(row, by=Author.of(row, "author")) for row in page.rows]
    body = HandoverNoteList(items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.post(
    "/boards/{slug}/handover",
    status_code=201,
    response_model=HandoverNote,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def leave_handover_note(
    slug: Slug, wanted: HandoverNoteRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Leave a note for the next shift: for the board's moderators. It cannot be changed or deleted."""
    note = await handover.add_note(work, viewer, slug, wanted.text, repeat=key.of(wanted))
    return json_response(HandoverNote.of_row(note, by=Author.of_viewer(viewer)), 201)
