"""Addresses of an old board, which lead to where its threads are now. Whoever kept a link finds the words again."""

from fastapi import Response
from fastapi.responses import RedirectResponse

from forum.core.errors import NotFound
from forum.http.fields import Id
from forum.importers.old_links import (
    NewPlace,
    OldLink,
    find_new_place,
    find_within,
    read_article_link,
    read_link,
    read_speaking_link,
    read_words,
)
from forum.web.content.threads import place_of
from forum.web.routing import page_router
from forum.web.visits import HEADERS, Reading, Visit

router = page_router()
last_router = page_router()  # whatever no other route answers


@router.get("/{page:path}.php")
async def follow_old_link(page: str, visit: Reading) -> Response:
    """Lead from a page of phpBB to what it showed, and from the first page of an old board or site to ours."""
    parameters = visit.request.query_params
    if page.rpartition("/")[2] != "index":
        return await follow(visit, read_link(page, parameters))
    article = read_article_link(parameters)
    return await follow(visit, article) if article else RedirectResponse("/", 301, HEADERS)


@router.get("/{page:path}.html")
async def follow_speaking_link(page: str, visit: Reading) -> Response:
    """Lead there from an address that says a title: of phpBB, else of WordPress."""
    return await follow(visit, read_speaking_link(page), *read_words(f"{page}.html"))


@router.get("/threads/{id}/old/{anchor}")
async def follow_anchor(id: Id, anchor: str, visit: Reading) -> Response:
    """Lead to a post of an old board within its thread: no server sees what an address has behind its "#"."""
    return visit.go(_path_of(await find_within(visit.reader, visit.viewer, id, anchor)))


@last_router.get("/{page:path}")
async def follow_words(page: str, visit: Reading) -> Response:
    """Lead from an article's address of words to its thread; say of all others that nothing is there."""
    return await follow(visit, *read_words(page))


async def follow(visit: Visit, *links: OldLink | None) -> Response:
    """Lead to where the first of these is now. Raises NotFound where none is anywhere, or for the reader."""
    known = [link for link in links if link]
    if not known:
        raise NotFound("There is no such page.", code="page_not_found")
    place = await find_new_place(visit.reader, visit.viewer, known)
    return RedirectResponse(_path_of(place), 301, HEADERS)


def _path_of(place: NewPlace) -> str:
    if place.thread is not None:
        return place_of(place.thread, place.number) if place.number else f"/threads/{place.thread}"
    if place.member:
        return f"/members/{place.member}"
    return f"/boards/{place.board}" + ("/feed.atom" if place.is_feed else "")
