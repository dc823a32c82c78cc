"""Concerns: only safeguarding leads read them, none whom it is about, and nothing of them is changed or lost."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from forum.core import clock
from forum.core.errors import SignInAgain
from forum.core.settings import Settings
from forum.http.services import Services
from forum.mail.tables import Mail, MailKind
from forum.members.tables import Role, Standing
from forum.privacy.tables import HoldReason
from moderation.concerns import evidence, telling
from moderation.concerns.evidence import HoldWish
from moderation.withdrawn_posts import erase_withdrawn_posts
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs, run_hourly_jobs
from tests.support.scenes import API, sql

CONCERNS = f"{API}/moderation/concerns"
LEAD = Role.SAFEGUARDING_LEAD
WORDS = "She writes to young members at night."
OUTSIDE = "The trustees: 020 7946 0000"


async def raised(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    """What somebody learns who raises a concern."""
    answer = await client.post(f"{API}/concerns", json={"text": WORDS, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def listed(client: httpx.AsyncClient, state: str = "open") -> list[str]:
    """The ids of the concerns that somebody finds."""
    answer = await client.get(CONCERNS, params={"state": state})
    assert answer.status_code == 200, answer.text
    return [concern["id"] for concern in answer.json()["items"]]


async def told(client: httpx.AsyncClient) -> list[str]:
    """The kinds of somebody's notifications, the newest first."""
    return [item["kind"] for item in (await client.get(f"{API}/me/notifications")).json()["items"]]


async def watched(services: Services, later: timedelta = timedelta(0)) -> None:
    """What the clock does every minute."""
    async with services.database.work() as session:
        await telling.watch(session, {}, clock.now() + later)


async def read(client: httpx.AsyncClient, concern_id: str) -> dict[str, Any]:
    """Everything of a concern."""
    answer = await client.get(f"{CONCERNS}/{concern_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def change(client: httpx.AsyncClient, method: str, path: str, status: int = 204, **sent: Any) -> Any:
    """What comes of a change, which is answered with this status."""
    body: dict[str, Any] = {"json": sent} if method in {"PUT", "POST"} else {}
    answer = await client.request(method, f"{CONCERNS}/{path}", **body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def on(days: int) -> str:
    """A day, so many days from today."""
    return (clock.now() + timedelta(days=days)).date().isoformat()


async def test_only_leads_read_a_concern_and_that_they_do_is_recorded(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services, "My stepdad is outside the school again.", author="zoe")
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "zoe") as zoe,
        make.signed_in(app, "priya", LEAD) as priya,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        receipt = await raised(magpie, about=["orla"], posts=[post.id], reply_to="Ring me in the evening.")
        assert (receipt["is_read"], receipt["outside_contact"]) == (True, None)
        [concern_id] = await listed(priya)
        await zoe.patch(f"{API}/posts/{post.id}", json={"revision": 1, "body_markdown": "Never mind."})
        file = await read(priya, concern_id)
        assert (file["text"], file["by"]["handle"], file["about_staff"]) == (WORDS, "magpie", True)
        assert {person["handle"] for person in file["about"]} == {"orla", "zoe"}
        [sealed] = file["posts"]
        assert sealed["content"]["body_markdown"] == "My stepdad is outside the school again."
        assert sealed["is_intact"]
        for nobody in (magpie, zoe, orla, joan):
            assert (await nobody.get(CONCERNS)).status_code == 403
            assert (await nobody.get(f"{CONCERNS}/{concern_id}")).status_code == 403
            assert (await nobody.get(f"{CONCERNS}/{concern_id}/audit")).status_code == 403
        acts = (await priya.get(f"{CONCERNS}/{concern_id}/audit")).json()["items"]
        assert [(act["act"], act["by"]["handle"]) for act in acts] == [
            ("read", "priya"),
            ("listed", "priya"),
            ("raised", "magpie"),
        ]
        assert await told(priya) == ["concern_waiting"]
        assert await told(orla) == await told(joan) == await told(zoe) == []
        assert await sql(services, "SELECT 1 FROM audit_entry WHERE act LIKE 'concern%'") == []
        [mail] = await sql(services, "SELECT kind, member_id FROM mail")
        assert mail.kind == "concern_waiting"
        assert (await joan.get(f"{API}/unsent-mails")).json()["items"] == []


async def test_a_concern_about_a_lead_exists_for_the_others_alone(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "priya", LEAD) as priya,
        make.signed_in(app, "bea", LEAD) as bea,
        make.signed_in(app, "cal", LEAD) as cal,
    ):
        await raised(magpie, about=["priya"])
        [concern_id] = await listed(bea)
        assert await listed(priya) == await told(priya) == []
        assert (await priya.get(f"{CONCERNS}/{concern_id}")).status_code == 404
        assert (await priya.put(f"{CONCERNS}/{concern_id}/review", json={"review_on": on(3)})).status_code == 404
        await change(bea, "PUT", f"{concern_id}/exclusions/cal", reason="They are friends.")
        assert await listed(cal) == await told(cal) == []
        await change(bea, "PUT", f"{concern_id}/exclusions/magpie", 409, reason="She raised it.")
        await change(bea, "DELETE", f"{concern_id}/exclusions/cal")
        await change(bea, "DELETE", f"{concern_id}/exclusions/priya")
        assert (await listed(cal), await listed(priya)) == ([concern_id], [])


