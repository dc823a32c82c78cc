"""Reports over HTTP: a member reports a post or a name, and sees what came of it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field

from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import After, Handle, Id, Identity, Limit, Moment, Number, Text, Uuid, numeric
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import own_reports, reports
from moderation.api.statements import AppealState
from moderation.case_priority import Category
from moderation.name_reports import NameComplaint
from moderation.own_reports import OwnReport
from moderation.reports import Complaint

router = APIRouter(tags=["reports"], route_class=Route)

ReportCategory = Literal["rule", "personal_information", "risk", "illegal", "intimate_image", "spam", "other"]
RuleNumber = Annotated[int, Field(ge=1, lt=1000), BeforeValidator(numeric)]


class NameReportRequest(RequestBody):
    """What is wrong with a name."""

    category: ReportCategory = Field(
        description="`risk`: somebody is in danger. If the danger is now, call for help first"
    )
    rules: list[RuleNumber] = Field(
        default_factory=list, max_length=20, description="Which rules it breaches, for `rule`", examples=[[10]]
    )
    note: Text = Field(
        "",
        max_length=reports.NOTE_MAX,
        description="What we should know",
        examples=["She gives her address away, and he reads here."],
    )


class ReportRequest(NameReportRequest):
    """What is wrong with a post, as you saw it."""

    revision: Number = Field(description="The revision of the post that you saw", examples=[1])
    title_revision: Number | None = Field(
        None,
        description="For the first post of a thread: the `title_revision` that you saw. Left out: the present one",
        examples=[1],
    )


class Report(ResponseBody):
    """Your report, and what came of it."""

    id: Uuid
    post_id: Identity | None = Field(description="Null, as its revision, where you reported a name", examples=[4711])
    revision: int | None = Field(examples=[1])
    title_revision: int | None = Field(description="Null unless it is the first post of a thread", examples=[1])
    category: ReportCategory
    rules: list[int] = Field(examples=[[10]])
    note: str = Field(examples=["She gives her address away, and he reads here."])
    reported_handle: str | None = Field(
        description="As it was. Null where you reported a post, or once its member has another", examples=[None]
    )
    reported_name: str | None = Field(
        description="The display name, as it was. Null where you reported a post", examples=[None]
    )
    filed_at: Moment
    outcome: Literal["upheld", "dismissed"] | None = Field(description="Null until it is decided")
    settled_at: Moment | None
    case_id: Uuid | None = Field(description="For staff only")
    appeal: AppealState | None = Field(description="Yours, against its dismissal")
    deciders: Literal["moderator", "administrator", "nobody"] | None = Field(
        description="Who can decide it now. `nobody`: it waits until the charity names somebody. Null when decided"
    )
    outside_contact: str | None = Field(
        description="Whom you can turn to outside this forum: nobody here can decide it, or name somebody who can. "
        "Null: somebody here can, or the charity named nobody outside",
        examples=[None],
    )

    @classmethod
    def of(cls, own: OwnReport) -> "Report":
        """Render a report."""
        appeal = AppealState.of(own.appeal) if own.appeal else None
        return cls.of_row(
            own.report,
            case_id=own.case_id,
            appeal=appeal,
            deciders=own.deciders,
            outside_contact=own.outside_contact,
        )


class ReportList(ResponseBody):
    """Your reports, newest first."""

    items: list[Report]
    next: Next


@router.post(
    "/posts/{id}/reports",
    status_code=201,
    response_model=Report,
    responses=documented(401, 403, 404, 409, 413, 422, 429),
)
async def report_post(
    id: Id, wanted: ReportRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Report a post, and with the first post of a thread its title.

    If you report the same words again, you get your first report back; as something graver (`rule`, then `risk`), it is
    a new report. A silenced member can still report `risk`.
    """
    complaint = Complaint(
        Category(wanted.category), wanted.revision, tuple(wanted.rules), wanted.note, wanted.title_revision
    )
    own = await own_reports.report_post(work, viewer, id, complaint, repeat=key.of(wanted))
    return json_response(Report.of(own), 201)


@router.post(
    "/members/{handle}/reports",
    status_code=201,
    response_model=Report,
    responses=documented(401, 403, 404, 409, 413, 422, 429),
)
async def report_name(
    handle: Handle, wanted: NameReportRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Report a member's display name and handle, as they are now, for instance because they give somebody away.

    If you report the same name again, you get your first report back; as something graver, or once the name has
    changed, it is a new report. A silenced member can still report `risk`.
    """
    complaint = NameComplaint(Category(wanted.category), tuple(wanted.rules), wanted.note)
    own = await own_reports.report_name(work, viewer, handle, complaint, repeat=key.of(wanted))
    return json_response(Report.of(own), 201)


@router.get("/me/reports", response_model=ReportList, responses=documented(401, 422))
async def list_my_reports(
    request: Request, viewer: AnyMember, work: CurrentWork, limit: Limit = 20, after: After = None
) -> Response:
    """List your reports. It never says who else reported, nor what was done to whom."""
    page = await own_reports.list_own_reports(work, viewer, after, limit)
    body = ReportList(items=list(map(Report.of, page.rows)), next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))
