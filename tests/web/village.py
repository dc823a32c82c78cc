"""The made-up community, with everything that moderators can do to words done once: what the walks through pages read.

It is made once for all tests of a process, so tests that change it use it last and undo nothing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum import demo
from forum.authentication import sessions
from forum.authentication.second_factor.tables import Passkey
from forum.authentication.sessions import Transport
from forum.content.threads.tables import Thread
from forum.core import clock
from forum.core.gate import PublishAtOnce
from forum.core.settings import Settings
from forum.core.work import Work
from forum.demo.keys import DemoKeys
from forum.http.current_member import COOKIE
from forum.http.services import Services
from forum.importers.addresses import keys_of
from forum.importers.tables import ImportRun, MovedItem, MovedKind
from forum.members.queries import get_member
from forum.privacy.tables import Export, ExportPart
from forum.web.pages import Page
from forum.web.visits import Visit
from moderation import rules
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.web.routes import ROLES

API = "/api/v1"
# Who reads: one of the community for each role. The member is the author whose words were taken out.
HANDLES = {
    "member": "stepdad_si",
    "adviser": "suzie",
    "moderator": "orla",
    "lead": "priya",
    "administrator": "joan",
    "suspended": "col.in.the.van",
}
KEYS = DemoKeys(make.PASSWORD, "seed")
ANGRY = "SW statement is full of lies and it goes to the judge on monday"


@dataclass
class Village:
    """The application with its community: a browser for each role, and addresses of what is in it."""

    app: FastAPI
    browsers: dict[str, httpx.AsyncClient] = field(default_factory=dict)
    readers: dict[str, httpx.AsyncClient] = field(default_factory=dict)  # the same people, of the API
    places: dict[str, Any] = field(default_factory=dict)  # what stands for {thread}, {post} … in the table of routes
    shown: set[type[Page]] = field(default_factory=set)  # the pages that were rendered

    @property
    def services(self) -> Services:
        """What the application is made of."""
        result: Services = self.app.state.services
        return result

    async def browser(self, role: str, ago: timedelta = timedelta(0)) -> httpx.AsyncClient:
        """A new browser of somebody who signed in just now, or some time ago, with a session of its own."""
        opened = make.client(self.app)
        await self._sign_in(opened, role, ago)
        return opened

    async def sign_in_again(self) -> None:
        """Let the browsers of all be as they were at first: a walk that sends forms signs some of them out."""
        for role, browser in self.browsers.items():
            browser.cookies.clear()
            await self._sign_in(browser, role)
        for role, handle in HANDLES.items():
            await make.sign_in_again(self.app, self.readers[role], handle)

    async def _sign_in(self, browser: httpx.AsyncClient, role: str, ago: timedelta = timedelta(0)) -> None:
        if role != "guest":
            browser.cookies.set(COOKIE, await self.session_of(HANDLES[role], ago), domain="forum.test", path="/")

    async def session_of(self, handle: str, ago: timedelta = timedelta(0)) -> str:
        """The token of a new session, as the cookie has it."""
        async with self.services.database.work() as session:
            who, since = await get_member(session, handle), clock.now() - ago
            return (await sessions.open_session(session, who, Transport.COOKIE, since, second_factor=True))[1]


@asynccontextmanager
async def village(settings: Settings) -> AsyncIterator[Village]:
    """The community in the database of these settings, and a note of every page that it shows."""
    async with make.application(settings) as app, inhabited(app) as made:
        with _note_of_pages(made.shown):
            yield made


@asynccontextmanager
async def inhabited(app: FastAPI) -> AsyncIterator[Village]:
    """The community in the database of an application; where it lives there already, only found."""
    async with AsyncExitStack() as stack:
        made = Village(app)
        await _settle(made)
        for role in ROLES:
            made.browsers[role] = await stack.enter_async_context(await made.browser(role))
            reader = make.client(app) if role == "guest" else make.signed_in(app, HANDLES[role])
            made.readers[role] = await stack.enter_async_context(reader)
        await _live(made)
        yield made


class _note_of_pages:  # noqa: N801 - used as a function
    def __init__(self, shown: set[type[Page]]) -> None:
        self._shown, self._patch = shown, pytest.MonkeyPatch()

    def __enter__(self) -> None:
        show: Callable[..., Any] = Visit.show
        noted = self._shown

        def and_note(visit: Visit, page: Page, *args: Any, **kwargs: Any) -> Any:
            noted.add(type(page))
            return show(visit, page, *args, **kwargs)

        self._patch.setattr(Visit, "show", and_note)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


async def _settle(village: Village) -> None:
    services = village.services
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
        work = Work(session, clock.now(), services.settings, services.rate_limits, PublishAtOnce())
        await demo.fill(work, KEYS, written=lambda: None)


async def _live(village: Village) -> None:
    """Do what the community has not done, so that each page has something to show; and note where it is."""
    orla, joan, si = (village.readers[role] for role in ("moderator", "administrator", "member"))
    angry = await _thread(orla, "court", ANGRY)
    posts = await scenes.first_page(orla, angry)
    rude = next(post for post in posts if post["notice"])
    later = await _said(await si.post(f"{API}/threads/{angry}/posts", json={"body_markdown": "Sorry for before."}))
    for reader, kind in ((orla, "thank"), (joan, "same_here")):
        assert (await reader.put(f"{API}/posts/{later['id']}/reactions/{kind}")).is_success
    assert (await si.put(f"{API}/posts/{posts[0]['id']}/bookmark")).is_success
    gone = await _said(await si.post(f"{API}/threads/{angry}/posts", json={"body_markdown": "The judge is a toad."}))
    statement = await _decided(village, gone["id"], scenes.REMOVE, scenes.WARN)
    await _said(await scenes.report(si, posts[1]["id"]))
    threats = {"note": "Threats by mail", "category": "other"}
    shut = await _said(await orla.post(f"{API}/moderation/members/{HANDLES['suspended']}/case", json=threats))
    until = (clock.now() + timedelta(days=7)).isoformat()
    case = (await orla.get(f"{API}/moderation/cases/{shut['id']}")).json()
    await _said(await scenes.decide(orla, case, {"kind": "suspend", "until": until}))
    seen = await scenes.a_case(orla, posts[1]["id"])
    question = {"text": "Are you well?", "report_id": seen["reported"][0]["id"]}
    asked = await _said(await orla.post(f"{API}/moderation/cases/{seen['id']}/talks", json=question))
    words = {"title": "Name-calling", "text": "Say what they did instead."}
    await _said(await orla.put(f"{API}/moderation/templates/name-calling", json=words))
    answer = {"title": "Kinship care", "text": "Hello {name}, this says more: {link:our page}"}
    suzie = village.readers["adviser"]
    answers = await _said(await suzie.post(f"{API}/adviser/templates", json=answer))
    term = {"kind": "word", "text": "gobshite", "effect": "case", "note": "He came back twice."}
    watched = await _said(await joan.post(f"{API}/moderation/terms", json=term))
    invited = await _said(await joan.post(f"{API}/invitations", json={"email": "new@example.org", "role": "moderator"}))
    cry = await _said(await si.post(f"{API}/threads/{angry}/posts", json={"body_markdown": "I want to die tonight."}))
    await _keep_own(village)
    guest = village.readers["guest"]
    outside = {"post": "The one about the car", "capacity": "named", "category": "rule", "text": "It is about me."}
    await _said(await guest.post(f"{API}/reports", json=outside))
    await run_due_jobs(village.services, clock.now())
    hook = {"url": "https://hooks.test/forum", "events": ["thread.opened", "post.removed"]}
    hooks = f"{API}/administration/webhooks"
    told = await _said(await joan.post(hooks, json=hook))
    await _said(await joan.post(f"{hooks}/{told['id']}/tests"))
    await _said(await guest.post(f"{API}/complaints", json={"about": "duties", "text": "I cannot find your rules."}))
    sought = await _said(await guest.post(f"{API}/searches", json={"query": "court"}))
    found = {
        what: (await joan.get(f"{API}/moderation/{what}")).json()["items"][0]["id"]
        for what in ("reports", "complaints")
    }
    reports = (await si.get(f"{API}/me/reports")).json()["items"]
    dangers = (await orla.get(f"{API}/moderation/cases?category=risk")).json()["items"]
    worry = {"text": "Somebody writes to him at night.", "about": [HANDLES["moderator"]], "posts": [rude["id"]]}
    await _said(await village.readers["adviser"].post(f"{API}/concerns", json=worry))
    concerns = (await village.readers["lead"].get(f"{API}/moderation/concerns")).json()["items"]
    elsewhere = (await si.get(f"{API}/resources")).json()["items"]
    await _move_in(village, angry)
    village.places |= {
        "old_thread": 33,
        "old_post": 77,
        "old_board": 2,
        "old_person": 7,
        "danger": dangers[0]["id"],
        "public_report": found["reports"],
        "service_complaint": found["complaints"],
        "concern": concerns[0]["id"],
        "board": "court",
        "search": sought["id"],
        "thread": angry,
        "post": rude["id"],
        "own_post": later["id"],
        "cry": cry["id"],
        "removed_post": gone["id"],
        "handle": HANDLES["member"],
        "case": seen["id"],
        "statement": statement,
        "report": reports[0]["id"],
        "talk": asked["talk_id"],
        "message": asked["id"],
        "appeal": await _appealed(si, statement),
        "rule": 10,
        "role": "moderator",
        "template": "name-calling",
        "answer": answers["id"],
        "term": watched["id"],
        "invitation": invited["id"],
        "webhook": told["id"],
        "resource": elsewhere[0]["id"],
    }


async def _move_in(village: Village, thread_id: int) -> None:
    """Let a thread, its board and a member be those that moved here from an old board."""
    async with village.services.database.work() as session:
        thread = await session.get_one(Thread, thread_id)
        member = await get_member(session, HANDLES["member"])
        run = ImportRun(source="phpbb https://old.example.org/", started_at=clock.now())
        session.add(run)
        await session.flush()
        moved = partial(MovedItem, source=run.source, run_id=run.id)
        session.add(moved(kind=MovedKind.THREAD, old="33", thread_id=thread_id))
        session.add(moved(kind=MovedKind.POST, old="77", thread_id=thread_id, number=1))
        session.add(moved(kind=MovedKind.BOARD, old="2", board_id=thread.board_id))
        session.add(moved(kind=MovedKind.PERSON, old="7", member_id=member.id))
        blog = partial(moved, source="wordpress https://blog.example.org/")
        session.add(blog(kind=MovedKind.ADDRESS, old=keys_of("2019/05/what-now")[0], thread_id=thread_id))


async def _keep_own(village: Village) -> None:
    """Give the member a passkey, and a copy of their data that is ready."""
    now = clock.now()
    async with village.services.database.work() as session:
        owner = await get_member(session, HANDLES["member"])
        passkey = Passkey(
            member_id=owner.id,
            user_handle=b"handle",
            credential_id=b"credential",
            public_key=b"key",
            sign_count=0,
            backed_up=False,
            name="My phone",
            created_at=now,
        )
        copy = Export(member_id=owner.id, asked_at=now, made_at=now, expires_at=now + timedelta(days=2), size=4)
        session.add_all([passkey, copy])
        await session.flush()
        session.add(ExportPart(export_id=copy.id, number=0, content=b"PK.."))
        village.places |= {"copy": copy.id, "passkey": passkey.id}


async def _appealed(si: httpx.AsyncClient, statement: str) -> str:
    """An appeal of the member's, against another decision than the one to which they can still object."""
    others = [own for own in (await si.get(f"{API}/me/statements")).json()["items"] if own["id"] != statement]
    appeal = others[0]["appeal"] or await _said(await scenes.appeal(si, others[0]["id"]))
    return str(appeal["id"])


async def _thread(reader: httpx.AsyncClient, board: str, title: str) -> int:
    threads = (await reader.get(f"{API}/boards/{board}/threads?limit=100")).json()["items"]
    return int(next(thread["id"] for thread in threads if thread["title"] == title))


async def _decided(village: Village, post_id: int, *measures: dict[str, Any]) -> str:
    """A statement of reasons: of what was decided about a post that an adviser reported."""
    await _said(await scenes.report(village.readers["adviser"], post_id))
    orla = village.readers["moderator"]
    decision = await _said(await scenes.decide(orla, await scenes.a_case(orla, post_id), *measures))
    return str(decision["statement_id"])


async def _said(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    result: dict[str, Any] = answer.json()
    return result
