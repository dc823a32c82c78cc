"""Whom a case is about sees nothing of it: every read of the API, in each role, before, with and after the case."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from forum.content.posts.queries import PostView
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Persona, Role
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, WARN
from tests.support.streams import EVENTS

NOTE, TOLD = "He did it before.", "She writes this under every post."
# Reads of the accused that change when they read anything; and what asks for no member's data.
THEIR_OWN_SESSION = (f"{API}/me/sessions", f"{API}/docs", f"{API}/openapi.json", EVENTS)
# What a decision tells its author: it says nothing of the case.
TOLD_OF_A_DECISION = tuple(
    f"{API}{path}" for path in ("/me/statements", "/statements/{id}", "/me/notifications", "/home")
)

Seen = dict[str, tuple[int, str, str | None]]

ROLES = {
    "member": ((), ()),
    "adviser": ((Role.ADVISER,), ()),
    "moderator": ((Role.MODERATOR,), ()),
    "board moderator": ((), ("new-here",)),
    "administrator": ((Role.ADMINISTRATOR,), ()),
    "everything": ((Role.ADVISER, Role.MODERATOR, Role.ADMINISTRATOR), ("new-here",)),
}


@dataclass
class Forum:
    """The accused with their post; others who work here, and a reporter."""

    app: FastAPI
    services: Services
    post: PostView
    accused: httpx.AsyncClient
    suzie: httpx.AsyncClient
    orla: httpx.AsyncClient
    magpie: httpx.AsyncClient

    @property
    def secrets(self) -> set[str]:
        """Words that only those around the case wrote."""
        return {NOTE, TOLD}


@pytest.fixture(params=ROLES)
async def forum(app: FastAPI, services: Services, request: pytest.FixtureRequest) -> AsyncIterator[Forum]:
    """A forum in which somebody of each role wrote a post that others will mind."""
    roles, boards = ROLES[request.param]
    await make.board(services)
    await make.member(services, "ada", *roles, boards=boards)
    post = await scenes.a_post(services, author="ada")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        yield Forum(
            app,
            services,
            post,
            await enter(make.signed_in(app, "ada")),
            await enter(make.signed_in(app, "suzie", Role.MODERATOR)),
            await enter(make.signed_in(app, "orla", Role.MODERATOR, Role.ADMINISTRATOR)),
            await enter(make.signed_in(app, "magpie")),
        )


async def test_nothing_of_a_case_shows_to_whom_it_is_about(forum: Forum) -> None:
    document = forum.app.openapi()
    # Addresses that will be of use once there is a case are read before, too.
    sought = [str(uuid4())]
    before = await everything(forum, document, sought)
    case_ids = await a_case_and_all_that_belongs_to_it(forum)
    assert await everything(forum, document, sought) == before
    with_its_id = await everything(forum, document, case_ids)
    screens = {status for path, (status, *_) in with_its_id.items() if f"cases/{case_ids[0]}" in path}
    assert screens <= {403, 404}
    for words in (*forum.secrets, *case_ids):
        assert words not in str([body for path, (_, body, _) in with_its_id.items() if words not in path])


@pytest.mark.parametrize("forum", ["member", "everything"], indirect=True)
async def test_a_decision_tells_its_author_of_itself_only(forum: Forum) -> None:
    document = forum.app.openapi()
    sought = [str(uuid4())]
    before = await everything(forum, document, sought)
    assert (await scenes.report(forum.magpie, forum.post.id, note=TOLD)).status_code == 201
    case = await scenes.a_case(forum.orla, forum.post.id)
    assert (await scenes.decide(forum.orla, case, WARN, note=NOTE)).status_code == 201
    after = await everything(forum, document, sought)
    changed = {path for path in before if before[path] != after[path]}
    assert changed <= {path for path in before if path.partition("?")[0] in TOLD_OF_A_DECISION}
    [told] = (await forum.accused.get(f"{API}/me/statements")).json()["items"]
    lodged = await scenes.appeal(forum.accused, told["id"], "It was not meant so.")
    assert lodged.status_code == 201
    with_their_own = await everything(forum, document, [told["id"]])
    for words in (*forum.secrets, "Magpie", "magpie", "Suzie", "Orla", case["id"]):
        around = [body for path, (_, body, _) in with_their_own.items() if is_about_the_case(path, words)]
        assert words not in str(around), words


def is_about_the_case(path: str, words: str) -> bool:
    """Whether a read has no other reason to say these words: cards and lists of members, teams and accounts do."""
    return words not in path and not any(
        part in path
        for part in (
            *("/members", "/accounts", "/team", "/advisers", "/administration", "/moderation/log"),
            "/moderation/own-safety",  # who reads a category, of all moderators
        )
    )


async def test_an_alias_does_not_see_the_case_about_their_other_name(forum: Forum) -> None:
    """Whose an alias is, moderators do not know; the rule that hides a case from its author knows all their names."""
    async with forum.services.database.work() as session:
        ada = await get_member(session, "ada")
        alias = Persona(thread_id=forum.post.thread_id, name="A quiet one")
        session.add(alias)
        await session.flush()
        alias_id = alias.id
    await scenes.sql(
        forum.services,
        "INSERT INTO persona_owner (persona_id, member_id, thread_id) VALUES (:alias, :member, :thread)",
        alias=alias_id,
        member=ada.id,
        thread=forum.post.thread_id,
    )
    written = "UPDATE post SET author_id = :alias WHERE id = :id"
    await scenes.sql(forum.services, written, alias=alias_id, id=forum.post.id)
    assert (await scenes.report(forum.magpie, forum.post.id)).status_code == 201
    await make.sign_in_again(forum.app, forum.accused, "ada")  # a session knows the names that there were
    [[case_id]] = await scenes.sql(forum.services, "SELECT id FROM moderation_case")
    answer = await forum.accused.get(f"{API}/moderation/cases/{case_id}")
    assert answer.status_code in {403, 404}
    queue = (await forum.accused.get(f"{API}/moderation/cases")).json()
    assert queue.get("items", []) == []


async def a_case_and_all_that_belongs_to_it(forum: Forum) -> list[str]:
    """A report, claims, a note, a dismissal, the reporter's appeal, and the case that it opens again; their ids."""
    assert (await scenes.report(forum.magpie, forum.post.id, note=TOLD)).status_code == 201
    case = await scenes.a_case(forum.suzie, forum.post.id)
    base = f"{API}/moderation/cases/{case['id']}"
    assert (await forum.suzie.put(f"{base}/claim")).status_code == 200
    assert (await forum.suzie.post(f"{base}/notes", json={"text": NOTE})).status_code == 201
    assert (await forum.suzie.get(f"{API}/moderation/members/ada")).status_code == 200
    case = await scenes.a_case(forum.suzie, forum.post.id)
    assert (await scenes.decide(forum.suzie, case, DISMISS)).status_code == 201
    [report] = (await forum.magpie.get(f"{API}/me/reports")).json()["items"]
    lodged = await forum.magpie.post(f"{API}/reports/{report['id']}/appeal", json={"text": TOLD})
    assert lodged.status_code == 201
    hearing = await scenes.a_case(forum.orla, forum.post.id, "appeal")
    assert (await scenes.hear(forum.orla, hearing["id"], "overturn")).status_code == 201
    reopened = await scenes.a_case(forum.orla, forum.post.id)
    assert reopened["id"] == case["id"]
    return [case["id"], hearing["id"], report["id"], lodged.json()["id"]]


