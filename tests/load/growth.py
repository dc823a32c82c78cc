"""What readers ask, in a forum of 10,000 posts and in one of many: no read may grow with the board."""

import http.client
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from rich.table import Table
from sqlalchemy import text

from forum.content import board_cards
from forum.content.posts import thread_page
from forum.content.posts.tallies import WRITTEN
from forum.content.posts.thread_page import PageRequest
from forum.content.threads import queries
from forum.content.threads.titles import replace_handle_in_titles
from forum.core.database import Database
from forum.members import cards
from forum.members.viewer import GUEST
from tests.load.rounds import PAGE, Server
from tests.load.seed import Seeded

FEW = 10_000  # posts
ASKED = 1.5  # times as long, at most
ROUNDS = 100
LONG = 50_000  # posts of the thread in which advisers' posts are sought, where there are so many
HANDLES = [f"member{number:03}" for number in range(100)]
# What is kept as bytes would not show what a read costs.
SETTINGS = {"FORUM_PAGE_CACHE": "0"}
NAMING = "UPDATE thread SET title = 'What @member001 said, and I' WHERE id IN (SELECT id FROM thread LIMIT 5)"


@dataclass
class Growing:
    """A forum of one size, and how long each read took there."""

    seeded: Seeded
    server: Server
    url: str
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def late(self) -> int:
        """A number in the last tenth of the long thread."""
        return min(self.seeded.long_posts, LONG) * 9 // 10

    def paths(self) -> Mapping[str, str]:
        """What is read over HTTP."""
        long, board = f"/api/v1/threads/{self.seeded.long_thread}/posts", f"/api/v1/boards/{self.seeded.boards[1]}"
        named = "&".join(f"handle={handle}" for handle in HANDLES)
        return {
            "a member's card": f"/api/v1/members/{HANDLES[0]}",
            "100 members' cards": f"/api/v1/members?{named}",
            "list of boards": "/api/v1/boards",
            "a board": board,
            "a board's threads": f"{board}/threads?limit={PAGE}",
            "newest threads": "/api/v1/threads",
            "home": "/api/v1/home",
            "first page": "/",
            "a thread's first page": f"{long}?limit={PAGE}",
            "a thread's late page": f"{long}?limit={PAGE}&from={self.late}",
            "advisers' posts": f"{long}?limit={PAGE}&adviser=true",
            "advisers' late posts": f"{long}?limit={PAGE}&adviser=true&from={self.late}",
        }

    def note(self, what: str, seconds: float) -> None:
        """Note how long a read took."""
        self.seconds.setdefault(what, []).append(seconds)


async def _replace_handle(database: Database, _forum: Growing) -> None:
    async with database.work() as session:
        await replace_handle_in_titles(session, HANDLES[1])
        await session.rollback()


def _advisers_posts(database: Database, forum: Growing, first: int = 1) -> Awaitable[object]:
    page = PageRequest(PAGE, first=first, advisers_only=True)
    return thread_page.get_page(database.reader, GUEST, forum.seeded.long_thread, page)


# The same reads without HTTP, which takes most of the time; and what nobody asks for over HTTP.
Ask = Callable[[Database, Growing], Awaitable[object]]
IN_DATABASE: Mapping[str, Ask] = {
    "a member's card": lambda database, _: cards.list_cards(database.reader, GUEST, HANDLES[:1], WRITTEN),
    "100 members' cards": lambda database, _: cards.list_cards(database.reader, GUEST, HANDLES, WRITTEN),
    "list of boards": lambda database, _: board_cards.list_board_cards(database.reader, GUEST),
    "a board's threads": lambda database, forum: queries.list_on_board(
        database.reader, GUEST, forum.seeded.boards[1], None, PAGE
    ),
    "advisers' posts": _advisers_posts,
    "advisers' late posts": lambda database, forum: _advisers_posts(database, forum, forum.late),
    "titles that name a handle": _replace_handle,
}


async def measure(forums: Sequence[Growing], *, done: Callable[[], object]) -> None:
    """Ask everything of every forum in turn, round after round; `done` is called after each round."""
    connections = [http.client.HTTPConnection("127.0.0.1", forum.server.port) for forum in forums]
    async with AsyncExitStack() as open_:
        databases = []
        for forum in forums:
            database = Database(forum.url, pool_size=1)
            open_.push_async_callback(database.close)
            databases.append(database)
            async with database.work() as session:
                await session.execute(text(NAMING))
        for round_ in range(-3, ROUNDS):  # three to warm up
            for forum, connection, database in zip(forums, connections, databases, strict=True):
                taken = {what: _get(connection, path, forum) for what, path in forum.paths().items()}
                for what, ask in IN_DATABASE.items():
                    begun = time.perf_counter()
                    await ask(database, forum)
                    taken[f"{what}, without HTTP"] = time.perf_counter() - begun
                for what, seconds in taken.items() if round_ >= 0 else ():
                    forum.note(what, seconds)
            done()


def _get(connection: http.client.HTTPConnection, path: str, forum: Growing) -> float:
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {forum.seeded.tokens[9]}"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise ValueError(f"{path} was answered with {answer.status}")
    return time.perf_counter() - begun


def table(few: Growing, many: Growing) -> Table:
    """How much longer each read takes among many posts than among few."""
    shown = Table("", f"{few.seeded.posts:,}", f"{many.seeded.posts:,}", "×", "asked", box=None, pad_edge=False)
    for column in shown.columns[1:]:
        column.justify = "right"
    for what in sorted(few.seconds, key=lambda what: what.endswith("HTTP")):
        medians = [statistics.median(forum.seconds[what]) for forum in (few, many)]
        ratio = medians[1] / medians[0]
        mark = "" if ratio <= ASKED else " !"
        shown.add_row(what, *(f"{1000 * median:.2f} ms" for median in medians), f"{ratio:.2f}{mark}", f"≤ {ASKED}")
    return shown
