"""Appeals: who may, until when, who hears them, and what comes of them."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError

from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, REDACT, REMOVE, WARN


async def appealed(app: FastAPI, moderator: httpx.AsyncClient, post_id: int, *measures: dict[str, Any]) -> str:
    """The id of the case of Stepdad's appeal against what this moderator decided."""
    made = await scenes.decided(app, moderator, post_id, *measures)
    async with make.signed_in(app, "stepdad") as stepdad:
        assert (await scenes.appeal(stepdad, made["statement_id"])).status_code == 201
    [[case_id]] = await scenes.sql(app.state.services, "SELECT case_id FROM appeal WHERE heard_at IS NULL")
    return str(case_id)


# Lodging


async def test_only_the_author_appeals_and_only_once(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
    ):
        statement = (await scenes.decided(app, suzie, post.id, WARN))["statement_id"]
        for other in (suzie, magpie):
            assert (await scenes.appeal(other, statement)).status_code == 404
        assert (await scenes.appeal(stepdad, statement, " ")).status_code == 422
        assert (await scenes.appeal(stepdad, statement)).status_code == 201
        assert (await scenes.appeal(stepdad, statement)).status_code == 409


async def test_an_appeal_sent_five_times_at_once_is_one(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        statement = (await scenes.decided(app, suzie, post.id, WARN))["statement_id"]
        answers = await asyncio.gather(*(scenes.appeal(stepdad, statement) for _ in range(5)))
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409, 409]


@pytest.mark.parametrize(("days", "status"), [(182, 201), (184, 409)])
async def test_an_appeal_is_possible_for_half_a_year(app: FastAPI, services: Services, days: int, status: int) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        statement = (await scenes.decided(app, suzie, post.id, WARN))["statement_id"]
        await scenes.sql(services, "ALTER TABLE statement DISABLE TRIGGER statement_keeps_rows")
        await scenes.sql(
            services,
            "UPDATE statement SET issued_at = issued_at - make_interval(days => :days),"
            " appeal_until = appeal_until - make_interval(days => :days)",
            days=days,
        )
        lodged = await scenes.appeal(stepdad, statement)
    assert lodged.status_code == status
    assert status == 201 or "ended on" in lodged.json()["detail"]


async def test_a_charity_may_give_more_time_but_not_less(settings: Settings) -> None:
    with pytest.raises(ValueError, match="183"):
        Settings(appeal_days=182)
    patient = settings.model_copy(update={"appeal_days": 400})
    async with make.application(patient) as app, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        post = await scenes.a_post(app.state.services)
        await scenes.decided(app, suzie, post.id, WARN)
        days = await scenes.sql(app.state.services, "SELECT extract(day FROM appeal_until - issued_at) FROM statement")
    assert days == [(400,)]


