"""Statements of reasons: what an author is told, complete, only to them, and unchangeable."""

from datetime import datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API

# Article 17(3) of the EU Digital Services Act: what it asks for → where it is said.
ARTICLE_17 = {
    "(a) the measure, its territory and how long": ("measures", "territory"),
    "(b) the facts, and whether a notice led to them": ("excerpts", "reason", "initiative"),
    "(c) automated means": ("automated_detection", "automated_decision"),
    "(d) the law": ("law",),
    "(e) the rule and why it was broken": ("rules", "reason"),
    "(f) the ways to have it looked at again": ("appeal_at", "appeal_until"),
}


async def test_a_statement_says_all_that_the_law_asks_for(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        silence = {"kind": "silence", "until": "2999-01-01T00:00:00Z"}
        made = await scenes.decided(app, suzie, post.id, scenes.REDACT, silence)
        told = (await stepdad.get(f"{API}/statements/{made['statement_id']}")).json()
        assert (await stepdad.get(f"{API}/me/statements")).json()["items"] == [told]
    assert {name for names in ARTICLE_17.values() for name in names} <= set(told)
    assert [one["kind"] for one in told["measures"]] == ["redact", "silence"]
    assert told["measures"][1]["until"].startswith("2999-01-01T00:00:00")
    assert told["territory"] == "the whole forum"
    assert told["excerpts"] == ["a lying toad "]
    assert told["reason"] == "Say what she did instead."
    assert (told["initiative"], told["automated_detection"], told["automated_decision"]) == ("report", False, False)
    assert [(rule["number"], rule["version"]) for rule in told["rules"]] == [(10, 1)]
    assert told["rules"][0]["text"]
    assert told["appeal_at"] == f"{API}/statements/{told['id']}/appeal"
    lasts = datetime.fromisoformat(told["appeal_until"]) - datetime.fromisoformat(told["issued_at"])
    assert lasts == timedelta(days=183)


async def test_a_private_note_reaches_no_author(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
    ):
        await scenes.report(magpie, post.id)
        case = await scenes.a_case(suzie, post.id)
        made = await scenes.decide(suzie, case, scenes.WARN, note="I know his brother")
        assert made.status_code == 201
        everything = [await stepdad.get(f"{API}/me/{what}") for what in ("statements", "notifications")]
    assert not [one for one in everything if "brother" in one.text or "agpie" in one.text or "Suzie" in one.text]


async def test_a_statement_keeps_the_rule_as_it_stood(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "boss", Role.MODERATOR, Role.ADMINISTRATOR) as boss,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        made = await scenes.decided(app, boss, post.id, scenes.WARN)
        before = (await stepdad.get(f"{API}/statements/{made['statement_id']}")).json()
        change = {"version": 1, "title": "Be nice", "text": "Nicer than before."}
        assert (await boss.put(f"{API}/moderation/rules/10", json=change)).status_code == 200
        assert (await stepdad.get(f"{API}/statements/{made['statement_id']}")).json() == before
        versions = (await stepdad.get(f"{API}/rules/10")).json()["items"]
        assert [rule["version"] for rule in versions] == [1, 2]
        assert versions[0]["text"] == before["rules"][0]["text"] != versions[1]["text"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE statement SET reason = 'Never mind'",
        "DELETE FROM statement",
        "TRUNCATE statement CASCADE",
    ],
)
async def test_the_database_refuses_to_change_a_statement(app: FastAPI, services: Services, change: str) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decided(app, suzie, post.id, scenes.WARN)
    with pytest.raises(DBAPIError, match="statement is append-only"):
        await scenes.sql(services, change)
    assert await scenes.sql(services, "SELECT reason FROM statement") == [("Say what she did instead.",)]


@pytest.mark.parametrize("kind", ["dismiss", "publish"])
async def test_what_is_not_against_the_author_yields_no_statement(app: FastAPI, services: Services, kind: str) -> None:
    await scenes.house_rules(services)
    await make.board(services, publication="hold_all" if kind == "publish" else "at_once")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        opened = {"title": "A question", "body_markdown": "Hello"}
        post = (await stepdad.post(f"{API}/boards/new-here/threads", json=opened)).json()["first_post"]
        if kind == "dismiss":
            await scenes.decided(app, suzie, post["id"], scenes.DISMISS)
        else:
            await scenes.decide(suzie, await scenes.a_case(suzie, post["id"]), scenes.PUBLISH)
        assert (await stepdad.get(f"{API}/me/statements")).json()["items"] == []


async def test_a_removal_from_the_waiting_line_says_that_a_hold_led_to_it(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        opened = {"title": "A question", "body_markdown": "Toad"}
        post = (await stepdad.post(f"{API}/boards/new-here/threads", json=opened)).json()["first_post"]
        made = await scenes.decide(suzie, await scenes.a_case(suzie, post["id"]), scenes.REMOVE)
        told = (await stepdad.get(f"{API}/statements/{made.json()['statement_id']}")).json()
    assert (told["initiative"], told["excerpts"]) == ("hold", ["Toad"])


async def test_nobody_else_reads_a_statement(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        made = await scenes.decided(app, suzie, post.id, scenes.WARN)
        url = f"{API}/statements/{made['statement_id']}"
        asked = [await client.get(url) for client in (suzie, magpie, guest)]
        assert (await magpie.get(f"{API}/me/statements")).json()["items"] == []
    assert [one.status_code for one in asked] == [404, 404, 401]


async def test_the_appeal_is_seen_beside_the_statement(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        made = await scenes.decided(app, suzie, post.id, scenes.WARN)
        lodged = (await scenes.appeal(stepdad, made["statement_id"], "She did lie.")).json()
        [told] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert told["appeal"] == lodged
        assert (lodged["text"], lodged["outcome"], lodged["hearers"]) == ("She did lie.", None, "moderator")
        hearing = await scenes.a_case(orla, post.id, "appeal")
        assert (await scenes.hear(orla, hearing["id"], "uphold")).status_code == 201
        [told] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
    assert (told["appeal"]["outcome"], told["appeal"]["message"]) == ("uphold", "I looked at it again.")
    assert (told["appeal"]["hearers"], told["appeal"]["heard_at"] is None) == (None, False)
