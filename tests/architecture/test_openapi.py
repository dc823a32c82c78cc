"""The OpenAPI document says what the forum does, and the forum does what it says; bad input is told where it is bad."""

import asyncio
import json
import os
import re
import socket
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.openapi.models import OpenAPI
from fastapi.routing import iter_route_contexts
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from forum.api.openapi import ASSETS, POLICY, SENT_WHILE_READ
from forum.app import create_app
from forum.core import clock, embedded_postgres
from forum.core.settings import Settings
from forum.core.text import BIDIRECTIONAL, carried, has_seen
from forum.http.body_size import ORDINARY, largest_body
from forum.http.fields import Body, Line, Moment, Password, Text, Title, Warning_, Words
from forum.http.problems import MOST_FAULTS, Problem
from forum.http.services import Services
from forum.mail import tokens
from forum.mail.tables import MailKind
from forum.members.tables import Role
from forum.passwords import hashing
from forum.privacy import lost_mailboxes
from moderation import rules
from moderation.decisions import AppealOutcome
from moderation.measures.tables import MeasureKind
from moderation.swept_posts import SweptPost
from tests.architecture.schemathesis_hooks import EXPECTED, NOT_FOR_MEMBERS
from tests.conftest import AS_IT_WAS_MIGRATED, database_called
from tests.support import make
from tests.support.jobs import run_due_jobs

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "tests/architecture/schemathesis.toml"
API = "/api/v1"
JSON = {"Content-Type": "application/json"}
# What a mailed link is needed for, and of which kind.
OPENED_BY = {
    "verify_address": MailKind.VERIFY_ADDRESS,
    "refuse_address": MailKind.ADDRESS_CHANGE,
    "refuse_departure": MailKind.DEPARTURE,
    "refuse_lost_mailbox": MailKind.LOST_MAILBOX,
    "reset_password": MailKind.PASSWORD_RESET,
}
UNKNOWN = {"post": "Somewhere", "capacity": "named", "category": "rule", "text": "It names me."}
OUTSIDE = (("reports", UNKNOWN), ("reports", UNKNOWN), ("complaints", {"about": "duties", "text": "Where are they?"}))
ASSESSED = {"text": "Members write.", "version": 0, "assessed_on": "2026-11-01", "next_review_on": "2027-11-01"}
INVITED = {"email": "ada@example.org", "role": "moderator"}
MEMBER, ADVISER, STAFF, LEAD = "heron", "suzie", "orla", "priya"
STAFF_ROLES = (Role.MODERATOR, Role.ADMINISTRATOR, Role.SAFEGUARDING_LEAD)


NOTHING = Settings(database_url="postgresql://nobody@localhost/nothing")


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return make.document(NOTHING.name)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of everything that a client can do."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def goes_on(operation: dict[str, Any]) -> bool:
    """Whether its answer has no end: tests/forum/notifications/test_live_events.py reads it as it comes."""
    return "text/event-stream" in operation["responses"].get("200", {}).get("content", {})


def is_sent_while_read(operation: dict[str, Any]) -> bool:
    """Whether nobody knows the bytes of its answer when it begins: test_moving_out.py reads it to its end."""
    return operation["operationId"] in SENT_WHILE_READ


def finite_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with an answer that ends."""
    return (found for found in operations() if not goes_on(found[2]))


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """The part itself, or what it refers to."""
    while "$ref" in part:
        found = document()
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def kinds(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What can stand there."""
    whole = resolved(schema)
    choices = whole.get("anyOf") or whole.get("oneOf")
    return [kind for choice in choices for kind in kinds(choice)] if choices else [whole]


def example(schema: dict[str, Any]) -> Any:
    """What the document gives as an example of this."""
    for kind in (schema, resolved(schema), *kinds(schema)):
        for given_as in ("examples", "enum"):
            if kind.get(given_as):
                return kind[given_as][0]
        for given_as in ("const", "default"):
            if given_as in kind:
                return kind[given_as]
    return None


def takes_text(schema: dict[str, Any]) -> bool:
    """Whether a string can stand there that nobody listed."""
    return any(kind.get("type") == "string" and not kind.keys() & {"enum", "const"} for kind in kinds(schema))


def whole_body(operation: dict[str, Any]) -> dict[str, Any]:
    """The schema of an operation's body."""
    schema: dict[str, Any] = {}
    if "requestBody" in operation:
        [choice] = kinds(operation["requestBody"]["content"]["application/json"]["schema"])[:1]
        schema = choice
    return schema