async def test_where_no_lead_is_left_it_waits_and_administrators_hear_only_that(
    settings: Settings, services: Services
) -> None:
    named = settings.model_copy(update={"outside_contact": OUTSIDE})
    async with (
        make.application(named) as app,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "priya", LEAD) as priya,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "ruth", Role.ADMINISTRATOR) as ruth,
    ):
        receipt = await raised(magpie, about=["priya", "ruth"])
        assert (receipt["is_read"], receipt["outside_contact"]) == (False, OUTSIDE)
        [notice] = (await joan.get(f"{API}/me/notifications")).json()["items"]
        assert (notice["kind"], notice["subject_id"]) == ("concern_without_lead", None)
        assert await told(ruth) == await told(priya) == await listed(priya) == []
        async with make.signed_in(app, "bea", LEAD) as bea:
            await watched(services)
            assert await told(bea) == ["concern_waiting"]
            [concern_id] = await listed(bea)
            # What a lead may not read, they may all the same hear of as an administrator: that nobody may.
            await sql(
                services,
                "INSERT INTO concern_exclusion (concern_id, member_id, reason, excluded_by, excluded_at) "
                "SELECT concern.id, member.id, 'We are friends.', member.id, now() FROM concern, member "
                "WHERE handle = 'joan'",
            )
            told_by = (await make.viewer(services, "bea")).member_id
            mail = Mail(
                kind=MailKind.CONCERN_WAITING, subject_id=UUID(concern_id), member_id=told_by, due_at=clock.now()
            )
            async with services.database.work() as session:
                assert await telling.is_still_waiting(session, mail, clock.now())
            await change(bea, "PUT", f"{concern_id}/closure", keep_until=on(30))
            async with services.database.work() as session:
                assert not await telling.is_still_waiting(session, mail, clock.now())
            await change(bea, "DELETE", f"{concern_id}/closure")
            await change(bea, "PUT", f"{concern_id}/exclusions/bea", reason="So are we.")
        assert await told(joan) == ["concern_without_lead"]


