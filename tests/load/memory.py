"""How much memory a forum takes, all of its processes and its PostgreSQL together: browsed, and under load."""

import asyncio
import itertools
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
from rich.table import Table

from forum import worker
from forum.demo import sign_ins
from forum.demo.keys import find_keys
from tests.load.client import burst
from tests.load.rounds import CONNECTIONS, get
from tests.support.running import Forum, command, started

ASKED = {"after browsing": 350, "under load": 500}  # MB
MOST_PAGES = 300  # that one visitor opens
LOAD_SECONDS = 20
# Each process once, by what its name or command has in it; what is none of these is the server's own.
PARTS = {worker.NAME.decode(): "worker", "side_process": "side process", "postgres": "PostgreSQL"}
PLAIN = re.compile(r"[\w/.-]+", re.ASCII)  # a path without a query, which the generator of the load sends as it is
LINK = re.compile(r'<a [^>]*?href="(/[^"#]*)')


async def measure(folder: Path) -> Table:
    """Start the demonstration, browse all of it, and load it. Return how much it took each time.

    It is started twice: what writes the community is no part of a forum. The first one is stopped as one stops it:
    what PostgreSQL reads again after a kill would stay in its memory.
    """
    taken: dict[str, Mapping[str, float]] = {}
    async with started(folder, "demo") as forum:
        await forum.ready()
        forum.process.terminate()
        await forum.ended()
    async with started(folder, "demo") as forum:
        await forum.ready()
        taken["just started"] = _sizes(forum)
        pages = await _browse(forum)
        taken["after browsing"] = _sizes(forum)
        taken["under load"] = await _load(forum, pages)
    return _table(taken, len(pages))


def _sizes(forum: Forum) -> Mapping[str, float]:
    """The megabytes of each part: memory that several processes share counts once."""
    sizes: dict[str, float] = {}
    for process in forum.family():
        with suppress(psutil.Error):
            called = f"{process.name()} {command(process)}"
            part = next((part for words, part in PARTS.items() if words in called), "server")
            sizes[part] = sizes.get(part, 0.0) + process.memory_full_info().pss / 2**20
    return sizes


async def _browse(forum: Forum) -> list[str]:
    """Open every page that a guest finds, and every page that somebody of each kind finds; those of the guest."""
    keys = find_keys(forum.data)
    found = await _follow(forum.http)
    for who in sign_ins():
        sign_in = {"login": who.handle, "password": keys.password if keys else "", "transport": "cookie"}
        answer = await forum.http.post("/api/v1/sessions", json=sign_in)
        cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        async with forum.client({"Cookie": cookie}) as client:
            await _follow(client)
        forum.http.cookies.clear()
    return found


async def _follow(client: httpx.AsyncClient) -> list[str]:
    """Open the first page, and whatever a page leads to."""
    opened, waiting = list[str](), ["/"]
    seen = set(waiting)
    while waiting and len(opened) < MOST_PAGES:
        path = waiting.pop(0)
        answer = await client.get(path)
        if answer.status_code != 200 or not answer.headers["content-type"].startswith("text/html"):
            continue
        opened.append(path)
        new = [link.replace("&amp;", "&") for link in LINK.findall(answer.text)]
        waiting += [link for link in dict.fromkeys(new) if link not in seen]
        seen.update(new)
    return opened


async def _load(forum: Forum, pages: Sequence[str]) -> Mapping[str, float]:
    """Read from many connections; the sizes when they were largest together."""
    port = forum.http.base_url.port or 80
    requests = itertools.cycle([get(path) for path in pages if PLAIN.fullmatch(path)])
    reading = asyncio.create_task(burst(port, requests, 200, connections=CONNECTIONS, seconds=LOAD_SECONDS))
    largest: Mapping[str, float] = {}
    while not reading.done():
        await asyncio.sleep(1)
        sizes = await asyncio.to_thread(_sizes, forum)
        largest = max(largest, sizes, key=lambda sizes: sum(sizes.values()))
    await reading
    return largest


def _table(taken: Mapping[str, Mapping[str, float]], pages: int) -> Table:
    shown = Table(f"MB (PSS), {pages} pages for guests", *taken, box=None, pad_edge=False)
    for column in shown.columns[1:]:
        column.justify = "right"
    for part in sorted({part for sizes in taken.values() for part in sizes}):
        shown.add_row(part, *(f"{sizes.get(part, 0):.0f}" for sizes in taken.values()))
    shown.add_row("all", *(f"{sum(sizes.values()):.0f}" for sizes in taken.values()))
    shown.add_row("asked", *(f"≤ {ASKED[when]}" if when in ASKED else "" for when in taken))
    return shown
