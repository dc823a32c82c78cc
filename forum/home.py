"""Home: everything that one looks for first, in one read."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from forum.advising import waiting_list
from forum.content import announcements, board_cards, read_marks
from forum.content.board_cards import BoardCard
from forum.core.work import Transactions
from forum.members.viewer import Viewer
from forum.notifications import inbox

THREADS = 10

# How many urgent cases wait for somebody who may decide them; None for those who decide none. Moderation hands it over.
CountUrgent = Callable[[Transactions, Viewer], Awaitable[int | None]]


@dataclass(frozen=True)
class Front:
    """The boards and which of them have news, what is unread, what is announced."""

    boards: Sequence[BoardCard]
    boards_with_news: frozenset[int]
    unread: Sequence[Any]
    announcements: Sequence[Any]
    unread_notifications: int
    urgent_cases: int | None


@dataclass(frozen=True)
class Home:
    """The same, with the newest threads and what waits for advisers."""

    front: Front
    newest: Sequence[Any]
    waiting_for_advisers: int | None  # None for those who do not see the list of waiting threads


async def read_front(transactions: Transactions, viewer: Viewer, count_urgent: CountUrgent) -> Front:
    """Return what the first page shows. For guests it is the same for everybody."""
    reader, is_member = transactions.reader, viewer.id is not None
    unread = await read_marks.list_newest(reader, viewer, None, THREADS, unread=True) if is_member else None
    return Front(
        boards=await board_cards.list_board_cards(reader, viewer),
        boards_with_news=await read_marks.list_boards_with_news(reader, viewer),
        unread=unread.rows if unread else (),
        announcements=await announcements.list_announcements(reader, transactions.now),
        unread_notifications=await inbox.count_unread(reader, viewer) if is_member else 0,
        urgent_cases=await count_urgent(transactions, viewer),
    )


async def read_home(transactions: Transactions, viewer: Viewer, count_urgent: CountUrgent) -> Home:
    """Return what the viewer looks for first, in one read. For guests it is the same for everybody."""
    newest = await read_marks.list_newest(transactions.reader, viewer, None, THREADS)
    return Home(
        front=await read_front(transactions, viewer, count_urgent),
        newest=newest.rows,
        waiting_for_advisers=await waiting_list.count_waiting(transactions.reader, viewer, transactions.now),
    )
