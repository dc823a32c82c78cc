"""The safeguarding lead reads the cases of somebody in danger, notes what was done, and decides nothing."""

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, DISMISS, sql

DANGERS = f"{API}/safeguarding/cases"
LEAD = Role.SAFEGUARDING_LEAD


async def listed(client: httpx.AsyncClient, **search: str) -> list[str]:
    """The ids of the cases that somebody finds."""
    answer = await client.get(DANGERS, params=search)
    assert answer.status_code == 200, answer.text
    return [case["id"] for case in answer.json()["items"]]


async def a_danger(app: FastAPI, services: Services, slug: str = "new-here") -> str:
    """A case of somebody in danger, whom Magpie reported; its id."""
    post = await scenes.a_post(services, "I cannot go on.", author="zoe", slug=slug)
    async with make.signed_in(app, "magpie") as magpie:
        note = "Could somebody look in on her?"
        assert (await scenes.report(magpie, post.id, category="risk", rules=[], note=note)).status_code == 201
    return await case_of(services, post.id)


async def case_of(services: Services, post_id: int) -> str:
    """The id of the case about a post."""
    [row] = await sql(services, "SELECT id FROM moderation_case WHERE post_id = :post", post=post_id)
    return str(row.id)


async def test_the_lead_reads_cases_of_danger_and_no_others(app: FastAPI, services: Services) -> None:
    danger = await a_danger(app, services)
    rude = await scenes.a_post(services)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "priya", LEAD) as priya,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        await scenes.report(magpie, rude.id)
        other = await case_of(services, rude.id)
        await run_due_jobs(services, clock.now())
        assert await listed(priya) == [danger]
        file = (await priya.get(f"{DANGERS}/{danger}")).json()
        assert file["posts"][0]["body_markdown"] == "I cannot go on."
        assert file["reported"][0]["note"] == "Could somebody look in on her?"
        assert [(alarm["to"]["handle"], alarm["kind"]) for alarm in file["told"]] == [("orla", "case_urgent")]
        assert (await priya.get(f"{DANGERS}/{other}")).status_code == 404
        # She decides nothing, and has no queue.
        assert (await priya.get(f"{API}/moderation/cases")).status_code == 403
        case = (await orla.get(f"{API}/moderation/cases/{danger}")).json()
        assert (await scenes.decide(priya, case, DISMISS)).status_code == 403
        for nobody in (magpie, orla):
            assert (await nobody.get(DANGERS)).status_code == 403
            assert (await nobody.get(f"{DANGERS}/{danger}")).status_code == 403
        assert (await scenes.decide(orla, case, DISMISS)).status_code == 201
        assert await listed(priya) == []
        assert await listed(priya, state="decided") == [danger]


async def test_what_was_done_is_noted_for_whoever_decides_and_recorded(app: FastAPI, services: Services) -> None:
    danger = await a_danger(app, services)
    async with make.signed_in(app, "priya", LEAD) as priya, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        note = {"text": "Rang the duty team at 14.10: they visit today."}
        sent = await priya.post(f"{DANGERS}/{danger}/notes", json=note, headers={"Idempotency-Key": "once"})
        again = await priya.post(f"{DANGERS}/{danger}/notes", json=note, headers={"Idempotency-Key": "once"})
        assert (sent.status_code, again.json()["id"]) == (201, sent.json()["id"])
        notes = (await orla.get(f"{API}/moderation/cases/{danger}")).json()["notes"]
        assert [(written["by"]["handle"], written["text"]) for written in notes] == [("priya", note["text"])]
        acts = [entry["act"] for entry in (await orla.get(f"{API}/moderation/log")).json()["items"]]
        assert acts.count("danger.noted") == 1


async def test_a_case_about_the_lead_does_not_exist_for_them(app: FastAPI, services: Services) -> None:
    await make.member(services, "priya", LEAD)
    post = await scenes.a_post(services, "I cannot go on.", author="priya")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "priya") as priya:
        await scenes.report(magpie, post.id, category="risk", rules=[])
        assert await listed(priya) == []
        assert (await priya.get(f"{DANGERS}/{await case_of(services, post.id)}")).status_code == 404


async def test_boards_that_the_lead_does_not_read_stay_closed(app: FastAPI, services: Services) -> None:
    audience = ("adviser", "administrator")
    await make.board(services, "advisers", readers=audience, openers=audience, repliers=audience)
    for handle in ("heron", "zoe", "magpie"):
        await make.member(services, handle, Role.ADVISER)
    danger = await a_danger(app, services, "advisers")
    async with make.signed_in(app, "priya", LEAD) as priya:
        assert await listed(priya) == []
        assert (await priya.get(f"{DANGERS}/{danger}")).status_code == 404


async def test_that_a_post_was_read_which_its_author_took_back_is_recorded(app: FastAPI, services: Services) -> None:
    danger = await a_danger(app, services)
    [row] = await sql(services, "SELECT post_id FROM moderation_case")
    async with make.signed_in(app, "zoe") as zoe, make.signed_in(app, "priya", LEAD) as priya:
        assert (await zoe.delete(f"{API}/posts/{row.post_id}")).is_success
        assert (await priya.get(f"{DANGERS}/{danger}")).json()["posts"][0]["body_markdown"] == "I cannot go on."
    acts = await sql(services, "SELECT act FROM audit_entry ORDER BY number")
    assert "withdrawn_post.read" in [entry.act for entry in acts]
