"""A real forum in processes of its own, as a charity runs it: started, asked, stopped, killed, and looked after."""

import asyncio
import os
import random
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from fastapi import FastAPI

from forum.core import embedded_postgres
from forum.core.settings import Settings
from tests.support import make

ROOT = Path(__file__).parents[2]
# Every process that a forum starts inherits this, so that it is known when its parent is gone.
FAMILY = "FORUM_TEST_FAMILY"
# Unused, but httpx would load every authority's certificate for each client.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNTHROTTLED = {f"FORUM_{name.upper()}": limit for name, limit in make.UNTHROTTLED.items()}

# Digits by chance can look like a telephone number, about which one is asked.
LETTERS = str.maketrans("0123456789", "ghijklmnop")


@dataclass(frozen=True)
class Forum:
    """One run of `python -m forum`, and whoever asks it over HTTP."""

    process: subprocess.Popen[bytes]
    folder: Path
    name: str
    http: httpx.AsyncClient
    began: float = field(default_factory=time.monotonic)

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    def client(self, headers: dict[str, str]) -> httpx.AsyncClient:
        """A member who asks it."""
        return client(str(self.http.base_url), headers)

    def said(self) -> str:
        """Everything that it printed and logged."""
        return (self.folder / f"{self.name}.log").read_text()

    async def ready(self) -> float:
        """Wait until it answers; how many seconds after its start that was."""
        while True:
            with suppress(httpx.TransportError):
                if (await self.http.get("/readyz")).status_code == 200:
                    return time.monotonic() - self.began
            if self.process.poll() is not None or time.monotonic() - self.began > 60:
                pytest.fail(f"The forum did not start ({self.process.returncode}):\n{self.said()}")
            await asyncio.sleep(0.1)  # it takes seconds to start, and to ask costs both of them time

    async def ended(self) -> int:
        """Wait until its first process has ended; with which status."""
        assert await until(lambda: self.process.poll() is not None, 20), f"It does not end:\n{self.said()}"
        return self.process.returncode

    async def gone(self) -> float:
        """Wait until no process of it is left, not even PostgreSQL's; how many seconds that took."""
        began = time.monotonic()
        await until(lambda: not self.family())
        left = {process.pid: command(process) for process in self.family()}
        assert not left, f"These processes are left: {left}\n{self.said()}"
        return time.monotonic() - began

    def listens(self) -> bool:
        """Whether anybody of it still takes new connections."""
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                if any(connection.status == psutil.CONN_LISTEN for connection in process.net_connections("tcp")):
                    return True
        return False

    def workers(self) -> list[psutil.Process]:
        """The processes that answer requests, where there are several."""
        family = self.family()
        # Each is a copy of one that only makes copies.
        first = {process.pid for process in family if "multiprocessing.forkserver" in command(process)}
        return [process for process in family if parent(process) in first]

    def postmaster(self) -> psutil.Process:
        """The first process of its own PostgreSQL."""
        return psutil.Process(int((self.data / "postgres/postmaster.pid").read_text().split()[0]))

    def family(self) -> list[psutil.Process]:
        """Every living process that it started, directly or not, also after its own end."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and self._is_ours(process):
                    found.append(process)
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        # PostgreSQL writes its title over its environment, but it works in its data folder.
        return process.environ().get(FAMILY) == self.name or Path(process.cwd()).is_relative_to(self.data)


@asynccontextmanager
async def started(folder: Path, *command: object, port: int | None = None, **environment: str) -> AsyncIterator[Forum]:
    """`python -m forum` with this command, its data below `folder`; none of it outlives the block."""
    name, port = uuid.uuid4().hex, port or free_port()
    ours = {"FORUM_DATA": str(folder / "data"), "FORUM_LOG_LEVEL": "WARNING", FAMILY: name, **UNTHROTTLED}
    process = launch(folder / f"{name}.log", *command, "--port", port, **{**ours, **environment})
    address = f"http://127.0.0.1:{port}"
    async with client(address) as http:
        forum = Forum(process, folder, name, http)
        try:
            yield forum
        finally:
            for member in forum.family():
                with suppress(psutil.NoSuchProcess):
                    member.kill()
            process.wait()


def launch(log: Path, *command: object, **environment: str) -> subprocess.Popen[bytes]:
    foreign = {"FORUM_DATA", "FORUM_DATABASE_URL"}
    surroundings = {name: value for name, value in os.environ.items() if name not in foreign}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "forum", *map(str, command)],
            cwd=ROOT,
            env=surroundings | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, as a terminal gives it.
            start_new_session=True,
        )


def command(process: psutil.Process) -> str:
    """What was called; nothing once it is gone."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def parent(process: psutil.Process) -> int | None:
    """The id of who started it; nothing once it is gone."""
    with suppress(psutil.Error):
        return process.ppid()
    return None


