"""Reports over HTTP: a member reports a post, and sees what came of it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field

from forum import posts
from forum.api.dependencies import CurrentMember, Now, TheHouse, Work
from forum.api.problems import documented
from forum.api.wire import Id, Identity, Moment, Number, Shown, Text, Uuid, Wanted, answer, fresh, numeric
from moderation import reports
from moderation.cases import Category
from moderation.permissions import Act, allow
from moderation.reports import Complaint

router = APIRouter(tags=["reports"])

ReportCategory = Literal["rule", "personal_information", "risk", "illegal", "intimate_image", "spam", "other"]
RuleNumber = Annotated[int, Field(ge=1, lt=1000), BeforeValidator(numeric)]


class NewReport(Wanted):
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


class Report(Shown):
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


class ReportList(Shown):
    """Your reports, newest first."""

    items: list[Report]
    next: None = Field(description="Always null: the newest hundred")


@router.post(
    "/posts/{id}/reports",
    status_code=201,
    response_model=Report,
    responses=documented(401, 403, 404, 409, 413, 422, 429),
)
async def report_post(
    id: Id, wanted: NewReport, viewer: CurrentMember, work: Work, house: TheHouse, now: Now
) -> Response:
    """Report a post. Reporting the same revision again is answered with your first report."""
    await house.throttle.hit(house.settings.limit("report"), "reports", viewer.id)
    place = await posts.place_of_post(work, viewer, id, posts.NO_WORDS, now)
    allow(Act.REPORT_POST, viewer, place)
    complaint = Complaint(Category(wanted.category), wanted.revision, tuple(wanted.rules), wanted.note)
    filed = await reports.file(work, viewer, place.post, complaint, now)
    return answer(_shown(filed, viewer.is_staff), 201)


@router.get("/me/reports", response_model=ReportList, responses=documented(401, 422))
async def list_my_reports(request: Request, viewer: CurrentMember, work: Work) -> Response:
    """List your reports. It never says who else reported, nor what was done to whom."""
    rows = (await work.execute(reports.mine(viewer).limit(100))).all()
    items = [_shown(row, viewer.is_staff) for row in rows]
    return fresh(request, ReportList(items=items, next=None), shared=False)


def _shown(row: Any, to_staff: bool) -> Report:
    shown = Report.model_validate(row)
    return shown if to_staff else shown.model_copy(update={"case_id": None})
