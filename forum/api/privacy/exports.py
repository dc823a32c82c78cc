"""Copies of one's own data over HTTP."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from forum.api.schemas import Moment, ResponseBody, Uuid
from forum.core.errors import NotFound, NotSignedIn
from forum.http.caching import cacheable_response, etag_headers
from forum.http.current_member import AnyMember, FreshMember
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import AppServices, Now, Reading, Route, WorkSession
from forum.members.queries import lock_member_row
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.privacy import exports

router = APIRouter(tags=["privacy"], route_class=Route)


class Export(ResponseBody):
    """A copy of everything of your own."""

    id: Uuid
    state: Literal["making", "ready"] = Field(description="`ready`: fetch it at `…/archive`")
    asked_at: Moment
    made_at: Moment | None
    expires_at: Moment | None = Field(description="Until then you can fetch it")
    size: int | None = Field(description="In bytes", examples=[48213])


ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A ZIP: `index.html` to read, and JSON for programs",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/me/exports",
    status_code=201,
    response_model=Export,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 422, 429),
)
async def export(viewer: FreshMember, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Have a copy made of everything of your own. A notification says when it is ready; it takes the place of the one
    before. While one is being made, that one is the answer. It needs a sign-in within the last 15 minutes.
    """
    member = await lock_own_row(work, viewer)
    made = await exports.get_pending(work, member)
    if made is None:
        await services.rate_limits.hit(services.settings.limit("export"), "exports", viewer.id)
        made = await exports.request_export(work, member, now)
    return json_response(_export(made), 201, {"Location": f"/api/v1/me/exports/{made.id}"})


@router.get("/me/exports/{id}", response_model=Export, responses=documented(401, 404, 422))
async def get_export(request: Request, id: Uuid, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """Read whether a copy is ready."""
    return cacheable_response(request, _export(await exports.get_export(reading, viewer, id, now)), shared=False)


@router.get("/me/exports/{id}/archive", response_class=Response, responses=ARCHIVE | documented(401, 404, 422))
async def get_archive(request: Request, id: Uuid, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """Fetch a copy that is ready, as a ZIP."""
    made = await exports.get_export(reading, viewer, id, now)
    if made.size is None:
        raise NotFound("This copy is not ready yet.")
    headers, has = etag_headers(request, f'"{made.id}"', shared=False)
    if has:
        return Response(status_code=304, headers=headers)
    about = {"Content-Disposition": f'attachment; filename="export-{made.made_at:%Y-%m-%d}.zip"'}
    about["Content-Length"] = str(made.size)
    return StreamingResponse(
        exports.read_archive(reading, made.id), headers=headers | about, media_type="application/zip"
    )


def _export(made: Any) -> Export:
    return Export(
        id=made.id,
        state="ready" if made.made_at else "making",
        asked_at=made.asked_at,
        made_at=made.made_at,
        expires_at=made.expires_at,
        size=made.size,
    )


async def lock_own_row(session: AsyncSession, viewer: Viewer) -> Member:
    """The viewer's own row, held until the commit."""
    member = await lock_member_row(session, viewer.member_id)
    if member.left_at:  # a moment ago: this process has not heard of it yet
        raise NotSignedIn("Sign in first.")
    return member
