"""The log: what staff did, readable by those who moderate there."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API

LOG = f"{API}/moderation/log"


async def acts(client: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"{LOG}{query}")
    assert answer.status_code == 200, answer.text
    return [entry["act"] for entry in answer.json()["items"]]


async def test_every_step_of_a_case_is_in_the_log(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
    ):
        await scenes.report(magpie, post.id)
        case = await scenes.a_case(suzie, post.id)
        base = f"{API}/moderation/cases/{case['id']}"
        await suzie.put(f"{base}/claim")
        await orla.put(f"{base}/claim", json={"reason": "She is ill."})
        await orla.delete(f"{base}/claim")
        await orla.put(f"{base}/recusal")
        made = (await scenes.decide(suzie, case, scenes.REDACT, note="He did it before")).json()
        await scenes.appeal(stepdad, made["statement_id"], "She did lie.")
        page = (await suzie.get(f"{LOG}?limit=100")).json()
        about_it = await acts(suzie, f"?subject_kind=case&subject_id={case['id']}")
        assert about_it == ["case.decided", "case.recused", "case.released", "case.taken_over", "case.claimed"]
        assert (await acts(suzie))[0] == "appeal.lodged"
        decided = next(entry for entry in page["items"] if entry["act"] == "case.decided")
    assert decided["details"] == {"decision": made["id"], "measures": ["redact"]}
    assert decided["by"]["handle"] == "suzie"
    for words in ("toad", "She is ill", "He did it", "She did lie", "what she did"):
        assert words not in str(page)


@pytest.fixture
async def busy(app: FastAPI, services: Services) -> dict[str, Any]:
    """Two boards, on each of which something was decided."""
    here = await scenes.a_post(services)
    there = await scenes.a_post(services, slug="court")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        made = [await scenes.decided(app, suzie, post.id, {"kind": "lock"}) for post in (here, there)]
    return {"here": here, "there": there, "cases": [one["case_id"] for one in made]}


async def test_a_board_moderator_reads_what_happened_on_their_board(
    app: FastAPI, services: Services, busy: dict[str, Any]
) -> None:
    async with make.signed_in(app, "other", boards=("court",)) as other:
        entries = (await other.get(LOG)).json()["items"]
    subjects = {(entry["subject_kind"], entry["subject_id"]) for entry in entries}
    assert subjects == {("case", busy["cases"][1]), ("thread", str(busy["there"].thread_id))}


async def test_whom_a_case_is_about_reads_nothing_of_it(app: FastAPI, services: Services) -> None:
    """Neither what was decided, nor who read what was redacted, nor who locked the thread for it."""
    await make.member(services, "stepdad", Role.MODERATOR)
    post = await scenes.a_post(services, author="stepdad")
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "boss", Role.MODERATOR, Role.ADMINISTRATOR) as boss,
    ):
        before = await acts(stepdad, "?limit=100")
        await scenes.decided(app, boss, post.id, scenes.REDACT, {"kind": "lock"})
        assert (await boss.get(f"{API}/posts/{post.id}/revisions/1")).status_code == 200
        assert (await acts(boss, "?limit=100"))[:3] == ["revision.read", "case.decided", "thread.locked"]
        assert await acts(stepdad, "?limit=100") == before
        # What is no part of the case is there: another lock, by whoever decided it.
        await boss.put(f"{API}/threads/{post.thread_id}/pin")
        assert (await acts(stepdad))[0] == "thread.pinned"


async def test_the_log_is_filtered_and_goes_on_page_by_page(app: FastAPI, busy: dict[str, Any]) -> None:
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss:
        assert await acts(boss, "?act=case.decided") == ["case.decided"] * 2
        assert await acts(boss, f"?subject_kind=case&subject_id={busy['cases'][0]}") == ["case.decided"]
        assert await acts(boss, "?actor=suzie&act=thread.locked") == ["thread.locked"] * 2
        assert await acts(boss, "?actor=SUZIE&act=thread.locked") == ["thread.locked"] * 2
        assert await acts(boss, "?actor=nobody") == []
        everything = await acts(boss, "?limit=100")
        seen, url = [], f"{LOG}?limit=2"
        while url:
            page = await boss.get(url)
            seen += [entry["act"] for entry in page.json()["items"]]
            url = page.links["next"]["url"] if "next" in page.links else ""
        assert seen == everything
        assert (await boss.get(f"{LOG}?subject_id=1")).status_code == 422
        assert (await boss.get(f"{LOG}?verb=x")).status_code == 422


@pytest.mark.parametrize(
    ("roles", "status"),
    [((), 403), ((Role.ADVISER,), 403), ((Role.MODERATOR,), 200), ((Role.ADMINISTRATOR,), 200)],
)
async def test_who_reads_the_log(app: FastAPI, roles: tuple[Role, ...], status: int) -> None:
    async with make.signed_in(app, "ada", *roles) as ada:
        assert (await ada.get(LOG)).status_code == status


async def test_a_guest_is_asked_to_sign_in(guest: httpx.AsyncClient) -> None:
    assert (await guest.get(LOG)).status_code == 401