async def everything(forum: Forum, document: Mapping[str, Any], ids: list[str]) -> Seen:
    """What every GET of the document answers to the accused, with each of these ids: status, body and ETag."""
    seen: Seen = {}
    for path, operations in document["paths"].items():
        if "get" not in operations or path in THEIR_OWN_SESSION:
            continue
        for address in addresses(forum, path, ids):
            answer = await forum.accused.get(address)
            assert answer.status_code < 500, (address, answer.text)
            seen[address] = steady(address, answer)
    return seen


def steady(address: str, answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, body and ETag; of the log without what the accused did, because reading accounts is in it itself."""
    if answer.status_code != 200 or "/moderation/log" not in address:
        return answer.status_code, answer.text, answer.headers.get("etag")
    others = [entry for entry in answer.json()["items"] if entry["by"] is None or entry["by"]["handle"] != "ada"]
    return answer.status_code, str(others), None


def addresses(forum: Forum, path: str, ids: list[str]) -> set[str]:
    """The path with everything in its places that there is: threads, posts, boards, members, these ids."""
    known: dict[str, list[Any]] = {
        "slug": ["new-here"],
        "handle": ["ada", "magpie", "suzie", "orla"],
        "number": [1, 2],
        "id": [forum.post.id, forum.post.thread_id, *ids],
        "post_id": [forum.post.id],
    }
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    chosen = product(*(known.get(name, [*ids, 1]) for name in names))
    filled = {path.format(**dict(zip(names, values, strict=True))) for values in chosen}
    if path.endswith("/moderation/log"):
        filled |= {f"{path}?limit=100", *(f"{path}?subject_kind=case&subject_id={one}" for one in ids)}
        filled |= {f"{path}?subject_kind=post&subject_id={forum.post.id}", f"{path}?actor=suzie"}
    if path.endswith("/moderation/cases"):
        filled |= {f"{path}?limit=1"}
    return filled
