"""What an adviser does with a thread that waits, over HTTP: keep it, say that it needs no answer, leave notes."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.advising import claims, notes
from forum.advising.notes import NoAnswer, NoAnswerReason
from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, Id, Limit, Moment, Number, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route

router = APIRouter(prefix="/adviser", tags=["advisers"], route_class=Route)

NOTE = "Neither moderators nor the member read it here. Whoever it is about can ask for it, and a lead reads it first."


class ThreadClaimRequest(RequestBody):
    """Which thread was on the screen."""

    version: Number = Field(description="The `version` of the thread that was on the screen", examples=[1])


class ThreadClaim(ResponseBody):
    """Until when you keep a thread."""

    until: Moment


class NoAnswerRequest(RequestBody):
    """Why a thread needs no answer of an adviser."""

    version: Number = Field(description="The `version` of the thread that was on the screen", examples=[1])
    reason: NoAnswerReason
    note: Words | None = Field(None, max_length=notes.NOTE_MAX, description=NOTE, examples=["Biscuit tin said it all."])
    up_to: Number | None = Field(
        None, description="The `last_number` that was on the screen: what was written since still waits", examples=[7]
    )


class AdviserNoteRequest(RequestBody):
    """What other advisers should know about a thread."""

    text: Words = Field(max_length=notes.NOTE_MAX, description=NOTE, examples=["I rang, as agreed."])


class AdviserNote(ResponseBody):
    """What an adviser noted on a thread."""

    id: Uuid
    by: Author
    reason: NoAnswerReason | None = Field(description="Why it needs no answer. Null for other notes")
    text: str | None = Field(examples=["I rang, as agreed."])
    at: Moment


class AdviserNoteList(ResponseBody):
    """The notes on a thread that you may read, newest first."""

    items: list[AdviserNote]
    next: Next


CLAIMING = documented(401, 403, 404, 409, 413, 422)


@router.put("/threads/{id}/claim", response_model=ThreadClaim, responses=CLAIMING)
async def claim_thread(id: Id, wanted: ThreadClaimRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Keep a thread that you want to answer, or keep it longer. Others can still answer; then your claim ends.

    Where somebody else keeps it, the answer is 409 with who does (`changed_by`) and `until` when.
    """
    until = await claims.claim(work, viewer, id, wanted.version)
    return json_response(ThreadClaim(until=until))


@router.delete("/threads/{id}/claim", status_code=204, responses=documented(401, 403, 404, 422))
async def give_thread_back(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Give a thread back that you keep. Idempotent."""
    await claims.give_back(work, viewer, id)
    return Response(status_code=204)


@router.put("/threads/{id}/no-answer", status_code=204, responses=CLAIMING)
async def need_no_answer(id: Id, wanted: NoAnswerRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Say that a thread needs no answer of an adviser, and why. The next post that asks something waits again."""
    no_answer = NoAnswer(wanted.version, wanted.reason, wanted.note, wanted.up_to)
    await notes.need_no_answer(work, viewer, id, no_answer)
    return Response(status_code=204)


@router.get("/threads/{id}/notes", response_model=AdviserNoteList, responses=documented(401, 403, 404, 422))
async def list_adviser_notes(
    request: Request, id: Id, viewer: CurrentMember, work: CurrentWork, *, limit: Limit = 20, after: After = None
) -> Response:
    """List the notes on a thread: those of your organisation, and for safeguarding leads all.

    They are kept for a year.
    """
    page = await notes.list_notes(work, viewer, id, after, limit)
    items = [AdviserNote.of_row(row, by=Author.of(row, "author")) for row in page.rows]
    body = AdviserNoteList(items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.post(
    "/threads/{id}/notes",
    status_code=201,
    response_model=AdviserNote,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def leave_adviser_note(
    id: Id, wanted: AdviserNoteRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Leave a note on a thread for advisers of your organisation. It cannot be changed or deleted."""
    note = await notes.add_note(work, viewer, id, wanted.text, repeat=key.of(wanted))
    return json_response(AdviserNote.of_row(note, by=Author.of_viewer(viewer)), 201)