async def test_somebody_who_is_suspended_may_raise_one_and_a_guest_may_not(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "priya", LEAD)
    async with make.signed_in(app, "magpie") as magpie:
        await make.sanction(services, "magpie", Standing.SUSPENDED)
        assert (await raised(magpie))["is_read"]
        missing = await magpie.post(f"{API}/concerns", json={"text": WORDS, "about": ["nobody"]})
        assert missing.json()["code"] == "member_not_found"
        missing = await magpie.post(f"{API}/concerns", json={"text": WORDS, "posts": [4711]})
        assert missing.json()["code"] == "post_not_found"
        unasked = await magpie.post(f"{API}/concerns", json={"text": WORDS, "consent": "not_sought"})
        assert unasked.json()["code"] == "reason_missing"
    assert (await guest.post(f"{API}/concerns", json={"text": WORDS})).status_code == 401


async def test_words_of_danger_are_answered_with_help_and_a_repeat_is_one_concern(
    app: FastAPI, services: Services
) -> None:
    await make.member(services, "priya", LEAD)
    async with make.signed_in(app, "magpie") as magpie:
        sent = {"text": "I want to kill myself tonight because of her."}
        key = {"Idempotency-Key": "once"}
        first = await magpie.post(f"{API}/concerns", json=sent, headers=key)
        assert (first.json()["help"]["kind"], first.json()["help"]["level"]) == ("suicide", None)
        # Refused words open no case: moderators would read it.
        refused = await magpie.post(f"{API}/concerns", json={**sent, "about": ["nobody"]})
        assert refused.json()["help"]["kind"] == "suicide"
        assert await sql(services, "SELECT 1 FROM moderation_case") == []
        assert (await magpie.post(f"{API}/concerns", json=sent, headers=key)).json() == first.json()
    assert len(await sql(services, "SELECT 1 FROM concern")) == 1


async def test_a_moderator_raises_one_from_a_case_at_which_nothing_shows(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "priya", LEAD) as priya,
    ):
        await scenes.report(magpie, post.id)
        case = await scenes.a_case(orla, post.id)
        assert (await magpie.post(f"{API}/concerns", json={"text": WORDS, "case_id": case["id"]})).status_code == 404
        await raised(orla, case_id=case["id"], consent="refused", immediate_action="I rang the duty team.")
        assert await scenes.a_case(orla, post.id) == case
        [concern_id] = await listed(priya)
        file = await read(priya, concern_id)
        assert (file["case_ids"], [person["handle"] for person in file["about"]]) == ([case["id"]], ["stepdad"])
        assert file["assessments"][0]["immediate_action"] == "I rang the duty team."


async def a_concern(app: FastAPI, priya: httpx.AsyncClient, **more: Any) -> str:
    """A concern that Magpie raised; its id."""
    async with make.signed_in(app, "magpie") as magpie:
        await raised(magpie, **more)
    [concern_id] = await listed(priya)
    return concern_id


async def test_the_chronology_only_grows(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "priya", LEAD) as priya, make.signed_in(app, "bea", LEAD) as bea:
        concern_id = await a_concern(app, priya)
        first = await change(priya, "POST", f"{concern_id}/entries", 201, text="Rang at 14.10.")
        wrong = {"text": "Rang.", "corrects": concern_id}
        assert (await change(priya, "POST", f"{concern_id}/entries", 404, **wrong))["code"] == "entry_not_found"
        later = (clock.now() + timedelta(hours=1)).isoformat()
        early = await change(priya, "POST", f"{concern_id}/entries", 422, text="Will ring.", happened_at=later)
        assert early["code"] == "time_to_come"
        await change(bea, "POST", f"{concern_id}/entries", 201, text="At 14.20.", corrects=first["id"])
        entries = (await read(bea, concern_id))["entries"]
        assert [(entry["text"], entry["by"]["handle"]) for entry in entries] == [
            ("Rang at 14.10.", "priya"),
            ("At 14.20.", "bea"),
        ]
        said = {"number": 1, "consent": "given", "lawful_ground": "Vital interests"}
        await change(priya, "PUT", f"{concern_id}/assessment", **said)
        stale = await change(bea, "PUT", f"{concern_id}/assessment", 409, **said)
        assert (stale["code"], stale["changed_by"]["handle"]) == ("concern_assessment_changed", "priya")
        assert len((await read(bea, concern_id))["assessments"]) == 2
    for statement in (
        "UPDATE concern_entry SET text = ''",
        "DELETE FROM concern_entry",
        "UPDATE concern SET text = ''",
        "UPDATE concern_assessment SET consent = NULL",
        "DELETE FROM concern_audit",
        "TRUNCATE concern_audit",
    ):
        with pytest.raises(DBAPIError):
            async with services.database.work() as session:
                await session.execute(text(statement))