def client(address: str, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """Somebody who asks the forum at this address; httpx's search among many connections in one client is slow."""
    return httpx.AsyncClient(base_url=address, headers=headers, verify=NO_TLS, timeout=60, trust_env=False)


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to outgoing connections: asking again and
    again for one of those, a client can end up connected to itself."""
    while True:
        port = random.randrange(10_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


async def until(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Whether this comes true in time; where no `seconds` are promised, a busy machine gets a minute."""
    deadline = time.monotonic() + seconds
    while True:
        if (fulfilled := bool(condition())) or time.monotonic() > deadline:
            return fulfilled
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Company:
    """Members who talk in one thread; each signs in with headers of their own."""

    thread: int
    members: tuple[dict[str, str], ...]

    @property
    def card(self) -> str:
        """The address of their thread."""
        return f"/api/v1/threads/{self.thread}"

    @property
    def posts(self) -> str:
        """The address of what they say."""
        return f"{self.card}/posts"


async def company(app: FastAPI, size: int) -> Company:
    """A thread with one post, and `size` members to reply in it, made in the database of `app`."""
    await make.board(app.state.services)
    headers = []
    for number in range(1, size + 1):
        async with make.signed_in(app, f"heron{number}") as http:
            headers.append({"Authorization": http.headers["Authorization"]})
    return Company(await make.thread(app.state.services, "heron1"), tuple(headers))


@asynccontextmanager
async def beside(forum: Forum) -> AsyncIterator[FastAPI]:
    """An application of our own over the PostgreSQL that the forum started and runs."""
    with embedded_postgres.running(forum.data) as server:
        assert not server.started_here
        async with make.application(Settings(database_url=server.url, **make.UNTHROTTLED)) as app:
            yield app


@dataclass
class Talk:
    """What members said, and what the forum answered."""

    said: set[str] = field(default_factory=set)
    acknowledged: dict[int, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    @asynccontextmanager
    async def going_on(self, forum: Forum, company: Company) -> AsyncIterator[None]:
        """Everybody replies, and replies again, until the block or the forum ends."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for headers in company.members:
                group.create_task(self._speak(forum, company, headers, over))
            try:
                yield
            finally:
                over.set()

    async def grows(self, by: int) -> None:
        """Wait until the forum has acknowledged so many posts more."""
        enough = len(self.acknowledged) + by
        assert await until(lambda: len(self.acknowledged) >= enough), self.statuses

    async def _speak(self, forum: Forum, company: Company, headers: dict[str, str], over: asyncio.Event) -> None:
        async with forum.client(headers) as http:
            while not over.is_set() and forum.process.poll() is None:
                body = f"Reply {uuid.uuid4().hex.translate(LETTERS)}"
                self.said.add(body)
                try:
                    answer = await http.post(company.posts, json={"body_markdown": body})
                except httpx.TransportError:
                    # Whoever was to answer is gone; perhaps somebody else will.
                    await asyncio.sleep(0.02)
                    continue
                self.statuses[answer.status_code] += 1
                if answer.status_code == 201:
                    self.acknowledged[answer.json()["id"]] = answer.json()["body_markdown"]

    async def is_kept(self, http: httpx.AsyncClient, company: Company, *, exactly: bool = False) -> None:
        """Every acknowledged post is there, with its words; none is there twice; the thread's counts agree.

        A post that was not acknowledged may be there, unless all must be told of `exactly`.
        """
        opening, *replies = posts = await read_whole(http, company)
        assert [post["number"] for post in posts] == list(range(1, len(posts) + 1))
        assert opening["body_markdown"] == "Hello all"
        kept = {post["id"]: post["body_markdown"] for post in replies}
        assert not self.acknowledged.items() - kept.items(), "lost"
        assert set(kept.values()) <= self.said
        assert len(set(kept.values())) == len(kept), "stored twice"
        assert not exactly or kept == self.acknowledged
        card = (await http.get(company.card)).json()
        assert (card["posts"], card["last_number"]) == (len(posts), len(posts))
        assert card["last_post"]["number"] == len(posts)
        assert card["participants"] == len({post["author"]["handle"] for post in posts})


async def read_whole(http: httpx.AsyncClient, company: Company) -> list[dict[str, Any]]:
    """Every post of the thread, as anybody reads it."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = (await http.get(company.posts, params=query)).json()
        found += page["items"]
        if page["next"] is None:
            return found
        query["after"] = page["next"]
