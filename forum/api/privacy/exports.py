"""Copies of personal data over HTTP."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.http.caching import cacheable_response, etag_headers
from forum.http.current_member import AnyMember
from forum.http.fields import Moment, Uuid
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Now, Reading, Route
from forum.privacy import exports

router = APIRouter(tags=["privacy"], route_class=Route)


class Export(ResponseBody):
    """A copy of your personal data."""

    id: Uuid
    state: Literal["making", "ready"] = Field(description="`ready`: you can fetch the archive")
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
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 422, 429),
)
async def export(viewer: AnyMember, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Have a copy made of your personal data. A notification says when it is ready; it replaces the one before.

    While one is being made, the answer is that one. You must have signed in within the last 15 minutes.
    """
    requested = await exports.request_export(work, viewer, repeat=key.of())
    return json_response(_export(requested), 201, {"Location": f"/api/v1/me/exports/{requested.id}"})


@router.get("/me/exports/{id}", response_model=Export, responses=documented(401, 404, 422))
async def get_export(request: Request, id: Uuid, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """Read whether a copy is ready."""
    return cacheable_response(request, _export(await exports.get_export(reading, viewer, id, now)), shared=False)


@router.get("/me/exports/{id}/archive", response_class=Response, responses=ARCHIVE | documented(401, 404, 422))
async def get_archive(request: Request, id: Uuid, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """Fetch a copy that is ready, as a ZIP."""
    ready = await exports.get_ready_export(reading, viewer, id, now)
    headers, is_known = etag_headers(request, f'"{ready.id}"', shared=False)
    if is_known:
        return Response(status_code=304, headers=headers)
    about = {"Content-Disposition": f'attachment; filename="export-{ready.made_at:%Y-%m-%d}.zip"'}
    about["Content-Length"] = str(ready.size)
    content = exports.read_archive(reading, ready.id)
    return StreamingResponse(content, headers=headers | about, media_type="application/zip")


def _export(row: Any) -> Export:
    return Export(
        id=row.id,
        state="ready" if row.made_at else "making",
        asked_at=row.asked_at,
        made_at=row.made_at,
        expires_at=row.expires_at,
        size=row.size,
    )
