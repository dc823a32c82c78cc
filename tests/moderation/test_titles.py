"""Titles are words: reported, decided on, taken away for good, and given back by an appeal."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from moderation.repeated_words import bring_back
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS

RUDE = "Mrs Thimble of Leeds is a lying toad"
RETITLE = {"kind": "retitle", "title": "About a social worker"}


async def a_thread(services: Services, title: str = RUDE) -> tuple[int, int]:
    """A thread that the stepdad opened, and its first post."""
    await scenes.house_rules(services)
    await make.board(services)
    thread = await make.thread(services, await scenes.known(services, "stepdad"), title=title, body="She was late.")
    [[post]] = await scenes.sql(services, "SELECT id FROM post WHERE thread_id = :id", id=thread)
    return thread, post


async def retitle(client: httpx.AsyncClient, thread: int, title: str, **more: Any) -> httpx.Response:
    """A title, on the thread as it is now."""
    version = (await client.get(f"{API}/threads/{thread}")).json()["version"]
    words = {"version": version, "title": title, **more}
    return await scenes.confirmed(client, "PATCH", f"{API}/threads/{thread}", words)


# What a report and a decision are about


async def test_a_report_of_an_opening_post_says_which_title_and_a_new_title_is_news(
    app: FastAPI, services: Services
) -> None:
    thread, post = await a_thread(services)
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        first = await scenes.report(magpie, post)
        assert (first.status_code, first.json()["title_revision"]) == (201, 1)
        case = await scenes.a_case(suzie, post)
        assert (case["title_revision"], case["reported"][0]["title_revision"]) == (1, 1)
        assert (await scenes.decide(suzie, case, DISMISS, title_revision=1)).status_code == 201
        # A lock is no other title.
        await suzie.put(f"{API}/threads/{thread}/lock")
        await suzie.delete(f"{API}/threads/{thread}/lock")
        assert (await scenes.report(magpie, post, title_revision=1)).json()["id"] == first.json()["id"]
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []

        assert (await retitle(stepdad, thread, "Mrs Thimble is a witch")).status_code == 200
        again = await scenes.report(magpie, post)
        assert (again.json()["title_revision"], again.json()["id"] == first.json()["id"]) == (2, False)
        case = await scenes.a_case(suzie, post)
        assert [title["title"] for title in case["titles"]] == [RUDE, "Mrs Thimble is a witch"]
        # The older title can still be reported; one that never was cannot.
        async with make.signed_in(app, "wren") as wren:
            assert (await scenes.report(wren, post, title_revision=1)).status_code == 201
        unknown = await scenes.report(magpie, post, title_revision=3)
        assert unknown.json()["errors"][0]["pointer"] == "#/title_revision"


async def test_a_reply_has_no_title(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await scenes.report(magpie, post.id)).json()["title_revision"] is None
        case = await scenes.a_case(suzie, post.id)
        assert (case["title_revision"], case["titles"], case["held_edits"]) == (None, [], [])


@pytest.mark.parametrize("says", [{"title_revision": 1}, {}])
async def test_a_decision_on_another_title_than_the_one_on_the_screen_is_refused(
    says: dict[str, int], app: FastAPI, services: Services
) -> None:
    thread, post = await a_thread(services)
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await scenes.report(magpie, post)
        case = await scenes.a_case(suzie, post)
        assert (await retitle(stepdad, thread, "Mrs Thimble is a witch")).status_code == 200
        stale = await scenes.decide(suzie, case, DISMISS, **says)
        assert (stale.status_code, stale.json()["type"]) == (409, "/problems/stale")
        if says:
            assert (stale.json()["code"], stale.json()["current"]) == ("title_changed", 2)
            assert stale.json()["changed_by"]["handle"] == "stepdad"
        case = await scenes.a_case(suzie, post)
        assert (await scenes.decide(suzie, case, DISMISS, title_revision=2)).status_code == 201
        assert await scenes.sql(services, "SELECT title_revision FROM decision") == [(2,)]


async def test_a_statement_about_a_title_quotes_the_title(app: FastAPI, services: Services) -> None:
    _, post = await a_thread(services)
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decided(app, suzie, post, RETITLE)
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert statement["excerpts"] == [RUDE]


async def test_what_is_found_in_a_new_title_is_on_the_cases_screen(app: FastAPI, services: Services) -> None:
    thread, post = await a_thread(services, "A question")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await retitle(stepdad, thread, "Ring me on 020 7946 0958")).json()["title"].startswith("Ring")
        case = await scenes.a_case(suzie, post)
        [found] = case["findings"]
        assert (case["category"], found["part"], found["start"]) == ("personal_information", "title", 11)
        assert (await scenes.decide(suzie, case, DISMISS)).status_code == 201
        # A typing error is nothing new; another number is.
        assert (await retitle(stepdad, thread, "Ring me on 020 7946 0958!")).status_code == 200
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []
        assert (await retitle(stepdad, thread, "Ring me on 020 7946 0959")).status_code == 200
        assert len((await scenes.a_case(suzie, post))["findings"]) == 1


# Taken away


TAKEN_AGAIN = [
    RUDE,
    "mrs thimble of leeds is a LYING toad",
    "Mrs Thimble  of Leeds is a ly\u200bing to\u00adad!",
    "M r s T h i m b l e o f L e e d s i s a l y i n g t o a d",
    "Again: Mrs Thimble of Leeds is a lying toad",
    "Мrs Тhimble of Lееds is a lying toad",
    "Who is a lying toad of Leeds? Mrs Thimble of Leeds",
]


@pytest.mark.parametrize("way", ["measure", "patch"])
async def test_a_title_that_a_moderator_took_away_does_not_come_back_by_its_authors_hand(
    way: str, app: FastAPI, services: Services
) -> None:
    thread, post = await a_thread(services)
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        if way == "measure":
            await scenes.decided(app, suzie, post, RETITLE)
        else:
            assert (await retitle(suzie, thread, RETITLE["title"])).status_code == 200
        for title in TAKEN_AGAIN:
            refused = await retitle(stepdad, thread, title)
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "title_was_taken_out"), title
            assert (await stepdad.get(f"{API}/threads/{thread}")).json()["title"] == RETITLE["title"], title
        for title in TAKEN_AGAIN:
            assert (await retitle(suzie, thread, title)).status_code == 200, title  # a moderator may


async def test_words_that_were_redacted_in_the_opening_post_do_not_become_its_title(
    app: FastAPI, services: Services
) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    thread = await make.thread(services, await scenes.known(services, "stepdad"), body=scenes.RUDE)
    [[post]] = await scenes.sql(services, "SELECT id FROM post")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decided(app, suzie, post, scenes.REDACT)
        refused = await retitle(stepdad, thread, "She is a lying toad")
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "title_was_taken_out")
        assert (await retitle(stepdad, thread, "About a visit")).json()["title"] == "About a visit"


async def test_a_title_that_was_taken_away_is_sealed_until_an_appeal_gives_it_back(
    app: FastAPI, services: Services
) -> None:
    thread, post = await a_thread(services, "At first")
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "magpie") as magpie,
    ):
        for title in (RUDE, "About her", RUDE.upper()):
            assert (await retitle(stepdad, thread, title)).status_code == 200
        await scenes.decided(app, suzie, post, RETITLE)
        revisions = f"{API}/threads/{thread}/revisions"
        told = (await stepdad.get(revisions)).json()["items"]
        assert [(title["title"], title["sealed"]) for title in told] == [
            ("At first", False),
            (None, True),
            ("About her", False),
            (None, True),
            (RETITLE["title"], False),
        ]
        assert (await suzie.get(revisions)).json()["items"] == told
        assert (await suzie.get(f"{revisions}/4")).json()["title"] == RUDE.upper()
        assert (await suzie.get(f"{revisions}/3")).status_code == 404
        assert (await stepdad.get(f"{revisions}/4")).status_code == 403
        assert (await magpie.get(revisions)).status_code == 403
        read = "SELECT count(*) FROM audit_entry WHERE act = 'title.read'"
        assert await scenes.sql(services, read) == [(1,)]

        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert (await scenes.appeal(stepdad, statement["id"])).status_code == 201
        case = await scenes.a_case(orla, post, "appeal")
        assert (await scenes.hear(orla, case["id"], "overturn")).status_code == 201
        assert (await stepdad.get(f"{API}/threads/{thread}")).json()["title"] == RUDE.upper()
        told = (await stepdad.get(revisions)).json()["items"]
        assert [title["sealed"] for title in told] == [False] * 6
        assert (await retitle(stepdad, thread, RUDE)).json()["title"] == RUDE


async def test_soon_after_a_moderator_changed_it_a_new_title_waits(app: FastAPI, services: Services) -> None:
    thread, post = await a_thread(services)
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decided(app, suzie, post, RETITLE)
        waits = (await retitle(stepdad, thread, "Our meeting on Monday")).json()
        assert (waits["title"], waits["waiting"]["title"]) == (RETITLE["title"], "Our meeting on Monday")
        case = await scenes.a_case(suzie, post)
        assert [edit["title"] for edit in case["held_edits"]] == ["Our meeting on Monday"]
        assert (await scenes.decide(suzie, case, {"kind": "publish"})).status_code == 201
        now = (await stepdad.get(f"{API}/threads/{thread}")).json()
        assert (now["title"], now["title_revision"], now["waiting"]) == ("Our meeting on Monday", 3, None)
        await scenes.sql(services, "UPDATE thread SET titled_at = titled_at - interval '31 days'")
        old = "UPDATE thread_title_revision SET written_at = written_at - interval '31 days'"
        await scenes.sql(services, old)
        assert (await retitle(stepdad, thread, "Our meeting on Friday")).json()["title"] == "Our meeting on Friday"


@pytest.mark.parametrize(
    ("phrase", "present", "new", "is_back"),
    [
        ("lying toad", "She came late.", "She is a lying toad.", True),
        ("lying toad", "She came late.", "She is a *lying*\n> TOAD", True),
        ("lying toad", "She came late.", "She is a l.y.i.n.g t-o-a-d", True),
        ("lying toad", "You lying toad!", "You lying toad! Sorry.", False),  # a moderator left it there
        ("lying toad", "", "A toad, lying in the grass", False),
        ("toad", "", "A toadstool", False),
        ("toad", "", "That toad", True),
        ("a b", "", "a b c", False),  # too short to know
        ("one two three four five six", "", "five three four five six", True),
        ("one two three four five six", "", "one two three", False),
    ],
)
def test_words_are_known_again_however_they_are_written(phrase: str, present: str, new: str, is_back: bool) -> None:
    assert bring_back([phrase], [new], present) == is_back
