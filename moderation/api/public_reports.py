"""Reports that need no account over HTTP: to file one, to follow it with its code, and to find the post it means."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import EmailStr, Field

from forum.api.content.crisis_help import CrisisHelp, help_response
from forum.api.schemas import RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import Anybody, CurrentMember, address_of
from forum.http.fields import Line, Moment, SentIdentity, Text, Uuid, Words
from forum.http.idempotency_key import GuestIdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation.public_reports import actions, queries
from moderation.public_reports.actions import PublicReportDraft
from moderation.public_reports.post_links import LINK_MAX
from moderation.public_reports.queries import HOW_TO_COMPLAIN, OUTCOME_WORDS, Progress
from moderation.public_reports.tables import PublicCategory
from moderation.reports import Capacity, IllegalKind, ReportOutcome

router = APIRouter(tags=["reports"], route_class=Route)
staff_router = APIRouter(tags=["moderation"], route_class=Route)

PublicReportId = Annotated[UUID, Path(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])]
Code = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=100,
        description="The code that was shown when it was sent",
        examples=["7F3A-0197-C25B-4D8E-9A61"],
    ),
]
Outcome = Literal["upheld", "dismissed"]


class PublicReportRequest(RequestBody):
    """What is wrong with a post, said without an account."""

    post: Line = Field(
        min_length=1,
        max_length=LINK_MAX,
        description="Which post: its address, or its number. If it is not known, say where it is",
        examples=["https://forum.example.org/posts/4711"],
    )
    capacity: Capacity = Field(
        description="Who you are to it: `named` in it, the `parent_or_carer` of a child, `helping_an_adult`, of a "
        "`group` that it is about, or `other`"
    )
    category: PublicCategory = Field(
        description="What is wrong. `court_restriction`: a court forbids to say it. `suicide_or_self_harm`: somebody "
        "may be in danger. If the danger is now, call for help first"
    )
    illegal_kind: IllegalKind | None = Field(None, description="For `illegal`: what kind of offence, if you know")
    text: Words = Field(
        min_length=1,
        max_length=actions.TEXT_MAX,
        description="What we should know",
        examples=["My grandson is named in it, with his school."],
    )
    email: EmailStr | None = Field(
        None,
        max_length=254,
        description="Where you want to hear that there is an answer. The mails do not say what it is about",
        examples=["heron@example.org"],
    )


class PublicReportReceipt(ResponseBody):
    """That a report has arrived. It is the same whether the post exists or not."""

    token: str = Field(
        description="The code with which you can follow it. It is shown here only: keep it",
        examples=["7F3A-0197-C25B-4D8E-9A61"],
    )
    due_at: Moment = Field(description="By when somebody should have looked at it")
    complain: str = Field(description="How to complain", examples=[HOW_TO_COMPLAIN])
    help: CrisisHelp | None = Field(description="Who helps at once, if your words sound like danger")
    outside_contact: str | None = Field(
        description="Whom else you can turn to, where one person alone looks at reports: it may be about them",
        examples=["The trustees: 020 7946 0000"],
    )


class ProgressRequest(RequestBody):
    """The code of what you sent."""

    token: Code


class ProgressOfReport(ResponseBody):
    """What came of a report or a complaint."""

    sent_at: Moment
    due_at: Moment = Field(description="By when somebody should have looked at it")
    outcome: Outcome | None = Field(description="Null while it waits")
    words: str | None = Field(
        description="What came of it, in plain words. Null while it waits",
        examples=[OUTCOME_WORDS[ReportOutcome.UPHELD]],
    )
    settled_at: Moment | None = Field(description="Null while it waits")
    outside_contact: str | None = Field(
        description="Whom else you can turn to, while it waits and there may be nobody here who can decide it",
        examples=["The trustees: 020 7946 0000"],
    )
    complain: str = Field(description="How to complain", examples=[HOW_TO_COMPLAIN])


class WaitingReport(ResponseBody):
    """A report of which nobody knows the post, or whose post was decided already."""

    id: Uuid
    post: str = Field(description="Which post is meant, as it was typed", examples=["the one about the swings"])
    capacity: Capacity
    category: PublicCategory
    illegal_kind: IllegalKind | None
    text: str = Field(examples=["My grandson is named in it, with his school."])
    is_urgent: bool = Field(description="Whether screening found words of acute danger")
    is_flagged: bool = Field(description="Whether a trusted flagger sent it")
    filed_at: Moment
    due_at: Moment
    because: str | None = Field(description="Why you may not answer it. Null: you may", examples=[None])


class WaitingReportList(ResponseBody):
    """The reports of which nobody knows the post: those due first come first."""

    items: list[WaitingReport]
    next: None = Field(description="Always null: the first 100 that wait")


class PublicAnswerRequest(RequestBody):
    """What whoever reported or complained reads."""

    outcome: ReportOutcome = Field(description="`upheld`: they are right, and something was done")
    answer: Words = Field(
        min_length=1, max_length=actions.ANSWER_MAX, examples=["There was no such post. Please send us its address."]
    )


class MeantPostRequest(RequestBody):
    """Which post is meant."""

    post_id: SentIdentity = Field(examples=[4711])


def progress_response(found: Progress) -> ProgressOfReport:
    """Return what came of something as the API shows it."""
    return ProgressOfReport.of_row(found, complain=HOW_TO_COMPLAIN)


@router.post(
    "/reports", status_code=201, response_model=PublicReportReceipt, responses=documented(403, 409, 413, 422, 429)
)
async def file_public_report(
    wanted: PublicReportRequest, request: Request, viewer: Anybody, key: GuestIdempotencyKey, work: CurrentWork
) -> Response:
    """Report a post without an account: because you are named in it, or for whatever reason.

    The answer says nothing of the post, also where there is none: moderators look for it. Keep the `token`: with it you
    read later what came of your report.
    """
    draft = PublicReportDraft(**wanted.model_dump(), address=address_of(request), key=key.key)
    receipt = await actions.file_report(work, viewer, draft)
    body = PublicReportReceipt(
        token=receipt.token,
        due_at=receipt.due_at,
        complain=HOW_TO_COMPLAIN,
        help=help_response(receipt.help),
        outside_contact=receipt.outside_contact,
    )
    return json_response(body, 201)


@router.post("/reports/progress", response_model=ProgressOfReport, responses=documented(403, 404, 413, 422, 429))
async def follow_public_report(
    wanted: ProgressRequest, request: Request, viewer: Anybody, work: CurrentWork
) -> Response:
    """Read what came of a report that you made without an account."""
    found = await queries.follow_report(work, viewer, wanted.token, address_of(request))
    return json_response(progress_response(found))


@staff_router.get("/moderation/reports", response_model=WaitingReportList, responses=documented(401, 403, 422))
async def list_waiting_reports(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List the reports without an account of which nobody knows the post: for moderators."""
    waiting = await queries.list_waiting(work, viewer)
    items = [WaitingReport.of_row(report.row, because=report.because) for report in waiting]
    return cacheable_response(request, WaitingReportList(items=items, next=None), shared=False)


@staff_router.put(
    "/moderation/reports/{id}/answer", status_code=204, responses=documented(401, 403, 404, 409, 413, 422)
)
async def answer_public_report(
    id: PublicReportId, wanted: PublicAnswerRequest, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Answer a report of which nobody knows the post: for moderators. Whoever made it reads the answer."""
    await actions.answer_report(work, viewer, id, wanted.outcome, wanted.answer)
    return Response(status_code=204)


@staff_router.put("/moderation/reports/{id}/post", status_code=204, responses=documented(401, 403, 404, 409, 413, 422))
async def assign_post_of_report(
    id: PublicReportId, wanted: MeantPostRequest, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Say which post a report means: for moderators. It becomes a report on the case of that post."""
    await actions.assign_post(work, viewer, id, wanted.post_id)
    return Response(status_code=204)
