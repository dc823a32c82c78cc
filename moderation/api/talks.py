"""Talks over HTTP: moderators write to a member about a case, and the member answers."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field, StrictBool

from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.core.database import Record
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import After, Limit, Moment, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation.talks import actions, complaints
from moderation.talks.actions import MessageToMember
from moderation.talks.complaints import COMPLAINT_MAX
from moderation.talks.tables import MESSAGE_MAX

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)
own_router = APIRouter(tags=["talks"], route_class=Route)


class AnswerRequest(RequestBody):
    """What you answer the moderators."""

    text: Words = Field(min_length=1, max_length=MESSAGE_MAX, examples=["Thank you. I am safe, my sister is here."])


class CaseMessageRequest(RequestBody):
    """What you write to a member about a case."""

    text: Words = Field(min_length=1, max_length=MESSAGE_MAX, examples=["Are you safe tonight?"])
    signed: StrictBool = Field(
        False, description="Whether the member is told your name; otherwise it is from a moderator"
    )
    report_id: Uuid | None = Field(
        None, description="Write to who made this report of the case. Null: to the member whom the case is about"
    )


class CaseMessage(ResponseBody):
    """A message of a talk, as moderators see it."""

    id: Uuid
    talk_id: Uuid
    by: Author | None = Field(description="The moderator who wrote it. Null: the member")
    signed: bool = Field(description="Whether the member is told the moderator's name")
    crisis: bool = Field(description="Whether screening found words of somebody in danger in it")
    text: str = Field(examples=["Are you safe tonight?"])
    at: Moment

    @classmethod
    def of_message(cls, row: Record) -> "CaseMessage":
        """Render a message."""
        by = Author.of(row, "moderator") if row.moderator_id else None
        return cls.of_row(row, by=by)


class CaseMessageList(ResponseBody):
    """The messages of a talk, oldest first."""

    items: list[CaseMessage]
    next: Next


class CaseTalk(ResponseBody):
    """A talk of a case, as moderators see it."""

    id: Uuid
    case_id: Uuid
    side: Literal["author", "reporter"] = Field(description="`author`: the case is about them, or what they wrote")
    member: Author
    messages: int = Field(description="How many there are", examples=[2])
    opened_at: Moment
    last_at: Moment = Field(description="Of the newest message")
    closed_at: Moment | None = Field(description="Null while both sides can write")


class CaseTalkList(ResponseBody):
    """The talks of a case, oldest first."""

    items: list[CaseTalk]
    next: Next


class Talk(ResponseBody):
    """A talk of yours with the moderators. Nobody but you and they can read it."""

    id: Uuid
    side: Literal["author", "reporter"] = Field(
        description="`author`: about you, or what you wrote. `reporter`: about a report of yours"
    )
    report_id: Uuid | None = Field(description="Of your report, if it is about one")
    messages: int = Field(description="How many there are", examples=[2])
    opened_at: Moment
    last_at: Moment = Field(description="Of the newest message")
    closed_at: Moment | None = Field(description="Null while both sides can write")


class TalkList(ResponseBody):
    """Your talks with moderators, newest first."""

    items: list[Talk]
    next: Next


class Message(ResponseBody):
    """A message of a talk."""

    id: Uuid
    mine: bool = Field(description="False: a moderator wrote it")
    moderator: str | None = Field(
        description="The name of the moderator, where they signed. Null: show “a moderator”, or yourself",
        examples=["Suzie"],
    )
    text: str = Field(examples=["Are you safe tonight?"])
    at: Moment


class MessageList(ResponseBody):
    """The messages of a talk, oldest first."""

    items: list[Message]
    next: Next


class TalkComplaintRequest(RequestBody):
    """What is wrong with a moderator's message to you."""

    message_id: Uuid
    text: Words = Field(min_length=1, max_length=COMPLAINT_MAX, examples=["She laughs at me."])


class TalkComplaint(ResponseBody):
    """Your complaint. Somebody else than this moderator looks at it."""

    id: Uuid
    message_id: Uuid
    text: str = Field(examples=["She laughs at me."])
    at: Moment
    outcome: Literal["upheld", "dismissed"] | None = Field(description="Null until it is decided")
    settled_at: Moment | None


class TalkComplaintList(ResponseBody):
    """Your complaints, newest first."""

    items: list[TalkComplaint]
    next: Next


