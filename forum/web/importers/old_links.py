"""Addresses of an old board, which lead to where its threads are now. Whoever kept a link finds the words again."""

from fastapi import Response
from fastapi.responses import RedirectResponse

from forum.core.errors import NotFound
from forum.importers.old_links import OldLink, find_new_place, read_link, read_speaking_link
from forum.web.content.threads import place_of
from forum.web.routing import page_router
from forum.web.visits import HEADERS, Reading, Visit

router = page_router()


@router.get("/{page:path}.php")
async def follow_old_link(page: str, visit: Reading) -> Response:
    """Lead from a page of phpBB to what it showed."""
    return await follow(visit, read_link(page, visit.request.query_params))


@router.get("/{page:path}.html")
async def follow_speaking_link(page: str, visit: Reading) -> Response:
    """Lead there from an address that says a title."""
    return await follow(visit, read_speaking_link(page))


async def follow(visit: Visit, link: OldLink | None) -> Response:
    """Lead to where that is now. Raises NotFound where it is nowhere, or not for the reader."""
    if link is None:
        raise NotFound("There is no such page.", code="page_not_found")
    place = await find_new_place(visit.reader, visit.viewer, link)
    if place.thread is not None:
        path = place_of(place.thread, place.number)
    else:
        path = f"/boards/{place.board}" if place.board else f"/members/{place.member}"
    return RedirectResponse(path, 301, HEADERS)
