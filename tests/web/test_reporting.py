"""Reporting on pages: what it is, then what we should know; help comes first where somebody is in danger."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Standing
from tests.support import make
from tests.support.scenes import a_post, sql
from tests.web.support import fields_of, form, text_of
from tests.web.test_writing import page_of


async def reports(services: Services) -> list[Any]:
    return list(await sql(services, "SELECT category, rules, note, revision, title_revision FROM report ORDER BY id"))


async def test_a_guest_signs_in_first(services: Services, guest: httpx.AsyncClient) -> None:
    post = await a_post(services)
    asked = await guest.get(f"/posts/{post.id}/report")
    assert (asked.status_code, asked.headers["Location"]) == (303, f"/sign-in?back=%2Fposts%2F{post.id}%2Freport")


async def test_a_post_is_reported_under_a_rule(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    path = f"/posts/{post.id}/report"
    async with make.signed_in(app, "magpie") as magpie:
        assert f'href="{path}"' in (await magpie.get(f"/threads/{post.thread_id}")).text
        first = await magpie.get(path)
        assert "lying toad" in text_of(first.text)
        assert f'href="{path}?category=rule"' in first.text
        page = await magpie.get(f"{path}?category=rule")
        assert "10. " in text_of(page.text)
        missing = await form(magpie, page, path, note="Name-calling")
        assert missing.status_code == 422
        assert "which rule it breaks" in text_of(missing.text)
        assert fields_of(missing.text, path)["note"] == "Name-calling"
        sent = await form(magpie, missing, path, rules=["10"])
        assert "Thank you. A moderator reads it" in text_of((await page_of(magpie, sent)).text)
        taps = await asyncio.gather(*(form(magpie, missing, path, rules=["10"], note="Again") for _ in range(4)))
        assert {tap.status_code for tap in taps} == {303}
    assert [tuple(row) for row in await reports(services)] == [("rule", [10], "Name-calling", 1, None)]


async def test_help_comes_first_where_somebody_is_in_danger(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    path = f"/posts/{post.id}/report?category=risk"
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(path)
        assert page.text.index('class="help"') < page.text.index("lying toad")
        sent = await form(magpie, page, f"/posts/{post.id}/report")
        assert "done=reported-danger" in sent.headers["Location"]
    assert [row.category for row in await reports(services)] == ["risk"]


async def test_who_may_not_write_can_still_say_that_somebody_is_in_danger(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    await make.member(services, "magpie")
    await make.sanction(services, "magpie", Standing.SILENCED)
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(f"/posts/{post.id}/report")
        assert "category=risk" in page.text
        assert "category=rule" not in page.text


async def test_ones_own_post_is_not_reported(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "stepdad") as author:
        page = await author.get(f"/posts/{post.id}/report")
        assert page.status_code == 403
        assert "This is your own post" in text_of(page.text)


async def test_the_title_of_an_opening_post_is_reported_as_it_was(app: FastAPI, services: Services) -> None:
    await a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get("/posts/1/report?category=other")
        assert "A question" in text_of(page.text)
        await form(magpie, page, "/posts/1/report", note="Look at the title.")
    assert [row.title_revision for row in await reports(services)] == [1]


async def test_a_name_is_reported(app: FastAPI, services: Services) -> None:
    await a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get("/members/stepdad/report?category=personal_information")
        assert "@stepdad" in text_of(page.text)
        sent = await form(magpie, page, "/members/stepdad/report", note="It is his real name.")
        assert sent.headers["Location"] == "/members/stepdad?done=reported"
        assert (await magpie.get("/members/magpie/report")).status_code == 403
        assert (await magpie.get("/members/nobody/report")).status_code == 404
    assert [row.category for row in await reports(services)] == ["personal_information"]


async def test_what_a_guest_left_out_of_a_report_leads_to_its_field(guest: httpx.AsyncClient) -> None:
    empty = await form(guest, await guest.get("/reports"), "/reports")
    assert empty.status_code == 422
    for name in ("category", "capacity"):
        assert f'href="#field-{name}"' in empty.text
