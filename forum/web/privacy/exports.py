"""Get a copy of one's data."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response
from fastapi.responses import StreamingResponse

from forum.core.errors import ForumError
from forum.http.fields import Uuid
from forum.privacy import exports, own_account
from forum.privacy.tables import Export
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit

router = page_router()


@dataclass(frozen=True, kw_only=True)
class CopyPage(FormPage):
    """The newest copy, and the button to ask for one."""

    template: ClassVar[str] = "account/copy.html"
    section: ClassVar[str] = "/me"

    copy: Export | None


@router.get("/me/copy")
async def show_copy(visit: OwnVisit) -> Response:
    """Show whether there is a copy."""
    return visit.show(await _page(visit))


@router.post("/me/copy")
async def ask_for_copy(visit: OwnForm) -> Response:
    """Have a copy made."""
    try:
        await visit.act(exports.request_export)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), 422)
    return visit.go("/me/copy", done="copying")


@router.get("/me/copy/{id}")
async def get_copy(id: Uuid, visit: OwnVisit) -> Response:
    """Fetch a copy that is ready, as a ZIP."""
    ready = await exports.get_ready_export(visit.reader, visit.viewer, id, visit.now)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="copy-{ready.made_at:%Y-%m-%d}.zip"',
        "Content-Length": str(ready.size),
    }
    content = exports.read_archive(visit.reader, ready.id)
    return StreamingResponse(content, headers=headers, media_type="application/zip")


async def _page(visit: Visit) -> CopyPage:
    account = await visit.act(own_account.read_account)
    return CopyPage(title=visit.say("A copy of your data"), form=visit.form, copy=account.copy)
