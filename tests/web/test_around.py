"""Pages around the forum: texts, rules, members, how pages look, leaving at once."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from forum.core.settings import Settings
from forum.core.work import Work
from forum.http.services import Services
from forum.members.tables import Role
from forum.members.viewer import Viewer
from forum.web import errors
from moderation import rules
from moderation.rules import RuleDraft
from tests.support import make, scenes
from tests.web.support import form, parsed, text_of

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize("path", ["/help", "/safety", "/privacy", "/accessibility", "/about", "/rules", "/advisers"])
async def test_everybody_can_read_what_stands_around_the_forum(guest: httpx.AsyncClient, path: str) -> None:
    page = await guest.get(f"{path}?fbclid=x")
    assert page.status_code == 200
    assert len(list(parsed(page.text).iter("h1"))) == 1
    assert page.headers["Cache-Control"] == "private, no-cache"
    assert (await guest.get(path, headers={"If-None-Match": page.headers["ETag"]})).status_code == 304


async def test_the_rules_can_be_read_in_each_edition(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await scenes.house_rules(services)
    await make.member(services, "joan", Role.ADMINISTRATOR)
    joan = await make.viewer(services, "joan")
    async with make.work(services) as work:
        await write_anew(work, joan)
    today, before = await guest.get("/rules"), await guest.get("/rules?edition=1")
    assert "Be very kind" in text_of(today.text)
    assert "Be very kind" not in text_of(before.text)
    assert "edition 1" in text_of(before.text)
    assert before.headers["X-Robots-Tag"] == "noindex"
    assert 'id="rule-10"' in today.text
    assert (await guest.get("/rules?edition=3")).status_code == 404
    assert (await guest.get("/rules?edition=none")).text == today.text
    older = await guest.get("/api/v1/rules?edition=1")
    assert older.json()["items"][0]["title"] == "Be kind"
    assert (await guest.get("/api/v1/rules?edition=3")).json()["code"] == "edition_not_found"


async def write_anew(work: Work, joan: Viewer) -> None:
    await rules.write_rule(work, joan, 1, RuleDraft(1, "Be very kind", "- always\n- to everybody"))


async def test_a_member_s_page_shows_what_the_card_does(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    await scenes.sql(services, "UPDATE member SET name = 'Heron <b>' WHERE handle = 'heron'")
    await make.thread(services, "heron", "new-here")
    async with make.signed_in(app, "suzie") as suzie:
        page = await suzie.get("/members/heron")
        said = text_of(page.text)
        assert "Heron <b>" in said
        assert "@heron" in said
        assert "/members/heron/report" in page.text
        assert "/members/suzie/report" not in (await suzie.get("/members/suzie")).text
        assert (await suzie.get("/members/nobody")).status_code == 404


async def test_how_pages_look_is_kept_on_the_device_without_an_account(guest: httpx.AsyncClient) -> None:
    page = await guest.get("/look?back=/help")
    kept = await form(guest, page, "/look", size="larger", colours="dark", titles="neutral")
    assert kept.headers["Location"] == "/look?back=%2Fhelp&done=looks"
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(kept.headers["Set-Cookie"].split("; "))
    looking = await guest.get("/help")
    assert '<html lang="en" data-size="larger" data-colours="dark">' in looking.text
    assert "<title>Page</title>" in looking.text
    assert 'href="/help"' in (await guest.get(kept.headers["Location"])).text


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""])
async def test_the_way_back_never_leads_to_another_site(guest: httpx.AsyncClient, back: str) -> None:
    page = await guest.get("/look", params={"back": back})
    assert "evil" not in page.text
    sent = await guest.post("/look", data={"back": back, "size": "huge", "language": "xx"}, headers=SAME_SITE)
    assert sent.headers["Location"] == "/look?back=%2F&done=looks"


async def test_a_link_to_another_language_proposes_it(guest: httpx.AsyncClient) -> None:
    page = await guest.get("/look?language=cy")
    [chosen] = [
        field
        for field in parsed(page.text).iter("input")
        if field.get("name") == "language" and "checked" in field.attrib
    ]
    assert chosen.get("value") == "cy"


async def test_who_leaves_is_signed_out_and_led_away(app: FastAPI, services: Services, settings: Settings) -> None:
    async with make.signed_in(app, "heron") as heron:
        token = heron.headers.pop("Authorization").removeprefix("Bearer ")
        heron.cookies.set("__Host-forum-session", token)
        gone = await heron.post("/leave", headers=SAME_SITE)
        assert gone.status_code == 200
        assert "cookies" in gone.headers["Clear-Site-Data"]
        assert gone.headers["Cache-Control"] == "no-store"
        assert f'content="0; url={settings.neutral_site}"' in gone.text
        assert settings.name not in gone.text
        heron.cookies.set("__Host-forum-session", token)
        assert (await heron.get("/api/v1/me")).status_code == 401
        assert (await heron.get("/leave")).status_code == 200
        assert (await heron.post("/leave", headers=SAME_SITE)).status_code == 200


async def test_the_page_without_a_database_says_who_helps(app: FastAPI) -> None:
    scope = {"type": "http", "app": app, "headers": [], "method": "GET", "path": "/", "query_string": b""}
    plain = errors.plain_page(Request(scope), 503)
    said = text_of(bytes(plain.body).decode())
    assert "116 123" in said
    assert "Nothing was sent and nothing was changed." in said


async def test_who_asks_for_far_too_many_pages_is_told_when_to_go_on(settings: Settings) -> None:
    few = settings.model_copy(update={"api_limit": "3/1 minute"})
    async with make.application(few) as app, make.client(app) as guest:
        answers = [await guest.get("/help") for _ in range(5)]
    assert answers[-1].status_code == 429
    assert "That was a lot in a short time" in text_of(answers[-1].text)
    assert answers[-1].headers["Retry-After"]


async def test_without_its_database_the_forum_still_says_who_helps(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"database_url": "postgresql+asyncpg://forum@127.0.0.1:9/none"})
    async with make.application(nowhere) as app, make.client(app) as guest:
        for path in ("/", "/threads/1", "/boards/new-here"):
            away = await guest.get(path)
            assert away.status_code == 503
            assert "116 123" in text_of(away.text)
            assert away.headers["Cache-Control"] == "no-store"
            assert away.headers["Retry-After"]
        assert "Samaritans" in text_of((await guest.get("/help")).text)
