"""Headers: no answer can be framed, guessed at, followed or leaked; what is somebody's own is kept by nobody."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from forum.http.services import Services
from tests.architecture.test_openapi import API, STAFF, body_of, fill, finite_operations
from tests.support import make

SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
}
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# The same bytes for every ordinary reader: kept with their ETag, and asked about each time. All else is never kept.
KEPT = {
    *("list_boards", "get_board", "list_threads", "get_thread", "list_posts", "get_post"),
    *(
        "list_announcements",
        "list_glossary",
        "list_resources",
        "list_board_resources",
        "get_home",
    ),  # home only for guests
    *("list_members", "get_member", "list_advisers", "list_rules", "get_rule", "list_help", "get_screening_notice"),
    *("get_board_now", "get_transparency_report"),
}


def _is_safe(answer: httpx.Response) -> bool:
    return {name: answer.headers.get_list(name) for name in SAFE} == {name: [value] for name, value in SAFE.items()}


def _is_never_kept(answer: httpx.Response) -> bool:
    return "no-store" in answer.headers["cache-control"].split(", ")


async def test_every_answer_there_is_is_safe_and_only_what_everybody_reads_is_kept(app: FastAPI) -> None:
    community = await fill(app)
    async with make.client(app) as guest, make.signed_in(app, "heron") as member, make.signed_in(app, STAFF) as staff:
        kept, answered = set(), set()
        last = ("DELETE", f"{API}/sessions/current")  # whoever does that has no session for the others
        for method, path, operation in sorted(finite_operations(), key=lambda operation: operation[:2] == last):
            for who in (guest, member, staff):
                body: dict[str, Any] = {} if method == "GET" else {"json": body_of(operation)}
                answer = await who.request(method, community.address(path, operation), **body)
                assert _is_safe(answer), (path, answer.headers)
                assert answer.headers["content-security-policy"] == NOTHING
                answered.add(answer.status_code)
                if not _is_never_kept(answer):
                    kept.add(operation["operationId"])
                    assert (method, answer.status_code) == ("GET", 200), path
                    assert answer.headers["cache-control"] == "private, no-cache"
                    assert answer.headers["etag"]
    assert kept == KEPT
    assert answered >= {200, 201, 204, 401, 403, 404, 409}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", f"{API}/nowhere", 404),
        ("GET", f"{API}/boards?x=1", 422),
        ("PUT", f"{API}/boards", 405),
        ("GET", f"{API}/docs/nothing.js", 404),
        ("GET", f"{API}/boards/new-here", 500),
    ],
)
async def test_what_goes_wrong_is_safe_and_never_kept(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch, method: str, path: str, status: int
) -> None:
    async with make.client(app) as guest:
        if status == 500:
            monkeypatch.setattr(services.database.reader, "rows", None)
        answer = await guest.request(method, path)
    assert answer.status_code == status
    assert _is_safe(answer)
    assert _is_never_kept(answer)
    assert answer.headers["content-security-policy"] == NOTHING


async def test_the_docs_may_load_their_own_files_and_nothing_else(guest: httpx.AsyncClient) -> None:
    page = await guest.get(f"{API}/docs")
    assert _is_safe(page)
    policy = dict(directive.split(" ", 1) for directive in page.headers["content-security-policy"].split("; "))
    assert {directive: policy.pop(directive) for directive in ("script-src", "style-src", "img-src", "connect-src")}
    assert set(policy) == {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert set(policy.values()) == {"'none'"}
    assert not re.search(r"script-src[^;]*(unsafe|https?:|\*)", page.headers["content-security-policy"])


async def test_who_comes_without_tls_is_not_told_to_insist_on_it(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://forum.test") as guest:
        assert "strict-transport-security" not in (await guest.get("/healthz")).headers


async def test_head_is_answered_where_there_is_get(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    paths = (f"{API}/boards", f"{API}/boards/nowhere", f"{API}/help", f"{API}/me", "/", "/help", "/healthz", "/nowhere")
    plain = {"Accept-Encoding": "identity"}
    for _ in range(2):  # the second time, it was kept
        for path in paths:
            with capture_logs() as lines:
                whole, head = await guest.get(path, headers=plain), await guest.head(path, headers=plain)
            assert (head.status_code, head.content) == (whole.status_code, b""), path
            assert {name: head.headers.get(name) for name in whole.headers} == dict(whole.headers), path
            [read, looked] = [line for line in lines if line["event"] == "request"]
            assert (looked["method"], looked["route"]) == ("HEAD", read["route"])
    assert (await guest.head(f"{API}/sessions")).status_code == 405
    async with make.signed_in(app, "heron") as heron, asyncio.timeout(10):
        opened = await heron.head(f"{API}/events")  # it ends at once
        assert (opened.status_code, opened.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
