"""All that guests read, as files: the application answers as it answers a guest, and each page becomes a file.

So a copy shows what the pages show, by the same reads and rules. A page at a time is in memory, and two numbers of each
thread.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx

from forum.content.reading import POSTS_A_PAGE
from forum.importers.errors import CannotMove
from forum.importers.moving_out.pages.page import CopiedPage
from forum.importers.moving_out.read_threads import ReadThreads

# Pages besides boards and threads that are for everybody, and are read.
TEXTS = (
    "/rules", "/help", "/about", "/advisers", "/resources", "/glossary", "/safety", "/privacy", "/accessibility",
    "/contact",
)  # fmt: skip
REDIRECTS = "redirects.txt"
_BOARD = re.compile(r'href="(/boards/[a-z0-9-]{1,50})"')
_NEXT = re.compile(r'<a [^>]*href="([^"]*)" rel="next"')
# Links to posts within words; the number of a post leads to itself.
_LINKED_POST = re.compile(r'<a href="[^"]*?(/posts/[1-9][0-9]{0,17})"')
_STATIC = re.compile(r"/static/[\w.-]+")


@dataclass
class SiteCopy:
    """Writes the pages of a forum into a folder."""

    guest: httpx.AsyncClient  # of the application
    threads: ReadThreads
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

        What guests do not read any more once it is its turn is in no list: boards are written after their threads. A
        link to it that was written before leads to a page which says that it is not there.

        Raises CannotMove when the forum cannot answer.
        """
        with (self.folder / REDIRECTS).open("w", encoding="utf-8") as self._redirects:
            self._boards = set(_BOARD.findall((await self._ask("/")).text))
            for thread_id, last_number in self.threads:
                for start in range(1, last_number + 1, POSTS_A_PAGE):
                    address = f"/threads/{thread_id}" + (f"?start={start}" if start > 1 else "")
                    page = await self._ask(address)
                    if page.status_code == httpx.codes.NOT_FOUND:
                        self.threads.drop(thread_id)
                    await self._write(page, address, _file_of_thread(thread_id, start))
            for board in sorted(self._boards):
                await self._write_board(board)
            for address in TEXTS:
                await self._write(await self._ask(address), address, f"{address[1:]}.html")
            await self._write(await self._ask("/"), "/", "index.html")
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
        if page.status_code != httpx.codes.NOT_FOUND:
            self._redirects.write(f"{address} /{file}\n")
            self.pages += 1
        self.seen(self.pages)

    async def _place_of(self, post: str) -> str:
        """Return where a link to a post leads; an empty text where guests do not read it."""
        answer = await self._ask(post)
        return answer.headers.get("Location", "") if answer.status_code == 303 else ""

    def _file_of(self, address: str) -> str | None:
        parts = urlsplit(self._files.get(address, address))
        if address in self._files and parts.path.endswith(".html"):
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
        if match is None or start is None or (last := self.threads.last_number(int(match[1]))) is None:
            return None
        return _file_of_thread(int(match[1]), min(int(start[1] or 1), last))

    def _place(self, file: str) -> Path:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    async def _ask(self, address: str) -> httpx.Response:
        answer = await self.guest.get(address)
        if answer.status_code >= 500:  # its page says so, and is none of the forum's
            raise CannotMove(f"{address} cannot be shown just now: look into the log, and export once more.")
        return answer


def pages_of(threads: ReadThreads) -> int:
    """Return how many pages threads fill."""
    return sum((last_number - 1) // POSTS_A_PAGE + 1 for _, last_number in threads)


def _file_of_thread(thread_id: int, number: int) -> str:
    """Return which file has a post of a thread."""
    page = (number - 1) // POSTS_A_PAGE
    return f"threads/{thread_id}{f'-{page * POSTS_A_PAGE + 1}' if page else ''}.html"
