"""A board at other times than its hours: what waits, what is refused, what is said, what the next shift finds."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content.boards import HELD_WHILE_CLOSED, READ_ONLY_NOW, Publication
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API, PUBLISH, sql

HOURS = f"{API}/administration/boards/new-here/hours"
WEEK = [{"weekdays": ["monday"], "opens": "09:00", "closes": "17:00"}]
WANTED: dict[str, Any] = {"version": 1, "week": WEEK, "closed_on": ["2026-12-28"], "outside": "hold_all"}
SUICIDE = "I want to kill myself tonight."


@pytest.fixture(autouse=True)
async def house_rules(services: Services) -> None:
    """Decisions cite rule 10."""
    await scenes.house_rules(services)


async def opens(client: httpx.AsyncClient, body: str = "Hello") -> httpx.Response:
    said = {"title": "A question", "body_markdown": body}
    return await client.post(f"{API}/boards/new-here/threads", json=said)


# Setting them


async def test_an_administrator_sets_hours_and_takes_them_away(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan, make.signed_in(app, "suzie") as suzie:
        assert (await suzie.put(HOURS, json=WANTED)).json()["code"] == "not_an_administrator"
        made = await joan.put(HOURS, json=WANTED)
        assert made.status_code == 200, made.text
        shown = {**WANTED, "zone": "Europe/London"}
        del shown["version"]
        assert made.json()["opening_hours"] == shown
        assert (await joan.put(HOURS, json=WANTED)).json()["code"] == "board_changed"
        same = await joan.put(HOURS, json={**WANTED, "version": 2})
        assert same.json()["version"] == 2  # nothing changed
        for wrong, code in (
            ({"zone": "Europe/Atlantis"}, "unknown_zone"),
            ({"week": []}, "too_few"),
            ({"week": [{**WEEK[0], "opens": "25:00"}]}, "wrong_format"),
            ({"closed_on": ["2026-02-30"]}, "invalid"),
            ({"outside": "shout"}, "unknown_value"),
        ):
            refused = await joan.put(HOURS, json={**WANTED, "version": 2} | wrong)
            assert refused.status_code == 422, refused.text
            assert code in {refused.json()["code"], *(one["code"] for one in refused.json().get("errors", []))}
        [(details,)] = await sql(services, "SELECT details FROM audit_entry WHERE act = 'board.changed'")
        assert details == {"changed": ["hours"]}
        for _ in range(2):
            assert (await joan.delete(HOURS)).json()["opening_hours"] is None


# What becomes of a post


@pytest.mark.parametrize(
    ("outside", "own", "posts", "roles", "outcome"),
    [
        ("publish", "at_once", 0, (), "visible"),
        ("publish", "hold_all", 0, (), "held"),  # the board's own rule goes on
        ("hold_newcomers", "at_once", 0, (), "held"),
        ("hold_newcomers", "at_once", 3, (), "visible"),
        ("hold_newcomers", "hold_all", 3, (), "held"),
        ("hold_all", "hold_newcomers", 3, (), "held"),
        ("hold_all", "at_once", 0, (Role.ADVISER,), "visible"),
        ("read_only", "at_once", 3, (), "board_closed"),
        ("read_only", "at_once", 0, (Role.ADVISER,), "visible"),
    ],
)
async def test_while_a_board_is_closed_the_stricter_rule_counts(
    app: FastAPI, services: Services, outside: str, own: str, posts: int, roles: tuple[Role, ...], outcome: str
) -> None:
    await make.board(services, "lounge")
    await make.board(services, publication=own)
    await make.hours(services, outside)
    async with make.signed_in(app, "wren", *roles) as wren:
        for _ in range(posts):
            await make.thread(services, "wren", "lounge")
        answer = await opens(wren)
        found = answer.json()["first_post"]["visibility"] if answer.status_code == 201 else answer.json()["code"]
        assert found == outcome
        before = (await wren.get(f"{API}/boards/new-here")).json()
        assert not before["is_open"]
        assert (await wren.get(f"{API}/boards/new-here/now")).json()["until"] == before["open_until"]


async def test_of_a_board_that_only_reads_nothing_is_changed_but_drafts_stay_and_one_s_own_post_can_go(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    async with make.signed_in(app, "wren") as wren:
        opened = (await opens(wren)).json()
        thread, post = opened["id"], opened["first_post"]["id"]
        await make.hours(services, "read_only")
        for refused in (
            await wren.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "And?"}),
            await wren.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "And?"}),
            await wren.patch(f"{API}/threads/{thread}", json={"version": 1, "title": "And?"}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "board_closed")
        may = (await wren.get(f"{API}/threads/{thread}/mine")).json()
        assert "board_closed" in str(may)
        kept = {"version": 0, "body_markdown": "And?"}
        assert (await wren.put(f"{API}/me/drafts/threads/{thread}", json=kept)).status_code == 200
        assert (await wren.delete(f"{API}/posts/{post}")).status_code == 204
        page = await wren.get("/boards/new-here")
        assert "This board is closed now." in page.text


async def test_a_cry_is_answered_with_help_that_says_when_the_board_opens(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.hours(services, "hold_all")
    async with make.signed_in(app, "wren") as wren:
        opened = (await opens(wren, SUICIDE)).json()
        board = (await wren.get(f"{API}/boards/new-here")).json()
        assert opened["first_post"]["held_because"] == HELD_WHILE_CLOSED[Publication.HOLD_ALL]
        watched = opened["help"]["watched"]
        assert (watched["now"], watched["opens_at"]) == (False, board["open_until"])
        page = await wren.get(f"/posts/{opened['first_post']['id']}/help")
        assert "This board opens again" in page.text
        # Somebody on call is there before it opens, and the help says so.
        async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
            await suzie.put(f"{API}/moderation/on-call/here", json={"hours": 2})
        assert (await wren.get(f"{API}/boards/new-here/now")).json()["attendance"]["now"] is True
        assert "Somebody is on call here now" in (await wren.get("/boards/new-here")).text


@pytest.mark.parametrize(
    "path", [f"{API}/boards", f"{API}/boards/new-here", f"{API}/boards/new-here/now", "/boards/new-here"]
)
async def test_what_was_kept_is_old_once_the_board_opens(
    services: Services, guest: httpx.AsyncClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a browser has is right until the board opens, and asked again from then on."""
    await make.board(services)
    await make.hours(services, "hold_all")
    first = await guest.get(path)
    known = {"If-None-Match": first.headers["ETag"]}
    assert (await guest.get(path, headers=known)).status_code == 304
    board = (await guest.get(f"{API}/boards/new-here")).json()
    opens_at = clock.datetime.fromisoformat(board["open_until"])
    for later, status in ((opens_at - timedelta(seconds=1), 304), (opens_at, 200)):
        monkeypatch.setattr(clock, "now", lambda later=later: later)
        assert (await guest.get(path, headers=known)).status_code == status


