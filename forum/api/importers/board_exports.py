"""One board as a file of neutral records, over HTTP."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from forum.http.current_member import AnyMember
from forum.http.fields import Slug
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from forum.importers import board_exports

router = APIRouter(tags=["administration"], route_class=Route)

ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A ZIP: lines of JSON, their schema, and a manifest at its end",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/boards/{slug}/archive", response_class=Response, responses=ARCHIVE | documented(401, 403, 404, 422))
async def get_board_archive(slug: Slug, viewer: AnyMember, work: CurrentWork) -> Response:
    """Take a board along, as `forum export all` writes it: for administrators who signed in within 15 minutes.

    Without what moderators removed, and without passwords and addresses. It is in the audit log.
    """
    export = await board_exports.begin_export(work, viewer, slug)
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{export.slug}.zip"'}
    return StreamingResponse(export.read(), headers=headers, media_type="application/zip")
