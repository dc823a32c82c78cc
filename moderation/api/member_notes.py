"""Notes on members over HTTP: what moderators tell each other about somebody."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, Handle, Limit, Moment, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import member_notes

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class MemberNote(ResponseBody):
    """What a moderator tells the other moderators about a member."""

    id: Uuid
    by: Author
    text: str = Field(examples=["She asked us to write to her in the evenings only."])
    at: Moment


class MemberNoteList(ResponseBody):
    """Notes on a member, newest first."""

    items: list[MemberNote]
    next: Next


class MemberNoteRequest(RequestBody):
    """What the other moderators should know of the member."""

    text: Words = Field(
        min_length=1,
        max_length=member_notes.NOTE_MAX,
        examples=["She asked us to write to her in the evenings only."],
    )


@router.get("/members/{handle}/notes", response_model=MemberNoteList, responses=documented(401, 403, 404, 422))
async def list_member_notes(
    request: Request,
    handle: Handle,
    viewer: CurrentMember,
    work: CurrentWork,
    *,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the notes on a member: for moderators. Nobody reads the notes on themselves here."""
    page = await member_notes.list_notes(work, viewer, handle, after, limit)
    items = [MemberNote.of_row(row, by=Author.of(row, "author")) for row in page.rows]
    body = MemberNoteList(items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.post(
    "/members/{handle}/notes",
    status_code=201,
    response_model=MemberNote,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def note_member(
    handle: Handle, wanted: MemberNoteRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Write a note on a member for the other moderators. It cannot be changed or deleted."""
    note = await member_notes.add_note(work, viewer, handle, wanted.text, repeat=key.of(wanted))
    return json_response(MemberNote.of_row(note, by=Author.of_viewer(viewer)), 201)
