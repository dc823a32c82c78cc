"""Where an address of an old board leads now: links to it stand in other forums, in mails and in people's bookmarks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Text, bindparam, func
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.posts.visibility import POST_VISIBLE
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Prepared, Query, Reader, query
from forum.core.errors import NotFound
from forum.importers.tables import MovedItem, MovedKind
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
    """What an address of an old board names. `start` is how many posts of a thread come before what it shows."""

    kind: MovedKind
    old: str
    start: int = 0
    program: str = "phpbb"


class NewPlace(NamedTuple):
    """Where something is now: a board, a member, or a thread with the number of one of its posts."""

    board: str | None = None
    member: str | None = None
    thread: int | None = None
    number: int = 1


# Of several boards that moved here, the last one.
_NEWEST = col(MovedItem.run_id).desc()


def _found(found: Query, kind: MovedKind) -> Query:
    program = func.starts_with(col(MovedItem.source), bindparam("program", type_=Text()) + " ")
    named = (col(MovedItem.old) == bindparam("old", type_=Text()), col(MovedItem.kind) == kind, program)
    return found.where(*named).order_by(_NEWEST).limit(1)


_moved_threads = (
    query(col(Thread.id).label("thread_id"), col(Thread.last_number))
    .join(MovedItem, col(MovedItem.thread_id) == col(Thread.id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(THREAD_VISIBLE)
)
_moved_posts = (
    query(col(Thread.id).label("thread_id"), col(Post.number))
    .join(Post, col(Post.thread_id) == col(Thread.id))
    .join(MovedItem, (col(MovedItem.thread_id) == col(Post.thread_id)) & (col(MovedItem.number) == col(Post.number)))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(POST_VISIBLE)
)
_moved_boards = query(col(Board.slug)).join(MovedItem, col(MovedItem.board_id) == col(Board.id)).where(boards.READABLE)
_moved_people = query(col(Member.handle)).join(MovedItem, col(MovedItem.member_id) == col(Member.id))
_FOUND: Mapping[MovedKind, Prepared] = {
    MovedKind.THREAD: Prepared(_found(_moved_threads, MovedKind.THREAD)),
    MovedKind.POST: Prepared(_found(_moved_posts, MovedKind.POST)),
    MovedKind.BOARD: Prepared(_found(_moved_boards, MovedKind.BOARD)),
    MovedKind.PERSON: Prepared(_found(_moved_people.where(col(Member.left_at).is_(None)), MovedKind.PERSON)),
}


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


def read_article_link(parameters: Mapping[str, str]) -> OldLink | None:
    """Return which article or page of WordPress the first page is asked for; its addresses of words are not known."""
    for parameter in ("p", "page_id"):
        if (old := _number(parameters.get(parameter))) is not None:
            return OldLink(MovedKind.THREAD, str(old), program="wordpress")
    return None


async def find_new_place(reader: Reader, viewer: Viewer, link: OldLink) -> NewPlace:
    """Return where that is now. Raises NotFound, the same for what never moved and for what is not for the viewer.

    Members are found by whoever is signed in: their numbers follow each other, so guests could list all of them.
    """
    is_of_member = link.kind == MovedKind.PERSON
    asker = {} if is_of_member else viewer.query_parameters
    row = await reader.row(_FOUND[link.kind], old=link.old, program=link.program, **asker)
    if row is None or (is_of_member and viewer.id is None):
        raise NotFound("Nothing moved here from that address.", code="page_not_found")
    match link.kind:
        case MovedKind.BOARD:
            return NewPlace(board=row.slug)
        case MovedKind.PERSON:
            return NewPlace(member=row.handle)
        case MovedKind.POST:
            return NewPlace(thread=row.thread_id, number=row.number)
        case MovedKind.THREAD:
            return NewPlace(thread=row.thread_id, number=max(1, min(link.start + 1, row.last_number)))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None