def wanted(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The members of an operation's body, by name."""
    members: dict[str, dict[str, Any]] = whole_body(operation).get("properties", {})
    return members


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The document's own example of a body."""
    return {name: example(schema) for name, schema in wanted(operation).items()}


def spoiled(schema: dict[str, Any], value: Any, text: str) -> Iterator[tuple[str, Any]]:
    """The value with `text` in the place of each text that can stand in it, one at a time, and where that is."""
    for kind in kinds(schema):
        if takes_text(kind):
            yield "", text
        members = kind.get("properties", {})
        fits = isinstance(value, dict) and all(
            value.get(name) == m["const"] for name, m in members.items() if "const" in m
        )
        base = value if fits else {name: example(member) for name, member in members.items()}
        for name, member in members.items():
            known = base.get(name)
            for pointer, other in spoiled(member, example(member) if known is None else known, text):
                yield f"/{name}{pointer}", {**base, name: other}
        if "items" in kind and value:
            for pointer, other in spoiled(kind["items"], value[0], text):
                yield f"/0{pointer}", [other, *value[1:]]


def filled(path: str, operation: dict[str, Any]) -> str:
    """The address with the examples of its parameters."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["examples"]["1"]["value"]))
    needed = [p for p in operation.get("parameters", ()) if p["in"] == "query" and p["required"]]
    examples = {p["name"]: p["examples"]["1"]["value"] for p in needed}
    query = urlencode(examples, doseq=True)
    return f"{path}?{query}" if query else path


def named(operation: tuple[str, str, dict[str, Any]]) -> str:
    return str(operation[2]["operationId"])


each_operation = pytest.mark.parametrize(("method", "path", "operation"), [*operations()], ids=map(named, operations()))


# The document


def test_the_document_is_openapi() -> None:
    assert OpenAPI.model_validate(document()).openapi == "3.1.0"


def test_an_operation_has_a_name_that_clients_can_call_and_no_other_has() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []


@each_operation
def test_an_operation_is_described_as_it_is(method: str, path: str, operation: dict[str, Any]) -> None:
    says_what_it_does(method, path, operation)
    tells_errors_as_problem_documents(method, path, operation)
    documents_every_way_to_fail_that_its_shape_has(method, path, operation)
    has_an_example_of_all_that_is_sent(method, path, operation)
    refuses_members_that_its_body_does_not_know(method, path, operation)


def says_what_it_does(method: str, path: str, operation: dict[str, Any]) -> None:
    assert not re.fullmatch(r"[A-Z]\w+( [A-Z]\w+)+", operation["summary"])  # as FastAPI makes them of names
    assert len(operation["summary"]) <= 110
    assert {tag["name"] for tag in document()["tags"]} >= set(operation["tags"]) != set()
    for status, response in operation["responses"].items():
        assert resolved(response)["description"] not in {"", "Successful Response"}, status


def tells_errors_as_problem_documents(method: str, path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            [(media_type, content)] = resolved(response)["content"].items()
            assert media_type == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            for problem in content["examples"].values():
                assert Problem.model_validate(problem["value"]).status == int(status)


def documents_every_way_to_fail_that_its_shape_has(method: str, path: str, operation: dict[str, Any]) -> None:
    statuses = set(operation["responses"])
    headers = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}
    signs_in = operation["operationId"] in {"sign_in", "sign_in_by_passkey"}
    needs_session = bool(operation["security"]) and {} not in operation["security"]
    assert statuses >= {"422", "500", "503"}
    assert "429" in statuses or not path.startswith("/api/")
    assert ("401" in statuses) == (needs_session or signs_in)
    assert ("413" in statuses) == ("requestBody" in operation)
    assert (
        ("304" in statuses)
        == ("If-None-Match" in headers)
        == (
            method == "GET"
            and path.startswith("/api/")
            and not goes_on(operation)
            and not is_sent_while_read(operation)
        )
    )
    # These make what is not there, or delete what one said of a place, whether one sees it or not.
    if "{" in path and operation["operationId"] not in {
        "write_rule",
        "write_template",
        "forget_thread",
        "forget_board",
    }:
        assert "404" in statuses
    if operation["security"] and method != "GET":
        assert "403" in statuses  # a cookie may come from another site's page
    if "Idempotency-Key" in headers or wanted(operation).keys() & {"revision", "version"}:
        assert "409" in statuses


def has_an_example_of_all_that_is_sent(method: str, path: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        assert parameter.get("examples") or parameter["name"] == "after", parameter["name"]
        assert "anyOf" not in parameter["schema"], parameter["name"]
    for name, schema in wanted(operation).items():
        assert example(schema) is not None, name


def test_every_word_and_number_of_an_answer_has_an_example() -> None:
    for name in document()["components"]["schemas"].keys() - {"Problem"}:
        schema = resolved({"$ref": f"#/components/schemas/{name}"})
        for member, described in schema.get("properties", {}).items():
            plain = [kind for kind in kinds(described) if kind.get("type") in {"string", "integer"}]
            assert not plain or example(described) is not None or "examples" in described, (name, member)


def test_no_address_carries_what_opens_something_or_tells_where_somebody_is() -> None:
    addresses = [p for _, _, operation in operations() for p in operation.get("parameters", ()) if p["in"] != "header"]
    named = {parameter["name"] for parameter in addresses}
    assert {"handle", "slug", "after"} <= named
    assert not named & {"token", "code", "password", "current", "new", "device", "challenge", "login", "email"}


def test_no_limit_is_a_fraction() -> None:
    assert re.findall(r"\d\.0\b", json.dumps(document()["paths"]) + json.dumps(document()["components"])) == []


def test_every_expected_refusal_names_what_there_is() -> None:
    known = {
        (operation["operationId"], pointer)
        for _, _, operation in operations()
        for pointer in (
            *(f"#/{name}" for name in wanted(operation)),
            *(f"#{place.replace('/0', '/*')}" for place, _ in spoiled(whole_body(operation), body_of(operation), "")),
            *(
                f"{parameter['in']}/{parameter['name']}{'/*' if parameter['schema'].get('type') == 'array' else ''}"
                for parameter in operation.get("parameters", ())
            ),
        )
    }
    assert EXPECTED.keys() <= known
    assert {operation["operationId"] for _, _, operation in operations()} > NOT_FOR_MEMBERS


def test_a_decision_can_take_every_measure_there_is() -> None:
    asked = resolved({"$ref": "#/components/schemas/WantedMeasure"})["discriminator"]["mapping"]
    assert asked.keys() == {*MeasureKind, *AppealOutcome}


TEXT_KINDS = {
    "text": Text,
    "line": Line,
    "words": Words,
    "title": Title,
    "warning": Warning_,
    "body": Body,
    "password": Password,
}
ODD = st.text(st.sampled_from("ab\x00\n\r\x0b\x1c\x1f\x85\u2028\ufeff \t"), max_size=7)
SPACED = st.text(st.sampled_from("ab \ufeff"), max_size=5)
TEXTS = ODD | SPACED | st.text(st.characters(codec="utf-8"), max_size=150)


@pytest.mark.parametrize("kind", TEXT_KINDS.values(), ids=TEXT_KINDS)
@settings(derandomize=True)
@given(text=TEXTS)
def test_a_text_is_accepted_when_the_document_says_so_and_something_can_be_seen(kind: Any, text: str) -> None:
    adapter = TypeAdapter(kind)
    schema = adapter.json_schema()
    pattern = re.sub(r"\$$", r"\\Z", schema["pattern"])  # Python's `$` also stands before a last line's end
    in_bounds = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 10**6)
    try:
        adapter.validate_python(text)
    except ValidationError:
        accepted = False
    else:
        accepted = True
    documented = in_bounds and re.search(pattern, text) is not None
    is_shortened = carried(text) != text or BIDIRECTIONAL.search(text) is not None
    unseen = kind not in {Text, Password} and (is_shortened or not has_seen(text))
    assert accepted == documented or (documented and unseen)


# The page


async def test_the_docs_load_nothing_from_elsewhere(guest: httpx.AsyncClient) -> None:
    page = await guest.get("/api/v1/docs")
    assert page.status_code == 200
    loaded = re.findall(r"""(?:src|href)=["']?([^"'\s>]+)""", page.text)
    assert loaded == ["data:,", "docs/swagger-ui.css", "docs/swagger-ui-bundle.js"]
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert re.findall(r"url: '([^']*)'", script) == ["openapi.json"]
    policy = page.headers["Content-Security-Policy"]
    assert policy == POLICY
    assert "http" not in policy
    assert policy.startswith("default-src 'none'")
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy


@pytest.mark.parametrize("asset", ASSETS)
async def test_the_docs_are_made_of_files_of_ours(guest: httpx.AsyncClient, asset: str) -> None:
    answer = await guest.get(f"/api/v1/docs/{asset}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(ASSETS[asset])
    assert re.findall(rb"url\((?![\"']?data:)|@import", answer.content if asset.endswith("css") else b"") == []


async def test_the_document_is_served_as_it_is(guest: httpx.AsyncClient) -> None:
    assert (await guest.get("/api/v1/openapi.json")).json() == document()


# The forum against its document


@dataclass(frozen=True)
class Community:
    """A forum in which there is what the document's examples name, and something of everything."""

    app: FastAPI
    ids: dict[str, str]  # which case, statement and report there is: no example can know

    def address(self, path: str, operation: dict[str, Any]) -> str:
        """The address of something that there is."""
        place, is_one, rest = path.partition("/{id}")
        its = self.ids.get(path) or self.ids.get(place) if is_one else None
        return filled(f"{place}/{its}{rest}" if its else path, operation)


async def fill(app: FastAPI) -> Community:
    """Make boards, a thread with posts, the rules, a decision that can be appealed, a dismissal, and an open case."""
    services: Services = app.state.services
    await make.board(services, "new-here")
    await make.board(services, "court")
    leads = (Role.SAFEGUARDING_LEAD,)
    for handle, roles in ((MEMBER, ()), (ADVISER, (Role.ADVISER,)), (STAFF, STAFF_ROLES), (LEAD, leads)):
        await make.member(services, handle, *roles)
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
    thread = await make.thread(services, MEMBER, body="Hello all")
    theirs = await make.post(services, ADVISER, thread, "I see")
    mine = [await make.post(services, MEMBER, thread, f"And then {what}") for what in ("this", "that", "those")]
    advert = await make.post(services, MEMBER, thread, "Cheap loans!")
    for number in range(3):
        await make.thread(services, MEMBER, title=f"Another question, {number}")
    async with (
        make.signed_in(app, MEMBER) as member,
        make.signed_in(app, ADVISER) as adviser,
        make.signed_in(app, STAFF) as staff,
    ):
        await decide(staff, await report(adviser, 1), {"kind": "redact", "spans": [[0, 5]]})
        await decide(staff, await report(member, theirs.id), {"kind": "dismiss"})
        for post, category in zip(mine, ("risk", "rule", "rule"), strict=True):  # the first is the worst
            await report(adviser, post.id, category)
        free, taken, left = await listed(staff, "/moderation/cases")
        await member.post(f"{API}/contact", json={"text": "May I bring my sister?"})
        [message] = await listed(staff, "/moderation/messages")
        phrase, *_ = await listed(staff, "/moderation/phrases")
        codes = [await sent_without_account(member, *what) for what in OUTSIDE]
        await run_due_jobs(services, clock.now())
        [unknown, other] = await listed(staff, "/moderation/reports")
        [complaint] = await listed(staff, "/moderation/complaints")
        assert (await staff.put(f"{API}/moderation/assessments/illegal_content", json=ASSESSED)).status_code == 200
        begun = await staff.post(f"{API}/moderation/cases/{free}/talks", json={"text": "Are you well?"})
        talk = begun.json()["talk_id"]
        term = {"kind": "word", "text": "gobshite", "effect": "point_out"}
        watched = (await staff.post(f"{API}/moderation/terms", json=term)).json()["id"]
        now = (await staff.get(f"{API}/threads/{thread}")).json()["version"]
        taken_away = await staff.patch(f"{API}/threads/{thread}", json={"version": now, "title": "A question of mine"})
        assert taken_away.status_code == 200, taken_away.text
        await report(adviser, 1, revision=2)
        queue = (await staff.get(f"{API}/moderation/cases")).json()["items"]
        [redacted] = [case["id"] for case in queue if case["post_id"] == 1]
        async with make.work(services) as work:
            await lost_mailboxes.replace_by_command(work, MEMBER, "heron-new@example.org")
        invited = (await staff.post(f"{API}/invitations", json=INVITED)).json()["id"]
        told, gone = [
            (await staff.post(f"{API}/administration/webhooks", json={"url": url, "events": ["post.removed"]})).json()
            for url in ("https://a.test/", "https://b.test/")
        ]
        over, concern = [await raise_concern(adviser, staff, about=[MEMBER]) for _ in range(2)]
        copy = (await member.post(f"{API}/me/exports")).json()["id"]
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))
        read = (await staff.get(f"{API}/moderation/concerns/{concern}")).json()
        await staff.put(f"{API}/moderation/concerns/{over}/closure", json={"keep_until": "2100-01-01"})
        async with services.database.work() as session:
            await session.execute(text("UPDATE concern SET keep_until = current_date WHERE state = 'closed'"))
            session.add(SweptPost(post_id=advert.id, revision=1, kinds=["telephone"], found_at=clock.now()))
        async with make.client(app) as guest:  # a guest's search is for whoever has its id
            sought = (await guest.post(f"{API}/searches", json={"query": "question"})).json()["id"]
        [statement], [dismissal] = await listed(member, "/me/statements"), await listed(member, "/me/reports")
    ids = {
        f"{API}/moderation/cases": free,
        f"{API}/safeguarding/cases": free,
        f"{API}/moderation/concerns": concern,
        f"{API}/moderation/concerns/{{id}}": over,  # it can be erased
        "disclosure": read["disclosures"][0]["id"],
        "lead": LEAD,
        f"{API}/moderation/cases/{{id}}/claim": taken,  # a decided case cannot be claimed
        f"{API}/moderation/cases/{{id}}/recusal": left,  # who stepped back from a case sees it no more
        f"{API}/moderation/cases/{{id}}/posts/{{post_id}}/revisions/{{number}}": redacted,
        f"{API}/moderation/cases/{{id}}/titles/{{number}}": redacted,
        f"{API}/moderation/talks": talk,
        f"{API}/moderation/messages": message,
        f"{API}/moderation/phrases": phrase,
        f"{API}/moderation/reports": unknown,
        f"{API}/moderation/reports/{{id}}/post": other,  # what is answered cannot be assigned
        f"{API}/moderation/complaints": complaint,
        "follow_public_report": codes[0],
        "follow_service_complaint": codes[2],
        f"{API}/moderation/terms": watched,
        f"{API}/searches": sought,
        f"{API}/talks": talk,
        f"{API}/moderation/posts": str(theirs.id),
        f"{API}/moderation/swept-posts": str(advert.id),
        f"{API}/posts/{{id}}/reports": str(theirs.id),
        f"{API}/posts/{{id}}/reactions/{{kind}}": str(theirs.id),
        "author": MEMBER,
        "advert": str(advert.id),
        f"{API}/statements": statement,
        f"{API}/reports": dismissal,
        f"{API}/invitations/{{id}}": invited,
        f"{API}/administration/webhooks": told["id"],
        "webhook": gone["id"],  # it can be removed
        f"{API}/me/exports": copy,
        **{operation: await link(services, operation, kind) for operation, kind in OPENED_BY.items()},
    }
    return Community(app, ids)


async def link(services: Services, operation: str, kind: MailKind) -> str:
    """The token of a link that was mailed to somebody who has nothing else to lose."""
    somebody = await make.member(services, operation, verified=False)
    now = clock.now()
    async with services.database.work() as session:
        return await tokens.create_link(session, kind, now, member_id=somebody.id, email=somebody.email, asked_at=now)


async def sent_without_account(client: httpx.AsyncClient, where: str, what: dict[str, str]) -> str:
    """Report or complain; the code."""
    return str((await client.post(f"{API}/{where}", json=what)).json()["token"])


async def raise_concern(client: httpx.AsyncClient, lead: httpx.AsyncClient, **more: Any) -> str:
    """Raise a concern; which it is for its lead."""
    before = await listed(lead, "/moderation/concerns")
    sent = await client.post(f"{API}/concerns", json={"text": "I worry about a child.", **more})
    assert sent.status_code == 201, sent.text
    [new] = set(await listed(lead, "/moderation/concerns")) - set(before)
    return new


async def listed(client: httpx.AsyncClient, path: str) -> list[str]:
    """The ids of a list."""
    return [item["id"] for item in (await client.get(f"{API}{path}")).json()["items"]]


async def report(client: httpx.AsyncClient, post: int, category: str = "rule", revision: int = 1) -> int:
    """Report a post; which it is."""
    complaint = {"category": category, "rules": [10], "revision": revision}
    filed = await client.post(f"{API}/posts/{post}/reports", json=complaint)
    assert filed.status_code == 201, filed.text
    return post


async def decide(staff: httpx.AsyncClient, post: int, measure: dict[str, Any]) -> None:
    """Decide the one open case."""
    [case] = (await staff.get(f"{API}/moderation/cases")).json()["items"]
    assert case["post_id"] == post
    seen = {"version": case["version"], "revision": case["post_revision"]}
    verdict = {**seen, "measures": [measure], "rules": [10], "reason": "Kinder, please."}
    decided = await staff.post(f"{API}/moderation/cases/{case['id']}/decisions", json=verdict)
    assert decided.status_code == 201, decided.text


class GuestServer(uvicorn.Server):
    """A server inside somebody else's process, whose Ctrl-C is not its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Where the forum answers over a real socket."""
    # Of a socket that does not say TCP, asyncio lets the kernel hold back each body until it hears that its head came.
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = GuestServer(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await running


Found = Callable[[str], AbstractAsyncContextManager[Community]]


@pytest.fixture(scope="module")
def found(
    server: embedded_postgres.Server, operator: AsyncConnection, tmp_path_factory: pytest.TempPathFactory
) -> Found:
    """Makes communities that several tests share, each in a database of its own."""

    @asynccontextmanager
    async def one(name: str) -> AsyncIterator[Community]:
        await operator.execute(text(f"CREATE DATABASE {name} {AS_IT_WAS_MIGRATED}"))
        url, folder = database_called(server.url, name), tmp_path_factory.mktemp(name)
        async with make.application(Settings(database_url=url, data=folder, pool_size=5, **make.UNTHROTTLED)) as app:
            yield await fill(app)
        await operator.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))

    return one


