"""Explicit builders: every test says what there is."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any
from unittest.mock import patch

import asyncpg
import httpx
from fastapi import FastAPI
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from forum.administration import advisers
from forum.administration import roles as role_grants
from forum.app import create_app
from forum.authentication import sessions
from forum.authentication.sessions import Transport
from forum.content import boards
from forum.content.boards import Board, BoardPlan
from forum.content.opening_hours import OpeningHours
from forum.content.posts.context import context_in_thread, context_on_board
from forum.content.posts.draft import Draft
from forum.content.posts.insertion import add_reply, add_thread
from forum.content.posts.queries import PostView
from forum.core import clock
from forum.core.gate import Gate, GateResult, PublishAtOnce, Submission
from forum.core.settings import Settings
from forum.core.weekly_hours import WEEK
from forum.core.work import Work
from forum.http.services import Services
from forum.members import names
from forum.members.queries import get_member
from forum.members.standing import add_sanction
from forum.members.tables import Member, Role, Standing
from forum.members.viewer import Viewer, viewer_of, viewers
from forum.passwords.hashing import OwnHashes

PASSWORD = "four quiet herons dancing"
BASE = "https://forum.test"
NEWCOMER = timedelta(hours=1)  # since somebody joined who is new

# For tests of everything but throttles.
UNTHROTTLED: dict[str, Any] = {"requests_at_once": "10000"} | {
    f"{name}_limit": "100000/1 second"
    for name in (
        "api",
        "sign_in",
        "second_factor",
        "passkey",
        "second_factor_day",
        "join",
        "join_try",
        "reset",
        "reset_network",
        "mail",
        "verification",
        "posting",
        "newcomer_posting",
        "editing",
        "preview",
        "reaction",
        "search",
        "guest_search",
        "report",
        "contact",
        "public_report",
        "progress",
        "concern",
        "talk",
        "export",
    )
}


# Our own setting takes 30 ms, the eight codes of a second factor a quarter of a second: most of a test's time.
QUICK_HASHES = OwnHashes(memory=8, passes=1, lanes=1)


@cache
def _hash() -> str:
    return QUICK_HASHES.make(PASSWORD)


class HoldingGate(PublishAtOnce):
    """A gate that holds every text with `word` in it, and notes what it judged and recorded."""

    BECAUSE = "Somebody will read this before others do."

    def __init__(self, word: str = "HOLD") -> None:
        self.word = word
        self.judged: list[Submission] = []
        self.recorded: list[tuple[tuple[str, object], GateResult]] = []

    async def judge(self, _session: AsyncSession, submission: Submission) -> GateResult:
        self.judged.append(submission)
        return GateResult(self.BECAUSE if any(self.word in text for text in submission.texts) else None)

    async def record(
        self, _session: AsyncSession, subject: tuple[str, object], verdict: GateResult, _now: datetime
    ) -> None:
        self.recorded.append((subject, verdict))


@asynccontextmanager
async def application(settings: Settings, gate: Gate | None = None) -> AsyncIterator[FastAPI]:
    """The application, started."""
    made = create_app(settings, gate)
    made.openapi = partial(document, settings.name)  # type: ignore[method-assign]
    async with made.router.lifespan_context(made):
        yield made


@cache
def document(name: str) -> dict[str, Any]:
    """The OpenAPI document of every forum of this name: it takes seconds to make."""
    return create_app(Settings(database_url="postgresql://nobody@localhost/nothing", name=name)).openapi()


def client(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    """A client of the application, over ASGI; failures of ours are answers, as on the wire."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)