async def test_a_review_comes_within_28_days_and_its_leads_are_reminded(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "priya", LEAD) as priya:
        concern_id = await a_concern(app, priya)
        for days in (-1, 29):
            late = await change(priya, "PUT", f"{concern_id}/review", 422, review_on=on(days))
            assert late["code"] == "review_too_far"
        await change(priya, "PUT", f"{concern_id}/review", review_on=on(14))
        await watched(services, timedelta(days=13))
        assert await told(priya) == ["concern_waiting"]
        for _ in range(2):
            await watched(services, timedelta(days=14))
            assert await told(priya) == ["concern_review", "concern_waiting"]
        await change(priya, "PUT", f"{concern_id}/review", review_on=on(28))
        assert await told(priya) == ["concern_waiting"]


async def test_a_closed_concern_is_kept_until_its_day_and_then_erased_by_somebody(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "priya", LEAD) as priya:
        concern_id = await a_concern(app, priya, posts=[post.id])
        await change(priya, "POST", f"{concern_id}/entries", 201, text="Rang at 14.10.")
        past = await change(priya, "PUT", f"{concern_id}/closure", 422, keep_until=on(0))
        assert past["code"] == "keep_until_out_of_range"
        assert (await change(priya, "DELETE", concern_id, 409))["code"] == "concern_is_kept"
        await change(priya, "PUT", f"{concern_id}/closure", keep_until=on(1))
        assert (await listed(priya), await listed(priya, "closed"), await told(priya)) == ([], [concern_id], [])
        closed = await change(priya, "POST", f"{concern_id}/entries", 409, text="More.")
        assert closed["code"] == "concern_closed"
        await change(priya, "DELETE", f"{concern_id}/closure")
        assert await listed(priya) == [concern_id]
        await change(priya, "PUT", f"{concern_id}/closure", keep_until=on(1))
        await watched(services, timedelta(days=1))
        assert await told(priya) == ["concern_review"]
        hold = {"reason": "police", "review_on": on(20)}
        await change(priya, "PUT", f"{concern_id}/hold", **hold)
        async with services.database.work() as session:
            await session.execute(text("UPDATE concern SET keep_until = current_date"))
        assert (await change(priya, "DELETE", concern_id, 409))["code"] == "concern_is_held"
        await change(priya, "DELETE", f"{concern_id}/hold")
        await change(priya, "DELETE", concern_id)
        assert (await listed(priya, "closed"), await told(priya)) == ([], [])
        assert (await priya.get(f"{CONCERNS}/{concern_id}")).status_code == 404
    said = await sql(services, "SELECT text, raised_by FROM concern")
    assert [tuple(row) for row in said] == [("", None)]
    assert await sql(services, "SELECT 1 FROM concern_entry UNION ALL SELECT 1 FROM concern_post") == []
    assert "erased" in [row.act for row in await sql(services, "SELECT act FROM concern_audit ORDER BY id")]


