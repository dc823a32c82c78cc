"""The OpenAPI document says what the forum does, and the forum does what it says; bad input is told where it is bad."""

import asyncio
import json
import os
import re
import socket
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.openapi.models import OpenAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from forum import clock
from forum.api import wire
from forum.api.documents import ASSETS, POLICY
from forum.api.middleware import LARGEST_BODY
from forum.api.problems import Problem
from forum.app import create_app
from forum.members import Role
from forum.settings import Settings
from moderation import rules
from tests import make
from tests.schemathesis_hooks import EXPECTED, NOT_FOR_MEMBERS

ROOT = Path(__file__).parents[1]
MEMBER, ADVISER, MODERATOR = "heron", "suzie", "orla"


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document; nothing is asked of a database for it."""
    return create_app(Settings(database_url="postgresql://nobody@localhost/nothing")).openapi()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of everything that a client can do."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """The part itself, or what it refers to."""
    while "$ref" in part:
        found = document()
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def wanted(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The members of an operation's body, by name."""
    body = operation.get("requestBody", {"content": {"application/json": {"schema": {}}}})
    found: dict[str, dict[str, Any]] = resolved(body["content"]["application/json"]["schema"]).get("properties", {})
    return found


def example(schema: dict[str, Any]) -> Any:
    """What the document gives as an example of this."""
    whole = resolved(schema)
    for kind in (schema, whole, *whole.get("anyOf", ())):
        for given_as in ("examples", "enum"):
            if kind.get(given_as):
                return kind[given_as][0]
        if "default" in kind:
            return kind["default"]
    return None


def filled(path: str, operation: dict[str, Any]) -> str:
    """The address with the examples of its parameters."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["examples"]["1"]["value"]))
    needed = [p for p in operation.get("parameters", ()) if p["in"] == "query" and p["required"]]
    query = "&".join(f"{p['name']}={p['examples']['1']['value'][0]}" for p in needed)
    return f"{path}?{query}" if query else path


def named(operation: tuple[str, str, dict[str, Any]]) -> str:
    return str(operation[2]["operationId"])


each_operation = pytest.mark.parametrize("method, path, operation", [*operations()], ids=map(named, operations()))


# The document


def test_the_document_is_openapi() -> None:
    assert OpenAPI.model_validate(document()).openapi == "3.1.0"


def test_an_operation_has_a_name_that_clients_can_call_and_no_other_has() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []


@each_operation
def test_an_operation_says_what_it_does(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"] != operation["operationId"].replace("_", " ").title()
    assert len(operation["summary"]) <= 110
    assert {tag["name"] for tag in document()["tags"]} >= set(operation["tags"]) != set()
    for status, response in operation["responses"].items():
        assert resolved(response)["description"] not in {"", "Successful Response"}, status


@each_operation
def test_every_error_is_a_problem_document(method: str, path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            [(media_type, content)] = resolved(response)["content"].items()
            assert media_type == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            for problem in content["examples"].values():
                assert Problem.model_validate(problem["value"]).status == int(status)


@each_operation
def test_an_operation_documents_every_way_to_fail_that_its_shape_has(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    statuses = set(operation["responses"])
    headers = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}
    signs_in = operation["operationId"] == "sign_in"
    needs_session = bool(operation["security"]) and {} not in operation["security"]
    assert statuses >= {"422", "500", "503"}
    assert ("401" in statuses) == (needs_session or signs_in)
    assert ("413" in statuses) == ("requestBody" in operation)
    assert ("304" in statuses) == ("If-None-Match" in headers) == (method == "GET" and path.startswith("/api/"))
    if "{" in path:
        assert "404" in statuses
    if operation["security"] and method != "GET":
        assert "403" in statuses  # a cookie may come from another site's page
    if "Idempotency-Key" in headers or wanted(operation).keys() & {"revision", "version"}:
        assert "409" in statuses


@each_operation
def test_everything_that_is_sent_has_an_example(method: str, path: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        assert parameter.get("examples") or parameter["name"] == "after", parameter["name"]
        assert "anyOf" not in parameter["schema"], parameter["name"]
    for name, schema in wanted(operation).items():
        assert example(schema) is not None, name


@pytest.mark.parametrize("name", [name for name in document()["components"]["schemas"] if name != "Problem"])
def test_every_word_and_number_of_an_answer_has_an_example(name: str) -> None:
    schema = resolved({"$ref": f"#/components/schemas/{name}"})
    for member, described in schema.get("properties", {}).items():
        kinds = described.get("anyOf", [described])
        plain = [kind for kind in kinds if kind.get("type") in {"string", "integer"} and "enum" not in kind]
        assert not plain or any("examples" in kind for kind in (described, *plain)) or "default" in described, member


def test_no_limit_is_a_fraction() -> None:
    assert re.findall(r"\d\.0\b", json.dumps(document()["paths"]) + json.dumps(document()["components"])) == []


def test_every_expected_refusal_names_what_there_is() -> None:
    known = {
        (operation["operationId"], pointer)
        for _, _, operation in operations()
        for pointer in (
            *(f"#/{name}" for name in wanted(operation)),
            *(f"{parameter['in']}/{parameter['name']}" for parameter in operation.get("parameters", ())),
        )
    }
    assert EXPECTED.keys() <= known
    assert {operation["operationId"] for _, _, operation in operations()} > NOT_FOR_MEMBERS


TEXTS = st.text(st.characters() | st.sampled_from("\x00\n\r\x1c\x85\u2028\ufeff \t\x0b"), max_size=150)


@pytest.mark.parametrize("kind", [wire.Text, wire.Line, wire.Title, wire.Warning_, wire.Body], ids=str)
@given(text=TEXTS)
def test_a_text_is_accepted_exactly_when_the_document_says_so(kind: Any, text: str) -> None:
    adapter = TypeAdapter(kind)
    schema = adapter.json_schema()
    in_bounds = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 10**6)
    try:
        adapter.validate_python(text)
    except ValidationError:
        accepted = False
    else:
        accepted = True
    assert accepted == (in_bounds and re.search(schema["pattern"], text) is not None)


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
    assert re.findall(rb"url\([\"']?(?!data:)[^)]*\)|@import", answer.content if asset.endswith("css") else b"") == []


async def test_the_document_is_served_as_it_is(guest: httpx.AsyncClient) -> None:
    assert (await guest.get("/api/v1/openapi.json")).json() == document()


# The forum against its document


@pytest.fixture
async def community(app: FastAPI) -> None:
    """What the document's examples name: a board, another, a thread with posts, those who wrote them, the rules."""
    house = app.state.house
    await make.board(house, "new-here")
    await make.board(house, "court")
    for handle, roles in ((MEMBER, ()), (ADVISER, (Role.ADVISER,)), (MODERATOR, (Role.MODERATOR,))):
        await make.member(house, handle, *roles)
    async with house.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
    thread = await make.thread(house, MEMBER)
    for number in range(1, 6):
        await make.post(house, ADVISER if number % 2 else MEMBER, thread, f"Words, {number}")
        await make.thread(house, MEMBER, title=f"Another question, {number}")


