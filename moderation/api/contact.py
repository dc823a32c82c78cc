"""Messages to the charity over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import EmailStr, Field

from forum.api.schemas import Author, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import Anybody, CurrentMember, address_of
from forum.http.fields import Moment, Uuid, Words
from forum.http.idempotency_key import GuestIdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import contact
from moderation.contact import TEXT_MAX, ContactDraft

router = APIRouter(tags=["moderation"], route_class=Route)

MessageId = Annotated[UUID, Path(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])]


class ContactRequest(RequestBody):
    """What somebody writes to the charity, with an account or without."""

    text: Words = Field(min_length=1, max_length=TEXT_MAX, examples=["I cannot sign in any more."])
    email: EmailStr | None = Field(
        None, max_length=254, description="Where you want the answer", examples=["heron@example.org"]
    )


class Received(ResponseBody):
    """That a message has arrived."""

    sounds_urgent: bool = Field(
        description="Whether it has words of acute danger. Show telephone numbers: nobody may read it for hours"
    )


class ContactMessage(ResponseBody):
    """A message to the charity that waits."""

    id: Uuid
    text: str = Field(examples=["I cannot sign in any more."])
    email: str | None = Field(description="Null: its author wants no answer", examples=["heron@example.org"])
    author: Author | None = Field(description="Null for somebody who was not signed in")
    is_urgent: bool = Field(description="Whether screening found words of acute danger")
    written_at: Moment


class ContactMessageList(ResponseBody):
    """The messages that wait: those of danger first, then the oldest."""

    items: list[ContactMessage]
    next: None = Field(description="Always null: the first 100 that wait")


@router.post("/contact", status_code=201, response_model=Received, responses=documented(403, 409, 413, 422, 429))
async def write_to_charity(
    wanted: ContactRequest, request: Request, viewer: Anybody, key: GuestIdempotencyKey, work: CurrentWork
) -> Response:
    """Write to the charity that runs the forum. Those who read it are told.

    Without an `Idempotency-Key`, the same message again on the same day is kept once.
    """
    draft = ContactDraft(wanted.text, wanted.email, address_of(request), key.key)
    return json_response(Received(sounds_urgent=await contact.write_to_charity(work, viewer, draft)), 201)


@router.get("/moderation/messages", response_model=ContactMessageList, responses=documented(401, 403, 422))
async def list_contact_messages(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List the messages to the charity that wait: for moderators."""
    items = [
        ContactMessage(
            id=row.id,
            text=row.text,
            email=row.email,
            author=Author.of(row, "author") if row.author_name else None,
            is_urgent=row.is_urgent,
            written_at=row.written_at,
        )
        for row in await contact.list_messages(work, viewer)
    ]
    return cacheable_response(request, ContactMessageList(items=items, next=None), shared=False)


@router.put("/moderation/messages/{id}/settled", status_code=204, responses=documented(401, 403, 404, 422))
async def settle_contact_message(id: MessageId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Say that a message needs nobody any more: for moderators. It is deleted after 30 days. Idempotent."""
    await contact.settle_message(work, viewer, id)
    return Response(status_code=204)
