"""The gate: who is published at once, who waits, and how a waiting post comes out."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role, Standing
from moderation.gate import REVIEWED
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, PUBLISH, REMOVE


async def opens(client: httpx.AsyncClient, body: str = "Hello", slug: str = "new-here") -> dict[str, Any]:
    """A thread that this member opens."""
    words = {"title": "A question", "body_markdown": body}
    answer = await scenes.confirmed(client, "POST", f"{API}/boards/{slug}/threads", words)
    assert answer.status_code == 201, answer.text
    thread: dict[str, Any] = answer.json()
    return thread


@pytest.fixture(autouse=True)
async def house_rules(services: Services) -> None:
    """Decisions cite rule 10."""
    await scenes.house_rules(services)


@pytest.mark.parametrize(
    ("publication", "published_before", "roles", "visibility"),
    [
        ("at_once", 0, (), "visible"),
        ("hold_newcomers", 0, (), "held"),
        ("hold_newcomers", 2, (), "held"),
        ("hold_newcomers", 3, (), "visible"),
        ("hold_newcomers", 0, (Role.ADVISER,), "visible"),
        ("hold_all", 3, (), "held"),
        ("hold_all", 0, (Role.ADVISER,), "visible"),
        ("hold_all", 0, (Role.MODERATOR,), "visible"),
        ("hold_all", 0, (Role.ADMINISTRATOR,), "visible"),
    ],
)
async def test_who_waits(
    app: FastAPI, services: Services, publication: str, published_before: int, roles: tuple[Role, ...], visibility: str
) -> None:
    await make.board(services, "lounge")
    await make.board(services, publication=publication)
    async with make.signed_in(app, "wren", *roles) as wren:
        for _ in range(published_before):
            await make.thread(services, "wren", "lounge")
        assert (await opens(wren))["first_post"]["visibility"] == visibility


async def test_a_moderator_of_one_board_never_waits(app: FastAPI, services: Services) -> None:
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "here", boards=("new-here",)) as here:
        assert (await opens(here))["first_post"]["visibility"] == "visible"


async def test_a_held_thread_is_seen_by_its_author_and_moderators_only_until_it_is_published(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services, "court")
    await make.board(services, publication="hold_all")
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "other", boards=("court",)) as other,
    ):
        thread = await opens(stepdad)
        post = thread["first_post"]
        assert post["held_because"]
        urls = (f"{API}/threads/{thread['id']}", f"{API}/posts/{post['id']}")
        for client, status in ((stepdad, 200), (suzie, 200), (magpie, 404), (other, 404), (guest, 404)):
            assert [(await client.get(url)).status_code for url in urls] == [status] * 2
        listing = f"{API}/boards/new-here/threads"
        assert (await guest.get(listing)).json()["items"] == []
        assert await kinds(stepdad) == ["post_held"]

        case = await scenes.a_case(suzie, post["id"])
        assert case["category"] == "held"
        assert (await scenes.decide(suzie, case, PUBLISH, rules=[])).status_code == 201
        for client in (stepdad, suzie, magpie, other, guest):
            assert [(await client.get(url)).status_code for url in urls] == [200] * 2
        [listed] = (await guest.get(listing)).json()["items"]
        assert (listed["id"], listed["posts"]) == (thread["id"], 1)
        assert await kinds(stepdad) == ["post_published", "post_held"]


async def test_a_double_click_publishes_once_and_the_post_keeps_its_number(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services, publication="hold_all")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        held = (await stepdad.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Wait"})).json()
        await make.post(services, "heron", thread, "Anybody?")
        assert [one["number"] for one in await scenes.first_page(guest, thread)] == [1, 3]
        assert [one["number"] for one in await scenes.first_page(stepdad, thread)] == [1, 2, 3]
        case = await scenes.a_case(suzie, held["id"])
        clicks = await asyncio.gather(*(scenes.decide(suzie, case, PUBLISH) for _ in range(2)))
        assert sorted(one.status_code for one in clicks) == [201, 409]
        page = await scenes.first_page(guest, thread)
        assert [(one["number"], one["id"] == held["id"]) for one in page] == [(1, False), (2, True), (3, False)]
        assert (await kinds(stepdad)).count("post_published") == 1
        assert (await guest.get(f"{API}/threads/{thread}")).json()["posts"] == 3


async def test_a_held_post_that_is_removed_is_told_to_its_author_and_seen_by_nobody(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        thread = await opens(stepdad, "Toad")
        case = await scenes.a_case(suzie, thread["first_post"]["id"])
        assert (await scenes.decide(suzie, case, REMOVE)).status_code == 201
        assert await kinds(stepdad) == ["post_removed", "post_held"]
        assert (await guest.get(f"{API}/threads/{thread['id']}")).status_code == 404
        assert (await guest.get(f"{API}/boards/new-here/threads")).json()["items"] == []


async def test_an_edit_waits_behind_the_approved_post_and_opens_the_case_again(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        thread = await opens(stepdad)
        post = thread["first_post"]["id"]
        first = await scenes.a_case(suzie, post)
        await scenes.decide(suzie, first, PUBLISH)
        edited = await stepdad.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Toad"})
        assert (edited.json()["visibility"], edited.json()["waiting"]["body_markdown"]) == ("visible", "Toad")
        assert (await guest.get(f"{API}/posts/{post}")).json()["body_markdown"] != "Toad"
        again = await scenes.a_case(suzie, post)
        assert (again["id"], again["post_revision"]) == (first["id"], 1)
        [held] = again["held_edits"]
        assert (held["state"], held["body_markdown"], held["title"]) == ("waiting", "Toad", None)
        assert (await scenes.decide(suzie, again, DISMISS)).json()["errors"][0]["code"] == "edit_left_waiting"
        assert (await scenes.decide(suzie, again, PUBLISH)).status_code == 201
        assert (await guest.get(f"{API}/posts/{post}")).json()["body_markdown"] == "Toad"


async def test_an_edit_while_it_waits_makes_an_approval_of_the_older_words_stale(
    app: FastAPI, services: Services
) -> None:
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        post = (await opens(stepdad))["first_post"]["id"]
        case = await scenes.a_case(suzie, post)
        await stepdad.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Toad"})
        assert (await scenes.decide(suzie, case, PUBLISH)).status_code == 409
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post), PUBLISH)).status_code == 201


async def test_only_a_held_post_can_be_published(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.report(magpie, post.id)
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post.id), PUBLISH)).status_code == 409


async def kinds(client: httpx.AsyncClient) -> list[str]:
    """The kinds of this member's notifications, newest first."""
    return [item["kind"] for item in (await client.get(f"{API}/me/notifications")).json()["items"]]


