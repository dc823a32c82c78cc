"""Concerns on pages: raised from where one reads, and looked after by their lead, form by form."""

from datetime import timedelta

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, a_post, sql
from tests.web.support import fields_of, form, text_of
from tests.web.test_writing import page_of

LEAD = Role.SAFEGUARDING_LEAD


def on(days: int) -> str:
    """A day, so many days from today."""
    return (clock.now() + timedelta(days=days)).date().isoformat()


async def raised(magpie: httpx.AsyncClient, where: str, **typed: str) -> httpx.Response:
    """The page that says that a concern has arrived."""
    sent = await form(magpie, await magpie.get(where), "/concern", text="She writes to him at night.", **typed)
    assert sent.status_code == 303, sent.text
    return await page_of(magpie, sent)


async def test_a_concern_is_raised_from_a_post_by_somebody_in_any_standing(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "priya", LEAD) as priya:
        link = f"/concern?post={post.id}"
        assert f'href="{link}"' in (await magpie.get(f"/posts/{post.id}/report")).text
        await make.sanction(services, "magpie", Standing.SILENCED)
        page = await magpie.get(link)
        assert fields_of(page.text, "/concern")["post"] == str(post.id)
        # A name that nobody has is wrong in its field, and what was typed is kept.
        wrong = await form(magpie, page, "/concern", text="I worry.", about="@nobody", consent="not_sought")
        assert (wrong.status_code, fields_of(wrong.text, "/concern")["about"]) == (422, "@nobody")
        assert "Please say why nobody was asked." in text_of(wrong.text)
        wrong = await form(magpie, wrong, "/concern", consent_why="She is eleven.")
        assert (wrong.status_code, "fault-about" in wrong.text) == (404, True)
        sent = await form(magpie, wrong, "/concern", about="heron, @Stepdad")
        assert "The safeguarding leads are told now." in text_of((await page_of(magpie, sent)).text)
        assert "Heron, Stepdad" in text_of((await priya.get("/moderation/concerns")).text)


async def test_where_nobody_may_read_it_whoever_raised_it_learns_whom_to_turn_to(
    settings: Settings, services: Services
) -> None:
    named = settings.model_copy(update={"outside_contact": "The trustees: 020 7946 0000"})
    async with make.application(named) as app, make.signed_in(app, "magpie") as magpie:
        await make.member(services, "priya", LEAD)
        page = await raised(magpie, "/concern?member=priya")
        assert "The trustees: 020 7946 0000" in text_of(page.text)
        await make.member(services, "bea", LEAD)
        assert "The trustees" not in text_of((await raised(magpie, "/concern?member=priya")).text)


async def test_a_lead_decides_on_disclosure_shuts_out_and_erases(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "zoe") as zoe,
        make.signed_in(app, "priya", LEAD) as priya,
        make.signed_in(app, "bea", LEAD) as bea,
    ):
        await raised(magpie, "/concern?member=zoe")
        assert (await zoe.post(f"{API}/me/exports")).is_success
        await run_due_jobs(services, clock.now())
        [concern] = (await priya.get(f"{API}/moderation/concerns")).json()["items"]
        path = f"/moderation/concerns/{concern['id']}"
        page = await priya.get(path)
        [asked] = (await priya.get(f"{API}{path}")).json()["disclosures"]
        deciding = f"{path}/disclosures/{asked['id']}"
        wrong = await form(priya, page, deciding, outcome="withheld", grounds="It is not safe.")
        assert "Name the rule of law" in text_of(wrong.text)
        sent = await form(priya, wrong, deciding, rule="Crime: DPA 2018, Schedule 2, paragraph 2")
        assert "They get nothing of it" in text_of((await page_of(priya, sent)).text)

        sent = await form(priya, await priya.get(path), f"{path}/exclusions", handle="@bea", why="They are friends.")
        page = await page_of(priya, sent)
        assert (await bea.get(path)).status_code == 404
        await form(priya, page, f"{path}/exclusions/bea/end")
        assert (await bea.get(path)).status_code == 200

        page = await page_of(priya, await form(priya, page, f"{path}/closure", keep_until=on(30)))
        assert "Erase it" not in text_of(page.text)
        async with services.database.work() as session:
            await session.execute(text("UPDATE concern SET keep_until = current_date"))
        gone = await form(priya, await priya.get(path), f"{path}/erasure")
        assert "It is erased." in text_of((await page_of(priya, gone)).text)
    assert [row.text for row in await sql(services, "SELECT text FROM concern")] == [""]


async def test_what_nobody_types_by_hand_is_no_fault_of_ours_and_an_entry_says_when_it_happened(app: FastAPI) -> None:
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "priya", LEAD) as priya:
        assert (await magpie.get(f"/concern?post={'9' * 4301}")).status_code == 200
        await raised(magpie, "/concern", reached_at="0113 496 0000 after four")
        [concern] = (await priya.get(f"{API}/moderation/concerns")).json()["items"]
        path = f"/moderation/concerns/{concern['id']}"
        page = await priya.get(path)
        assert "0113 496 0000 after four" in text_of(page.text)
        for wrong in ("yesterday", "9999-06-01T10:00", "2026-02-30T10:00", "1753606800"):
            refused = await form(priya, page, f"{path}/entries", text="Rang.", happened_at=wrong)
            assert (refused.status_code, fields_of(refused.text, f"{path}/entries")["text"]) == (422, "Rang.")
        await form(priya, page, f"{path}/entries", text="Rang her school.", happened_at="2026-07-02T14:10")
        assert "of 2 Jul 2026, 14:10" in text_of((await priya.get(path)).text)


async def test_who_steps_back_is_led_to_the_list(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "priya", LEAD) as priya:
        await raised(magpie, "/concern")
        [concern] = (await priya.get(f"{API}/moderation/concerns")).json()["items"]
        path = f"/moderation/concerns/{concern['id']}"
        left = await form(priya, await priya.get(path), f"{path}/exclusions", handle="Priya", why="She is my niece.")
        assert left.headers["Location"].startswith("/moderation/concerns?")
        assert "Nothing is here." in text_of((await page_of(priya, left)).text)
