"""From a rude reply to a decision, a statement of reasons and a fair appeal, over HTTP only."""

import httpx
from fastapi import FastAPI

from forum.core import audit, clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation import rules
from tests.support import make

API = "/api/v1"
RUDE = "The social worker is a lying toad and I hope her car breaks down."
SPAN = (21, 34)  # "a lying toad "


async def report(client: httpx.AsyncClient, post: int) -> httpx.Response:
    complaint = {"category": "rule", "rules": [10], "note": "Name-calling", "revision": 1}
    return await client.post(f"{API}/posts/{post}/reports", json=complaint)


async def test_a_rude_reply_is_redacted_appealed_and_restored(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    rude = await make.post(services, await handle(services, "stepdad"), thread, RUDE)
    await make.post(services, "heron", thread, f"> @stepdad #2\n> {RUDE}\n\nI would not put it that way.")

    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        first, again, second = await report(heron, rude.id), await report(heron, rude.id), await report(magpie, rude.id)
        assert first.status_code == again.status_code == second.status_code == 201, first.text
        assert first.json()["id"] == again.json()["id"]
        assert first.json()["case_id"] is None

    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        queue = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        assert [(case["post_id"], case["reports"]) for case in queue] == [(rude.id, 2)]
        case = queue[0]["id"]
        assert (await suzie.put(f"{API}/moderation/cases/{case}/claim")).status_code == 200
        refused = await orla.put(f"{API}/moderation/cases/{case}/claim")
        assert refused.status_code == 409
        assert refused.json()["changed_by"]["name"] == "Suzie"

        screen = (await suzie.get(f"{API}/moderation/cases/{case}")).json()
        assert [seen["number"] for seen in screen["context"]] == [1, 2, 3]
        assert len(screen["reported"]) == 2
        verdict = {
            "version": screen["version"],
            "revision": screen["post_revision"],
            "measures": [{"kind": "redact", "spans": [list(SPAN)]}],
            "rules": [10],
            "reason": "You called her a name. Say what she did instead.",
        }
        late = await orla.post(f"{API}/moderation/cases/{case}/decisions", json=verdict)
        assert late.status_code == 409
        decided = await suzie.post(f"{API}/moderation/cases/{case}/decisions", json=verdict)
        assert decided.status_code == 201, decided.text
        too_late = await orla.post(f"{API}/moderation/cases/{case}/decisions", json=verdict)
        assert too_late.status_code == 409
        assert too_late.json()["changed_by"]["name"] == "Suzie"

        page = (await guest.get(f"{API}/threads/{thread}/posts")).json()["items"]
        assert page[1]["body_markdown"] == "The social worker is [removed: rule 10]and I hope her car breaks down."
        assert page[1]["notice"] == {
            "kind": "edited",
            "by": "Suzie",
            "rules": [10],
            "text": "Edited by Suzie as breaches rule 10",
        }
        assert "toad" not in str(page)

        async with make.signed_in(app, "stepdad") as stepdad:
            told = (await stepdad.get(f"{API}/me/notifications")).json()["items"]
            assert [item["kind"] for item in told] == ["post_edited"]
            statement = (await stepdad.get(f"{API}/statements/{decided.json()['statement_id']}")).json()
            assert statement["excerpts"] == ["a lying toad "]
            assert statement["rules"][0]["number"] == 10
            appealed = await stepdad.post(
                f"{API}{statement['appeal_at'].removeprefix(API)}", json={"text": "She did lie."}
            )
            assert appealed.status_code == 201, appealed.text
            assert appealed.json()["hearers"] == "moderator"

        hearing = (await orla.get(f"{API}/moderation/cases")).json()["items"][0]
        assert hearing["kind"] == "appeal"
        overturn = {"measures": [{"kind": "overturn"}], "reason": "It was said in anger, not at her."}
        own = await suzie.post(f"{API}/moderation/cases/{hearing['id']}/decisions", json=overturn)
        assert own.status_code == 403
        heard = await orla.post(f"{API}/moderation/cases/{hearing['id']}/decisions", json=overturn)
        assert heard.status_code == 201, heard.text

    restored = (await guest.get(f"{API}/threads/{thread}/posts")).json()["items"]
    assert restored[1]["body_markdown"] == RUDE
    assert restored[1]["notice"] is None
    assert RUDE in restored[2]["body_markdown"]
    async with services.database.work() as session:
        assert (await audit.verify(session)).number > 3


async def handle(services: Services, name: str) -> str:
    """The handle of a new member."""
    return (await make.member(services, name)).handle