def for_each(option: str, names: Iterable[str]) -> list[str]:
    """The arguments that include or exclude these operations."""
    return [f"--{option}-operation-id={name}" for name in sorted(names)]


FOR_GUESTS = {
    operation["operationId"]
    for *_, operation in operations()
    if not operation["security"] or {} in operation["security"]
}
ENDLESS = {operation["operationId"] for *_, operation in operations() if goes_on(operation)}
NOT_AGAIN = """
[[operations]]
include-operation-id = {}
phases.coverage.enabled = false
"""
# Who asks, which operations, and for which of them a guest has tried each value that is wrong in some way.
READINGS = {
    "a guest": ("", for_each("include", FOR_GUESTS - ENDLESS), set[str]()),
    "a member": (MEMBER, for_each("exclude", NOT_FOR_MEMBERS | ENDLESS), FOR_GUESTS),
    "staff": (STAFF, for_each("include", NOT_FOR_MEMBERS), set[str]()),
}


async def judged(community: Community, login: str, scope: list[str], tried: set[str]) -> str | None:
    """What Schemathesis says of the forum, if it has something to say."""
    folder = community.app.state.services.settings.data
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG.read_text() + (NOT_AGAIN.format(sorted(tried)) if tried else ""))
    # By the address: among what is tried is another handle.
    address = f"{login}@example.org" if login else ""
    about = {
        "FORUM_LOGIN": address,
        "FORUM_PASSWORD": make.PASSWORD,
        "FORUM_IDS": json.dumps(community.ids),
        "PYTHONPATH": str(ROOT),
        # Which letters there are is worked out once, not in each folder.
        "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis"),
    }
    if login == STAFF:
        async with make.signed_in(community.app, STAFF) as staff:
            about["FORUM_TOKEN"] = staff.headers["Authorization"].removeprefix("Bearer ")
    # The document is made when it is first read: on a busy machine, that takes longer than Schemathesis waits.
    community.app.openapi()
    async with serving(community.app) as address:
        arguments = ("--config-file", str(config), "run", f"{address}{API}/openapi.json")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", *arguments, *scope),
            cwd=folder,
            env=os.environ | about,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    return said.decode() if process.returncode else None


