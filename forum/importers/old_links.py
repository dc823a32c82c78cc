"""Where an address of an old board leads now: links to it stand in other forums, in mails and in people's bookmarks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Text, bindparam, select
from sqlmodel import col

from forum.content.boards import Board, get_board
from forum.content.posts.queries import get_post
from forum.content.posts.tables import Post
from forum.content.threads.queries import get_thread
from forum.core.database import Prepared, Reader
from forum.core.errors import NotFound
from forum.importers.tables import ImportRun, MovedItem, MovedKind
from forum.members.tables import Member
from forum.members.viewer import Viewer

_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
# Addresses as add-ons for search engines made them: "my-title-t33-20.html", "topic33.html", "post12.html".
_SPEAKING = re.compile(
    r"(?:.*[-/])?(?P<kind>t|topic|f|forum|p|post|member)-?(?P<old>[0-9]{1,10})(?:-(?P<start>[0-9]{1,10}))?", re.ASCII
)
_KINDS: Mapping[str, MovedKind] = {
    **dict.fromkeys(("t", "topic"), MovedKind.THREAD),
    **dict.fromkeys(("f", "forum"), MovedKind.BOARD),
    **dict.fromkeys(("p", "post"), MovedKind.POST),
    "member": MovedKind.PERSON,
}
# Which parameter of which page names what, the most exact one first.
_PARAMETERS: Mapping[str, tuple[tuple[str, MovedKind], ...]] = {
    "viewtopic": (("p", MovedKind.POST), ("t", MovedKind.THREAD)),
    "viewforum": (("f", MovedKind.BOARD),),
    "memberlist": (("u", MovedKind.PERSON),),
}


@dataclass(frozen=True)
class OldLink:
    """What an address of phpBB names. `start` is how many posts of a thread come before what it shows."""

    kind: MovedKind
    old: str
    start: int = 0


class NewPlace(NamedTuple):
    """Where something is now: a board, a member, or a thread with the number of one of its posts."""

    board: str | None = None
    member: str | None = None
    thread: int | None = None
    number: int = 1


_FOUND = Prepared(
    select(
        col(Board.slug),
        col(Member.handle),
        col(MovedItem.thread_id),
        col(MovedItem.number),
        col(Post.id).label("post_id"),
    )
    .select_from(MovedItem)
    .outerjoin(Board, col(Board.id) == col(MovedItem.board_id))
    .outerjoin(Member, col(Member.id) == col(MovedItem.member_id))
    .outerjoin(Post, (col(Post.thread_id) == col(MovedItem.thread_id)) & (col(Post.number) == col(MovedItem.number)))
    .where(
        col(MovedItem.kind) == bindparam("kind", type_=Text()),
        col(MovedItem.old) == bindparam("old", type_=Text()),
        col(MovedItem.source).in_(select(col(ImportRun.source)).where(col(ImportRun.source).startswith("phpbb"))),
    )
    .order_by(col(MovedItem.source))
    .limit(1)
)


def read_link(page: str, parameters: Mapping[str, str]) -> OldLink | None:
    """Return what a page of phpBB names: `page` is its path without the ending. None: it is no such address.

    Whatever else stands in the address is not looked at: sessions, words that were sought.
    """
    name = page.rpartition("/")[2]
    start = _number(parameters.get("start"))
    for parameter, kind in _PARAMETERS.get(name, ()):
        if (old := _number(parameters.get(parameter))) is not None:
            return OldLink(kind, str(old), start or 0)
    return None


def read_speaking_link(page: str) -> OldLink | None:
    """Return the same of an address that says a title, or only a kind and a number."""
    match = _SPEAKING.fullmatch(page)
    if match is None:
        return None
    return OldLink(_KINDS[match["kind"]], str(int(match["old"])), int(match["start"] or 0))


async def find_new_place(reader: Reader, viewer: Viewer, link: OldLink) -> NewPlace:
    """Return where that is now. Raises NotFound, the same for what never moved and for what is not for the viewer."""
    row = await reader.row(_FOUND, kind=link.kind.value, old=link.old)
    try:
        place = await _see(reader, viewer, row, link.start) if row else None
    except NotFound:
        place = None
    if place is None:
        raise NotFound("Nothing moved here from that address.", code="page_not_found")
    return place


async def _see(reader: Reader, viewer: Viewer, row: Any, start: int) -> NewPlace | None:
    """Return the place, None where nothing is left of it. Raises NotFound where the viewer may not see it."""
    if row.slug is not None:
        await get_board(reader, viewer, row.slug)
        return NewPlace(board=row.slug)
    if row.post_id is not None:
        await get_post(reader, viewer, row.post_id)
        return NewPlace(thread=row.thread_id, number=row.number)
    if row.thread_id is not None:
        thread = await get_thread(reader, viewer, row.thread_id)
        return NewPlace(thread=row.thread_id, number=max(1, min(start + 1, thread.last_number)))
    return NewPlace(member=row.handle) if row.handle is not None else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None
