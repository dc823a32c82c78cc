"""Take one board along, as a file of neutral records."""

from fastapi import Response
from fastapi.responses import StreamingResponse

from forum.http.fields import Slug
from forum.importers.board_exports import begin_export
from forum.web.routing import page_router
from forum.web.visits import OwnVisit

router = page_router()


@router.get("/admin/boards/{slug}/export.zip")
async def get_board_export(slug: Slug, visit: OwnVisit) -> Response:
    """Fetch a board as a ZIP."""
    export = await visit.act(begin_export, slug)
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{export.slug}.zip"'}
    return StreamingResponse(export.read(), headers=headers, media_type="application/zip")