@pytest.fixture(scope="module")
async def judgements(found: Found) -> dict[str, str | None]:
    """What Schemathesis says of the forum to each: several forums side by side, for each waits for its answers."""

    async def judgement(number: int, reading: str) -> str | None:
        async with found(f"reading_{number}") as community:
            return await judged(community, *READINGS[reading])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "FAILED_AFTER", 0.0)
        said = await asyncio.gather(*(judgement(number, reading) for number, reading in enumerate(READINGS)))
    return dict(zip(READINGS, said, strict=True))


@pytest.mark.parametrize("reading", READINGS)
def test_the_forum_keeps_to_its_document(judgements: dict[str, str | None], reading: str) -> None:
    assert judgements[reading] is None, judgements[reading]


# One forum for all that only read it or are refused: nothing changes in it.


@pytest.fixture(scope="module")
async def community(found: Found) -> AsyncIterator[Community]:
    async with found("community") as made:
        yield made


@pytest.fixture(scope="module")
async def staff(community: Community) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(community.app, STAFF) as client:
        yield client


@pytest.fixture(scope="module")
async def member(community: Community) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(community.app, MEMBER) as client:
        yield client


@pytest.fixture(scope="module")
async def adviser(community: Community) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(community.app, ADVISER) as client:
        yield client