async def test_a_hold_keeps_whoever_wants_to_leave_and_tells_them_unless_there_is_an_exemption(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "priya", LEAD) as priya, make.signed_in(app, "stepdad") as stepdad:
        concern_id = await a_concern(app, priya, posts=[post.id])
        assert (await stepdad.put(f"{API}/me/departure", json={"kind": "erase"})).is_success
        assert (await stepdad.delete(f"{API}/posts/{post.id}")).is_success
        exemption = "Crime: Data Protection Act 2018, Schedule 2, paragraph 2"
        hold = {"reason": "police", "review_on": on(20), "exemption": exemption}
        await change(priya, "PUT", f"{concern_id}/hold", **hold)
        gone = clock.now() + timedelta(days=14, minutes=1)
        await run_hourly_jobs(services, gone)
        assert await told(stepdad) == []
        assert (await stepdad.get(f"{API}/me/departure")).json()["waits_since"] is None
        await change(priya, "PUT", f"{concern_id}/hold", reason="police", review_on=on(20))
        await run_hourly_jobs(services, gone)
        assert await told(stepdad) == ["departure_waits"]
        for still_there in (True, False):
            async with services.database.work() as session:
                await erase_withdrawn_posts(session, {}, clock.now() + timedelta(days=40))
            [words] = await sql(services, "SELECT body_markdown FROM post WHERE id = :post", post=post.id)
            assert (words.body_markdown == scenes.RUDE) == still_there
            await change(priya, "DELETE", f"{concern_id}/hold")
        await run_due_jobs(services, gone)
        assert len(await sql(services, "SELECT 1 FROM member WHERE left_at IS NOT NULL")) == 1
        sealed = (await read(priya, concern_id))["posts"][0]
        assert (sealed["content"]["body_markdown"], sealed["is_intact"]) == (scenes.RUDE, True)


async def test_a_hold_keeps_whoever_raised_it_with_a_post_of_their_own(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services, author="magpie")
    async with make.signed_in(app, "priya", LEAD) as priya, make.signed_in(app, "magpie") as magpie:
        await raised(magpie, posts=[post.id])
        [concern_id] = await listed(priya)
        wish = HoldWish(HoldReason.POLICE, (clock.now() + timedelta(days=20)).date())
        long_ago = await make.viewer(services, "priya")
        async with make.work(services) as work:
            with pytest.raises(SignInAgain):
                await evidence.place_hold(work, long_ago, UUID(concern_id), wish)
        await change(priya, "PUT", f"{concern_id}/hold", reason="police", review_on=on(20))
        assert (await magpie.put(f"{API}/me/departure", json={"kind": "erase"})).is_success
        await run_hourly_jobs(services, clock.now() + timedelta(days=14, minutes=1))
        assert await told(magpie) == ["departure_waits"]


async def test_a_copy_leaves_concerns_out_and_a_lead_decides_on_disclosure(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "priya", LEAD) as priya, make.signed_in(app, "zoe") as zoe:
        concern_id = await a_concern(app, priya, about=["zoe"])
        for _ in range(2):
            assert (await zoe.post(f"{API}/me/exports")).status_code == 201
            await run_due_jobs(services, clock.now())
        assert await told(priya) == ["concern_disclosure", "concern_waiting"]
        await watched(services, timedelta(days=20))
        assert await told(priya) == ["concern_disclosure", "concern_waiting"]
        await watched(services, timedelta(days=21))
        assert await told(priya) == ["concern_review", "concern_disclosure", "concern_waiting"]
        [asked] = (await read(priya, concern_id))["disclosures"]
        assert (asked["member"]["handle"], asked["due_on"], asked["outcome"]) == ("zoe", on(28), None)
        path, withheld = f"{concern_id}/disclosures/{asked['id']}", {"outcome": "withheld", "reason": "It is not safe."}
        assert (await change(priya, "PUT", path, 422, **withheld))["code"] == "exemption_missing"
        await change(priya, "PUT", path, **withheld, exemption="Crime: DPA 2018, Schedule 2, paragraph 2")
        assert (await change(priya, "PUT", path, 409, **withheld))["code"] == "disclosure_decided"
        assert await told(priya) == ["concern_waiting"]
        assert (await read(priya, concern_id))["disclosures"][0]["by"]["handle"] == "priya"
        await change(priya, "PUT", f"{concern_id}/disclosures/{concern_id}", 404, **withheld)