# What screening finds


DANGER, NUMBER = "I want to die. I mean it.", "Ring me on 020 7946 0958 😟"


@pytest.mark.parametrize(
    ("body", "roles", "publication", "visibility", "category", "recognisers"),
    [
        ("Hello all", (), "at_once", "visible", None, []),
        ("Hello all", (), "hold_all", "held", "held", []),
        (DANGER, (), "at_once", "visible", "risk", ["suicide"]),
        (DANGER, (), "hold_all", "held", "risk", ["suicide"]),
        (NUMBER, (), "at_once", "visible", "personal_information", ["telephone"]),
        (NUMBER, (), "hold_all", "held", "personal_information", ["telephone"]),
        (f"{NUMBER} {DANGER}", (), "at_once", "visible", "risk", ["telephone", "suicide"]),
        # Staff give out the charity's own numbers; but they are people too.
        (NUMBER, (Role.ADVISER,), "at_once", "visible", None, []),
        (f"{NUMBER} {DANGER}", (Role.ADVISER,), "at_once", "visible", "risk", ["suicide"]),
    ],
)
async def test_what_is_found_opens_a_case_and_holds_up_nothing(
    app: FastAPI,
    services: Services,
    body: str,
    roles: tuple[Role, ...],
    publication: str,
    visibility: str,
    category: str | None,
    recognisers: list[str],
) -> None:
    await make.board(services, publication=publication)
    async with make.signed_in(app, "wren", *roles) as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        post = (await opens(wren, body))["first_post"]
        queue = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        assert (post["visibility"], [case["category"] for case in queue]) == (
            visibility,
            [category] if category else [],
        )
        if category:
            case = await scenes.a_case(suzie, post["id"])
            assert (case["version"], case["reports"]) == (1, 0)
            assert [one["recogniser"] for one in case["findings"]] == recognisers
            assert {(one["part"], one["revision"]) for one in case["findings"]} <= {("body", 1)}
            for one in case["findings"]:
                assert body[one["start"] : one["end"]] in {"want to die", "020 7946 0958"}


