"""Every list that is longer than its page goes on: the link leads to what comes next, and not round in a circle."""

import re
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from html import unescape
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes

API = "/api/v1"
NEXT = re.compile(r'<a [^>]*href="([^"]+)" rel="next">')
STAFF = {
    "ada": (Role.ADVISER,),
    "orla": (Role.MODERATOR,),
    "priya": (Role.SAFEGUARDING_LEAD,),
    "joan": (Role.ADMINISTRATOR,),
}


@pytest.fixture
def _pages_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page of a list has one row."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("forum.web.", "moderation.web.", "forum.content.reading", "moderation.member_record")):
            for size in [size for size in vars(module) if size.endswith("_A_PAGE")]:
                monkeypatch.setattr(module, size, 1)


@pytest.fixture
async def people(app: FastAPI, services: Services) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Everybody who reads lists."""
    await scenes.house_rules(services)
    await make.board(services)
    async with AsyncExitStack() as stack:
        guest = await stack.enter_async_context(make.client(app))
        members = {
            who: await stack.enter_async_context(make.signed_in(app, who, *STAFF.get(who, ())))
            for who in ("heron", "magpie", "wren", *STAFF)
        }
        yield {"guest": guest, **members}


async def two_of_everything(services: Services, people: dict[str, httpx.AsyncClient]) -> dict[str, object]:
    """Make what the lists show; the ids that addresses need."""
    heron, magpie, orla = people["heron"], people["magpie"], people["orla"]
    places: dict[str, object] = {}
    for number in (1, 2):
        thread = await make.thread(services, "heron", title=f"Question {number}")
        replies = f"{API}/threads/{thread}/posts"
        for words in ("I am an adviser.", "And I say more."):
            await sent(people["ada"].post(replies, json={"body_markdown": words}))
        own = await sent(heron.post(replies, json={"body_markdown": "Thank you."}))
        rude = await sent(magpie.post(replies, json={"body_markdown": "What a toad."}))
        await sent(heron.put(f"{API}/posts/{rude['id']}/bookmark"))
        await sent(scenes.report(heron, rude["id"], category="risk"))
        case = await scenes.a_case(orla, rude["id"])
        asked = {"text": "Are you well?", "report_id": case["reported"][0]["id"]}
        talk = await sent(orla.post(f"{API}/moderation/cases/{case['id']}/talks", json=asked))
        await sent(heron.post(f"{API}/talks/{talk['talk_id']}/messages", json={"text": "I am."}))
        unkind = {"message_id": talk["id"], "text": "Too curt."}
        await sent(heron.post(f"{API}/talks/{talk['talk_id']}/complaints", json=unkind))
        await sent(orla.post(f"{API}/moderation/members/magpie/notes", json={"text": f"Note {number}"}))
        await sent(people["guest"].post(f"{API}/password-resets", json={"login": "wren@example.org"}))
        await make.thread(services, "wren", title=f"It waits {number}")
        places = {"thread": thread, "own": own["id"], "talk": talk["talk_id"]}
    for reader, kind in ((people["wren"], "thank"), (magpie, "hug")):
        await sent(reader.put(f"{API}/posts/{places['own']}/reactions/{kind}"))
    return places


async def sent(sending: Awaitable[httpx.Response]) -> dict[str, Any]:
    """What came of it."""
    answer = await sending
    assert answer.is_success, answer.text
    return dict(answer.json()) if answer.content else {}


LISTS = {
    "heron": (
        "/me/notices",
        "/me/bookmarks",
        "/posts/{own}/reactions",
        "/me/subscriptions",
        "/me/threads?kind=opened",
        "/me/reports",
        "/me/talks",
        "/me/talks/{talk}",
        "/me/complaints",
    ),
    "guest": ("/boards/new-here", "/threads/{thread}", "/threads/{thread}?advisers=yes"),
    "ada": ("/advising",),
    "orla": (
        "/moderation",
        "/moderation/log",
        "/moderation/log?actor=orla",
        "/moderation/members/magpie",
        "/moderation/members/magpie/posts",
    ),
    "priya": ("/safeguarding",),
    "joan": ("/admin/people", "/admin/unsent-mails"),
}


@pytest.mark.usefixtures("_pages_of_one")
async def test_a_list_goes_on(services: Services, people: dict[str, httpx.AsyncClient]) -> None:
    places = await two_of_everything(services, people)
    for who, paths in LISTS.items():
        for path in paths:
            first = path.format(**places)
            page = await people[who].get(first)
            assert page.status_code == 200, (first, page.text)
            [following] = NEXT.findall(page.text) or pytest.fail(f"{first} has no link to what comes next")
            after = await people[who].get(unescape(following))
            assert after.status_code == 200, (following, after.text)
            assert unescape(following) not in map(unescape, NEXT.findall(after.text)), following
