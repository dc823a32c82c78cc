"""What tests of moderation begin with: a post that somebody minds, a report, a case, a decision."""

from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from forum.content.posts.queries import PostView
from forum.core import clock
from forum.core.errors import NotFound
from forum.http.services import Services
from forum.members.queries import get_member
from moderation import rules
from tests.support import make

API = "/api/v1"
RUDE = "The social worker is a lying toad and I hope her car breaks down."
INSULT = (21, 34)  # "a lying toad "
REDACT = {"kind": "redact", "spans": [list(INSULT)]}
REMOVE, DISMISS, WARN, PUBLISH = ({"kind": kind} for kind in ("remove", "dismiss", "warn", "publish"))


async def house_rules(services: Services) -> None:
    """The ten rules."""
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())


async def confirmed(client: httpx.AsyncClient, method: str, path: str, words: dict[str, Any]) -> httpx.Response:
    """The answer to words, posted as they are if they may show who somebody is."""
    answer = await client.request(method, path, json=words)
    if answer.status_code == 422 and answer.json()["code"] == "personal_information":
        return await client.request(method, path, json=words | {"confirm": answer.json()["confirm"]})
    return answer


async def known(services: Services, handle: str) -> str:
    """A member of this handle, made if there is none."""
    async with services.database.work() as session:
        try:
            return (await get_member(session, handle)).handle
        except NotFound:
            pass
    return (await make.member(services, handle)).handle


async def a_post(services: Services, body: str = RUDE, author: str = "stepdad", slug: str = "new-here") -> PostView:
    """Post 2 of a thread that Heron opened, on a board with house rules."""
    await house_rules(services)
    async with services.database.work() as session:
        exists = (await session.execute(text("SELECT 1 FROM board WHERE slug = :slug"), {"slug": slug})).first()
    if not exists:
        await make.board(services, slug)
    thread = await make.thread(services, await known(services, "heron"), slug)
    return await make.post(services, await known(services, author), thread, body)


async def report(client: httpx.AsyncClient, post_id: int, **changes: Any) -> httpx.Response:
    """A report of rule 10, unless `changes` say otherwise."""
    complaint = {"category": "rule", "rules": [10], "note": "Name-calling", "revision": 1, **changes}
    return await client.post(f"{API}/posts/{post_id}/reports", json=complaint)


async def a_case(client: httpx.AsyncClient, post_id: int, kind: str = "post") -> dict[str, Any]:
    """The open case about a post, on one screen, as this moderator sees it."""
    queue = (await client.get(f"{API}/moderation/cases?limit=100")).json()["items"]
    [found] = [case for case in queue if case["post_id"] == post_id and case["kind"] == kind]
    screen: dict[str, Any] = (await client.get(f"{API}/moderation/cases/{found['id']}")).json()
    return screen


def decision(case: dict[str, Any], *measures: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a moderator sends: these measures, under rule 10 unless said otherwise."""
    return {
        "version": case["version"],
        "revision": case["post_revision"],
        "measures": list(measures),
        "rules": [10],
        "reason": "Say what she did instead.",
        **more,
    }


async def decide(
    client: httpx.AsyncClient, case: dict[str, Any], *measures: dict[str, Any], **more: Any
) -> httpx.Response:
    """A decision on what was on the screen."""
    return await client.post(f"{API}/moderation/cases/{case['id']}/decisions", json=decision(case, *measures, **more))


async def decided(
    app: FastAPI, moderator: httpx.AsyncClient, post_id: int, *measures: dict[str, Any], reporter: str = "magpie"
) -> dict[str, Any]:
    """A report, by Magpie unless said otherwise, and a decision on it."""
    async with make.signed_in(app, reporter) as magpie:
        assert (await report(magpie, post_id)).status_code == 201
    answer = await decide(moderator, await a_case(moderator, post_id), *measures)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def appeal(client: httpx.AsyncClient, statement_id: str, words: str = "It was not meant so.") -> httpx.Response:
    """An author's appeal."""
    return await client.post(f"{API}/statements/{statement_id}/appeal", json={"text": words})


async def hear(
    client: httpx.AsyncClient, case_id: str, outcome: str, *measures: dict[str, Any], **more: Any
) -> httpx.Response:
    """What comes of an appeal."""
    heard = {"measures": [{"kind": outcome}, *measures], "reason": "I looked at it again.", **more}
    return await client.post(f"{API}/moderation/cases/{case_id}/decisions", json=heard)


async def first_page(client: httpx.AsyncClient, thread_id: int) -> list[dict[str, Any]]:
    """The first posts of a thread, as this client sees them."""
    items: list[dict[str, Any]] = (await client.get(f"{API}/threads/{thread_id}/posts")).json()["items"]
    return items


async def sql(services: Services, statement: str, **values: Any) -> Any:
    """A statement by hand, and the rows that it gives, if any."""
    async with services.database.work() as session:
        result: Any = await session.execute(text(statement), values)
        return result.all() if result.returns_rows else None
