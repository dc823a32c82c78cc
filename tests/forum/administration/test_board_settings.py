"""Boards, for administrators: each setting can be changed by HTTP and on the command line, and is noted."""

import inspect
from dataclasses import asdict
from typing import Any, get_args

import httpx
import pytest
from fastapi import FastAPI

from forum.api.administration.board_settings import BoardChange, BoardToMake, ReaderAudience, WriterAudience
from forum.cli.admin import make_board
from forum.content.boards import AUDIENCES, HELD_BECAUSE, Board, BoardPlan, Publication
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import sql

API = "/api/v1"
BOARDS = f"{API}/administration/boards"
SETTINGS: dict[str, Any] = {
    "name": "Court",
    "group": "Help",
    "position": 7,
    "description": "About hearings",
    "help_markdown": "**Ring 999**",
    "readers": ["member"],
    "openers": ["adviser"],
    "repliers": ["member", "adviser"],
    "indexable": True,
    "advised": False,
    "publication": "hold_all",
}
# What no administrator sets: it is the board's identity, or follows from what they set.
# Opening hours have an address of their own.
NO_SETTINGS = {"id", "hours", "slug", "made_at", "help_html", "version", "changed_at", "changed_by"}
CALLED = {"section": "group"}  # in the API


def test_every_setting_of_a_board_can_be_changed_by_http_and_on_the_command_line() -> None:
    columns = {CALLED.get(name, name) for name in Board.model_fields} - NO_SETTINGS - {"archived_at"}
    assert columns == set(BoardChange.model_fields) - {"version"}
    assert columns == set(BoardToMake.model_fields) - {"slug"}
    assert set(get_args(ReaderAudience)) == set(AUDIENCES)
    assert set(get_args(WriterAudience)) == set(AUDIENCES) - {"everyone"}
    plan = BoardPlan("court", "Court")
    assert BoardToMake(slug="court", name="Court").model_dump(exclude={"group"}) == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(plan).items()
        if name != "section"
    }
    options = set(inspect.signature(make_board).parameters)
    called = {"readers": "reader", "openers": "opener", "repliers": "replier", "help_markdown": "help_text"}
    assert {called.get(name, name) for name in columns} | {"archived"} <= options


