"""The addresses of an old board: each leads on to what is here in its place. What a reader may not see is not there."""

import re

from fastapi import Response

from forum.importers import old_links
from forum.web.content.threads import place_of
from forum.web.routing import page_router
from forum.web.visits import Reading, Visit

router = page_router()
_NUMBER = re.compile(r"[0-9]{1,9}")


@router.get("/viewtopic.php")
async def find_topic(visit: Reading) -> Response:
    """Go to a post or a thread; of a later page of the old board, to where it began."""
    if post := _id(visit, "p"):
        found = await old_links.find_post(visit.reader, visit.viewer, post)
        return visit.go(place_of(found.thread_id, found.number))
    found = await old_links.find_thread(visit.reader, visit.viewer, _id(visit, "t"))
    start = int(_id(visit, "start") or 0)
    return visit.go(
        place_of(found.thread_id, min(start + 1, found.last_number)) if start else f"/threads/{found.thread_id}"
    )


@router.get("/viewforum.php")
async def find_forum(visit: Reading) -> Response:
    """Go to a board."""
    return visit.go(f"/boards/{await old_links.find_board(visit.reader, visit.viewer, _id(visit, 'f'))}")


@router.get("/memberlist.php")
async def find_person(visit: Reading) -> Response:
    """Go to a member."""
    return visit.go(f"/members/{await old_links.find_person(visit.reader, _id(visit, 'u'))}")


def _id(visit: Visit, name: str) -> str:
    """Return a number of the address; an empty text where it has none."""
    text = visit.query(name)
    return text if _NUMBER.fullmatch(text) else ""
