"""The log over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum import pages
from forum.api.dependencies import CurrentMember, Reading
from forum.api.problems import documented
from forum.api.wire import After, Author, Limit, Moment, Shown, Text, fresh, next_link
from moderation import log
from moderation.permissions import Act, allow

router = APIRouter(prefix="/moderation", tags=["moderation"])

Filter = Annotated[Text | None, Query(max_length=100)]


class LogEntry(Shown):
    """Something that a member of staff did."""

    number: int
    at: Moment
    by: Author | None = Field(description="Null: the operator, at the command line")
    act: str = Field(examples=["case.decided"])
    subject_kind: str = Field(examples=["case"])
    subject_id: str
    details: dict[str, Any]


class LogPage(Shown):
    """A page of the log, newest first."""

    items: list[LogEntry]
    next: str | None


@router.get("/log", response_model=LogPage, responses=documented(401, 403, 422))
async def list_log(
    request: Request,
    viewer: CurrentMember,
    reading: Reading,
    limit: Limit = 20,
    after: After = None,
    act: Filter = None,
    subject_kind: Filter = None,
    subject_id: Filter = None,
) -> Response:
    """Read what staff did on the boards that you moderate."""
    allow(Act.READ_LOG, viewer)
    before = pages.place(after, log.BY_NUMBER) if after is not None else None
    subject = (subject_kind, subject_id) if subject_kind and subject_id else None
    rows = await reading.rows(log.entries(viewer, before, limit + 1, act=act, subject=subject))
    items = [
        LogEntry(
            number=row.number,
            at=row.at,
            by=Author.of(row, "actor") if row.actor_handle else None,
            act=row.act,
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            details=row.details,
        )
        for row in rows[:limit]
    ]
    going_on = pages.cursor(rows[limit - 1].number) if len(rows) > limit else None
    page = LogPage(items=items, next=going_on)
    return fresh(request, page, shared=False, headers=next_link(request, going_on))
