"""Announcements over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.content import announcements
from forum.content.announcements import TEXT_MAX, AnnouncementDraft
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember, CurrentViewer
from forum.http.fields import Moment, SentMoment, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Now, Reading, Route

router = APIRouter(tags=["announcements"], route_class=Route)

AnnouncementText = Annotated[
    Words, Field(min_length=1, max_length=TEXT_MAX, examples=["Our advisers are back on Tuesday."])
]
AnnouncementId = Annotated[UUID, Path(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])]


class Announcement(ResponseBody):
    """A few words of the charity, and until when they stand there."""

    id: Uuid
    text: str = Field(examples=["Our advisers are back on Tuesday."])
    since: Moment
    until: Moment


class AnnouncementList(ResponseBody):
    """The announcements that have not ended, newest first."""

    items: list[Announcement]
    next: None = Field(description="Always null: there are five at most")


class AnnouncementToWrite(RequestBody):
    """A new announcement."""

    text: AnnouncementText
    until: SentMoment = Field(description="When it ends: within a year", examples=["2026-12-28T09:00:00Z"])


@router.get("/announcements", response_model=AnnouncementList, responses=documented(422))
async def list_announcements(request: Request, _viewer: CurrentViewer, reading: Reading, now: Now) -> Response:
    """List what the charity has to say to everybody at present."""
    rows = await announcements.list_announcements(reading, now)
    items = [Announcement.model_validate(row) for row in rows]
    return cacheable_response(request, AnnouncementList(items=items, next=None))


@router.post(
    "/announcements",
    status_code=201,
    response_model=Announcement,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422),
)
async def announce(wanted: AnnouncementToWrite, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Write an announcement: for administrators. At most five stand there at once."""
    draft = AnnouncementDraft(wanted.text, wanted.until)
    made = await announcements.announce(work, viewer, draft, repeat=key.of(wanted))
    return json_response(Announcement.model_validate(made), 201, {"Location": f"/api/v1/announcements/{made.id}"})


@router.delete("/announcements/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def end_announcement(id: AnnouncementId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Take an announcement away before its end: for administrators."""
    await announcements.end_announcement(work, viewer, id)
    return Response(status_code=204)