async def test_the_form_says_what_is_so_before_somebody_writes(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "wren") as wren:
        thread = await make.thread(services, "wren")
        for outside, words in (
            ("hold_all", "What you write now waits until then"),
            ("hold_newcomers", "First posts wait until then"),
            ("publish", "appears at once"),
        ):
            await make.hours(services, outside)
            for path in ("/boards/new-here/new", f"/threads/{thread}/reply", f"/threads/{thread}"):
                assert words in (await wren.get(path)).text
        await make.hours(services, "read_only")
        assert (await wren.get(f"{API}/boards/new-here")).json()["before_you_write"] == READ_ONLY_NOW
        kept = await wren.get("/boards/new-here/new")
        assert "What you write, you can keep until it opens." in kept.text


# In the morning


async def test_what_waited_is_in_one_list_oldest_first(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.hours(services, "hold_all")
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        held = [(await opens(wren, body)).json()["first_post"]["id"] for body in ("One", SUICIDE, "Three")]
        shown = await make.thread(services, "wren")
        [(reported,)] = await sql(services, f"SELECT id FROM post WHERE thread_id = {shown}")
        await scenes.report(magpie, reported)
        found, after = [], ""
        for _ in range(2):
            page = (await suzie.get(f"{API}/moderation/cases?waiting=true&limit=2{after}")).json()
            found += [case["post_id"] for case in page["items"]]
            after = f"&after={page['next']}"
        assert found == held
        assert len((await suzie.get(f"{API}/moderation/cases")).json()["items"]) == 4
        assert "oldest first" in (await suzie.get("/moderation?waiting=yes")).text
        case = await scenes.a_case(suzie, held[0])
        assert (await scenes.decide(suzie, case, PUBLISH)).status_code == 201
        left = (await suzie.get(f"{API}/moderation/cases?waiting=true")).json()["items"]
        assert [case["post_id"] for case in left] == held[1:]


async def test_a_note_goes_from_shift_to_shift(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.board(services, "court")
    url = f"{API}/moderation/boards/new-here/handover"
    async with (
        make.signed_in(app, "suzie", boards=("new-here",)) as suzie,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
        make.signed_in(app, "other", boards=("court",)) as other,
        make.signed_in(app, "wren") as wren,
    ):
        said = {"text": "Please look at the newest thread first."}
        made = await suzie.post(url, json=said)
        assert made.status_code == 201, made.text
        await femi.post(url, json={"text": "I wrote to her."})
        notes = (await femi.get(url, params={"limit": 1})).json()
        assert [(note["text"], note["by"]["handle"]) for note in notes["items"]] == [("I wrote to her.", "femi")]
        older = (await femi.get(url, params={"after": notes["next"]})).json()["items"]
        assert [note["text"] for note in older] == [said["text"]]
        assert (await other.get(url)).status_code == 403
        assert (await wren.get(url)).status_code == 403
        assert (await wren.post(url, json=said)).status_code == 403
        assert (await femi.get(f"{API}/moderation/boards/nowhere/handover")).status_code == 404
        assert said["text"] in (await suzie.get("/moderation/handover")).text  # their only board
        assert said["text"] not in (await femi.get("/moderation/handover")).text


async def test_a_board_that_was_archived_does_not_say_when_it_opens(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.hours(services, "hold_all")
    async with make.signed_in(app, "suzie") as suzie:
        assert "This board is closed now" in (await suzie.get("/boards/new-here")).text
        await sql(services, "UPDATE board SET archived_at = now() RETURNING 1")
        assert "This board is closed now" not in (await suzie.get("/boards/new-here")).text
