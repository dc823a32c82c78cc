"""Live events: who hears of what, nothing lost, nothing twice, never a word."""

from typing import Any

from fastapi import FastAPI

from forum.http.services import Services
from tests.support import make
from tests.support.streams import Told, stream

API = "/api/v1"


def told(name: str, **data: Any) -> Told:
    return Told(name, data)


async def test_an_open_thread_hears_of_new_changed_and_withdrawn_posts(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        async with stream(app, thread) as guest:
            assert guest.status == 200
            assert guest.headers["content-type"].startswith("text/event-stream")
            assert (guest.headers["x-accel-buffering"], "content-length" in guest.headers) == ("no", False)
            assert await guest.next() == told("reset", threads=[{"id": thread, "posts": 1, "last_number": 1}])
            made = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "I see"})
            assert await guest.next() == told("post", thread=thread, number=2)
            post = made.json()["id"]
            await heron.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Better"})
            assert await guest.next() == told("edit", thread=thread, number=2)
            await heron.delete(f"{API}/posts/{post}")
            assert await guest.next() == told("removed", thread=thread, number=2)