@pytest.mark.parametrize("standing", [Standing.SILENCED, Standing.SUSPENDED, Standing.BANNED])
async def test_whoever_lost_their_standing_can_still_read_why_and_appeal(
    app: FastAPI, services: Services, standing: Standing
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        statement = (await scenes.decided(app, suzie, post.id, WARN))["statement_id"]
    await make.sanction(services, "stepdad", standing)
    async with make.signed_in(app, "stepdad") as stepdad:
        assert (await stepdad.get(f"{API}/statements/{statement}")).status_code == 200
        assert len((await stepdad.get(f"{API}/me/statements")).json()["items"]) == 1
        assert (await stepdad.get(f"{API}/me/notifications")).json()["unread"] == 1
        assert (await scenes.appeal(stepdad, statement)).status_code == 201


# Who hears it


async def test_whoever_decided_never_hears_nor_claims_the_appeal(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR, Role.ADMINISTRATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case_id = await appealed(app, suzie, post.id, WARN)
        screen = (await suzie.get(f"{API}/moderation/cases/{case_id}")).json()
        assert {one["allowed"] for one in screen["permitted"]} == {False}
        assert {one["act"] for one in screen["permitted"]} == {"claim", "uphold", "change", "overturn"}
        assert (await suzie.put(f"{API}/moderation/cases/{case_id}/claim")).status_code == 403
        for outcome in ("uphold", "overturn"):
            assert (await scenes.hear(suzie, case_id, outcome)).status_code == 403
        assert (await orla.put(f"{API}/moderation/cases/{case_id}/claim")).status_code == 200
        assert (await scenes.hear(orla, case_id, "uphold")).status_code == 201


async def test_the_database_refuses_an_appeal_heard_by_whoever_decided(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await make.member(services, "orla", Role.MODERATOR)
        case_id = await appealed(app, suzie, post.id, WARN)
    heard = (
        "INSERT INTO decision (id, case_id, decided_by, decided_at, case_version, revision, reason, hears,"
        " hears_decided_by) SELECT gen_random_uuid(), :case, {by}, now(), 1, 1, 'x', d.id, {of} FROM decision d"
    )
    orla = "(SELECT id FROM member WHERE handle = 'orla')"
    with pytest.raises(IntegrityError, match="heard_by_another"):
        await scenes.sql(services, heard.format(by="d.decided_by", of="d.decided_by"), case=case_id)
    with pytest.raises(IntegrityError, match="fk_decision_hears"):
        await scenes.sql(services, heard.format(by="d.decided_by", of=orla), case=case_id)
    with pytest.raises(IntegrityError, match="ck_decision_hears"):
        await scenes.sql(services, heard.format(by="d.decided_by", of="NULL"), case=case_id)
    await scenes.sql(services, heard.format(by=orla, of="d.decided_by"), case=case_id)


@pytest.mark.parametrize("why", ["alone", "other board", "reported", "recused", "silenced", "author"])
async def test_where_no_other_moderator_can_hear_it_an_administrator_does(
    app: FastAPI, services: Services, why: str
) -> None:
    await make.board(services, "court")
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        if why == "other board":
            await make.member(services, "other", boards=("court",))
        if why in {"reported", "recused", "silenced"}:
            await make.member(services, "orla", Role.MODERATOR)
        if why == "author":
            await scenes.sql(
                services,
                "INSERT INTO role_grant (id, member_id, role, given_at)"
                " SELECT gen_random_uuid(), id, 'moderator', now() FROM member WHERE handle = 'stepdad'",
            )
        if why == "reported":
            async with make.signed_in(app, "orla") as orla:
                await scenes.report(orla, post.id)
                case = await scenes.a_case(orla, post.id)
                await orla.delete(f"{API}/moderation/cases/{case['id']}/claim")
        if why == "recused":
            async with make.signed_in(app, "orla") as orla, make.signed_in(app, "robin") as robin:
                await scenes.report(robin, post.id)
                case = await scenes.a_case(orla, post.id)
                await orla.put(f"{API}/moderation/cases/{case['id']}/recusal")
        if why == "silenced":
            await make.sanction(services, "orla", Standing.SILENCED)
        measure = REDACT if why == "author" else WARN
        case_id = await appealed(app, suzie, post.id, measure)
        [told] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert told["appeal"]["hearers"] == "administrator"
        assert [case["id"] for case in (await boss.get(f"{API}/moderation/cases")).json()["items"]] == [case_id]
        assert (await scenes.hear(boss, case_id, "overturn")).status_code == 201


async def test_an_administrator_who_hears_an_appeal_reads_what_was_taken_and_that_is_recorded(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
        make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada,
    ):
        case_id = await appealed(app, suzie, post.id, REDACT)
        # What the case does not hold, nobody reads by it.
        other = await make.post(services, "heron", post.thread_id, "Something else")
        sealed = f"{API}/moderation/cases/{case_id}/posts/{post.id}/revisions/1"
        assert (await boss.get(f"{API}/posts/{post.id}/revisions/1")).status_code == 403
        read = await boss.get(sealed)
        assert (read.status_code, read.json()["body_markdown"]) == (200, scenes.RUDE)
        log = (await boss.get(f"{API}/moderation/log?act=revision.read")).json()["items"]
        assert [(entry["by"]["handle"], entry["subject_id"]) for entry in log] == [("boss", str(post.id))]
        refused = {
            sealed.replace(f"/posts/{post.id}/", f"/posts/{other.id}/"): "post_not_found",
            sealed.replace("/revisions/1", "/revisions/2"): "revision_not_found",
            f"{API}/moderation/cases/{case_id}/titles/1": "thread_not_found",
        }
        for address, code in refused.items():
            answer = await boss.get(address)
            assert (answer.status_code, answer.json()["code"]) == (404, code)
        # Who decided reads it as the board's moderator, and not as somebody who hears the appeal.
        assert (await suzie.get(sealed)).status_code == 403
        assert (await boss.put(f"{API}/moderation/cases/{case_id}/recusal")).status_code == 204
        assert (await boss.get(sealed)).status_code == 403
        assert (await ada.get(sealed)).status_code == 200
    async with make.signed_in(app, "stepdad") as stepdad:
        assert (await stepdad.get(sealed)).status_code == 403


async def test_an_administrator_who_hears_an_appeal_reads_the_title_that_was_taken(
    app: FastAPI, services: Services
) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    await make.member(services, "stepdad")
    thread = await make.thread(services, "stepdad")
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
    ):
        [opening] = await scenes.first_page(suzie, thread)
        before = (await suzie.get(f"{API}/threads/{thread}")).json()["title"]
        case_id = await appealed(app, suzie, opening["id"], {"kind": "retitle", "title": "Something kinder"})
        read = await boss.get(f"{API}/moderation/cases/{case_id}/titles/1")
        assert (read.status_code, read.json()["title"]) == (200, before)


async def test_where_another_moderator_can_the_administrator_does_not(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    await make.member(services, "orla", boards=("new-here",))
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
    ):
        case_id = await appealed(app, suzie, post.id, WARN)
        assert (await scenes.hear(boss, case_id, "overturn")).status_code == 404


async def test_where_nobody_can_it_waits_and_says_so(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        case_id = await appealed(app, suzie, post.id, WARN)
        [told] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert (told["appeal"]["hearers"], told["appeal"]["outcome"]) == ("nobody", None)
        assert (await suzie.get(f"{API}/moderation/cases/{case_id}")).json()["appeal"]["hearers"] == "nobody"
        await make.member(services, "orla", boards=("new-here",))
        [told] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert told["appeal"]["hearers"] == "moderator"


# What comes of it


async def test_upheld_changes_nothing_and_tells_the_author(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        case_id = await appealed(app, suzie, post.id, REDACT)
        before = (await stepdad.get(f"{API}/posts/{post.id}")).json()
        assert (await scenes.hear(orla, case_id, "uphold")).status_code == 201
        assert (await stepdad.get(f"{API}/posts/{post.id}")).json() == before
        assert (await stepdad.get(f"{API}/me/notifications")).json()["items"][0]["kind"] == "appeal_heard"
        again = await scenes.hear(orla, case_id, "overturn")
        assert (again.status_code, again.json()["changed_by"]["name"]) == (409, "Orla")


async def test_overturned_undoes_every_measure(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        lock, ban = {"kind": "lock"}, {"kind": "ban"}
        case_id = await appealed(app, suzie, post.id, REDACT, REMOVE, lock, ban)
        assert (await stepdad.get(f"{API}/me")).status_code == 401  # a ban ends every session
        await make.sign_in_again(app, stepdad, "stepdad")
        reply = {"body_markdown": "Thank you."}
        assert (await stepdad.post(f"{API}/threads/{post.thread_id}/posts", json=reply)).status_code == 403
        assert (await scenes.hear(orla, case_id, "overturn")).status_code == 201
        seen = (await scenes.first_page(guest, post.thread_id))[1]
        assert (seen["body_markdown"], seen["notice"]) == (scenes.RUDE, None)
        assert (await guest.get(f"{API}/threads/{post.thread_id}")).json()["state"] == "open"
        # At once, in this process: the doorkeeper forgot what it knew.
        assert (await stepdad.post(f"{API}/threads/{post.thread_id}/posts", json=reply)).status_code == 201


async def test_changed_undoes_the_old_measures_and_takes_the_new(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        case_id = await appealed(app, suzie, post.id, REMOVE, {"kind": "ban"})
        assert (await scenes.hear(orla, case_id, "change")).status_code == 422
        assert (await scenes.hear(orla, case_id, "uphold", WARN, rules=[10])).status_code == 422
        assert (await scenes.hear(orla, case_id, "change", WARN, rules=[])).status_code == 422
        heard = await scenes.hear(orla, case_id, "change", REDACT, rules=[10])
        assert heard.status_code == 201, heard.text
        await make.sign_in_again(app, stepdad, "stepdad")  # the ban ended every session
        seen = (await scenes.first_page(guest, post.thread_id))[1]
        assert seen["notice"]["text"] == "Edited by Orla as breaches rule 10"
        statements = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert [one["kind"] for one in statements[0]["measures"]] == ["redact"]
        assert statements[0]["id"] == heard.json()["statement_id"]
        assert statements[1]["appeal"]["outcome"] == "change"
        # The change is a decision of its own: it can be appealed, and Orla does not hear that.
        assert (await scenes.appeal(stepdad, statements[0]["id"])).status_code == 201
        again = await scenes.a_case(suzie, post.id, "appeal")
        assert (await scenes.hear(orla, again["id"], "uphold")).status_code == 403
        assert (await scenes.hear(suzie, again["id"], "overturn")).status_code == 201
        assert (await scenes.first_page(guest, post.thread_id))[1]["body_markdown"] == scenes.RUDE


# The reporter's


async def test_a_reporters_appeal_of_a_dismissal_reopens_the_case(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "robin") as robin,
    ):
        made = await scenes.decided(app, suzie, post.id, DISMISS)
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        url, words = f"{API}/reports/{mine['id']}/appeal", {"text": "Read it again."}
        assert (await robin.post(url, json=words)).status_code == 404
        answers = await asyncio.gather(*(magpie.post(url, json=words) for _ in range(3)))
        assert sorted(one.status_code for one in answers) == [201, 409, 409]
        hearing = await scenes.a_case(orla, post.id, "appeal")
        assert (hearing["appeal"]["by_author"], hearing["appeal"]["decided_by"]) == (False, "Suzie")
        assert (await scenes.hear(suzie, hearing["id"], "overturn")).status_code == 403
        assert (await scenes.hear(orla, hearing["id"], "overturn")).status_code == 201
        case = await scenes.a_case(orla, post.id)
        assert (case["id"], case["state"]) == (made["case_id"], "open")
        assert (await magpie.get(f"{API}/me/reports")).json()["items"][0]["outcome"] is None
        assert (await scenes.decide(orla, case, WARN)).status_code == 201
        assert (await magpie.get(f"{API}/me/reports")).json()["items"][0]["outcome"] == "upheld"


async def reopened(app: FastAPI, moderator: httpx.AsyncClient, hearer: httpx.AsyncClient, post_id: int) -> str:
    """The id of a case that the moderator dismissed and Magpie's appeal, heard by the other, opened again."""
    made = await scenes.decided(app, moderator, post_id, DISMISS)
    async with make.signed_in(app, "magpie") as magpie:
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        await magpie.post(f"{API}/reports/{mine['id']}/appeal", json={"text": "Read it again."})
    hearing = await scenes.a_case(hearer, post_id, "appeal")
    heard = await scenes.hear(hearer, hearing["id"], "overturn")
    assert heard.status_code == 201, heard.text
    return str(made["case_id"])


async def screen(client: httpx.AsyncClient, case_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{API}/moderation/cases/{case_id}")).json()
    return found


async def test_whoever_dismissed_it_does_not_decide_what_an_appeal_opened_again(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case_id = await reopened(app, suzie, orla, post.id)
        seen = await screen(suzie, case_id)
        assert seen["deciders"] == "moderator"
        refusals = {one["because"] for one in seen["permitted"]}
        assert refusals == {"You decided about this before, and it is looked at again: somebody else decides."}
        assert (await suzie.put(f"{API}/moderation/cases/{case_id}/claim")).status_code == 403
        assert (await scenes.decide(suzie, seen, DISMISS)).status_code == 403
        assert (await scenes.decide(orla, await screen(orla, case_id), DISMISS)).status_code == 201
        # What is reported of later words is a new matter.
        async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "robin") as robin:
            await stepdad.patch(f"{API}/posts/{post.id}", json={"revision": 1, "body_markdown": "Toad!"})
            await scenes.report(robin, post.id, revision=2)
        again = await screen(suzie, case_id)
        assert (again["state"], again["deciders"]) == ("open", "moderator")
        assert (await scenes.decide(suzie, again, WARN)).status_code == 201


async def test_where_no_other_moderator_can_decide_again_an_administrator_does(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
    ):
        case_id = await reopened(app, suzie, boss, post.id)
        seen = await screen(boss, case_id)
        assert seen["deciders"] == "administrator"
        assert {one["allowed"] for one in seen["permitted"]} == {True}
        assert (await scenes.decide(suzie, seen, DISMISS)).status_code == 403
        await make.member(services, "orla", boards=("new-here",))
        assert (await scenes.decide(boss, seen, WARN)).status_code == 404
        async with make.signed_in(app, "orla") as orla:
            assert (await scenes.decide(orla, seen, WARN)).status_code == 201
        assert (await boss.get(f"{API}/moderation/cases/{case_id}")).status_code == 404


async def test_where_nobody_else_can_decide_again_whoever_dismissed_it_does_and_it_says_so(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case_id = await reopened(app, suzie, orla, post.id)
        await make.sanction(services, "orla", Standing.SUSPENDED)
        seen = await screen(suzie, case_id)
        assert (seen["deciders"], {one["allowed"] for one in seen["permitted"]}) == ("nobody", {True})
        assert (await scenes.decide(suzie, seen, WARN)).status_code == 201


async def test_whoever_overturned_a_measure_does_not_hear_the_reporter_who_is_told_of_it(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "robin") as robin,
    ):
        case_id = await appealed(app, suzie, post.id, WARN)
        assert (await scenes.hear(orla, case_id, "overturn")).status_code == 201
        told = (await scenes.report(robin, post.id)).json()
        assert told["outcome"] == "dismissed"
        lodged = await robin.post(f"{API}/reports/{told['id']}/appeal", json={"text": "Read it again."})
        assert lodged.status_code == 201
        hearing = await scenes.a_case(suzie, post.id, "appeal")
        assert hearing["appeal"]["decided_by"] == "Orla"
        assert (await scenes.hear(orla, hearing["id"], "overturn")).status_code == 403
        assert (await scenes.hear(suzie, hearing["id"], "overturn")).status_code == 201
        again = await scenes.a_case(orla, post.id)
        assert (again["deciders"], (await scenes.decide(orla, again, DISMISS)).status_code) == ("moderator", 403)


async def test_a_reporter_sees_their_appeal_and_what_came_of_it(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "magpie") as magpie,
    ):
        await scenes.decided(app, suzie, post.id, DISMISS)
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        assert mine["appeal"] is None
        lodged = await magpie.post(f"{API}/reports/{mine['id']}/appeal", json={"text": "Read it again."})
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        assert mine["appeal"] == lodged.json()
        assert (mine["appeal"]["hearers"], mine["appeal"]["outcome"]) == ("moderator", None)
        hearing = await scenes.a_case(orla, post.id, "appeal")
        await scenes.hear(orla, hearing["id"], "uphold", reason="It names nobody.")
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        told = mine["appeal"]
        assert (told["outcome"], told["message"], told["hearers"]) == ("uphold", "It names nobody.", None)
        assert mine["outcome"] == "dismissed"


async def test_a_dismissal_changed_on_appeal_is_settled_with_it(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "magpie") as magpie,
    ):
        await scenes.decided(app, suzie, post.id, DISMISS)
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        await magpie.post(f"{API}/reports/{mine['id']}/appeal", json={"text": "Read it again."})
        hearing = await scenes.a_case(orla, post.id, "appeal")
        assert (await scenes.hear(orla, hearing["id"], "change", REMOVE, rules=[10])).status_code == 201
        assert (await magpie.get(f"{API}/me/reports")).json()["items"][0]["outcome"] == "upheld"
        assert (await orla.get(f"{API}/moderation/cases")).json()["items"] == []


async def test_only_a_dismissal_is_a_reporters_to_appeal(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        await scenes.report(magpie, post.id)
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        url = f"{API}/reports/{mine['id']}/appeal"
        assert (await magpie.post(url, json={"text": "Now!"})).status_code == 409
        await scenes.decide(suzie, await scenes.a_case(suzie, post.id), WARN)
        assert (await magpie.post(url, json={"text": "More!"})).status_code == 409


async def test_an_old_dismissal_is_appealed_even_if_the_post_was_decided_on_again(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "robin") as robin,
    ):
        dismissed = await scenes.decided(app, suzie, post.id, DISMISS)
        await stepdad.patch(f"{API}/posts/{post.id}", json={"revision": 1, "body_markdown": "Toad, toad, toad."})
        await scenes.report(robin, post.id, revision=2)
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post.id), REMOVE)).status_code == 201
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        await magpie.post(f"{API}/reports/{mine['id']}/appeal", json={"text": "Read it again."})
        hearing = await scenes.a_case(orla, post.id, "appeal")
        assert hearing["appeal"]["decision_id"] == dismissed["id"]
        await scenes.hear(orla, hearing["id"], "overturn")
        assert (await stepdad.get(f"{API}/posts/{post.id}")).json()["visibility"] == "removed"
