"""Open pages of a forum that runs: nobody waits for them when it ends, and they go on when it starts again."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from tests.support.running import beside, company, free_port, started

API = "/api/v1"
WORDS = {"body_markdown": "I see. And what did they say?"}


async def events(answer: httpx.Response, seen: dict[str, str]) -> AsyncIterator[tuple[str, Any]]:
    """The events of a stream; its last id is noted."""
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            seen["id"] = value
        elif field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


async def test_a_page_ends_at_once_with_the_forum_and_goes_on_after_its_next_start(tmp_path: Path) -> None:
    seen, port = dict[str, str](), free_port()
    async with started(tmp_path, "serve", port=port) as forum:
        await forum.ready()
        async with beside(forum) as app:
            talk = await company(app, 1)
        stream = f"{API}/events?thread={talk.thread}"
        async with forum.client(talk.members[0]) as heron, forum.http.stream("GET", stream) as opened:
            found = events(opened, seen)
            assert (await anext(found))[0] == "reset"
            assert (await heron.post(talk.posts, json=WORDS)).status_code == 201
            assert await anext(found) == ("post", {"thread": talk.thread, "number": 2})
            forum.process.terminate()
            assert [event async for event in found] == []  # not cut off
            assert await forum.ended() == 0
        await forum.gone()
        assert "Waiting for" not in forum.said()
    async with started(tmp_path, "serve", port=port) as forum:
        await forum.ready()
        async with forum.client(talk.members[0]) as heron:
            assert (await heron.post(talk.posts, json=WORDS)).status_code == 201
        async with forum.http.stream("GET", stream, headers={"Last-Event-ID": seen["id"]}) as opened:
            assert await anext(events(opened, seen)) == ("post", {"thread": talk.thread, "number": 3})
