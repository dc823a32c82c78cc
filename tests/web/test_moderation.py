"""Pages of moderation: the queue, a case, a decision with its preview, on sight, records."""

import re
from typing import Any

import httpx
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.web.support import form, text_of

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


async def reported(app: FastAPI, services: Services) -> Any:
    """A rude post that Magpie reported."""
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        assert (await scenes.report(magpie, post.id)).status_code == 201
    return post


async def the_case(client: httpx.AsyncClient) -> str:
    """The address of the only case in the queue."""
    queue = await client.get("/moderation")
    [found] = set(re.findall(r'href="(/moderation/cases/[0-9a-f-]+)"', queue.text))
    return found


async def test_a_case_is_chosen_decided_after_a_preview_and_stays_on_screen(app: FastAPI, services: Services) -> None:
    post = await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        queue = await orla.get("/moderation")
        assert queue.status_code == 200
        assert "Name-calling" not in text_of(queue.text)  # enough to choose, never to decide
        address = await the_case(orla)
        taken = await form(orla, queue, f"{address}/claim")
        assert taken.headers["Location"] == f"{address}?done=case-claimed"
        case = await orla.get(address)
        assert case.status_code == 200, text_of(case.text)
        assert "Name-calling" in text_of(case.text)
        chosen = {"measures": "redact", "spans": "a lying toad", "rules": "10", "reason": "Say what she did instead."}
        preview = await form(orla, case, f"{address}/preview", **chosen)
        assert preview.status_code == 200, text_of(preview.text)
        read = text_of(preview.text)
        assert "Some words of your post are taken out." in read
        assert "[removed: rule 10]" in read
        assert "Say what she did instead." in read
        assert "a lying toad" in text_of((await orla.get(f"/threads/{post.thread_id}")).text)  # nothing is decided yet
        decided = await form(orla, preview, f"{address}/decide")
        assert decided.headers["Location"] == f"{address}?done=case-decided", text_of(decided.text)
        assert "a lying toad" not in text_of((await orla.get(f"/threads/{post.thread_id}")).text)
        after = text_of((await orla.get(address)).text)
        assert "This case is decided." in after
        assert "Words taken out" in after
