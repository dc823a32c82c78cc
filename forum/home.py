"""Home: everything that one looks for first, in one read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from forum.advising import waiting_list
from forum.content import announcements, board_cards, read_marks
from forum.content.board_cards import BoardCard
from forum.core.database import Reader
from forum.members.viewer import Viewer
from forum.notifications import inbox

THREADS = 10


@dataclass(frozen=True)
class Home:
    """The boards and which of them have news, unread and newest threads, what the house says, what waits for whom."""

    boards: Sequence[BoardCard]
    boards_with_news: frozenset[int]
    unread: Sequence[Any]
    newest: Sequence[Any]
    announcements: Sequence[Any]
    unread_notifications: int
    waiting_for_advisers: int | None  # None for those who do not see the list of waiting threads


async def read_home(reader: Reader, viewer: Viewer, now: datetime) -> Home:
    """Return what the viewer looks for first. For guests it is the same for everybody."""
    is_member = viewer.id is not None
    cards = await board_cards.list_board_cards(reader, viewer)
    unread = await read_marks.list_newest(reader, viewer, None, THREADS, unread=True) if is_member else None
    newest = await read_marks.list_newest(reader, viewer, None, THREADS)
    return Home(
        boards=cards,
        boards_with_news=await read_marks.list_boards_with_news(reader, viewer),
        unread=unread.rows if unread else (),
        newest=newest.rows,
        announcements=await announcements.list_announcements(reader, now),
        unread_notifications=await inbox.count_unread(reader, viewer) if is_member else 0,
        waiting_for_advisers=await waiting_list.count_waiting(reader, viewer),
    )