def client_at(app: FastAPI, address: str, **headers: str) -> httpx.AsyncClient:
    """A client whose requests come from this internet address."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)


def joining(handle: str, **changes: Any) -> dict[str, Any]:
    """What somebody sends to join."""
    return {"handle": handle, "name": handle.title(), "email": f"{handle}@example.org", "password": PASSWORD, **changes}


def signing_in(login: str, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
    """What somebody sends to sign in."""
    return {"login": login, "password": password, **more}


async def member(
    services: Services,
    handle: str,
    *roles: Role,
    boards: tuple[str, ...] = (),
    joined: timedelta = timedelta(days=400),
    verified: bool = True,
) -> Member:
    """A member who joined long ago, with an address of their own; `boards` are those that they moderate."""
    now = clock.now()
    async with services.database.work() as session:
        made = Member(
            handle=names.normalise_handle(handle),
            skeleton=names.skeleton(handle),
            name=handle.title(),
            name_skeleton=names.skeleton(handle),
            email=f"{handle}@example.org",
            email_verified_at=now - joined if verified else None,
            password_hash=_hash(),
            staff_password=True,
            joined_at=now - joined,
        )
        session.add(made)
        await session.flush()
        for role in roles:
            if role == Role.ADVISER:
                await advisers.appoint(session, made, "Online adviser", "Example Family Charity", now)
            else:
                await role_grants.grant(session, made, role, now)
        for slug in boards:
            await role_grants.grant(session, made, Role.MODERATOR, now, board_id=await _board_id(session, slug))
        return made


async def board(services: Services, slug: str = "new-here", **plan: Any) -> Board:
    """A board that everybody reads and every member writes on, unless the plan says otherwise."""
    async with services.database.work() as session:
        return await boards.create_board(
            session, BoardPlan(**{"slug": slug, "name": slug.title(), **plan}), clock.now()
        )


async def hours(services: Services, outside: str, slug: str = "new-here", *, in_days: int = 2, **more: Any) -> None:
    """Opening hours: nine to ten in London, on one day of the week. In two days, unless said otherwise: closed now."""
    day = WEEK[(clock.now() + timedelta(days=in_days)).weekday()]
    week = [{"weekdays": [day], "opens": "09:00", "closes": "10:00"}]
    wanted = OpeningHours.of_json({"zone": "Europe/London", "week": week, "closed_on": [], "outside": outside, **more})
    async with services.database.work() as session:
        await boards.set_hours(session, await boards.lock_board_row(session, slug), wanted, clock.now())


async def sanction(services: Services, handle: str, standing: Standing, until: datetime | None = None) -> None:
    """A standing that moderation gave an hour ago."""
    async with services.database.work() as session:
        found = await get_member(session, handle)
        await add_sanction(session, found.id, standing, clock.now() - timedelta(hours=1), until)


async def viewer(services: Services, handle: str) -> Viewer:
    """The member as actions know them."""
    async with services.database.work() as session:
        found = await session.execute(viewers().where(Member.handle == handle))
        return viewer_of(found.one())


@asynccontextmanager
async def work(services: Services, at: datetime | None = None, gate: Gate | None = None) -> AsyncIterator[Work]:
    """One transaction, as an action is given it; without a gate, every word is published at once."""
    started = replace(services, gate=gate or PublishAtOnce()).transactions(at or clock.now())
    async with started.begin() as given:
        yield given


async def thread(
    services: Services,
    author: str,
    slug: str = "new-here",
    title: str = "A question",
    body: str = "Hello all",
    at: datetime | None = None,
) -> int:
    """A thread's id; the author opened it with one post, whatever they may do."""
    speaker, draft = await viewer(services, author), Draft(body)
    async with work(services, at) as given:
        context = await context_on_board(given, speaker, slug, draft)
        return (await add_thread(given, speaker, context, title, draft)).thread_id


async def post(
    services: Services, author: str, thread_id: int, body: str = "I see", at: datetime | None = None, **draft: Any
) -> PostView:
    """A reply, whatever the author may do."""
    speaker, words = await viewer(services, author), Draft(body, **draft)
    async with work(services, at) as given:
        return await add_reply(given, speaker, await context_in_thread(given, speaker, thread_id, words), words)


@asynccontextmanager
async def signed_in(app: FastAPI, handle: str, *roles: Role, **about: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a session; the member is made if there is none of that handle."""
    services: Services = app.state.services
    async with services.database.work() as session:
        known = (await session.execute(viewers().where(Member.handle == handle))).first()
    if known is None:
        await member(services, handle, *roles, **about)
    token = await _token(services, handle)
    async with client(app, Authorization=f"Bearer {token}") as http:
        yield http


async def sign_in_again(app: FastAPI, http: httpx.AsyncClient, handle: str) -> None:
    """Give a client whose session ended another."""
    http.headers["Authorization"] = f"Bearer {await _token(app.state.services, handle)}"


async def _token(services: Services, handle: str) -> str:
    """A session's, as signing in opens it, without the work of checking a password."""
    async with services.database.work() as session:
        who = await get_member(session, handle)
        _, token = await sessions.open_session(session, who, Transport.BEARER, clock.now(), second_factor=True)
    return token


async def _board_id(session: Any, slug: str) -> int:
    found = await boards.find_board(session, slug)
    assert found is not None
    return found.id


def as_read(answer: httpx.Response) -> dict[str, Any]:
    """What was written, as a read shows it: help and findings are in the answer to a text alone."""
    return {name: value for name, value in answer.json().items() if name not in {"help", "findings"}}


@contextmanager
def note_of_statements(services: Services) -> Iterator[list[str]]:
    """The SQL that the house sends while the block lasts, without BEGIN and COMMIT and notes of earlier commits.

    And without the look for new terms that each process takes once a second, whoever asks then.
    """
    sent: list[str] = []
    engine, fetch = services.database.transactions.sync_engine, asyncpg.Connection.fetch

    def in_transaction(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    async def by_reader(connection: asyncpg.Connection, statement: str, *rest: Any) -> Any:
        if "pg_notify" not in statement and "AS serial, (SELECT max(crisis_phrase" not in statement:
            sent.append(statement)
        return await fetch(connection, statement, *rest)

    event.listen(engine, "before_cursor_execute", in_transaction)
    try:
        with patch.object(asyncpg.Connection, "fetch", by_reader):
            yield sent
    finally:
        event.remove(engine, "before_cursor_execute", in_transaction)
