"""What a member did with the posts on a page, for themselves: which they saved, and how they reacted to which.

A page of posts is the same for everybody, so this is a read of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, Integer, Text, any_, bindparam, cast, null, union_all
from sqlmodel import col

from forum.content.addressed_help import SHOWN_FOR, select_helped
from forum.content.bookmarks import HAS_WORDS, Bookmark
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import POST_VISIBLE, with_board_of_post
from forum.content.reactions.tables import Reaction, ReactionKind
from forum.core.database import Moment, Prepared, Reader, query
from forum.members.viewer import VIEWER_ID, VIEWER_PERSONAS, Viewer


class OwnMarks(NamedTuple):
    """The numbers of the posts that a member saved, and how they reacted, by the numbers of the posts."""

    bookmarks: Sequence[int]
    reactions: Mapping[int, Sequence[str]]
    is_helped: bool = False  # help stands beside the thread for them


NO_MARKS = OwnMarks((), {})

_ON_PAGE = (
    col(Post.thread_id) == bindparam("thread_id", type_=BigInteger()),
    col(Post.number).between(bindparam("first", type_=Integer()), bindparam("last", type_=Integer())),
)
_SAVED = (
    with_board_of_post(query(col(Post.number), cast(null(), Text()).label("kind")))
    .join(Bookmark, col(Bookmark.post_id) == col(Post.id))
    .where(*_ON_PAGE, col(Bookmark.member_id) == VIEWER_ID, POST_VISIBLE, HAS_WORDS)
)
_REACTED = (
    query(col(Post.number), col(Reaction.kind))
    .join(Reaction, col(Reaction.post_id) == col(Post.id))
    .where(*_ON_PAGE, col(Reaction.persona_id) == any_(VIEWER_PERSONAS), col(Post.visibility) == Visibility.VISIBLE)
)
_HELPED = select_helped(bindparam("thread_id", type_=BigInteger()), bindparam("helped_since", type_=Moment()))
# In one statement: a page of a thread is what is read most.
_MARKS = Prepared(union_all(_SAVED, _REACTED, _HELPED))


async def get_own_marks(
    reader: Reader, viewer: Viewer, thread_id: int, numbers: tuple[int, int], now: datetime
) -> OwnMarks:
    """Return what the viewer did with the posts of a thread that they see, from the first to the last of `numbers`."""
    if viewer.id is None:
        return NO_MARKS
    span = {"thread_id": thread_id, "first": numbers[0], "last": numbers[1], "helped_since": now - SHOWN_FOR}
    rows = await reader.rows(_MARKS, **viewer.query_parameters, **span)
    kinds = dict[int, set[str | None]]()
    for row in rows:
        kinds.setdefault(row.number, set()).add(row.kind)
    is_helped = kinds.pop(0, None) is not None
    reactions = {number: [kind for kind in ReactionKind if kind in kinds[number]] for number in sorted(kinds)}
    return OwnMarks(
        [number for number in reactions if None in kinds[number]],
        {number: given for number, given in reactions.items() if given},
        is_helped,
    )