@router.get("/cases/{id}/talks", response_model=CaseTalkList, responses=documented(401, 403, 404, 422))
async def list_case_talks(
    request: Request, id: Uuid, viewer: CurrentMember, work: CurrentWork, *, limit: Limit = 20, after: After = None
) -> Response:
    """List the talks of a case: for those who may decide it."""
    page = await actions.list_talks(work, viewer, id, after, limit)
    items = [CaseTalk.of_row(row, member=Author.of(row, "member")) for row in page.rows]
    body = CaseTalkList(items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.post(
    "/cases/{id}/talks",
    status_code=201,
    response_model=CaseMessage,
    responses=documented(401, 403, 404, 409, 413, 422, 429),
)
async def write_to_member(
    id: Uuid, wanted: CaseMessageRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Write to the member whom a case is about, or to who reported. It begins a talk with them, or goes on with it.

    For those who may decide the case. With an `Idempotency-Key`, you can safely send it twice.
    """
    message = MessageToMember(wanted.text, wanted.signed, wanted.report_id)
    written = await actions.write_to_member(work, viewer, id, message, repeat=key.of(wanted))
    return json_response(CaseMessage.of_message(written), 201)


@router.get("/talks/{id}/messages", response_model=CaseMessageList, responses=documented(401, 403, 404, 422))
async def list_case_messages(
    request: Request, id: Uuid, viewer: CurrentMember, work: CurrentWork, *, limit: Limit = 20, after: After = None
) -> Response:
    """Read a talk of a case: for those who may decide it."""
    page = await actions.list_messages(work, viewer, id, after, limit)
    body = CaseMessageList(items=list(map(CaseMessage.of_message, page.rows)), next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.put("/talks/{id}/closure", status_code=204, responses=documented(401, 403, 404, 422))
async def close_talk(id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Close a talk: nobody can write there any more, and both sides can still read it. Idempotent."""
    await actions.close_talk(work, viewer, id)
    return Response(status_code=204)


@router.delete("/talks/{id}/closure", status_code=204, responses=documented(401, 403, 404, 422))
async def reopen_talk(id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Open a closed talk again. Idempotent."""
    await actions.reopen_talk(work, viewer, id)
    return Response(status_code=204)


@own_router.get("/me/talks", response_model=TalkList, responses=documented(401, 422))
async def list_my_talks(
    request: Request, viewer: AnyMember, work: CurrentWork, limit: Limit = 20, after: After = None
) -> Response:
    """List your talks with moderators, also while you are suspended or banned."""
    page = await actions.list_own_talks(work, viewer, after, limit)
    body = TalkList(items=[Talk.model_validate(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@own_router.get("/me/complaints", response_model=TalkComplaintList, responses=documented(401, 422))
async def list_my_complaints(
    request: Request, viewer: AnyMember, work: CurrentWork, limit: Limit = 20, after: After = None
) -> Response:
    """List what you complained of, and what came of it, also while you are suspended or banned."""
    page = await complaints.list_own(work, viewer, after, limit)
    body = TalkComplaintList(items=[TalkComplaint.model_validate(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@own_router.get("/talks/{id}/messages", response_model=MessageList, responses=documented(401, 404, 422))
async def list_messages(
    request: Request, id: Uuid, viewer: AnyMember, work: CurrentWork, *, limit: Limit = 20, after: After = None
) -> Response:
    """Read a talk of yours with moderators."""
    page = await actions.list_own_messages(work, viewer, id, after, limit)
    body = MessageList(items=[Message.model_validate(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@own_router.post(
    "/talks/{id}/messages",
    status_code=201,
    response_model=Message,
    responses=documented(401, 403, 404, 409, 413, 422, 429),
)
async def answer_in_talk(
    id: Uuid, wanted: AnswerRequest, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Answer the moderators in a talk of yours. With an `Idempotency-Key`, you can safely send it twice."""
    written = await actions.answer(work, viewer, id, wanted.text, repeat=key.of(wanted))
    return json_response(Message.model_validate(written), 201)


@own_router.post(
    "/talks/{id}/complaints",
    status_code=201,
    response_model=TalkComplaint,
    responses=documented(401, 403, 404, 413, 422, 429),
)
async def complain_of_message(id: Uuid, wanted: TalkComplaintRequest, viewer: AnyMember, work: CurrentWork) -> Response:
    """Complain of what a moderator wrote to you in a talk. A second complaint of the same message returns the first."""
    complaint = await complaints.complain(work, viewer, id, wanted.message_id, wanted.text)
    return json_response(TalkComplaint.model_validate(complaint), 201)
