"""The log of what staff did, over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from forum.api.schemas import Author, Next, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, Limit, Moment, SoughtHandle, Text
from forum.http.problems import documented
from forum.http.services import Reading, Route
from moderation import audit_log

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)

SearchWord = Annotated[Text, StringConstraints(min_length=1, max_length=100)]


class LogEntry(ResponseBody):
    """Something that somebody of the staff did."""

    at: Moment
    by: Author | None = Field(description="Null: whoever runs the server, at the command line")
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
    *,
    request: Request,
    viewer: CurrentMember,
    reading: Reading,
    limit: Limit = 20,
    after: After = None,
    act: Annotated[SearchWord | None, Query(description="Only acts of this name", examples=["case.decided"])] = None,
    actor: Annotated[SoughtHandle | None, Query(description="The handle of who did it", examples=["orla"])] = None,
    subject_kind: Annotated[SearchWord | None, Query(description="With `subject_id`", examples=["post"])] = None,
    subject_id: Annotated[SearchWord | None, Query(description="With `subject_kind`", examples=["1"])] = None,
) -> Response:
    """Read what staff did on the boards that you moderate, newest first; not what belongs to a case about yourself."""
    search = audit_log.LogSearch(act, actor, subject_kind, subject_id)
    page = await audit_log.list_entries(reading, viewer, search, after, limit)
    body = LogPage(items=list(map(_entry, page.rows)), next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


def _entry(row: Any) -> LogEntry:
    return LogEntry.of_row(row, by=Author.of(row, "actor") if row.actor_name else None)
