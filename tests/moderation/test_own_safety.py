"""Moderators' own safety: words that are folded, what one leaves to others, and what one had to read."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role, Standing
from moderation import own_safety
from moderation.own_safety import PAUSE
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, sql
from tests.web.support import form

URL = f"{API}/moderation/own-safety"


async def reported(app: FastAPI, services: Services, category: str, author: str = "stepdad") -> int:
    """A post that Magpie reported."""
    post = await scenes.a_post(services, author=author)
    async with make.signed_in(app, "magpie") as magpie:
        about = {"category": category, "rules": []} if category != "rule" else {}
        assert (await scenes.report(magpie, post.id, **about)).status_code == 201
    return post.id


async def queue(client: httpx.AsyncClient, search: str = "") -> list[str]:
    """The categories of the cases in somebody's queue."""
    return [case["category"] for case in (await client.get(f"{API}/moderation/cases{search}")).json()["items"]]


async def test_what_somebody_leaves_out_is_left_to_others_while_there_are_any(app: FastAPI, services: Services) -> None:
    for category in ("intimate_image", "rule"):
        await reported(app, services, category)
    left_out = {"left_out": ["intimate_image"]}
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", boards=("new-here",)) as femi,
    ):
        assert await queue(orla) == ["intimate_image", "rule"]
        for _ in range(2):
            assert (await orla.put(URL, json=left_out)).status_code == 204
        assert await queue(orla) == ["rule"]
        assert await queue(orla, "?category=intimate_image") == ["intimate_image"]
        assert await queue(femi) == ["intimate_image", "rule"]
        shares = {one["category"]: one for one in (await orla.get(URL)).json()["categories"]}
        assert [other["handle"] for other in shares["intimate_image"]["others"]] == ["femi"]
        page = await orla.get("/moderation")
        assert "You leave to others:" in page.text

        # Both leave it out: both see it.
        assert (await femi.put(URL, json=left_out)).status_code == 204
        assert await queue(orla) == await queue(femi) == ["intimate_image", "rule"]
        assert {c["category"]: c["others"] for c in (await orla.get(URL)).json()["categories"]}["intimate_image"] == []

        # The other one may not act, or stepped back: nobody else is left.
        await femi.put(URL, json={"left_out": []})
        assert await queue(orla) == ["rule"]
        barred = "UPDATE moderation_case SET barred_id = {} WHERE category = 'intimate_image' RETURNING 1"
        await sql(services, barred.format("(SELECT id FROM member WHERE handle = 'femi')"))  # it is an appeal from them
        assert await queue(orla) == ["intimate_image", "rule"]
        await sql(services, barred.format("NULL"))
        await make.sanction(services, "femi", Standing.SILENCED)
        assert await queue(orla) == ["intimate_image", "rule"]
    async with make.signed_in(app, "wren") as wren:
        assert (await wren.get(URL)).status_code == 403


async def test_it_is_chosen_on_a_page_and_goes_with_its_moderator(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        page = await orla.get("/moderation/own-safety")
        assert page.headers["cache-control"] == "no-store"
        sent = await form(orla, page, "/moderation/own-safety", left_out="risk")
        assert sent.status_code == 303
        assert (await orla.get(URL)).json()["left_out"] == ["risk"]
        assert (await orla.put(URL, json={"left_out": ["nothing"]})).status_code == 422
    async with make.work(services) as work:
        orla_id = (await make.viewer(services, "orla")).member_id
        await own_safety.forget(work.session, orla_id)
    assert await sql(services, "SELECT * FROM left_out_category") == []


async def test_the_words_of_heavy_cases_are_folded(app: FastAPI, services: Services) -> None:
    heavy, light = [await reported(app, services, category) for category in ("intimate_image", "rule")]
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        for post, is_heavy in ((heavy, True), (light, False)):
            case = await scenes.a_case(orla, post)
            assert case["is_heavy"] == is_heavy
            for path in (f"/moderation/cases/{case['id']}", f"/moderation/together?case={case['id']}"):
                page = (await orla.get(path)).text
                assert ("Show the words" in page) == is_heavy
                before, _, _ = page.partition("The social worker is a lying toad")
                assert (before.rfind("<details") > before.rfind("</details>")) == is_heavy
                assert (case["thread_title"] not in unfolded(page)) == is_heavy
        queue = (await orla.get("/moderation")).text
        assert unfolded(queue).count(case["thread_title"]) == 1
    # Nor does an edit that waits show the note before it, until somebody wants that.
    await sql(services, "UPDATE board SET publication = 'hold_all'")
    async with make.signed_in(app, "stepdad") as stepdad:
        edit = {"revision": 1, "body_markdown": "Look at her.", "content_warning": "Pictures of her"}
        waits = await stepdad.patch(f"{API}/posts/{heavy}", json=edit)
        assert waits.status_code == 200, waits.text
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        page = (await orla.get(f"/moderation/cases/{(await scenes.a_case(orla, heavy))['id']}")).text
        assert "Pictures of her" in page
        assert "Pictures of her" not in unfolded(page)
    danger = await reported(app, services, "risk")
    async with make.signed_in(app, "priya", Role.SAFEGUARDING_LEAD) as priya:
        [listed] = (await priya.get(f"{API}/safeguarding/cases")).json()["items"]
        assert listed["post_id"] == danger
        for path in ("/safeguarding", f"/safeguarding/cases/{listed['id']}"):
            page = (await priya.get(path)).text
            assert listed["thread_title"] in page
            assert listed["thread_title"] not in unfolded(page)


def unfolded(page: str) -> str:
    """What stands on a page before somebody opens anything."""
    return re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)


async def test_each_one_alone_reads_what_they_had_to_read_and_is_told_to_rest(settings: Settings) -> None:
    async with make.application(settings.model_copy(update={"heavy_cases_before_break": 2})) as app:
        services: Services = app.state.services
        async with (
            make.signed_in(app, "orla", Role.MODERATOR) as orla,
            make.signed_in(app, "femi", Role.MODERATOR) as femi,
        ):
            for number, category in enumerate(("intimate_image", "rule", "illegal")):
                own = (await orla.get(URL)).json()
                assert not own["suggests_break"], number
                case = await scenes.a_case(orla, await reported(app, services, category))
                assert (await orla.put(f"{API}/moderation/cases/{case['id']}/claim")).status_code == 200
                assert (await scenes.decide(orla, case, DISMISS, rules=[])).status_code == 201
            [shift] = (await orla.get(URL)).json()["shifts"]
            assert shift["heavy"] == 2
            assert {one["category"]: one["cases"] for one in shift["cases"]} == {
                "intimate_image": 1,
                "illegal": 1,
                "rule": 1,
            }
            assert (await orla.get(URL)).json()["suggests_break"]
            assert "A break would do you good" in (await orla.get("/moderation")).text
            assert (await femi.get(URL)).json()["shifts"] == []
            assert "A break would do you good" not in (await femi.get("/moderation")).text


async def test_after_a_pause_another_shift_begins(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = clock.now()
    posts = [await reported(app, services, "rule") for _ in range(3)]
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        for post, hours in zip(posts, (timedelta(), timedelta(hours=3), timedelta(hours=3) + PAUSE), strict=True):
            case: dict[str, Any] = await scenes.a_case(orla, post)
            monkeypatch.setattr(clock, "now", lambda at=began + hours: at)
            assert (await orla.put(f"{API}/moderation/cases/{case['id']}/claim")).status_code == 200
        shifts = (await orla.get(URL)).json()["shifts"]
        assert [sum(one["cases"] for one in shift["cases"]) for shift in shifts] == [1, 2]
