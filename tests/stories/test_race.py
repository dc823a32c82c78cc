"""Two processes, 32 clients, one thread: whoever is first, every reply has its own number and nobody's is lost."""

import asyncio
import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
from fastapi import FastAPI

from tests.support.running import Company, Forum, company, read_whole, started

log = logging.getLogger(__name__)

REPLIES, CLIENTS = 2_000, 32


class Race:
    """Clients who reply as fast as they can; of every four replies, one is sent twice."""

    def __init__(self, forum: Forum, there: Company) -> None:
        self.forum = forum
        self.there = there
        self.statuses: Counter[int] = Counter()
        self.acknowledged: dict[str, set[int]] = {}
        self.connections: list[int] = []

    async def run(self) -> None:
        numbers = iter(range(REPLIES))
        async with asyncio.TaskGroup() as group:
            for headers in self.there.members:
                group.create_task(self._client(headers, numbers))

    async def _client(self, headers: dict[str, str], numbers: Iterator[int]) -> None:
        ways = (self._double_click, self._answer_lost, self._network_lost)
        async with self.forum.client(headers) as http:
            for number in numbers:
                if number == REPLIES // 2:
                    self.connections = [connections(worker) for worker in self.forum.workers()]
                body = f"Reply {number}"
                if number % 4:
                    self.acknowledged[body] = {await self._reply(http, body)}
                else:
                    send_twice = ways[number // 4 % len(ways)]
                    self.acknowledged[body] = await send_twice(http, body, {"Idempotency-Key": str(uuid.uuid4())})

    async def _double_click(self, http: httpx.AsyncClient, body: str, key: dict[str, str]) -> set[int]:
        return set(await asyncio.gather(self._reply(http, body, key), self._reply(http, body, key)))

    async def _answer_lost(self, http: httpx.AsyncClient, body: str, key: dict[str, str]) -> set[int]:
        return {await self._reply(http, body, key), await self._reply(http, body, key)}

    async def _network_lost(self, http: httpx.AsyncClient, body: str, key: dict[str, str]) -> set[int]:
        """Nobody is there any more to hear the first answer, whether the forum had begun or not."""
        lost = asyncio.create_task(self._send(http, body, key))
        await asyncio.wait([lost], timeout=random.uniform(0, 0.2))
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
        return {await self._reply(http, body, key)}

    async def _reply(self, http: httpx.AsyncClient, body: str, key: dict[str, str] | None = None) -> int:
        """The id of the post, after asking again for as long as the first request is being worked on."""
        while (answer := await self._send(http, body, key)).status_code == 409:
            assert answer.json()["type"] == "/problems/request-in-progress"
            await asyncio.sleep(0.25)
        assert answer.status_code == 201, answer.text
        post: dict[str, Any] = answer.json()
        assert post["body_markdown"] == body
        return int(post["id"])

    async def _send(self, http: httpx.AsyncClient, body: str, key: dict[str, str] | None) -> httpx.Response:
        answer = await http.post(self.there.posts, json={"body_markdown": body}, headers=key)
        self.statuses[answer.status_code] += 1
        return answer


async def test_two_processes_number_two_thousand_replies_without_a_gap_a_double_or_a_loss(
    app: FastAPI, guest: httpx.AsyncClient, database_url: str, tmp_path: Path
) -> None:
    there = await company(app, CLIENTS)
    command = ("serve", "--workers", 2, "--no-worker")
    async with started(tmp_path, *command, FORUM_DATABASE_URL=database_url) as forum:
        await forum.ready()
        race = Race(forum, there)
        began = time.monotonic()
        await race.run()
        took = time.monotonic() - began
        log.info("%.0f replies a second; answers %s", REPLIES / took, dict(race.statuses))
        assert sum(race.connections) >= CLIENTS
        assert all(race.connections), "one process did all the work"
    assert set(race.statuses) <= {201, 409}

    opening, *replies = posts = await read_whole(guest, there)
    assert [post["number"] for post in posts] == list(range(1, REPLIES + 2))
    assert opening["body_markdown"] == "Hello all"
    assert {post["body_markdown"]: {post["id"]} for post in replies} == race.acknowledged
    card = (await guest.get(there.card)).json()
    assert (card["posts"], card["last_number"], card["last_post"]["number"]) == (REPLIES + 1,) * 3
    assert card["participants"] == CLIENTS
    written = [(await guest.get(f"/api/v1/members/{handle}")).json()["posts"] for handle in handles(posts)]
    assert sum(written) == REPLIES + 1


def connections(process: psutil.Process) -> int:
    return [connection.status for connection in process.net_connections("tcp")].count(psutil.CONN_ESTABLISHED)


def handles(posts: list[dict[str, Any]]) -> set[str]:
    return {post["author"]["handle"] for post in posts}