async def test_who_is_not_signed_in_is_told_so_wherever_a_session_is_needed(community: Community) -> None:
    async with make.client(community.app) as guest:
        for method, path, operation in operations():
            if operation["operationId"] not in FOR_GUESTS | ENDLESS:
                answer = await guest.request(method, filled(path, operation), json=body_of(operation) or None)
                assert answer.status_code == 401, (path, answer.text)
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert Problem.model_validate(answer.json()).status == 401
                assert set(operation["responses"]["401"].get("headers", {})) <= set(answer.headers)


@pytest.mark.parametrize(
    ("path", "operation"),
    [pytest.param(path, read, id=read["operationId"]) for _, path, read in operations() if "304" in read["responses"]],
)
async def test_what_a_reader_has_is_not_sent_again(
    community: Community,
    member: httpx.AsyncClient,
    staff: httpx.AsyncClient,
    adviser: httpx.AsyncClient,
    path: str,
    operation: dict[str, Any],
) -> None:
    reader = staff if operation["operationId"] in NOT_FOR_MEMBERS else member
    if operation["operationId"] == "list_answer_templates":  # the staff speak for no organisation
        reader = adviser
    whole = await reader.get(community.address(path, operation))
    assert whole.status_code == 200, whole.text
    again = await reader.get(community.address(path, operation), headers={"If-None-Match": whole.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    promised = operation["responses"]["304"]["headers"]
    assert {name: again.headers[name] for name in promised} == {name: whole.headers[name] for name in promised}


def told(answer: httpx.Response) -> list[str]:
    """Where a refusal says that something is wrong."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem = Problem.model_validate(answer.json())
    assert problem.status == answer.status_code == 422, answer.text
    assert problem.errors
    assert all(fault.detail for fault in problem.errors)
    return [fault.pointer for fault in problem.errors]


def sent_texts() -> Iterator[Any]:
    """Every text that a body can hold: its operation, and the pointer to it."""
    for method, path, operation in operations():
        for pointer, _ in spoiled(whole_body(operation), body_of(operation), ""):
            identity = f"{operation['operationId']}{pointer.replace('/', '-')}"
            yield pytest.param(method, path, operation, pointer, id=identity)


@pytest.mark.parametrize("character", ["\x00", "\ud800"], ids=["NUL", "half of a surrogate pair"])
@pytest.mark.parametrize(("method", "path", "operation", "pointer"), [*sent_texts()])
async def test_no_text_of_a_body_may_hold_what_cannot_be_stored(
    staff: httpx.AsyncClient, method: str, path: str, operation: dict[str, Any], pointer: str, character: str
) -> None:
    bodies = dict(spoiled(whole_body(operation), body_of(operation), f"Words{character}"))
    sent, headers = json.dumps(bodies[pointer]), {"Content-Type": "application/json"}
    answer = await staff.request(method, filled(path, operation), content=sent, headers=headers)
    assert told(answer) == [f"#{pointer}"]


def addressed_texts() -> Iterator[Any]:
    """Every text that an address can hold: the address with a place for it, and its pointer."""
    for method, path, operation in operations():
        for parameter in operation.get("parameters", ()):
            name, schema = parameter["name"], parameter["schema"]
            if parameter["in"] == "header" or not takes_text(schema.get("items", schema)):
                continue
            if parameter["in"] == "path":
                place = filled(path.replace(f"{{{name}}}", "TEXT"), operation)
            else:
                place = f"{filled(path, operation).partition('?')[0]}?{name}=TEXT"
            pointer = f"{parameter['in']}/{name}" + ("/0" if "items" in schema else "")
            yield pytest.param(method, place, operation, pointer, id=f"{operation['operationId']}-{name}")


@pytest.mark.parametrize(("method", "place", "operation", "pointer"), [*addressed_texts()])
async def test_no_text_of_an_address_may_hold_what_cannot_be_stored(
    staff: httpx.AsyncClient, method: str, place: str, operation: dict[str, Any], pointer: str
) -> None:
    body = body_of(operation)
    assert told(await staff.request(method, place.replace("TEXT", "a%00b"), json=body)) == [pointer]
    # Half of a surrogate pair, as if UTF-8 could say it: what the server makes of it is storable.
    assert (await staff.request(method, place.replace("TEXT", "a%ED%A0%80b"), json=body)).status_code < 500


REPLY, POST, TITLE = "/api/v1/threads/1/posts", "/api/v1/posts/1", "/api/v1/threads/1"
WORDS = '"body_markdown": "Words"'


@pytest.mark.parametrize(
    ("method", "path", "sent", "pointers"),
    [
        # no JSON, or not an object
        ("POST", REPLY, b"", ["#"]),
        ("POST", REPLY, b"null", ["#"]),
        ("POST", REPLY, b"[]", ["#"]),
        ("POST", REPLY, b'"Words"', ["#"]),
        ("POST", REPLY, b"7", ["#"]),
        ("POST", REPLY, b'{"body_markdown": ', ["#"]),
        ("POST", REPLY, b"{'body_markdown': 'Words'}", ["#"]),
        ("POST", REPLY, b"body_markdown=Words", ["#"]),
        ("POST", REPLY, b'{"body_markdown": "\xff"}', ["#"]),
        ("POST", REPLY, b"[" * 100_000, ["#"]),
        ("POST", REPLY, b'{"reply_to": ' + b"9" * 5_000 + b"}", ["#"]),
        # texts
        ("POST", REPLY, "{}", ["#/body_markdown"]),
        ("POST", REPLY, '{"body_markdown": null}', ["#/body_markdown"]),
        ("POST", REPLY, '{"body_markdown": 7}', ["#/body_markdown"]),
        ("POST", REPLY, '{"body_markdown": ["Words"]}', ["#/body_markdown"]),
        ("POST", REPLY, '{"body_markdown": ""}', ["#/body_markdown"]),
        ("POST", REPLY, '{"body_markdown": " \\n\\u2028\\ufeff"}', ["#/body_markdown"]),
        ("POST", REPLY, f'{{"body_markdown": "{"x" * 20_001}"}}', ["#/body_markdown"]),
        ("POST", REPLY, f'{{{WORDS}, "content_warning": "two\\nlines"}}', ["#/content_warning"]),
        ("POST", REPLY, f'{{{WORDS}, "content_warning": "  "}}', ["#/content_warning"]),
        ("PATCH", TITLE, '{"version": 1, "title": "  ab  "}', ["#/title"]),
        ("PATCH", TITLE, f'{{"version": 1, "title": "{"x" * 121}"}}', ["#/title"]),
        # numbers
        ("POST", REPLY, f'{{{WORDS}, "reply_to": "1"}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": true}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": 1.5}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": -1}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": 0}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": 2147483648}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": 1e400}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": NaN}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": -Infinity}}', ["#/reply_to"]),
        ("POST", REPLY, f'{{{WORDS}, "reply_to": 2147483647}}', ["#/reply_to"]),
        ("POST", "/api/v1/previews", f'{{{WORDS}, "thread_id": 9223372036854775808}}', ["#/thread_id"]),
        ("PATCH", POST, f"{{{WORDS}}}", ["#/revision"]),
        ("PATCH", POST, '{"revision": "1", "body_markdown": " "}', ["#/revision", "#/body_markdown"]),
        # what no request has
        ("POST", REPLY, f'{{{WORDS}, "colour": "red"}}', ["#/colour"]),
        ("POST", REPLY, f'{{{WORDS}, "a/b~c": 1}}', ["#/a~1b~0c"]),
        ("POST", REPLY, f'{{{WORDS}, "7": 1}}', ["#/7"]),
        ("POST", REPLY, f'{{{WORDS}, "\\ud800": 1}}', ["#"]),
        ("POST", REPLY, f'{{{WORDS}, "\\u0000": 1}}', ["#/\x00"]),
        ("POST", f"{REPLY}?colour=red", f"{{{WORDS}}}", ["query/colour"]),
        ("GET", f"{REPLY}?colour=red&size=5", "", ["query/colour", "query/size"]),
        ("GET", "/healthz?colour=red", "", ["query/colour"]),
        # addresses
        ("GET", f"{REPLY}?limit=0", "", ["query/limit"]),
        ("GET", f"{REPLY}?limit=-1", "", ["query/limit"]),
        ("GET", f"{REPLY}?limit=101", "", ["query/limit"]),
        ("GET", f"{REPLY}?limit=ten", "", ["query/limit"]),
        ("GET", f"{REPLY}?limit=", "", ["query/limit"]),
        ("GET", f"{REPLY}?limit={'9' * 5_000}", "", ["query/limit"]),
        ("GET", f"{REPLY}?from=0&adviser=perhaps", "", ["query/from", "query/adviser"]),
        ("GET", f"{REPLY}?from=2147483648", "", ["query/from"]),
        ("GET", "/api/v1/members", "", ["query/handle"]),
        ("GET", f"/api/v1/members?handle=suzie&handle={'x' * 61}", "", ["query/handle/1"]),
        ("GET", f"/api/v1/members?{'&'.join(['handle=suzie'] * 101)}", "", ["query/handle"]),
        ("GET", "/api/v1/threads/0", "", ["path/id"]),
        ("GET", "/api/v1/threads/-1", "", ["path/id"]),
        ("GET", "/api/v1/threads/one", "", ["path/id"]),
        ("GET", "/api/v1/threads/9223372036854775808", "", ["path/id"]),
        ("GET", f"/api/v1/threads/{'9' * 5_000}", "", ["path/id"]),
        ("GET", "/api/v1/boards/New%20Here", "", ["path/slug"]),
        ("GET", "/api/v1/boards/new-here%0A", "", ["path/slug"]),
        ("GET", f"/api/v1/members/{'x' * 61}", "", ["path/handle"]),
        ("DELETE", "/api/v1/me/sessions/1", "", ["path/id"]),
    ],
)
async def test_bad_input_is_told_where_it_is_bad(
    staff: httpx.AsyncClient, method: str, path: str, sent: str | bytes, pointers: list[str]
) -> None:
    answer = await staff.request(method, path, content=sent, headers={"Content-Type": "application/json"})
    assert told(answer) == pointers


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_a_body_that_does_not_say_that_it_is_json_is_told_to(
    staff: httpx.AsyncClient, media_type: str | None
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = await staff.post(REPLY, content=b'{"body_markdown": "Words"}', headers=headers)
    assert told(answer) == ["#"]
    assert "application/json" in answer.json()["errors"][0]["detail"]


async def test_a_body_that_no_request_needs_is_not_read_to_its_end(community: Community) -> None:
    async with serving(community.app) as address, httpx.AsyncClient(base_url=address) as guest:
        for announced in (True, False):
            sent = b"x" * 10_000_000
            content = sent if announced else in_parts(sent)
            answer = await guest.post(f"{API}/password-resets", content=content, headers=JSON)
            problem = Problem.model_validate(answer.json())
            assert (answer.status_code, problem.status, problem.type) == (413, 413, "/problems/content-too-large")
            assert problem.errors
            assert problem.errors[0].pointer == "#"
            assert str(ORDINARY) in problem.detail
        assert (await guest.get("/healthz")).status_code == 200


@each_operation
async def test_thousands_of_faults_make_a_short_answer(
    staff: httpx.AsyncClient, method: str, path: str, operation: dict[str, Any]
) -> None:
    """Each fault cost 60 bytes and 7 µs of the event loop: 55,000 unknown members held it for 0.4 s."""
    if "requestBody" not in operation:
        return
    body, schema = body_of(operation), whole_body(operation)
    lists = [name for name, kind in schema.get("properties", {}).items() if resolved(kind).get("type") == "array"]
    for hostile in (
        body | {f"unknown{number}": 1 for number in range(1_500)},
        body | {"x" * 20_000: 1},
        *(body | {name: [{"kind": "x"}] * 1_500} for name in lists),
    ):
        answer = await staff.request(method, filled(path, operation), json=hostile)
        assert 1 <= len(told(answer)) <= MOST_FAULTS
        assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    ("operation_id", "size"),
    [("open_thread", 240_000), ("decide_case", 480_000), ("note_case", 60_000), ("sign_in", 0), ("join", 0)],
)
def test_a_body_may_be_as_large_as_its_texts_can_be(operation_id: str, size: int) -> None:
    routes = iter_route_contexts(create_app(NOTHING).routes)
    [model] = [route.body_field for route in routes if route.name == operation_id]
    limit = largest_body(model.field_info.annotation)
    assert max(size, ORDINARY) <= limit < size + ORDINARY + 20_000


def test_every_time_is_told_in_utc_however_it_was_stored() -> None:
    told = TypeAdapter(Moment).validate_python("2026-07-27T18:40:00+02:00")
    assert told.isoformat() == "2026-07-27T16:40:00+00:00"


# What a browser makes, which gets new members with each of its versions (WebAuthn §5.1).
MADE_BY_BROWSERS = {"Assertion", "Asserted", "Attested", "Registration"}


def objects_sent(schema: dict[str, Any], *, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that can stand in a body, with the name of its schema."""
    named = schema.get("$ref", name).rpartition("/")[2]
    for kind in resolved(schema).get("anyOf") or resolved(schema).get("oneOf") or [resolved(schema)]:
        if "$ref" in kind or "anyOf" in kind:
            yield from objects_sent(kind)
            continue
        if kind.get("type") == "object":
            yield named, kind
        for part in (*kind.get("properties", {}).values(), *filter(None, [kind.get("items")])):
            yield from objects_sent(part)


def refuses_members_that_its_body_does_not_know(method: str, path: str, operation: dict[str, Any]) -> None:
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        sent = {name: schema.get("additionalProperties") for name, schema in objects_sent(body)}
        assert sent
        assert {name for name, others in sent.items() if others is not False} <= MADE_BY_BROWSERS


@each_operation
async def test_a_body_is_refused_where_none_is_taken(
    staff: httpx.AsyncClient, method: str, path: str, operation: dict[str, Any]
) -> None:
    if "requestBody" not in operation and method != "GET":
        answer = await staff.request(method, filled(path, operation), json={"reason": "It is late."})
        assert (told(answer), answer.json()["code"]) == (["#"], "body_not_taken")


async def in_parts(sent: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(sent), 65536):
        yield sent[start : start + 65536]


# The router's own refusals


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/nothing", "/api/v1/boards/", "/api/v1/docs/other.js", "/api/"])
async def test_where_nothing_is_a_problem_document_says_so(staff: httpx.AsyncClient, path: str) -> None:
    answer = await staff.get(f"{make.BASE}{path}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("path", document()["paths"])
async def test_an_address_names_the_methods_that_it_has(staff: httpx.AsyncClient, path: str) -> None:
    some_operation = next(iter(document()["paths"][path].values()))
    answer = await staff.request("TRACE", filled(path, some_operation).partition("?")[0])
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")
    assert answer.headers["Allow"].split(", ") == sorted(method.upper() for method in document()["paths"][path])
