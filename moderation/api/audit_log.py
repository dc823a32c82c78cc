"""The log over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from forum.api.schemas import After, Author, Identity, Limit, Moment, Next, ResponseBody, SoughtHandle, Text
from forum.core import pagination
from forum.core.database import Prepared
from forum.core.errors import Invalid
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.problems import documented
from forum.http.services import Reading, Route
from moderation import audit_log
from moderation.permissions import Act, allow

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)

SoughtWord = Annotated[Text, StringConstraints(min_length=1, max_length=100)]


class LogEntry(ResponseBody):
    """Something that a member of staff did."""

    number: Identity = Field(examples=[1001])
    at: Moment
    by: Author | None = Field(description="Null: the operator, at the command line")
    act: str = Field(examples=["case.decided"])
    subject_kind: str = Field(examples=["case"])
    subject_id: str = Field(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])
    details: dict[str, Any] = Field(examples=[{"measures": ["redact"]}])


class LogPage(ResponseBody):
    """A page of the log, newest first."""

    items: list[LogEntry]
    next: Next


@router.get("/log", response_model=LogPage, responses=documented(401, 403, 422))
async def list_log(
    request: Request,
    viewer: CurrentMember,
    reading: Reading,
    limit: Limit = 20,
    after: After = None,
    act: Annotated[SoughtWord | None, Query(description="Only this", examples=["case.decided"])] = None,
    actor: Annotated[SoughtHandle | None, Query(description="Who did it", examples=["orla"])] = None,
    subject_kind: Annotated[SoughtWord | None, Query(description="With `subject_id`", examples=["post"])] = None,
    subject_id: Annotated[SoughtWord | None, Query(description="With `subject_kind`", examples=["1"])] = None,
) -> Response:
    """Read what staff did on the boards that you moderate."""
    allow(Act.READ_LOG, viewer)
    before = pagination.decode(after, audit_log.BY_NUMBER) if after is not None else None
    if (subject_kind is None) != (subject_id is None):
        raise Invalid("Say both `subject_kind` and `subject_id`, or neither.", "query/subject_id")
    sought = audit_log.Sought(act, actor, subject_kind, subject_id)
    rows = await reading.rows(Prepared(audit_log.entries(viewer, before, limit + 1, sought)))
    items = [
        LogEntry(
            number=row.number,
            at=row.at,
            by=Author.of(row, "actor") if row.actor_name else None,
            act=row.act,
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            details=row.details,
        )
        for row in rows[:limit]
    ]
    going_on = pagination.encode(rows[limit - 1].number) if len(rows) > limit else None
    page = LogPage(items=items, next=going_on)
    return cacheable_response(request, page, shared=False, headers=next_link(request, going_on))