async def test_what_is_found_in_a_title_or_a_warning_says_where(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        words = {"title": DANGER, "body_markdown": "Hello", "content_warning": "I live at SW1A 1AA"}
        thread = (await wren.post(f"{API}/boards/new-here/threads", json=words)).json()
        case = await scenes.a_case(suzie, thread["first_post"]["id"])
    assert [(one["part"], one["start"], one["end"]) for one in case["findings"]] == [
        ("title", 2, 13),
        ("warning", 10, 18),
    ]


async def test_a_case_from_screening_jumps_the_queue(app: FastAPI, services: Services) -> None:
    first = await scenes.a_post(services)
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await scenes.report(magpie, first.id, category="illegal", rules=[])
        danger = (await opens(wren, DANGER))["first_post"]["id"]
        queue = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        assert [(case["category"], case["post_id"]) for case in queue] == [("risk", danger), ("illegal", first.id)]


async def test_a_statement_says_that_screening_found_it(app: FastAPI, services: Services) -> None:
    first = await scenes.a_post(services)
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        await scenes.decided(app, suzie, first.id, scenes.WARN)
        post = (await opens(stepdad, NUMBER))["first_post"]["id"]
        redact = {"kind": "redact", "spans": [[11, 24]]}
        made = await scenes.decide(suzie, await scenes.a_case(suzie, post), redact)
        assert made.status_code == 201, made.text
        await scenes.appeal(stepdad, made.json()["statement_id"])
        hearing = await scenes.a_case(orla, post, "appeal")
        assert (await scenes.hear(orla, hearing["id"], "change", scenes.WARN, rules=[10])).status_code == 201
        told = (await stepdad.get(f"{API}/me/statements")).json()["items"]
    assert [one["automated_detection"] for one in told] == [True, True, False]
    assert {one["automated_decision"] for one in told} == {False}


async def test_an_edit_is_screened_and_only_news_opens_a_decided_case_again(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:

        async def edits(revision: int, body: str) -> None:
            edit = {"revision": revision, "body_markdown": body}
            assert (await scenes.confirmed(wren, "PATCH", f"{API}/posts/{post}", edit)).status_code == 200

        post = (await opens(wren, "Hello"))["first_post"]["id"]
        await edits(1, f"{NUMBER}, pleese")
        case = await scenes.a_case(suzie, post)
        assert [(one["revision"], one["start"]) for one in case["findings"]] == [(2, 11)]
        assert (await scenes.decide(suzie, case, scenes.DISMISS)).status_code == 201
        await edits(2, f"So: {NUMBER}, please")
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []
        await edits(3, f"So: {NUMBER}, or 020 7946 0959")
        again = await scenes.a_case(suzie, post)
        assert (again["id"], again["category"]) == (case["id"], "personal_information")
        assert [one["start"] for one in again["findings"]] == [15, 35]
        await edits(4, "Never mind")
        assert (await scenes.a_case(suzie, post))["findings"] == []


async def test_no_words_are_kept_with_what_was_found(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "wren") as wren:
        await opens(wren, f"{NUMBER} {DANGER}")
    [[kept]] = await scenes.sql(services, "SELECT string_agg(finding::text, ' ') FROM finding")
    assert "die" not in kept
    assert "7946" not in kept


async def test_a_long_text_is_screened_too(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        post = (await opens(wren, "Hello. " * 1000 + DANGER))["first_post"]["id"]
        [found] = (await scenes.a_case(suzie, post))["findings"]
    assert (found["start"], found["end"]) == (7002, 7013)


# Under review

SUICIDE = "I want to kill myself tonight."


async def test_what_a_reviewed_member_writes_is_read_before_it_appears(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    """But for a cry: it appears at once, with its case. Words that tell another to harm themselves wait."""
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        before = await opens(wren, "As before.")
        await make.sanction(services, "wren", Standing.REVIEWED)
        url = f"{API}/threads/{thread}/posts"
        waiting = (await wren.post(url, json={"body_markdown": "You toad."})).json()
        assert (waiting["visibility"], waiting["held_because"]) == ("held", REVIEWED)
        for words in ("Kill yourself.", "Kill yourself. I want to kill myself, too."):
            assert (await wren.post(url, json={"body_markdown": words})).json()["visibility"] == "held"
        cry = (await wren.post(url, json={"body_markdown": SUICIDE})).json()
        assert (cry["visibility"], cry["help"]["kind"]) == ("visible", "suicide")
        edit = {"revision": 1, "body_markdown": "Not as before."}
        assert (await wren.patch(f"{API}/posts/{before['first_post']['id']}", json=edit)).status_code == 200
        retitled = {"version": before["version"], "title": "Another question"}
        assert (await wren.patch(f"{API}/threads/{before['id']}", json=retitled)).status_code == 200
        assert (await wren.patch("/api/v1/me", json={"name": "Suzie's friend"})).json()["code"] == "account_reviewed"
        assert (await wren.get(f"{API}/me")).json()["standing"] == "reviewed"
        shown = (await guest.get(f"{API}/threads/{before['id']}")).json()
        assert shown["title"] == "A question"
        assert [post["body_markdown"] for post in await scenes.first_page(guest, before["id"])] == ["As before."]
        assert [post["body_markdown"] for post in await scenes.first_page(guest, thread)][1:] == [SUICIDE]
        case = await scenes.a_case(suzie, waiting["id"])
        assert (await scenes.decide(suzie, case, PUBLISH)).status_code == 201
    assert (await guest.get(f"{API}/posts/{waiting['id']}")).status_code == 200
