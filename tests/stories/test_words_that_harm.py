"""Somebody is told to harm themselves, and cries for help: who reads help, what moderators begin with, what is told."""

import io
import json
import zipfile
from typing import Any

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API
from tests.web.support import fields_of, form, text_of

TOLD = "Nobody wants you here. Just go and kill yourself."
CRY = "I've taken the tablets. I don't want to be here any more."


async def _a_case(client: httpx.AsyncClient, category: str) -> dict[str, Any]:
    items = (await client.get(f"{API}/moderation/cases")).json()["items"]
    [case] = [one for one in items if one["category"] == category]
    return dict(case)


async def _copy(client: httpx.AsyncClient, services: Services, name: str) -> Any:
    """One section of the copy of somebody's data."""
    asked = (await client.post(f"{API}/me/exports")).json()["id"]
    await run_due_jobs(services, clock.now())
    archive = (await client.get(f"{API}/me/exports/{asked}/archive")).content
    return json.loads(zipfile.ZipFile(io.BytesIO(archive)).read(f"data/{name}.json"))


async def test_help_is_for_whom_the_words_address_and_a_moderator_begins_with_words_of_the_house(
    app: FastAPI, services: Services
) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "toad") as toad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await make.member(services, "orla", Role.MODERATOR)
        words = {"title": "I am so tired", "body_markdown": "Third night without sleep."}
        thread = (await wren.post(f"{API}/boards/new-here/threads", json=words)).json()["id"]
        path = f"/threads/{thread}"
        reply = {"body_markdown": TOLD, "reply_to": 1}
        sent = (await toad.post(f"{API}{path}/posts", json=reply)).json()
        assert sent["help"] is None
        assert "Only you see this." not in (await toad.get(path)).text
        assert "Only you see this." in text_of((await wren.get(path)).text)
        await run_due_jobs(services, clock.now())
        removed = await scenes.decide(suzie, await _a_case(suzie, "encouragement"), scenes.REMOVE)
        assert removed.status_code == 201, removed.text
        assert "Only you see this." in text_of((await wren.get(path)).text)  # they have read it

        cried = (await wren.post(f"{API}{path}/posts", json={"body_markdown": CRY})).json()
        assert cried["help"]["kind"] == "attempt"
        case = await _a_case(suzie, "risk")
        page = f"/moderation/cases/{case['id']}"
        begun = await form(suzie, await suzie.get(page), f"{page}/first-words", first_words="with-you")
        message = fields_of(begun.text, f"{page}/talks")["message"]
        assert message.startswith("I have read what you wrote, and I am with you in this.")
        assert (await form(suzie, begun, f"{page}/talks")).status_code == 303
        [talk] = (await wren.get(f"{API}/me/talks")).json()["items"]
        assert "I am with you in this." in text_of((await wren.get(f"/me/talks/{talk['id']}")).text)

        wish = {"reason": "She took tablets an hour ago.", "recipient": "The police", "reference": "Log 412"}
        shown = await suzie.post(f"{API}/moderation/cases/{case['id']}/disclosures", json=wish)
        assert shown.json()["email"] == "wren@example.org"
        [told] = await _copy(wren, services, "address_disclosures")
        assert (told["recipient"], "life" in told["ground"]) == ("The police", True)
        assert "suzie" not in json.dumps(told).lower()
