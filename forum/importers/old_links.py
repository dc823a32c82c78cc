"""Where an address of an old board leads now: links to it stand in other forums, in mails and in people's bookmarks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, bindparam, func
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.posts.visibility import POST_VISIBLE
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Prepared, Query, Reader, query
from forum.core.errors import NotFound
from forum.importers.addresses import keys_of
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
    "feed": (("t", MovedKind.THREAD), ("f", MovedKind.BOARD)),
}
# Addresses of phpBB that end with no file: "app.php/feed/forum/2", and "new-here-f2/" of add-ons for search engines.
_FEED = re.compile(r"(?:.*/)?feed/(?P<kind>topic|forum)/(?P<old>[0-9]{1,10})/?", re.ASCII)
_BOARD = re.compile(r"(?:.*[-/])?(?:f|forum)-?(?P<old>[0-9]{1,10})/?", re.ASCII)
# What an address says behind its "#": a comment of WordPress, a post of phpBB.
_ANCHOR = re.compile(r"(?P<kind>comment-|p)(?P<old>[0-9]{1,10})", re.ASCII)
_PATH_MAX = 2_000  # characters; no site had a longer address


@dataclass(frozen=True)
class OldLink:
    """What an address of an old board names. `start` is how many posts of a thread come before what it shows."""

    kind: MovedKind
    old: str
    start: int = 0
    program: str = "phpbb"
    is_feed: bool = False
    slug: str = ""  # of an address of words: what else it is known by


class NewPlace(NamedTuple):
    """Where something is now: a board, its feed, a member, a thread as a whole, or one of its posts."""

    board: str | None = None
    member: str | None = None
    thread: int | None = None
    number: int | None = None
    is_feed: bool = False


# Of several boards that moved here, the last one.
_NEWEST = col(MovedItem.run_id).desc()


_OLD, _ELSE = bindparam("old", type_=Text()), bindparam("slug", type_=Text())


def _found(found: Query, kind: MovedKind) -> Query:
    program = func.starts_with(col(MovedItem.source), bindparam("program", type_=Text()) + " ")
    named = (col(MovedItem.old) == _OLD, col(MovedItem.kind) == kind, program)
    return found.where(*named).order_by(_NEWEST).limit(1)


def _found_by_words(found: Query) -> Query:
    """Look for an address as a whole, and for its last part: where both are known, the whole one counts."""
    program = func.starts_with(col(MovedItem.source), bindparam("program", type_=Text()) + " ")
    named = (col(MovedItem.old).in_([_OLD, _ELSE]), col(MovedItem.kind) == MovedKind.ADDRESS, program)
    return found.where(*named).order_by((col(MovedItem.old) == _OLD).desc(), _NEWEST).limit(1)


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
    MovedKind.ADDRESS: Prepared(_found_by_words(_moved_threads)),
}
# In one thread: whatever else moved here, its posts have the numbers of its own board.
_within = Prepared(
    _found(_moved_posts.where(col(Thread.id) == bindparam("thread", type_=BigInteger())), MovedKind.POST)
)


def read_link(page: str, parameters: Mapping[str, str]) -> OldLink | None:
    """Return what a page of phpBB names: `page` is its path without the ending. None: it is no such address.

    Whatever else stands in the address is not looked at: sessions, words that were sought.
    """
    name = page.rpartition("/")[2]
    start = _number(parameters.get("start"))
    for parameter, kind in _PARAMETERS.get(name, ()):
        if (old := _number(parameters.get(parameter))) is not None:
            return OldLink(kind, str(old), start or 0, is_feed=name == "feed")
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


def read_words(page: str) -> Sequence[OldLink]:
    """Return what an address of words can name: an article or page of WordPress, else a board or a feed of phpBB."""
    if not 0 < len(page) <= _PATH_MAX:
        return ()
    if feed := _FEED.fullmatch(page):
        kind = MovedKind.THREAD if feed["kind"] == "topic" else MovedKind.BOARD
        return (OldLink(kind, str(int(feed["old"])), is_feed=True),)
    path, slug = keys_of(page)
    article = OldLink(MovedKind.ADDRESS, path, program="wordpress", slug=slug)
    if board := _BOARD.fullmatch(page):
        return article, OldLink(MovedKind.BOARD, str(int(board["old"])))
    return (article,)


def read_anchor(anchor: str) -> OldLink | None:
    """Return which post or comment the part of an address behind its "#" names."""
    match = _ANCHOR.fullmatch(anchor)
    if match is None:
        return None
    program = "phpbb" if match["kind"] == "p" else "wordpress"
    return OldLink(MovedKind.POST, str(int(match["old"])), program=program)


async def find_new_place(reader: Reader, viewer: Viewer, links: Sequence[OldLink]) -> NewPlace:
    """Return where the first of these is that is here. Raises NotFound, for what never moved and what is not theirs.

    Members are found by whoever is signed in: their numbers follow each other, so guests could list all of them.
    """
    for link in links:
        if place := await _find_place(reader, viewer, link):
            return place
    raise NotFound("Nothing moved here from that address.", code="page_not_found")


async def find_within(reader: Reader, viewer: Viewer, thread_id: int, anchor: str) -> NewPlace:
    """Return where a post or comment of an old board is in a thread; the thread where it is not there for the viewer.

    So it says of no hidden post that there is one.
    """
    if (link := read_anchor(anchor)) is None:
        return NewPlace(thread=thread_id)
    also = dict(viewer.query_parameters)
    row = await reader.row(_within, thread=thread_id, old=link.old, program=link.program, **also)
    return NewPlace(thread=thread_id, number=row.number if row else None)


async def _find_place(reader: Reader, viewer: Viewer, link: OldLink) -> NewPlace | None:
    is_of_member = link.kind == MovedKind.PERSON
    if is_of_member and viewer.id is None:
        return None
    also = {} if is_of_member else dict(viewer.query_parameters)
    if link.kind == MovedKind.ADDRESS:
        also["slug"] = link.slug
    row = await reader.row(_FOUND[link.kind], old=link.old, program=link.program, **also)
    if row is None:
        return None
    match link.kind:
        case MovedKind.BOARD:
            return NewPlace(board=row.slug, is_feed=link.is_feed)
        case MovedKind.PERSON:
            return NewPlace(member=row.handle)
        case MovedKind.POST:
            return NewPlace(thread=row.thread_id, number=row.number)
    # As a whole, where it says no post: the browser then keeps what the old address has behind its "#".
    number = min(link.start + 1, row.last_number)
    return NewPlace(thread=row.thread_id, number=number if number > 1 else None)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None
