"""A report at night: the only moderator is told, the time passes, an administrator is told; and two talks, apart."""

from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation import case_alerts
from moderation.case_priority import GRAVITY, Category
from tests.support import mailbox, make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, WARN

FEAR = "He said he will find them tonight. I do not know what to do any more."


async def news(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"{API}/me/notifications")).json()["items"]
    return items


async def minute_passes(services: Services, after: timedelta = timedelta()) -> None:
    now = clock.now() + after
    async with services.database.work() as session:
        await case_alerts.watch(session, {}, now)
    await run_due_jobs(services, now)


async def test_a_report_at_night(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services, FEAR)
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        # Magpie reads it and reports that somebody is in danger.
        filed = (await scenes.report(magpie, post.id, category="risk", rules=[], note="He sounds desperate.")).json()
        await minute_passes(services)

        # The only moderator is told in the app, and by a mail that says nothing. The administrator is not, yet.
        [urgent] = await news(orla)
        assert urgent["kind"] == "case_urgent"
        [letter] = await mailbox.come(services)
        assert letter.to == "orla@example.org"
        assert "desperate" not in letter.words
        assert await news(joan) == []

        # Orla sleeps. An hour later the time is over, and Joan is told too; she sees the case and may decide it.
        due = GRAVITY[Category.RISK][1] + timedelta(seconds=1)
        await minute_passes(services, due)
        assert [item["kind"] for item in await news(joan)] == ["case_overdue"]
        assert [letter.to for letter in await mailbox.come(services)] == ["joan@example.org", "orla@example.org"]
        await scenes.sql(services, "UPDATE moderation_case SET due_at = now() - interval '1 second'")
        overdue = (await news(joan))[0]["subject_id"]
        case = (await joan.get(f"{API}/moderation/cases/{overdue}")).json()
        assert case["post_id"] == post.id
        assert (await joan.put(f"{API}/moderation/cases/{overdue}/claim")).status_code == 200

        # Joan writes to the author, and apart from that to who reported. Neither sees the other's talk.
        talks = f"{API}/moderation/cases/{overdue}/talks"
        to_author = (await joan.post(talks, json={"text": "Are you safe tonight?", "signed": True})).json()
        thanks = {"text": "Thank you for telling us.", "report_id": filed["id"]}
        to_reporter = (await joan.post(talks, json=thanks)).json()
        await run_due_jobs(services, clock.now())
        assert {item["kind"] for item in await news(stepdad)} == {"talk_message"}
        [his] = (await stepdad.get(f"{API}/me/talks")).json()["items"]
        [hers] = (await magpie.get(f"{API}/me/talks")).json()["items"]
        assert (his["id"], hers["id"]) == (to_author["talk_id"], to_reporter["talk_id"])
        for client, own, other in ((stepdad, his, hers), (magpie, hers, his)):
            assert (await client.get(f"{API}/talks/{own['id']}/messages")).status_code == 200
            assert (await client.get(f"{API}/talks/{other['id']}/messages")).status_code == 404

        # He answers, and Joan is told.
        yes = {"text": "My sister is here with me."}
        assert (await stepdad.post(f"{API}/talks/{his['id']}/messages", json=yes)).status_code == 201
        await run_due_jobs(services, clock.now())
        assert (await news(joan))[0]["kind"] == "talk_answered"
        read = (await joan.get(f"{API}/moderation/talks/{his['id']}/messages")).json()["items"]
        assert [item["text"] for item in read] == ["Are you safe tonight?", yes["text"]]

        # It is decided: nothing about it waits in anybody's notifications any more, and the talk can be closed.
        case = (await joan.get(f"{API}/moderation/cases/{overdue}")).json()
        assert (await scenes.decide(joan, case, WARN)).status_code == 201
        assert await news(orla) == []
        assert {item["kind"] for item in await news(joan)} == {"talk_answered"}
        assert (await joan.put(f"{API}/moderation/talks/{his['id']}/closure")).status_code == 204
        assert (await stepdad.post(f"{API}/talks/{his['id']}/messages", json=yes)).json()["code"] == "talk_closed"
