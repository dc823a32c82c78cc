"""All that guests read, as files: the application answers as it answers a guest, and each page becomes a file.

So a copy shows what the pages show, by the same reads and rules. A page at a time is in memory, and two numbers of each
thread.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx
from sqlmodel import col

from forum.content.boards import Board
from forum.content.reading import POSTS_A_PAGE
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Database, query
from forum.importers.errors import CannotMove
from forum.members.viewer import GUEST
from forum.web.copying.page import CopiedPage
from forum.web.languages import mark

# Above each page.
NOTE = mark("This is a copy of %(name)s as guests could read it on %(day)s. Nobody can write here.")
# Pages besides boards and threads that are for everybody, and are read.
TEXTS = (
    "/rules", "/help", "/about", "/advisers", "/resources", "/glossary", "/safety", "/privacy", "/accessibility",
    "/contact",
)  # fmt: skip
REDIRECTS = "redirects.txt"
_AT_ONCE = 1_000  # threads
_BOARD = re.compile(r'href="(/boards/[a-z0-9-]{1,50})"')
_NEXT = re.compile(r'<a [^>]*href="([^"]*)" rel="next"')
# Links to posts within words; the number of a post leads to itself.
_LINKED_POST = re.compile(r'<a href="[^"]*?(/posts/[1-9][0-9]{0,17})"')
_STATIC = re.compile(r"/static/[\w.-]+")


class KnownThreads:
    """The threads that guests read, each with the number of its last post: sixteen bytes of memory for each."""

    def __init__(self) -> None:
        self._ids, self._last = array("q"), array("i")

    @classmethod
    async def find(cls, database: Database) -> "KnownThreads":
        """Return them as they are at this moment."""
        found, known = query(col(Thread.id), col(Thread.last_number)), cls()
        readable = found.join(Board, col(Board.id) == col(Thread.board_id)).where(THREAD_VISIBLE)
        async with database.work() as session:
            rows = await session.stream(
                readable.order_by(col(Thread.id)),
                GUEST.query_parameters,
                execution_options={"yield_per": _AT_ONCE},
            )
            async for thread_id, last_number in rows:
                known.add(thread_id, last_number)
        return known

    def add(self, thread_id: int, last_number: int) -> None:
        """Add a thread, whose id is higher than those of all that are known."""
        self._ids.append(thread_id)
        self._last.append(last_number)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._ids, self._last, strict=True)

    @property
    def pages(self) -> int:
        """How many pages they fill."""
        return sum((last - 1) // POSTS_A_PAGE + 1 for last in self._last)

    def file_of(self, thread_id: int, number: int = 1) -> str | None:
        """Return which file has a post of a thread; None where guests do not read the thread."""
        place = bisect_left(self._ids, thread_id)
        if place == len(self._ids) or self._ids[place] != thread_id:
            return None
        page = (min(max(number, 1), self._last[place]) - 1) // POSTS_A_PAGE
        return f"threads/{thread_id}{f'-{page * POSTS_A_PAGE + 1}' if page else ''}.html"


@dataclass
class SiteCopy:
    """Writes the pages of a forum into a folder."""

    guest: httpx.AsyncClient  # of the application
    threads: KnownThreads
    folder: Path
    note: str
    own: str
    seen: Callable[[int], None] = lambda _: None
    pages: int = 0
    _redirects: IO[str] | None = None
    _boards: set[str] = field(default_factory=set)
    _files: dict[str, str] = field(default_factory=dict)  # of addresses that this page alone has
    _assets: set[str] = field(default_factory=set)

    async def write(self) -> None:
        """Write all pages, what they load, and which file has what was at an address.

        Raises CannotMove when the forum cannot answer.
        """
        with (self.folder / REDIRECTS).open("w", encoding="utf-8") as self._redirects:
            front = await self._ask("/")
            self._boards = set(_BOARD.findall(front.text))
            await self._write(front, "/", "index.html")
            for address in TEXTS:
                await self._write(await self._ask(address), address, f"{address[1:]}.html")
            for board in sorted(self._boards):
                await self._write_board(board)
            for thread_id, last_number in self.threads:
                for start in range(1, last_number + 1, POSTS_A_PAGE):
                    address = f"/threads/{thread_id}" + (f"?start={start}" if start > 1 else "")
                    file = self.threads.file_of(thread_id, start)
                    await self._write(await self._ask(address), address, file or "")
        for address in sorted(self._assets):
            self._place(address[1:]).write_bytes((await self._ask(address)).content)

    async def _write_board(self, board: str) -> None:
        address, file, number = board, f"{board[1:]}.html", 1
        while address:
            page, number = await self._ask(address), number + 1
            following = _NEXT.search(page.text)
            further = unescape(following[1]) if following else ""
            self._files = {further: f"{board[1:]}-{number}.html"} if further else {}
            await self._write(page, address, file)
            address, file = further, self._files.get(further, "")

    async def _write(self, page: httpx.Response, address: str, file: str) -> None:
        for post in {*_LINKED_POST.findall(page.text)}:
            self._files[post] = await self._place_of(post)
        is_indexable = "noindex" not in page.headers.get("X-Robots-Tag", "") and page.status_code == 200
        copied = CopiedPage(file, self.note, self._file_of, self.own, is_indexable)
        self._place(file).write_text(copied.write(page.text), "utf-8")
        self._files = {}
        assert self._redirects  # noqa: S101 (open while pages are written)
        self._redirects.write(f"{address} /{file}\n")
        self.pages += 1
        self.seen(self.pages)

    async def _place_of(self, post: str) -> str:
        """Return where a link to a post leads; an empty text where guests do not read it."""
        answer = await self._ask(post)
        return answer.headers.get("Location", "") if answer.status_code == 303 else ""

    def _file_of(self, address: str) -> str | None:
        parts = urlsplit(self._files.get(address, address))
        if parts.path.endswith(".html"):
            return parts.path
        place = f"#{parts.fragment}" if parts.fragment else ""
        if _STATIC.fullmatch(parts.path):
            self._assets.add(parts.path)
            return parts.path[1:]
        if parts.path == "/":
            return f"index.html{place}"
        if parts.path in self._boards or parts.path in TEXTS:
            return None if parts.query else f"{parts.path[1:]}.html{place}"
        file = self._thread_file(parts.path, parts.query)
        return file and file + place

    def _thread_file(self, path: str, asked: str) -> str | None:
        match = re.fullmatch(r"/threads/([1-9][0-9]{0,17})", path)
        start = re.fullmatch(r"(?:start=([1-9][0-9]{0,8}))?", asked)
        return self.threads.file_of(int(match[1]), int(start[1] or 1)) if match and start else None

    def _place(self, file: str) -> Path:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    async def _ask(self, address: str) -> httpx.Response:
        answer = await self.guest.get(address)
        if answer.status_code >= 500:  # its page says so, and is none of the forum's
            raise CannotMove(f"{address} cannot be shown just now: look into the log, and export once more.")
        return answer
