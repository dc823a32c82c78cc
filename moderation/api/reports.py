"""Reports over HTTP: a member reports a post, and sees what came of it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field
from sqlalchemy.ext.asyncio import AsyncSession

from forum.api.schemas import (
    After,
    Id,
    Identity,
    Limit,
    Moment,
    Next,
    Number,
    RequestBody,
    ResponseBody,
    Text,
    Uuid,
    numeric,
)
from forum.content.posts.context import context_of_post
from forum.content.posts.draft import NO_WORDS
from forum.core import pagination
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import AppServices, CurrentWork, Now, Route, WorkSession
from forum.members.viewer import Viewer
from moderation import appeals, reports
from moderation.api.statements import AppealState, appeal_state
from moderation.cases import Category
from moderation.permissions import Act, allow
from moderation.reports import Complaint

router = APIRouter(tags=["reports"], route_class=Route)

ReportCategory = Literal["rule", "personal_information", "risk", "illegal", "intimate_image", "spam", "other"]
RuleNumber = Annotated[int, Field(ge=1, lt=1000), BeforeValidator(numeric)]


class NewReport(RequestBody):
    """What is wrong with a post, as you saw it."""

    category: ReportCategory = Field(description="`risk`: somebody is in danger. If it is now, ring for help first")
    rules: list[RuleNumber] = Field(
        default_factory=list, max_length=20, description="Which, for `rule`", examples=[[10]]
    )
    note: Text = Field(
        "",
        max_length=reports.NOTE_MAX,
        description="What we should know",
        examples=["She gives her address away, and he reads here."],
    )
    revision: Number = Field(description="The revision of the post that you saw", examples=[1])


class Report(ResponseBody):
    """Your report, and what came of it."""

    id: Uuid
    post_id: Identity = Field(examples=[4711])
    revision: int = Field(examples=[1])
    category: ReportCategory
    rules: list[int] = Field(examples=[[10]])
    note: str = Field(examples=["She gives her address away, and he reads here."])
    filed_at: Moment
    outcome: Literal["upheld", "dismissed"] | None = Field(description="Null while somebody still looks at it")
    settled_at: Moment | None
    case_id: Uuid | None = Field(description="For staff only")
    appeal: AppealState | None = Field(description="Yours, against its dismissal")


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
    id: Id, wanted: NewReport, viewer: CurrentMember, unit: CurrentWork, services: AppServices, now: Now
) -> Response:
    """Report a post. Reporting the same revision again is answered with your first report.

    Who is silenced can still report `risk`.
    """
    await services.rate_limits.hit(services.settings.limit("report"), "reports", viewer.id)
    work = unit.session
    place = await context_of_post(unit, viewer, id, NO_WORDS)
    complaint = Complaint(Category(wanted.category), wanted.revision, tuple(wanted.rules), wanted.note)
    allow(Act.REPORT_RISK if complaint.category == Category.RISK else Act.REPORT_POST, viewer, place)
    filed = await reports.file(work, viewer, place.post, complaint, now)
    [shown] = await _shown(work, viewer, [filed])
    return json_response(shown, 201)


@router.get("/me/reports", response_model=ReportList, responses=documented(401, 422))
async def list_my_reports(
    request: Request, viewer: CurrentMember, work: WorkSession, limit: Limit = 20, after: After = None
) -> Response:
    """List your reports. It never says who else reported, nor what was done to whom."""
    place = pagination.decode(after, reports.BY_ID) if after is not None else None
    rows = (await work.execute(reports.mine(viewer, place, limit + 1))).all()
    going_on = pagination.encode(str(rows[limit - 1].id)) if len(rows) > limit else None
    page = ReportList(items=await _shown(work, viewer, rows[:limit]), next=going_on)
    return cacheable_response(request, page, shared=False, headers=next_link(request, going_on))


async def _shown(session: AsyncSession, viewer: Viewer, rows: Sequence[Any]) -> list[Report]:
    appealed = await appeals.of_reports(session, [row.id for row in rows])
    return [
        Report(
            id=row.id,
            post_id=row.post_id,
            revision=row.revision,
            category=row.category,
            rules=row.rules,
            note=row.note,
            filed_at=row.filed_at,
            outcome=row.outcome,
            settled_at=row.settled_at,
            case_id=row.case_id if viewer.is_staff else None,
            appeal=await appeal_state(session, appealed[row.id]) if row.id in appealed else None,
        )
        for row in rows
    ]
