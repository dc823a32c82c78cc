"""Of a concern nothing shows to anybody but its leads: each page and each answer is the same before and after."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import httpx
import pytest

from forum.core import clock
from forum.http.current_member import COOKIE
from forum.members.tables import Role
from moderation.concerns import telling
from tests.architecture.test_openapi import filled, finite_operations
from tests.support import make
from tests.web.routes import ROLES, ROWS
from tests.web.village import API, Village

CONCERNS = f"{API}/moderation/concerns"
WORDS = "Somebody here meets them outside, a whimsical thing to find out."
SECRET = ("whimsical", "concern_waiting", "A concern waits")
# Forms with a key of their own, an archive with its time, and records of who read what.
RESTLESS = {
    *("/complaints", "/contact", "/join", "/reports", "/moderation/assessments.zip"),
    *("/moderation/log", f"{API}/moderation/log", "/moderation/concerns/{id}/audit", f"{CONCERNS}/{{id}}/audit"),
}
# What is at the ids of these addresses; of the others, the document's own examples.
PLACES = {
    **{f"{API}/posts": "post", f"{API}/threads": "thread", f"{API}/statements": "statement", f"{API}/talks": "talk"},
    **{f"{API}/moderation/cases": "case", f"{API}/safeguarding/cases": "danger", CONCERNS: "concern"},
}
# What a request says of itself alone, or of when it was sent.
OF_THE_REQUEST = {"date", "x-request-id", "ratelimit", "ratelimit-policy", "content-length", "content-encoding"}

Answer = tuple[int, bytes, Mapping[str, str]]


async def test_nothing_shows_to_anybody_but_a_lead_of_it(lived_in: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    at = clock.now()  # it stands still: somebody keeps a case for some minutes, and what lapses shows
    monkeypatch.setattr(clock, "now", lambda: at)
    async with walkers(lived_in) as readers:
        before = await walk(lived_in, readers)
        concern_id = await raise_and_work_on_one(lived_in)
        after = await walk(lived_in, readers)
        for who in readers:  # and its own address is like one at which there is nothing
            there, nowhere = [await fetch(readers, (who, f"{CONCERNS}/{id_}")) for id_ in (concern_id, uuid4())]
            assert there == nowhere
    changed = [place for place in after if after[place] != before[place]]
    assert [place for place in changed if re.sub("[0-9a-f-]{36}", "{id}", place[1]) not in RESTLESS] == []
    # What is another one at each reading, as a record of what was read is, says nothing of it either.
    marks = [mark.encode() for mark in (*SECRET, concern_id)]
    assert [place for place in changed if any(mark in after[place][1] for mark in marks)] == []


@asynccontextmanager
async def walkers(village: Village) -> AsyncIterator[dict[str, tuple[httpx.AsyncClient, httpx.AsyncClient]]]:
    """A browser and a client of the API for each role, but the lead's; and for a lead whom the concern is about."""
    services = village.services
    for handle, role in (("accused", Role.SAFEGUARDING_LEAD), ("watcher", Role.MODERATOR)):
        await make.member(services, handle, role)
    await watch(village)  # the accused is told of a concern that is not about them
    async with AsyncExitStack() as stack:
        found = {role: (village.browsers[role], village.readers[role]) for role in ROLES if role != "lead"}
        browser = await stack.enter_async_context(make.client(village.app))
        browser.cookies.set(COOKIE, await village.session_of("accused"), domain="forum.test", path="/")
        found["accused lead"] = (browser, await stack.enter_async_context(make.signed_in(village.app, "accused")))
        yield found


async def raise_and_work_on_one(village: Village) -> str:
    """A concern about a moderator and a lead, from a case and a post, of which its lead makes use; its id."""
    lead = village.readers["lead"]
    async with make.signed_in(village.app, "watcher") as watcher:
        wanted = {"about": ["accused", "orla"], "posts": [village.places["post"]], "case_id": village.places["case"]}
        raised = await watcher.post(f"{API}/concerns", json={"text": WORDS, **wanted})
        assert raised.status_code == 201, raised.text
    found = (await lead.get(CONCERNS)).json()["items"]
    [concern_id] = [concern["id"] for concern in found if "accused" in {who["handle"] for who in concern["about"]}]
    path = f"{CONCERNS}/{concern_id}"
    hold = {"reason": "police", "review_on": clock.now().date().isoformat()}
    assert (await lead.get(path)).is_success
    assert (await lead.post(f"{path}/entries", json={"text": WORDS})).is_success
    assert (await lead.put(f"{path}/hold", json=hold)).is_success
    await watch(village)
    return str(concern_id)


async def watch(village: Village) -> None:
    """What the clock does every minute."""
    async with village.services.database.work() as session:
        await telling.watch(session, {}, clock.now())


async def walk(village: Village, readers: Mapping[str, object]) -> dict[tuple[str, str], Answer]:
    """What everybody gets at each address there is, by who asks and where."""
    pages = [(row.example or path).format(**village.places) for path, row in ROWS.items()]
    answers = [address(village, path, operation) for method, path, operation in finite_operations() if method == "GET"]
    places = [(who, where) for who in readers for where in (*pages, *answers)]
    return {place: await fetch(readers, place) for place in places}  # type: ignore[arg-type]


def address(village: Village, path: str, operation: dict[str, object]) -> str:
    place = PLACES.get(path.partition("/{id}")[0], "")
    known = village.places.get(place)
    return filled(path.replace("{id}", str(known), 1) if known else path, operation)


async def fetch(readers: Mapping[str, tuple[httpx.AsyncClient, httpx.AsyncClient]], place: tuple[str, str]) -> Answer:
    who, where = place
    browser, reader = readers[who]
    answer = await (reader if where.startswith(API) else browser).get(where)
    headers = {name: value for name, value in answer.headers.items() if name not in OF_THE_REQUEST}
    return answer.status_code, answer.content, json.loads(json.dumps(headers))