@pytest.fixture
async def address(app: FastAPI, community: None) -> AsyncIterator[str]:
    """Where the forum answers over a real socket."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    "role, login, scope",
    [
        ("guest", "", ()),
        ("member", MEMBER, ()),
        ("moderator", MODERATOR, ("--include-tag", "threads", "--include-tag", "advisers")),
    ],
)
async def test_the_forum_keeps_to_its_document(
    address: str, tmp_path: Path, role: str, login: str, scope: tuple[str, ...]
) -> None:
    arguments = ["--config-file", str(ROOT / "tests/schemathesis.toml"), "run", f"{address}/api/v1/openapi.json"]
    about = {"FORUM_ROLE": role, "FORUM_LOGIN": login, "FORUM_PASSWORD": make.PASSWORD, "PYTHONPATH": str(ROOT)}
    schemathesis = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *arguments, *scope),
        cwd=tmp_path,
        env={**os.environ, **about},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await schemathesis.communicate()
    assert schemathesis.returncode == 0, said.decode()
    assert "API Operations:" in said.decode()


async def test_a_read_is_answered_304_to_whom_has_it(app: FastAPI, community: None) -> None:
    async with make.signed_in(app, MODERATOR) as orla:
        for method, path, operation in operations():
            if "304" in operation["responses"]:
                whole = await orla.request(method, filled(path, operation))
                assert whole.status_code == 200, (path, whole.text)
                again = await orla.request(
                    method, filled(path, operation), headers={"If-None-Match": whole.headers["ETag"]}
                )
                assert (again.status_code, again.content) == (304, b""), path
                for header in operation["responses"]["304"]["headers"]:
                    assert again.headers[header] == whole.headers[header], (path, header)


# Bad input


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The document's own example of a body."""
    return {name: example(schema) for name, schema in wanted(operation).items()}


def takes_text(schema: dict[str, Any]) -> bool:
    """Whether a string can stand there that nobody listed."""
    kinds = [resolved(kind) for kind in schema.get("anyOf", [schema])]
    return any(kind.get("type") == "string" and "enum" not in kind for kind in kinds)


SENT_TEXTS = [
    pytest.param(method, path, operation, name, id=f"{operation['operationId']}-{name}")
    for method, path, operation in operations()
    for name, schema in wanted(operation).items()
    if takes_text(schema)
]


@pytest.mark.parametrize("character", ["\x00", "\ud800"], ids=["NUL", "half of a surrogate pair"])
@pytest.mark.parametrize("method, path, operation, name", SENT_TEXTS)
async def test_no_text_of_a_request_may_hold_what_cannot_be_stored(
    as_member: httpx.AsyncClient, method: str, path: str, operation: dict[str, Any], name: str, character: str
) -> None:
    body = body_of(operation)
    body[name] = f"{body[name]}{character}{body[name]}"
    sent = json.dumps(body).encode()
    answer = await as_member.request(method, filled(path, operation), content=sent, headers=AS_JSON)
    assert refusals(answer) == [f"#/{name}"]


@pytest.fixture
async def as_member(app: FastAPI, community: None) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is signed in."""
    async with make.signed_in(app, MEMBER) as client:
        yield client


AS_JSON = {"Content-Type": "application/json"}
