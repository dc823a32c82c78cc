"""Members' records over HTTP: what there is to know of somebody before one decides about them."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, Handle, Identity, Moment, ResponseBody, Uuid
from forum.core.database import Record
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.problems import documented
from forum.http.services import Now, Route, WorkSession
from forum.members.queries import get_member
from moderation import member_history
from moderation.api.cases import AuthorRecord, Case, facts
from moderation.permissions import Act, allow

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class DecidedMeasure(ResponseBody):
    """A measure that was decided against a member."""

    kind: str = Field(examples=["silence"])
    rules: list[int] = Field(description="The rules that it rests on", examples=[[10]])
    at: Moment
    by: Author
    until: Moment | None = Field(description="Null: for good, unless it is overturned")
    undone_at: Moment | None = Field(description="Null: it was not undone")
    post_id: Identity = Field(examples=[4711])
    case_id: Uuid
    decision_id: Uuid
    statement_id: Uuid | None = Field(description="What the member was told")


class HeldStanding(ResponseBody):
    """What holds a member's standing down now, on every board."""

    standing: Literal["silenced", "suspended", "banned"]
    since: Moment
    until: Moment | None = Field(description="Null: for good, unless it is overturned")


class ReportsMade(ResponseBody):
    """How a member's own reports fared on your boards; those about your posts are left out."""

    upheld: int = Field(examples=[3])
    dismissed: int = Field(examples=[1])
    waiting: int = Field(examples=[0])


class MemberRecord(AuthorRecord):
    """What there is to know of a member; of measures, cases and reports, what concerns your boards."""

    member: Author
    sanctions: list[HeldStanding] = Field(description="Gravest first")
    decided: list[DecidedMeasure] = Field(description="The newest hundred, undone ones too")
    open_cases: list[Case] = Field(description="About their posts, worst first, at most a hundred")
    reports: ReportsMade


@router.get("/members/{handle}", response_model=MemberRecord, responses=documented(401, 403, 404, 422))
async def get_record(request: Request, handle: Handle, viewer: CurrentMember, work: WorkSession, now: Now) -> Response:
    """Read a member's record: for moderators, of what concerns their boards."""
    allow(Act.SEE_RECORD, viewer)
    member = await get_member(work, handle)
    short = await member_history.of_member(work, viewer, member, now)
    record = MemberRecord(
        **AuthorRecord.model_validate(short).model_dump(),
        member=Author.model_validate(member),
        sanctions=[
            HeldStanding.model_validate(s) for s in (await work.execute(member_history.sanctions(member.id, now))).all()
        ],
        decided=[_measure(m) for m in (await work.execute(member_history.measures(viewer, member.id))).all()],
        open_cases=[
            Case(**facts(c)) for c in (await work.execute(member_history.open_cases(viewer, member.id, now))).all()
        ],
        reports=ReportsMade.model_validate((await work.execute(member_history.reports(viewer, member.id))).one()),
    )
    return cacheable_response(request, record, shared=False)


def _measure(row: Record) -> DecidedMeasure:
    return DecidedMeasure(
        kind=row.kind,
        rules=row.rules or [],
        at=row.at,
        by=Author.of(row, "decider"),
        until=row.until,
        undone_at=row.undone_at,
        post_id=row.post_id,
        case_id=row.case_id,
        decision_id=row.decision_id,
        statement_id=row.statement_id,
    )
