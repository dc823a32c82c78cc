"""Members' records over HTTP: what a moderator may know of somebody before they decide about them."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, ResponseBody
from forum.core.database import Record
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.fields import Handle, Identity, Moment, Uuid
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from moderation import member_history
from moderation.api.cases import AuthorRecord, Case

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class DecidedMeasure(ResponseBody):
    """A measure that was decided against a member."""

    kind: str = Field(examples=["silence"])
    rules: list[int] = Field(description="The rules that the decision cites", examples=[[10]])
    at: Moment
    by: Author | None = Field(description="Null: the old board, from which it came with the import")
    until: Moment | None = Field(description="Null: it has no end, unless an appeal overturns it")
    undone_at: Moment | None = Field(description="Null: it was not undone")
    post_id: Identity | None = Field(description="Null: it was about no post", examples=[4711])
    case_id: Uuid
    decision_id: Uuid
    statement_id: Uuid | None = Field(description="What the member was told")


class HeldStanding(ResponseBody):
    """A review, silence, suspension or ban that holds now, on every board."""

    standing: Literal["reviewed", "silenced", "suspended", "banned"]
    since: Moment
    until: Moment | None = Field(description="Null: it has no end, unless an appeal overturns it")


class ReportsMade(ResponseBody):
    """What came of a member's own reports on your boards; those about your posts are left out."""

    upheld: int = Field(examples=[3])
    dismissed: int = Field(examples=[1])
    waiting: int = Field(examples=[0])


class MemberRecord(AuthorRecord):
    """What is known of a member. Of measures, cases and reports, you see those of your boards."""

    member: Author
    sanctions: list[HeldStanding] = Field(description="The gravest first")
    decided: list[DecidedMeasure] = Field(description="The newest hundred, with those that were undone")
    open_cases: list[Case] = Field(description="About their posts, worst first, at most a hundred")
    reports: ReportsMade
    past_warnings: list[Moment] = Field(description="When the old board warned them, the newest first, at most 100")


@router.get("/members/{handle}", response_model=MemberRecord, responses=documented(401, 403, 404, 422))
async def get_record(request: Request, handle: Handle, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read a member's record: for moderators, what concerns their boards."""
    known = await member_history.get_member_history(work, viewer, handle)
    record = MemberRecord.of_row(
        known.summary,
        member=Author.model_validate(known.member),
        sanctions=[HeldStanding.model_validate(row) for row in known.sanctions],
        decided=[_measure(row) for row in known.measures],
        open_cases=[Case.of_case(row) for row in known.open_cases],
        reports=ReportsMade.model_validate(known.reports),
        past_warnings=known.past_warnings,
    )
    return cacheable_response(request, record, shared=False)


def _measure(row: Record) -> DecidedMeasure:
    by = Author.of(row, "decider") if row.decider_name else None
    return DecidedMeasure.of_row(row, rules=row.rules or [], by=by)