async def test_an_administrator_makes_a_board_and_changes_everything(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        made = await joan.post(BOARDS, json={"slug": "court", "name": "Court"}, headers={"Idempotency-Key": "1"})
        assert made.status_code == 201, made.text
        assert made.headers["location"] == f"{API}/boards/court"
        again = await joan.post(BOARDS, json={"slug": "court", "name": "Court"}, headers={"Idempotency-Key": "1"})
        assert (again.status_code, again.json()) == (201, made.json())
        other = await joan.post(BOARDS, json={"slug": "court", "name": "Court"})
        assert (other.status_code, other.json()["code"]) == (409, "board_exists")
        changed = await joan.patch(f"{BOARDS}/court", json={"version": 1, **SETTINGS})
        assert changed.status_code == 200, changed.text
        assert {name: changed.json()[name] for name in SETTINGS} == SETTINGS
        stale = await joan.patch(f"{BOARDS}/court", json={"version": 1, "name": "Another"})
        assert (stale.status_code, stale.json()["code"]) == (409, "board_changed")
        assert stale.json()["changed_by"]["handle"] == "joan"
        assert (await joan.get(f"{BOARDS}/court")).json() == changed.json()
        listed = (await joan.get(BOARDS)).json()
        assert [board["slug"] for board in listed["items"]] == ["court"]
    noted = await sql(services, "SELECT act, details FROM audit_entry WHERE subject_kind = 'board' ORDER BY number")
    named = sorted({"section" if name == "group" else name for name in SETTINGS})
    assert noted == [("board.made", {}), ("board.changed", {"changed": named})]


NO_BOARDS: list[tuple[dict[str, Any], str]] = [
    ({"readers": []}, "#/readers"),
    ({"readers": ["nobody"]}, "#/readers"),
    ({"openers": ["everyone"]}, "#/openers"),
    ({"publication": "never"}, "#/publication"),
    ({"name": " "}, "#/name"),
    ({"position": 2**31}, "#/position"),
    ({"archived": True}, "#/archived"),
]


async def test_what_no_board_can_be_is_refused(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        for change, pointer in NO_BOARDS:
            answer = await joan.patch(f"{BOARDS}/new-here", json={"version": 1, **change})
            assert answer.status_code == 422, (change, answer.text)
            assert answer.json()["errors"][0]["pointer"].startswith(pointer), change


async def test_an_archived_board_can_be_read_and_nobody_writes_there(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "heron") as heron,
    ):
        thread = await make.thread(services, "heron")
        [(post,)] = await sql(services, "SELECT id FROM post")
        for _ in range(2):
            archived = await joan.put(f"{BOARDS}/new-here/archive")
            assert archived.status_code == 200
            assert archived.json()["archived_at"] is not None
        assert (await heron.get(f"{API}/boards/new-here")).json()["archived"] is True
        assert (await heron.get(f"{API}/threads/{thread}/posts")).status_code == 200
        opening = {"title": "Another", "body_markdown": "Hello again"}
        for who in (heron, suzie):
            for answer in (
                await who.post(f"{API}/boards/new-here/threads", json=opening),
                await who.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello"}),
            ):
                assert (answer.status_code, answer.json()["code"]) == (403, "board_archived")
        for answer in (
            await heron.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Changed"}),
            await heron.patch(f"{API}/threads/{thread}", json={"version": 1, "title": "Another"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "board_archived")
        assert (await joan.delete(f"{BOARDS}/new-here/archive")).json()["archived_at"] is None
        assert (await heron.post(f"{API}/boards/new-here/threads", json=opening)).status_code == 201
    noted = await sql(services, "SELECT act FROM audit_entry WHERE subject_kind = 'board' ORDER BY number")
    assert [act for (act,) in noted] == ["board.made", "board.archived", "board.opened"]


async def test_boards_are_listed_in_the_order_that_an_administrator_gave(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    for slug in ("one", "two", "three"):
        await make.board(services, slug)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        order = {"slugs": ["three", "one", "two"]}
        assert (await joan.put(f"{API}/administration/board-order", json=order)).status_code == 200
        for slugs in (["three", "one"], ["three", "one", "two", "two"], ["three", "one", "none"]):
            refused = await joan.put(f"{API}/administration/board-order", json={"slugs": slugs})
            assert (refused.status_code, refused.json()["code"]) == (422, "boards_incomplete")
    shown = (await guest.get(f"{API}/boards")).json()["items"]
    assert [board["slug"] for board in shown] == order["slugs"]


async def test_only_administrators_look_after_boards(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        for answer in (
            await suzie.get(BOARDS),
            await suzie.get(f"{BOARDS}/new-here"),
            await suzie.post(BOARDS, json={"slug": "court", "name": "Court"}),
            await suzie.patch(f"{BOARDS}/new-here", json={"version": 1, "name": "Court"}),
            await suzie.put(f"{BOARDS}/new-here/archive"),
            await suzie.delete(f"{BOARDS}/new-here/archive"),
            await suzie.put(f"{API}/administration/board-order", json={"slugs": ["new-here"]}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "not_an_administrator")


@pytest.mark.parametrize("policy", list(Publication))
async def test_members_are_told_before_they_write_that_posts_wait(
    app: FastAPI, services: Services, guest: httpx.AsyncClient, policy: Publication
) -> None:
    await make.board(services)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        await joan.patch(f"{BOARDS}/new-here", json={"version": 1, "publication": policy})
    board = (await guest.get(f"{API}/boards/new-here")).json()
    assert (board["publication"], board["before_you_write"]) == (policy, HELD_BECAUSE.get(policy))
