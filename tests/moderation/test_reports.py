"""Reports: what a member can say of a post, what they are told, and what they never learn."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.api.dependencies import House
from forum.members import Role, Standing
from tests import make
from tests.moderation import scenes
from tests.moderation.scenes import API


async def test_several_reporters_join_one_case(app: FastAPI, house: House) -> None:
    post = await scenes.a_post(house)
    for handle in ("magpie", "robin", "wren"):
        async with make.signed_in(app, handle) as member:
            assert (await scenes.report(member, post.id)).status_code == 201
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await scenes.a_case(suzie, post.id)
    assert case["reports"] == 3
    assert [one["by"]["handle"] for one in case["reported"]] == ["magpie", "robin", "wren"]


async def test_a_second_report_on_the_same_revision_is_answered_with_the_first(app: FastAPI, house: House) -> None:
    post = await scenes.a_post(house)
    async with make.signed_in(app, "magpie") as magpie:
        first = await scenes.report(magpie, post.id)
        again = await scenes.report(magpie, post.id, category="spam", rules=[], note="Spam")
        mine = (await magpie.get(f"{API}/me/reports")).json()["items"]
    assert again.status_code == 201
    assert again.json() == first.json() == mine[0]
    assert len(mine) == 1


async def test_reports_sent_at_once_by_one_member_are_one(app: FastAPI, house: House) -> None:
    post = await scenes.a_post(house)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        answers = await asyncio.gather(*(scenes.report(magpie, post.id) for _ in range(5)))
        assert [one.status_code for one in answers] == [201] * 5
        assert len({one.json()["id"] for one in answers}) == 1
        case = await scenes.a_case(suzie, post.id)
        assert (case["reports"], case["version"]) == (1, 1)


async def test_reports_sent_at_once_by_several_members_all_count(app: FastAPI, house: House) -> None:
    post = await scenes.a_post(house)
    async with AsyncExitStack() as stack:
        handles = ("magpie", "robin", "wren", "finch")
        clients = [await stack.enter_async_context(make.signed_in(app, handle)) for handle in handles]
        answers = await asyncio.gather(*(scenes.report(client, post.id) for client in clients))
    assert [one.status_code for one in answers] == [201] * 4
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await scenes.a_case(suzie, post.id))["reports"] == 4


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"rules": []}, "#/rules"),
        ({"rules": [99]}, "#/rules"),
        ({"rules": [0]}, "#/rules/0"),
        ({"revision": 2}, "#/revision"),
        ({"revision": 0}, "#/revision"),
        ({"category": "held"}, "#/category"),
        ({"category": "appeal"}, "#/category"),
        ({"note": "x" * 2001}, "#/note"),
        ({"note": "\x00"}, "#/note"),
    ],
)
async def test_a_report_that_makes_no_sense_is_refused(
    app: FastAPI, house: House, changes: dict[str, Any], pointer: str
) -> None:
    post = await scenes.a_post(house)
    async with make.signed_in(app, "magpie") as magpie:
        refused = await scenes.report(magpie, post.id, **changes)
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


@pytest.mark.parametrize("category", ["personal_information", "risk", "illegal", "intimate_image", "spam", "other"])
async def test_only_a_rule_breach_needs_a_rule(app: FastAPI, house: House, category: str) -> None:
    post = await scenes.a_post(house)
    async with make.signed_in(app, "magpie") as magpie:
        assert (await scenes.report(magpie, post.id, category=category, rules=[])).status_code == 201


async def test_a_reporter_is_told_that_it_arrived_and_later_the_outcome_and_never_who_else_reported(
    app: FastAPI, house: House
) -> None:
    post = await scenes.a_post(house)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "robin") as robin,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await scenes.report(magpie, post.id, note="I am frightened of him")
        await scenes.report(robin, post.id)
        assert await kinds(robin) == ["report_received"]
        assert (await robin.get(f"{API}/me/reports")).json()["items"][0]["outcome"] is None
        made = await scenes.decide(suzie, await scenes.a_case(suzie, post.id), scenes.WARN, note="Third time")
        assert made.status_code == 201
        assert await kinds(robin) == await kinds(magpie) == ["report_settled", "report_received"]
        told = (await robin.get(f"{API}/me/reports")).json()
        assert (told["items"][0]["outcome"], told["items"][0]["case_id"]) == ("upheld", None)
        everything = str(told) + (await robin.get(f"{API}/me/notifications")).text
    for secret in ("magpie", "Magpie", "frightened", "warn", "Suzie", "Third time", "Say what she did"):
        assert secret not in everything


async def test_the_author_never_learns_who_reported_not_even_as_a_moderator(app: FastAPI, house: House) -> None:
    await make.member(house, "ada", Role.MODERATOR)
    post = await scenes.a_post(house, author="ada")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "ada") as ada:
        await scenes.report(magpie, post.id)
        case = await scenes.a_case(ada, post.id)
    assert case["reported"] == []
    assert "agpie" not in str(case)


async def test_a_report_on_decided_words_gets_their_outcome_and_one_on_a_later_revision_reopens_the_case(
    app: FastAPI, house: House
) -> None:
    post = await scenes.a_post(house)
    async with (
        make.signed_in(app, "robin") as robin,
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        made = await scenes.decided(app, suzie, post.id, scenes.DISMISS)
        same = (await scenes.report(robin, post.id)).json()
        assert same["outcome"] == "dismissed"
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []
        edit = {"revision": 1, "body_markdown": "Worse: she is a toad."}
        assert (await stepdad.patch(f"{API}/posts/{post.id}", json=edit)).status_code == 200
        assert (await scenes.report(wren, post.id, revision=1)).json()["outcome"] == "dismissed"
        assert (await scenes.report(wren, post.id, revision=2)).json()["outcome"] is None
        case = await scenes.a_case(suzie, post.id)
        assert (case["id"], case["state"], case["reports"]) == (made["case_id"], "open", 1)


async def test_a_report_on_words_that_a_moderator_let_through_is_not_called_upheld(app: FastAPI, house: House) -> None:
    await scenes.house_rules(house)
    await make.board(house, publication="hold_all")
    await make.member(house, "stepdad")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        opened = {"title": "A question", "body_markdown": "Hello"}
        post = (await stepdad.post(f"{API}/boards/new-here/threads", json=opened)).json()["first_post"]
        case = await scenes.a_case(suzie, post["id"])
        assert (await scenes.decide(suzie, case, scenes.PUBLISH)).status_code == 201
    async with make.signed_in(app, "magpie") as magpie:
        assert (await scenes.report(magpie, post["id"])).json()["outcome"] == "dismissed"


async def test_one_cannot_report_what_was_taken_away(app: FastAPI, house: House) -> None:
    post = await scenes.a_post(house)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "robin") as robin:
        await scenes.decided(app, suzie, post.id, scenes.REMOVE)
        assert (await scenes.report(robin, post.id)).status_code == 409


@pytest.mark.parametrize(
    ("handle", "status"), [("stepdad", 403), ("silent", 403), ("gone", 403), ("outsider", 201), (None, 401)]
)
async def test_who_may_report(app: FastAPI, house: House, guest: httpx.AsyncClient, handle: str, status: int) -> None:
    post = await scenes.a_post(house)
    for member in ("silent", "gone", "outsider"):
        await make.member(house, member)
    await make.sanction(house, "silent", Standing.SILENCED)
    await make.sanction(house, "gone", Standing.SUSPENDED)
    if handle is None:
        assert (await scenes.report(guest, post.id)).status_code == status
        return
    async with make.signed_in(app, handle) as client:
        assert (await scenes.report(client, post.id)).status_code == status


async def test_a_post_on_a_board_that_one_may_not_see_cannot_be_reported(app: FastAPI, house: House) -> None:
    await make.board(house, "staff-room", readers=("moderator",))
    await make.member(house, "ada", Role.MODERATOR)
    thread = await make.thread(house, "ada", "staff-room")
    [[post]] = await scenes.sql(house, "SELECT id FROM post WHERE thread_id = :id", id=thread)
    async with make.signed_in(app, "magpie") as magpie:
        assert (await scenes.report(magpie, post, category="other", rules=[])).status_code == 404


async def test_the_case_id_is_for_staff(app: FastAPI, house: House) -> None:
    post = await scenes.a_post(house)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "robin") as robin:
        assert (await scenes.report(suzie, post.id)).json()["case_id"] is not None
        assert (await scenes.report(robin, post.id)).json()["case_id"] is None


async def kinds(client: httpx.AsyncClient) -> list[str]:
    """The kinds of this member's notifications, newest first."""
    return [item["kind"] for item in (await client.get(f"{API}/me/notifications")).json()["items"]]
