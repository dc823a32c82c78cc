"""Complaints about the service over HTTP: to make one, to read the answer, and to answer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import EmailStr, Field

from forum.api.content.crisis_help import CrisisHelp, help_response
from forum.api.schemas import Author, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import Anybody, AnyMember, CurrentMember, address_of
from forum.http.fields import Moment, Uuid, Words
from forum.http.idempotency_key import GuestIdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation.api.public_reports import (
    Code,
    Outcome,
    ProgressOfReport,
    ProgressRequest,
    PublicAnswerRequest,
    progress_response,
)
from moderation.service_complaints import actions, queries
from moderation.service_complaints.actions import ADVICE, TEXT_MAX, ServiceComplaintDraft
from moderation.service_complaints.tables import ComplaintAbout

router = APIRouter(tags=["complaints"], route_class=Route)
staff_router = APIRouter(tags=["moderation"], route_class=Route)

ServiceComplaintId = Annotated[UUID, Path(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])]


class ServiceComplaintRequest(RequestBody):
    """What somebody complains of."""

    about: ComplaintAbout = Field(
        description="`not_dealt_with`: a report. `duties`: what the law asks of the forum. `own_content`: what was "
        "decided about your words or account. `screening`: it was used otherwise than `GET /screening` says"
    )
    text: Words = Field(min_length=1, max_length=TEXT_MAX, examples=["I reported it two weeks ago, and heard nothing."])
    email: EmailStr | None = Field(
        None,
        max_length=254,
        description="Where you want to hear that there is an answer. Kept only of somebody without an account",
        examples=["heron@example.org"],
    )
    report_code: Code | None = Field(None, description="The code of a report without an account that it is about")
    report_id: UUID | None = Field(
        None, description="Your own report that it is about", examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"]
    )


class ServiceComplaintReceipt(ResponseBody):
    """That a complaint has arrived."""

    token: str = Field(
        description="The code with which you can read the answer. It is shown here only: keep it",
        examples=["7F3A-0197-C25B-4D8E-9A61"],
    )
    due_at: Moment = Field(description="By when you are answered")
    advice: str = Field(description="What you can do besides", examples=[ADVICE[ComplaintAbout.OWN_CONTENT]])
    help: CrisisHelp | None = Field(description="Who helps at once, if your words sound like danger")
    outside_contact: str | None = Field(
        description="Whom you can turn to while nobody here may answer: everybody has a part in it",
        examples=["The trustees: 020 7946 0000"],
    )


class OwnServiceComplaint(ResponseBody):
    """Your complaint, with the answer."""

    about: ComplaintAbout
    text: str = Field(examples=["I reported it two weeks ago, and heard nothing."])
    sent_at: Moment
    due_at: Moment
    outcome: Outcome | None = Field(description="Null while it waits")
    words: str | None = Field(description="The answer. Null while it waits", examples=["You are right. We are sorry."])
    settled_at: Moment | None


class OwnServiceComplaintList(ResponseBody):
    """Your complaints, newest first."""

    items: list[OwnServiceComplaint]
    next: None = Field(description="Always null: the newest 100")


class WaitingServiceComplaint(ResponseBody):
    """A complaint that waits for an answer."""

    id: Uuid
    about: ComplaintAbout
    text: str = Field(examples=["I reported it two weeks ago, and heard nothing."])
    email: str | None = Field(examples=["heron@example.org"])
    author: Author | None = Field(description="Null for somebody without an account")
    case_id: Uuid | None = Field(description="Of the report that it is about, if that is known")
    is_urgent: bool = Field(description="Whether screening found words of acute danger")
    made_at: Moment
    due_at: Moment
    because: str | None = Field(description="Why you may not answer it. Null: you may", examples=[None])


class WaitingServiceComplaintList(ResponseBody):
    """The complaints that wait: those of danger first, then those due first."""

    items: list[WaitingServiceComplaint]
    next: None = Field(description="Always null: the first 100 that wait")


@router.post(
    "/complaints",
    status_code=201,
    response_model=ServiceComplaintReceipt,
    responses=documented(403, 409, 413, 422, 429),
)
async def complain_of_service(
    wanted: ServiceComplaintRequest, request: Request, viewer: Anybody, key: GuestIdempotencyKey, work: CurrentWork
) -> Response:
    """Complain about how the forum deals with reports, with you, or with its duties; with an account or without.

    Somebody who did not decide it answers within 14 days.
    """
    draft = ServiceComplaintDraft(**wanted.model_dump(), address=address_of(request), key=key.key)
    receipt = await actions.complain(work, viewer, draft)
    body = ServiceComplaintReceipt(
        token=receipt.token,
        due_at=receipt.due_at,
        advice=receipt.advice,
        help=help_response(receipt.help),
        outside_contact=receipt.outside_contact,
    )
    return json_response(body, 201)


@router.get("/complaints", response_model=OwnServiceComplaintList, responses=documented(401, 422))
async def list_own_service_complaints(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """List your complaints about the service, with the answers."""
    items = [
        OwnServiceComplaint.of_row(own.progress, about=own.about, text=own.text)
        for own in await queries.list_own(work, viewer)
    ]
    return cacheable_response(request, OwnServiceComplaintList(items=items, next=None), shared=False)


@router.post("/complaints/progress", response_model=ProgressOfReport, responses=documented(403, 404, 413, 422, 429))
async def follow_service_complaint(
    wanted: ProgressRequest, request: Request, viewer: Anybody, work: CurrentWork
) -> Response:
    """Read the answer to a complaint."""
    found = await queries.follow_complaint(work, viewer, wanted.token, address_of(request))
    return json_response(progress_response(found))


@staff_router.get(
    "/moderation/complaints", response_model=WaitingServiceComplaintList, responses=documented(401, 403, 422)
)
async def list_service_complaints(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List the complaints about the service that wait: for moderators of the whole forum and administrators."""
    items = [
        WaitingServiceComplaint.of_row(
            heard.row,
            author=Author.of(heard.row, "author") if heard.row.author_name else None,
            because=heard.because,
        )
        for heard in await queries.list_complaints(work, viewer)
    ]
    return cacheable_response(request, WaitingServiceComplaintList(items=items, next=None), shared=False)


@staff_router.put(
    "/moderation/complaints/{id}/answer", status_code=204, responses=documented(401, 403, 404, 409, 413, 422)
)
async def answer_service_complaint(
    id: ServiceComplaintId, wanted: PublicAnswerRequest, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Answer a complaint about the service: for whoever neither made it nor decided what it is about."""
    await actions.answer_complaint(work, viewer, id, wanted.outcome, wanted.answer)
    return Response(status_code=204)
