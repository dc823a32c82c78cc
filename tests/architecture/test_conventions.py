"""What holds for every address: ETags, cursors, links, unknown parameters, CORS, problem documents, safe repeats."""

import asyncio
import base64
import json
import re
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.core import clock, idempotency
from forum.core.gate import GateResult, PublishAtOnce, Submission
from forum.core.idempotency import SafeRepeat
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from moderation import rules
from tests.support import make

API = "/api/v1"
PROBLEM = "application/problem+json"


def _operations(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and path of the API's document."""
    return [(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item]


def _pointers(answer: httpx.Response) -> list[str]:
    assert answer.headers["content-type"] == PROBLEM, answer.text
    return [fault["pointer"] for fault in answer.json()["errors"]]


async def _talk(services: Services, replies: int = 0) -> tuple[int, int]:
    """The ids of heron's thread on a board, and of its last post."""
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    last = [await make.post(services, "heron", thread) for _ in range(replies)]
    if last:
        return thread, last[-1].id
    async with services.database.work() as session:
        return thread, (await session.execute(select(col(Post.id)).where(col(Post.thread_id) == thread))).scalar_one()


# Reads: an ETag, and 304 to who has these very bytes.

SHARED = [
    "/boards",
    "/boards/{slug}",
    "/boards/{slug}/now",
    "/boards/{slug}/threads",
    "/boards/{slug}/resources",
    "/resources",
    "/threads/{thread}",
    "/threads/{thread}/posts",
    "/posts/{post}",
    "/members?handle=heron",
    "/members/{handle}",
    "/advisers",
    "/rules",
    "/rules/{number}",
]
FEATURES = {
    "boards",
    "threads",
    "posts",
    "members",
    "sessions",
    "advisers",
    "rules",
    "drafts",
    "reactions",
    "bookmarks",
    "subscriptions",
    "resources",
}
PERSONAL = [
    "/home",
    "/threads",
    "/threads/{thread}/mine",
    "/me/threads",
    "/me/subscriptions",
    "/boards/{slug}/subscription",
    "/me/drafts",
    "/me/bookmarks",
    "/me/ignored",
    "/me/marks?thread=1",
    "/me",
    "/me/sessions",
    "/me/second-factor",
    "/me/passkeys",
    "/posts/{post}/revisions",
    "/threads/{thread}/revisions",
    "/adviser/threads",
]


async def test_who_has_these_very_bytes_is_told_so_and_sent_nothing(app: FastAPI, services: Services) -> None:
    thread, post = await _talk(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        for path in SHARED + PERSONAL:
            address = API + path.format(slug="new-here", handle="heron", thread=thread, post=post, number=10)
            first = await orla.get(address)
            assert (first.status_code, first.headers["content-type"]) == (200, "application/json"), path
            tag = first.headers["etag"]
            assert tag.startswith('W/"'), path
            for known in (tag, tag.removeprefix("W/"), f'"another", {tag}', "*"):
                again = await orla.get(address, headers={"If-None-Match": known})
                assert (again.status_code, again.content) == (304, b""), (path, known)
                for name in ("etag", "cache-control", "vary"):
                    assert again.headers[name] == first.headers[name], path
            for unknown in ('"another"', tag.strip('"'), ""):
                again = await orla.get(address, headers={"If-None-Match": unknown})
                assert (again.status_code, again.content) == (200, first.content), (path, unknown)
            # What everybody of a kind sees may be kept and asked about; what is one's own is never kept.
            kept = "private, no-cache" if path in SHARED else "private, no-store"
            assert first.headers["cache-control"] == kept, path
            assert {"Authorization", "Cookie"} <= {name.strip() for name in first.headers["vary"].split(",")}, path


async def test_a_shared_page_is_the_same_bytes_for_every_ordinary_reader(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    thread, post = await _talk(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        for path in SHARED:
            address = API + path.format(slug="new-here", handle="heron", thread=thread, post=post, number=10)
            answers = [await reader.get(address) for reader in (guest, heron, magpie)]
            assert len({(answer.headers["etag"], answer.content) for answer in answers}) == 1, path


def test_every_read_of_the_forum_is_in_one_of_the_two_tables(app: FastAPI) -> None:
    """A new read must be added above, or this fails."""
    names = {"{thread}": "{id}", "{post}": "{id}", "?handle=heron": "", "?thread=1": ""}
    tabled = set()
    for path in SHARED + PERSONAL:
        for ours, theirs in names.items():
            path = path.replace(ours, theirs)  # noqa: PLW2901
        tabled.add(API + path)
    found = {
        path
        for path, item in app.openapi()["paths"].items()
        if path.startswith(API) and FEATURES & set(item.get("get", {}).get("tags", ()))
    }
    # What was redacted is read under the eyes of the audit: moderation's tests look at it. Who reacted to a post is for
    # its author alone: test_reactions.py.
    elsewhere = {f"{API}/{of}/{{id}}/revisions/{{number}}" for of in ("posts", "threads")}
    elsewhere.add(f"{API}/adviser/threads/{{id}}/notes")  # for no moderator: test_notes.py
    elsewhere.add(f"{API}/adviser/templates")  # for advisers: test_answer_templates.py
    assert found - elsewhere - {f"{API}/posts/{{id}}/reactions"} == tabled


async def test_a_page_that_changed_has_another_etag(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    thread, post = await _talk(services)
    address = f"{API}/threads/{thread}/posts"
    tags = [(await guest.get(address)).headers["etag"]]
    async with make.signed_in(app, "heron") as heron:
        for change in (
            heron.post(address, json={"body_markdown": "I see"}),
            heron.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Better"}),
            heron.delete(f"{API}/posts/{post}"),
            heron.patch(f"{API}/me", json={"name": "Grey Heron"}),
        ):
            assert (await change).is_success
            answer = await guest.get(address, headers={"If-None-Match": tags[-1]})
            assert answer.status_code == 200
            tags.append(answer.headers["etag"])
    assert len(set(tags)) == 5


# Lists: one kind of cursor, one kind of link.


LISTS = ("/boards/new-here/threads", "/threads/{thread}/posts", "/adviser/threads")


async def test_a_list_says_where_it_goes_on_in_its_body_and_in_a_link(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services, replies=2)
    for _ in range(2):
        await make.thread(services, "heron")
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        for path in LISTS:
            address = API + path.format(thread=thread)
            all_of_it = (await suzie.get(address)).json()
            assert all_of_it["next"] is None, path
            assert len(all_of_it["items"]) == 3, path
            page, found = await suzie.get(address, params={"limit": 1}), []
            for _ in range(3):
                found += page.json()["items"]
                if page.json()["next"] is None:
                    break
                link = page.links["next"]["url"]
                assert httpx.URL(link).params["after"] == page.json()["next"], path
                assert httpx.URL(link).params["limit"] == "1", path
                page = await suzie.get(link)
            assert "link" not in page.headers, path
            assert found == all_of_it["items"], path


async def test_a_link_keeps_what_was_asked_and_forgets_where_it_began(
    services: Services, guest: httpx.AsyncClient
) -> None:
    thread, _ = await _talk(services, replies=5)
    page = await guest.get(f"{API}/threads/{thread}/posts", params={"from": 2, "limit": 2, "adviser": "false"})
    link = httpx.URL(page.links["next"]["url"])
    assert link.path == f"{API}/threads/{thread}/posts"
    assert dict(link.params) == {"limit": "2", "adviser": "false", "after": page.json()["next"]}
    assert [post["number"] for post in (await guest.get(str(link))).json()["items"]] == [4, 5]


def _forged(place: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).rstrip(b"=").decode()


NOW = "2026-03-01T12:00:00+00:00"
FORGED = [
    "",
    "x",
    "!!!!",
    "=",
    "привет",
    "a" * 401,
    _forged(None),
    _forged([]),
    _forged({}),
    _forged("abc"),
    _forged([None]),
    _forged([-1]),
    _forged([1.5]),
    _forged(["many"]),
    _forged([2**63]),
    _forged([10**300]),
    _forged([1, 2]),
    _forged([NOW, -1]),
    _forged([NOW, 2**63]),
    _forged(["2026-03-01T12:00:00", 1]),  # in no time zone
    _forged(["0001-01-01T00:00:00+00:00", 1]),
    _forged(["9999-12-31T23:59:59-23:59", 1]),
    _forged(["yesterday", 1]),
    _forged([1e300, 1]),
    _forged([True, "yesterday", 1]),
    _forged([True, NOW, 1, 1]),
    _forged(["perhaps", NOW, 1]),
    base64.urlsafe_b64encode(b"[NaN]").decode(),
    base64.urlsafe_b64encode(b"[Infinity, 1]").decode(),
    base64.urlsafe_b64encode(b"[" * 250).decode(),
    base64.urlsafe_b64encode(b"[" + b"9" * 250 + b"]").decode(),
    base64.urlsafe_b64encode(b"\xff\xfe[1]").decode(),
]


async def test_a_forged_cursor_is_refused_by_name(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        for path, after in product(LISTS, FORGED):
            answer = await suzie.get(API + path.format(thread=thread), params={"after": after})
            assert answer.status_code == 422, (path, after, answer.text)
            assert _pointers(answer) == ["query/after"]


async def test_a_cursor_beyond_the_end_of_a_thread_finds_nothing(services: Services, guest: httpx.AsyncClient) -> None:
    thread, _ = await _talk(services)
    for number in (1, 2**31 - 2, 2**31 - 1, 2**31, 2**63 - 1):
        for more in ({}, {"adviser": "true"}, {"limit": "100"}):
            answer = await guest.get(f"{API}/threads/{thread}/posts", params={"after": _forged([number]), **more})
            assert (answer.status_code, answer.json()) == (200, {"items": [], "next": None, "glossary": []})


async def test_a_cursor_belongs_to_its_list(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services, replies=1)
    await make.thread(services, "heron")
    lists = ["/boards/new-here/threads", f"/threads/{thread}/posts", "/adviser/threads"]
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        cursors = [(await suzie.get(API + path, params={"limit": 1})).json()["next"] for path in lists]
        for path, own in zip(lists, cursors, strict=True):
            for cursor in cursors:
                answer = await suzie.get(API + path, params={"after": cursor})
                assert answer.status_code == (200 if cursor == own else 422)


async def test_a_page_has_1_to_100_items(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        for path, limit in product(LISTS, ("1", "100", "101", "0", "-1", "x", "", "1.5")):
            answer = await suzie.get(API + path.format(thread=thread), params={"limit": limit})
            assert answer.status_code == (200 if limit in {"1", "100"} else 422), (path, limit)
            if answer.status_code == 422:
                assert _pointers(answer) == ["query/limit"], (path, limit)


async def test_a_page_has_20_items_unless_it_is_asked_for_more(services: Services, guest: httpx.AsyncClient) -> None:
    thread, _ = await _talk(services, replies=20)
    for _ in range(20):
        await make.thread(services, "heron")
    for path in (f"/threads/{thread}/posts", "/boards/new-here/threads"):
        page = (await guest.get(API + path)).json()
        assert (len(page["items"]), page["next"] is None) == (20, False)
        rest = (await guest.get(API + path, params={"after": page["next"]})).json()
        assert (len(rest["items"]), rest["next"]) == (1, None)


# What a route does not know, it refuses.


async def test_a_misspelt_parameter_is_refused_everywhere(app: FastAPI, guest: httpx.AsyncClient) -> None:
    operations = _operations(app)
    assert len(operations) > 25
    for method, path in operations:
        address = re.sub(r"\{.*?\}", "1", path)
        answer = await guest.request(method, address, params={"limmit": 5})
        assert (answer.status_code, _pointers(answer)) == (422, ["query/limmit"]), (method, path)


# Errors: one shape.


MISTAKES = [
    ("GET", "/nowhere", None, 404, "/problems/not-found", None),
    ("GET", "/threads/999999", None, 404, "/problems/not-found", None),
    ("PUT", "/boards", None, 405, "/problems/method-not-allowed", None),
    ("GET", "/threads/abc", None, 422, "/problems/validation-failed", ["path/id"]),
    ("GET", "/threads/0", None, 422, "/problems/validation-failed", ["path/id"]),
    ("GET", f"/threads/{2**63}", None, 422, "/problems/validation-failed", ["path/id"]),
    ("GET", "/boards/New%20Here", None, 422, "/problems/validation-failed", ["path/slug"]),
    ("GET", "/boards/new-here%0A", None, 422, "/problems/validation-failed", ["path/slug"]),
    ("GET", "/threads/{thread}/posts?from=0", None, 422, "/problems/validation-failed", ["query/from"]),
    ("GET", f"/threads/{{thread}}/posts?from={2**31}", None, 422, "/problems/validation-failed", ["query/from"]),
    (
        "GET",
        "/threads/{thread}/posts?adviser=maybe",
        None,
        422,
        "/problems/validation-failed",
        ["query/adviser"],
    ),
    ("POST", "/threads/{thread}/posts", b"", 422, "/problems/validation-failed", ["#"]),
    ("POST", "/threads/{thread}/posts", b"{", 422, "/problems/validation-failed", ["#"]),
    ("POST", "/threads/{thread}/posts", b"[1]", 422, "/problems/validation-failed", ["#"]),
    ("POST", "/threads/{thread}/posts", b"null", 422, "/problems/validation-failed", ["#"]),
    ("POST", "/threads/{thread}/posts", b'"\xff"', 422, "/problems/validation-failed", ["#"]),
    ("POST", "/threads/{thread}/posts", b"{}", 422, "/problems/validation-failed", ["#/body_markdown"]),
    (
        "POST",
        "/threads/{thread}/posts",
        b'{"body_markdown": 7}',
        422,
        "/problems/validation-failed",
        ["#/body_markdown"],
    ),
    (
        "POST",
        "/threads/{thread}/posts",
        b'{"body_markdown": "Hello", "reply_two": 1, "reply_to": "one"}',
        422,
        "/problems/validation-failed",
        ["#/reply_to", "#/reply_two"],
    ),
    (
        "POST",
        "/threads/{thread}/posts",
        b'{"body_markdown": "\\ud83d and \\u0000"}',
        422,
        "/problems/validation-failed",
        ["#/body_markdown"],
    ),
    (
        "POST",
        "/boards/nowhere/threads",
        b'{"title": "Hello", "body_markdown": "x"}',
        404,
        "/problems/not-found",
        None,
    ),
    ("PATCH", "/posts/{post}", b'{"revision": 9, "body_markdown": "x"}', 409, "/problems/stale", None),
    ("GET", "/adviser/threads", None, 403, "/problems/forbidden", None),
]


async def test_every_error_is_a_problem_document(app: FastAPI, services: Services) -> None:
    thread, post = await _talk(services)
    async with make.signed_in(app, "heron") as heron:
        for method, path, content, status, kind, pointers in MISTAKES:
            address, headers = API + path.format(thread=thread, post=post), {"Content-Type": "application/json"}
            answer = await heron.request(method, address, content=content, headers=headers)
            assert answer.headers["content-type"] == PROBLEM, path
            problem = answer.json()
            assert (answer.status_code, problem["status"], problem["type"]) == (status, status, kind), (path, content)
            assert problem["title"], path
            assert problem["detail"], path
            assert sorted(fault["pointer"] for fault in problem.get("errors") or []) == (pointers or []), (
                path,
                content,
            )


async def test_who_is_not_signed_in_is_told_how_to(guest: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic aGVyb246aGVyb24="}):
        answer = await guest.get(f"{API}/me", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["type"] == "/problems/not-signed-in"


# Other sites' pages.

FRIEND, STRANGER = "https://app.example.org", "https://elsewhere.example"


async def test_pages_of_allowed_origins_may_call_and_read_what_they_need(settings: Settings) -> None:
    friendly = settings.model_copy(update={"allowed_origins": frozenset({FRIEND})})
    async with make.application(friendly) as app, make.client(app) as guest:
        asking = {
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, if-none-match",
        }
        allowed = await guest.options(f"{API}/boards", headers={"Origin": FRIEND, **asking})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == FRIEND
        assert "PATCH" in allowed.headers["access-control-allow-methods"]
        assert (await guest.options(f"{API}/boards", headers={"Origin": STRANGER, **asking})).status_code == 400
        for path, status in (("/boards", 200), ("/nowhere", 404), ("/boards?x=1", 422), ("/me", 401)):
            answer = await guest.get(API + path, headers={"Origin": FRIEND})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == FRIEND
            assert answer.headers["access-control-allow-credentials"] == "true"
            exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
            assert exposed >= {"ETag", "Location", "Link", "Retry-After"}
            strange = await guest.get(API + path, headers={"Origin": STRANGER})
            assert "access-control-allow-origin" not in strange.headers


async def test_no_other_site_is_let_in_unless_one_is_named(guest: httpx.AsyncClient) -> None:
    answer = await guest.get(f"{API}/boards", headers={"Origin": STRANGER})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


# Safe repeats.


async def _rows(services: Services, table: Any = Post) -> int:
    async with services.database.work() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


def _key(name: str = "once") -> dict[str, str]:
    return {"Idempotency-Key": name}


async def test_the_same_reply_sent_twice_is_one_reply(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    address = f"{API}/threads/{thread}/posts"
    async with make.signed_in(app, "heron") as heron:
        first = await heron.post(address, json={"body_markdown": "I see", "reply_to": 1}, headers=_key())
        # The same thing, spelt by another JSON library.
        spelt = '{ "reply_to":1,\n "body_markdown": "I \\u0073ee" }'
        headers = {"Content-Type": "application/json", **_key()}
        again = await heron.post(address, content=spelt, headers=headers)
        assert first.status_code == again.status_code == 201
        assert (first.json(), first.headers["location"]) == (again.json(), again.headers["location"])
        without = await heron.post(address, json={"body_markdown": "I see", "reply_to": 1})
        assert without.json()["number"] == 3
    assert await _rows(services) == 3


async def test_the_same_thread_opened_twice_is_one_thread(app: FastAPI, services: Services) -> None:
    await _talk(services)
    words = {"title": "What now?", "body_markdown": "They come on Monday"}
    async with make.signed_in(app, "heron") as heron:
        answers = [await heron.post(f"{API}/boards/new-here/threads", json=words, headers=_key()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert await _rows(services) == 2


async def test_a_key_is_for_one_thing_only(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    async with make.signed_in(app, "heron") as heron:
        await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "I see"}, headers=_key())
        other = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "I saw"}, headers=_key())
        assert (other.status_code, _pointers(other)) == (422, ["header/Idempotency-Key"])
    assert await _rows(services) == 2


async def test_a_key_belongs_to_one_member_on_one_route(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    another = await make.thread(services, "heron")
    words = {"body_markdown": "I see"}
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        made = [
            await heron.post(f"{API}/threads/{thread}/posts", json=words, headers=_key()),
            await magpie.post(f"{API}/threads/{thread}/posts", json=words, headers=_key()),
            await heron.post(f"{API}/threads/{another}/posts", json=words, headers=_key()),
            await heron.post(f"{API}/threads/{thread}/posts", json=words, headers=_key("twice")),
        ]
    assert [answer.status_code for answer in made] == [201] * 4
    assert len({answer.json()["id"] for answer in made}) == 4


class _SlowGate(PublishAtOnce):
    """A gate that thinks over the first submission until it is told to go on."""

    def __init__(self) -> None:
        self.thinks, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def judge(self, _session: AsyncSession, _submission: Submission) -> GateResult:
        if not self.thinks.is_set():
            self.thinks.set()
            await self.may_go_on.wait()
        return GateResult()


async def test_while_the_first_is_being_worked_on_the_second_is_told_to_come_back(settings: Settings) -> None:
    gate = _SlowGate()
    async with make.application(settings, gate) as app:
        services: Services = app.state.services
        thread, _ = await _talk(services)
        address, words = f"{API}/threads/{thread}/posts", {"body_markdown": "I see"}
        async with make.signed_in(app, "heron") as heron:
            first = asyncio.create_task(heron.post(address, json=words, headers=_key()))
            await gate.thinks.wait()
            for body in (words, {"body_markdown": "Something else"}):
                second = await heron.post(address, json=body, headers=_key())
                assert (second.status_code, second.json()["type"]) == (409, "/problems/request-in-progress")
                assert second.headers["retry-after"] == "1"
            gate.may_go_on.set()
            assert (await first).status_code == 201
            assert (await heron.post(address, json=words, headers=_key())).json() == (await first).json()
        assert await _rows(services) == 2


async def test_however_often_and_at_once_it_is_sent_it_is_made_once(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    address, words = f"{API}/threads/{thread}/posts", {"body_markdown": "I see"}
    async with make.signed_in(app, "heron") as heron:
        answers = await asyncio.gather(*(heron.post(address, json=words, headers=_key()) for _ in range(12)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert await _rows(services) == 2


async def test_a_repeat_shows_the_post_as_it_is_today(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    address, words = f"{API}/threads/{thread}/posts", {"body_markdown": "I see"}
    async with make.signed_in(app, "heron") as heron:
        first = await heron.post(address, json=words, headers=_key())
        location = first.headers["location"]
        await heron.patch(location, json={"revision": 1, "body_markdown": "I see now"})
        again = await heron.post(address, json=words, headers=_key())
        assert (again.status_code, again.json()["body_markdown"]) == (201, "I see now")
        await heron.delete(location)
        again = await heron.post(address, json=words, headers=_key())
        assert (again.status_code, again.json()["visibility"]) == (201, "withdrawn")
        assert "I see" not in again.text


async def test_a_failure_is_not_kept(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    address, words = f"{API}/threads/{thread}/posts", {"body_markdown": "I see", "reply_to": 2}
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        assert (await heron.post(address, json=words, headers=_key())).status_code == 422
        await orla.post(address, json={"body_markdown": "There"})
        await orla.put(f"{API}/threads/{thread}/lock")
        assert (await heron.post(address, json=words, headers=_key())).status_code == 403
        await orla.delete(f"{API}/threads/{thread}/lock")
        assert (await heron.post(address, json=words, headers=_key())).json()["number"] == 3


async def test_a_repeat_is_no_second_try_for_the_throttle(settings: Settings) -> None:
    slow = settings.model_copy(update={"posting_limit": "1/1 day"})
    async with make.application(slow) as app:
        thread, _ = await _talk(app.state.services)
        address, words = f"{API}/threads/{thread}/posts", {"body_markdown": "I see"}
        async with make.signed_in(app, "heron") as heron:
            for _ in range(3):
                assert (await heron.post(address, json=words, headers=_key())).status_code == 201
            refused = await heron.post(address, json=words, headers=_key("another"))
            assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
            assert int(refused.headers["retry-after"]) > 80_000
            assert refused.headers["ratelimit-policy"] == '"posting";q=1;w=86400'
            assert refused.headers["ratelimit"] == f'"posting";r=0;t={refused.headers["retry-after"]}'


async def test_a_key_is_forgotten_after_a_day(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    address = f"{API}/threads/{thread}/posts"
    async with make.signed_in(app, "heron") as heron:
        for name in ("old", "new"):
            await heron.post(address, json={"body_markdown": "I see"}, headers=_key(name))
        yesterday = clock.now() - timedelta(hours=24, seconds=1)
        async with services.database.work() as session:
            await session.execute(update(SafeRepeat).where(col(SafeRepeat.key) == "old").values(made_at=yesterday))
        again = await heron.post(address, json={"body_markdown": "Another day"}, headers=_key("old"))
        assert (again.status_code, again.json()["number"]) == (201, 4)
        again = await heron.post(address, json={"body_markdown": "Another day"}, headers=_key("old"))
        assert again.json()["number"] == 4
        assert await _rows(services, SafeRepeat) == 2
        async with services.database.work() as session:
            await session.execute(update(SafeRepeat).where(col(SafeRepeat.key) == "old").values(made_at=yesterday))
            await idempotency.delete_expired(session, clock.now())
        assert await _rows(services, SafeRepeat) == 1


async def test_a_key_is_1_to_200_printable_characters(app: FastAPI, services: Services) -> None:
    thread, _ = await _talk(services)
    address, words = f"{API}/threads/{thread}/posts", {"body_markdown": "I see"}
    async with make.signed_in(app, "heron") as heron:
        for key in ("", " ", "two words", "x" * 201, "schlüssel".encode(), "\x7f"):
            headers: Any = [("Idempotency-Key", key)]
            answer = await heron.post(address, json=words, headers=headers)
            assert (answer.status_code, _pointers(answer)) == (422, ["header/Idempotency-Key"]), key


async def test_a_key_never_keeps_the_words(app: FastAPI, services: Services) -> None:
    """Were the answer kept, words that were removed since would come back with it."""
    thread, _ = await _talk(services)
    async with make.signed_in(app, "heron") as heron:
        await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "SECRET"}, headers=_key())
    async with services.database.work() as session:
        kept = (await session.execute(select(SafeRepeat))).scalar_one()
    assert "SECRET" not in repr(kept.model_dump())
    assert isinstance(kept.made_at, datetime)
