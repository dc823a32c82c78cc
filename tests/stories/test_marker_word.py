"""What was taken out is gone everywhere at once: every GET there is, as everybody, looked through for one word."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.core import clock
from forum.core.audit import AuditEntry
from forum.http.services import Services
from forum.members.tables import Role
from forum.notifications.live_events.queries import read_now
from moderation import rules
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.streams import EVENTS, stream

API = "/api/v1"
MARK = "quetzalwort"
LINE = f"She is a {MARK} of the very worst sort."
BODY = f"The first line is kind.\n{LINE}\nThe last line is kind too."
SPAN = f"{MARK} of the very worst"
KIND = "We were told to wait."

# Who may read the word still, where, and why: after any measure, and after a removal.
ALWAYS: Mapping[tuple[str, str], str] = {
    ("author", f"{API}/me/statements"): "a statement quotes the words that it is about (DSA, article 17)",
    ("author", f"{API}/statements/{{id}}"): "the same statement",
    ("moderator", f"{API}/posts/{{id}}/revisions/{{number}}"): "sealed words: the reading is recorded",
    ("moderator", f"{API}/threads/{{id}}/revisions/{{number}}"): "the same, of a title",
    ("moderator", f"{API}/moderation/cases/{{id}}/posts/{{post_id}}/revisions/{{number}}"): "the same, in a case",
    ("moderator", f"{API}/moderation/cases/{{id}}/titles/{{number}}"): "the same, of a title",
}
REMOVED: Mapping[tuple[str, str], str] = {
    ("moderator", f"{API}/posts/{{id}}/revisions"): "what a removed post says, for whoever hears the appeal",
    ("moderator", f"{API}/moderation/cases/{{id}}"): "the same",
    ("moderator", f"{API}/moderation/members/{{handle}}/posts"): "the same",
}
ALLOWED = {"redact": ALWAYS, "edit": ALWAYS, "remove": {**ALWAYS, **REMOVED}}

# Quotes of the line as people make them, and other ways to repeat it; `{handle}` is its author's.
ECHOES = {
    "attributed": f"> @{{handle}} #{{number}}\n> {LINE}\n\nNo.",
    "unattributed": f"> {LINE}\n\nNo.",
    "in capitals": f"> {LINE.upper()}\n\nNo.",
    "in no quote": f"I read: {LINE.lower()} That hurts.",
    "wrapped": f"> She is a\n> {MARK} of the\n> very worst sort.\n\nNo.",
    "a quote of a quote": f"> @magpie #3\n> > {LINE}\n\nNo.",
    "half of it": f"> She is a {MARK} of the\n\nNo.",
    "one word of it": f"> {MARK}\n\nNo.",
    "with emphasis": f"> She is a **{MARK}** of the _very worst_ sort.\n\nNo.",
    "spaced": f"> She  is a\t{MARK} of   the very worst sort.\n\nNo.",
    "in a list": f"1. > {LINE}\n2. No.",
}


@dataclass
class World:
    """A thread in which a word was said, and everybody who reads."""

    readers: dict[str, httpx.AsyncClient]
    thread: int
    post: dict[str, Any]
    ids: dict[str, set[str]] = field(default_factory=dict)
    begun: str = ""  # the place in the order of events before anything was said

    def __getitem__(self, reader: str) -> httpx.AsyncClient:
        return self.readers[reader]

    def know(self, name: str, *values: object) -> None:
        """Let the walk put these into parameters of this name."""
        self.ids.setdefault(name, set()).update(map(str, values))


@dataclass(frozen=True)
class Address:
    """Something to GET."""

    path: str  # as the document has it
    place: str  # with what it needs filled in
    url: str  # with something more that can be asked for


def addresses(document: Mapping[str, Any], known: Mapping[str, set[str]]) -> Iterator[Address]:
    """Every GET of an OpenAPI document, with every known value of each parameter; a name that is not known fails."""
    for path, operations in document["paths"].items():
        if "get" not in operations or path == EVENTS:
            continue
        needed: dict[str, list[str]] = {}
        free: dict[str, list[str]] = {}
        for one in operations["get"].get("parameters", ()):
            # "{id}" is whose path it is in: /threads/{id}/posts takes "threads/{id}".
            steps = path.split("/")
            place = steps[steps.index("{" + one["name"] + "}") - 1] + "/" if one["in"] == "path" else "?"
            name = f"{place}{one['name']}"
            if one["in"] != "header" and name not in known:
                pytest.fail(f"The walk knows no values for {name} of GET {path}")
            if one["in"] != "header":
                (needed if one.get("required") else free)[name] = sorted(known[name])
        for values in product(*needed.values()):
            given = dict(zip(needed, values, strict=True))
            filled = path.format(**{name.partition("/")[2]: value for name, value in given.items() if name[0] != "?"})
            query = {name[1:]: value for name, value in given.items() if name[0] == "?"}
            for more in ({}, *({name[1:]: value} for name in free for value in free[name])):
                asked = urlencode({**query, **more})
                yield Address(path, f"{filled}?{urlencode(query)}", f"{filled}?{asked}" if asked else filled)


@dataclass(frozen=True)
class Finding:
    """Who met the word where."""

    reader: str
    path: str
    url: str
    said: str
    etag: str | None


async def walk(app: FastAPI, world: World) -> list[Finding]:
    """GET everything as everybody, page after page; where the word was found."""
    document = app.openapi()
    found = []
    for reader, http in world.readers.items():
        async with stream(
            app, world.thread or 1, token=http.headers.get("authorization", ""), after=world.begun
        ) as heard:
            frames = (await heard.first()).casefold()
            found += [Finding(reader, EVENTS, EVENTS, frames, None)] if MARK in frames else []
        closed = set[str]()  # what is not for this reader: asking for less of it opens nothing
        for address in addresses(document, world.ids):
            url: str | None = address.url if address.place not in closed else None
            while url:
                answer = await http.get(url)
                assert answer.status_code < 500, (url, answer.text)
                if answer.status_code in {401, 403, 404}:
                    closed.add(address.place)
                shown = (answer.text + str(answer.headers)).casefold()
                if MARK in shown:
                    said = shown[max(0, shown.index(MARK) - 60) :][:120]
                    found.append(Finding(reader, address.path, url, said, answer.headers.get("etag")))
                url = answer.links["next"]["url"] if "next" in answer.links else None
    return found


@pytest.fixture
async def world(app: FastAPI, services: Services) -> AsyncIterator[World]:
    """Everybody there is; nobody has said anything yet."""
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
    await make.board(services)
    await make.board(services, "kinship")
    async with AsyncExitStack() as stack:
        readers = {"guest": await stack.enter_async_context(make.client(app))}
        for name, handle, roles, boards in (
            ("author", "heron", (), ()),
            ("member", "magpie", (), ()),
            ("reporter", "nell", (), ()),
            ("adviser", "ada", (Role.ADVISER,), ()),
            ("moderator", "suzie", (), ("new-here",)),
            ("other board's moderator", "femi", (), ("kinship",)),
            ("administrator", "joan", (Role.ADMINISTRATOR,), ()),
        ):
            signed_in = make.signed_in(app, handle, *roles, boards=boards)
            readers[name] = await stack.enter_async_context(signed_in)
        world = World(readers, 0, {})
        world.begun = str((await read_now(services.database.reader, None)).cursor)
        world.know("boards/slug", "new-here", "kinship")
        world.know("members/handle", "heron")
        world.know("accounts/handle", "heron")
        world.know("?state", "active")
        world.know("rules/number", 10)
        world.know("assessments/kind", "illegal_content")
        world.know("{kind}/version", 1)
        world.know("transparency/year", clock.now().year - 1)
        world.know("revisions/number", 1, 2)
        world.know("titles/number", 1, 2)
        world.know("posts/post_id")
        for thing in ("threads", "posts", "cases", "concerns", "statements", "exports", "talks", "terms", "searches"):
            world.know(f"{thing}/id")
        told = {"url": "https://a.test/", "events": ["thread.opened", "post.published", "post.removed"]}
        hook = await world["administrator"].post(f"{API}/administration/webhooks", json=told)
        world.know("webhooks/id", hook.json()["id"])
        world.know("?handle", "heron")
        world.know("?limit", 100)
        world.know("?after")  # the walk follows `next`
        world.know("?from", 2)
        world.know("?adviser", "true")
        world.know("?lane", "asked", "news", "mine", "claimed")
        world.know("?organisation", "Example Family Charity")
        world.know("?late", "false")
        world.know("?act", "case.decided")
        world.know("?actor", "suzie")
        world.know("?subject_kind")
        world.know("?subject_id")
        world.know("?waiting", "true")
        world.know("?category", "rule")
        world.know("?board", "new-here")
        world.know("?claimed", "nobody")
        world.know("?kind", "post", "suicide")
        world.know("?edition", 1)
        world.know("?unread", "true")
        world.know("?thread", 1)
        world.know("?named", "heron")
        world.know("?region", "Wales")
        world.know("?tag", "court")
        yield world


# Whether a post opens its thread changes the title alone, which is retitled beside any measure.
@pytest.mark.parametrize(
    ("kind", "opens"),
    [("redact", False), ("remove", True), ("edit", True)],
    ids=["redact a reply", "remove the opening post", "edit the opening post"],
)
async def test_a_word_that_was_taken_out_is_nowhere_any_more(
    kind: str, opens: bool, app: FastAPI, services: Services, world: World
) -> None:
    sent = [*await say(world, opens), await repeat(world)]
    case = await report(world)
    await write(world, case)
    await run_due_jobs(services, clock.now())
    await search(world)
    before = await walk(app, world)
    assert {finding.reader for finding in before if finding.path.endswith("/searches/{id}")} >= {"guest", "moderator"}
    assert await sought(world) == set(world.readers)
    everybody = {"guest", "author", "member", "reporter", "adviser", "moderator", "other board's moderator"}
    assert {finding.reader for finding in before} >= everybody

    start = BODY.index(SPAN)
    measure = {
        "redact": {"kind": "redact", "spans": [[start, start + len(SPAN)]]},
        "remove": {"kind": "remove"},
        "edit": {"kind": "edit", "body_markdown": BODY.replace(LINE, "I did not like her.")},
    }[kind]
    further = [{"kind": "retitle", "title": "About a visit"}] if opens else []
    await decide(world, case, [measure, *further])
    assert await sought(world) == set()
    await run_due_jobs(services, clock.now())
    assert await sought(world) == set()

    after = await walk(app, world)
    assert [leak for leak in after if (leak.reader, leak.path) not in ALLOWED[kind]] == []
    assert {(seen.reader, seen.path) for seen in after} >= (REMOVED.keys() if kind == "remove" else set())
    for seen in before:
        fresh = await world[seen.reader].get(seen.url, headers={"If-None-Match": seen.etag or "*"})
        if (seen.reader, seen.path) not in ALLOWED[kind]:
            assert fresh.status_code != 304, seen
            assert MARK not in fresh.text.casefold(), seen
    for reader, path, body, key in sent:
        again = await world[reader].post(path, json=body, headers=key)
        assert again.status_code == 201, again.text
        assert MARK not in again.text.casefold(), (reader, path)
    quoting = {
        "body_markdown": f"> @heron #{world.post['number']}\n> The first line is kind.",
        "thread_id": world.thread,
    }
    preview = await world["member"].post(f"{API}/previews", json=quoting)
    assert MARK not in preview.text.casefold()
    assert ("data-post" in preview.text) is (kind != "remove")


async def test_what_a_moderator_may_still_read_is_recorded(app: FastAPI, services: Services, world: World) -> None:
    await say(world, opens=False)
    case = await report(world)
    start = BODY.index(SPAN)
    await decide(world, case, [{"kind": "redact", "spans": [[start, start + len(SPAN)]]}])
    listed = await world["moderator"].get(f"{API}/posts/{world.post['id']}/revisions")
    assert MARK not in listed.text
    assert [revision["sealed"] for revision in listed.json()["items"]] == [True, True, False]
    sealed = await world["moderator"].get(f"{API}/posts/{world.post['id']}/revisions/2")
    assert MARK in sealed.text
    async with services.database.work() as session:
        read = select(func.count()).where(col(AuditEntry.act) == "revision.read")
        assert await session.scalar(read) == 1


async def test_the_walk_finds_a_word_that_was_forgotten(app: FastAPI, services: Services, world: World) -> None:
    """In a post of each column: one walk finds all of them."""
    world.thread = await make.thread(services, "magpie")
    world.know("threads/id", world.thread)
    columns = ("body_markdown", "body_html", "content_warning")
    posts = {column: (await make.post(services, "magpie", world.thread)).id for column in columns}
    world.know("posts/id", *posts.values())
    assert await walk(app, world) == []
    async with services.database.work() as session:
        for column, post_id in posts.items():
            await session.execute(
                update(Post).values({column: f"An old {MARK.upper()}"}).where(col(Post.id) == post_id)
            )
    found = await walk(app, world)
    for post_id in posts.values():
        url = f"{API}/posts/{post_id}"
        assert {finding.reader for finding in found if finding.url == url} == set(world.readers)
    assert f"{API}/threads/{{id}}/posts" in {finding.path for finding in found}


def test_a_new_address_with_a_parameter_of_its_own_cannot_slip_past_the_walk() -> None:
    parameter = {"name": "token", "in": "path", "required": True}
    document = {"paths": {"/reports/{token}": {"get": {"parameters": [parameter]}}}}
    with pytest.raises(pytest.fail.Exception, match="token"):
        list(addresses(document, {"threads/id": {"1"}}))
    assert [address.url for address in addresses(document, {"reports/token": {"a", "b"}})] == [
        "/reports/a",
        "/reports/b",
    ]


Sent = tuple[str, str, dict[str, Any], dict[str, str]]


async def say(world: World, opens: bool) -> list[Sent]:
    """The author says it, first a little differently; what was sent, to be sent again."""
    first = {"body_markdown": f"{LINE}\nThe end.", "content_warning": f"about a {SPAN} thing"}
    key = {"Idempotency-Key": "said"}
    opening = {"title": f"A {MARK} of a visit" if opens else "A visit", "body_markdown": KIND}
    if opens:
        opening |= first
    began = await world["author" if opens else "member"].post(
        f"{API}/boards/new-here/threads", json=opening, headers=key
    )
    assert began.status_code == 201, began.text
    world.thread, post = began.json()["id"], began.json()["first_post"]
    sent = [("author" if opens else "member", f"{API}/boards/new-here/threads", opening, key)]
    if not opens:
        path = f"{API}/threads/{world.thread}/posts"
        answer = await world["author"].post(path, json=first, headers=key)
        post, sent = answer.json(), [("author", path, first, key)]
    edit = {"revision": 1, "body_markdown": BODY, "content_warning": first["content_warning"]}
    edited = await world["author"].patch(f"{API}/posts/{post['id']}", json=edit)
    assert edited.status_code == 200, edited.text
    world.post = edited.json()
    world.know("threads/id", world.thread)
    world.know("posts/id", post["id"])
    world.know("posts/post_id", post["id"])
    return sent


async def repeat(world: World) -> Sent:
    """Another member repeats it in every way, once in a warning, and once only for a moment."""
    path = f"{API}/threads/{world.thread}/posts"
    facts = {"handle": "heron", "number": world.post["number"]}
    echoes = "\n\n".join(echo.format(**facts) for echo in ECHOES.values())
    reply = {"body_markdown": echoes, "reply_to": world.post["number"]}
    key = {"Idempotency-Key": "repeated"}
    answer = await world["member"].post(path, json=reply, headers=key)
    assert answer.status_code == 201, answer.text
    world.know("posts/id", answer.json()["id"])
    warned = {"body_markdown": KIND, "content_warning": f"they said: {LINE}"}
    answer = await world["member"].post(path, json=warned)
    world.know("posts/id", answer.json()["id"])
    sorry = await world["member"].post(path, json={"body_markdown": f"> {LINE}\n\nNo."})
    world.know("posts/id", sorry.json()["id"])
    better = {"revision": 1, "body_markdown": "I should not have repeated that."}
    assert (await world["member"].patch(f"{API}/posts/{sorry.json()['id']}", json=better)).status_code == 200
    quoting = {"body_markdown": ECHOES["attributed"].format(**facts), "thread_id": world.thread}
    assert "data-post" in (await world["member"].post(f"{API}/previews", json=quoting)).text
    return "member", path, reply, key


async def search(world: World) -> None:
    """Somebody searches for what stands beside it: whoever has the id gets the snippets."""
    found = await world["guest"].post(f"{API}/searches", json={"query": "sort or visit"})
    world.know("searches/id", found.json()["id"])


async def sought(world: World) -> set[str]:
    """Who finds the word itself, or is told of it: by a search, by a slip of it, by a title that has it."""
    found = set()
    for reader, http in world.readers.items():
        for query in (MARK, MARK.replace("wort", "wrot")):
            made = await http.post(f"{API}/searches", json={"query": query})
            results = (await http.get(made.headers["location"])).json()
            found |= {reader} if results["items"] or results["threads"] or results["suggestion"] else set()
        like = {"title": f"Another {MARK} of mine"}
        similar = await http.post(f"{API}/boards/new-here/similar", json=like)
        found |= {reader} if MARK in similar.text else set()
    return found


async def report(world: World) -> str:
    """Somebody reports it; the case's id."""
    complaint = {"category": "rule", "rules": [10], "revision": 2}
    filed = await world["reporter"].post(f"{API}/posts/{world.post['id']}/reports", json=complaint)
    assert filed.status_code == 201, filed.text
    [case] = (await world["moderator"].get(f"{API}/moderation/cases")).json()["items"]
    world.know("cases/id", case["id"])
    return str(case["id"])


async def write(world: World, case: str) -> None:
    """The moderator writes to the author, so that the walk comes through a talk."""
    written = await world["moderator"].post(f"{API}/moderation/cases/{case}/talks", json={"text": "Are you well?"})
    assert written.status_code == 201, written.text
    world.know("talks/id", written.json()["talk_id"])
    for reader, path in (("author", "/talks"), ("moderator", "/moderation/talks")):
        read = await world[reader].get(f"{API}{path}/{written.json()['talk_id']}/messages")
        assert "Are you well?" in read.text, read.text


async def decide(world: World, case: str, measures: list[dict[str, Any]]) -> None:
    verdict = {"version": 1, "revision": 2, "measures": measures, "rules": [10], "reason": "You called her a name."}
    decided = await world["moderator"].post(f"{API}/moderation/cases/{case}/decisions", json=verdict)
    assert decided.status_code == 201, decided.text
    world.know("statements/id", decided.json()["statement_id"])
