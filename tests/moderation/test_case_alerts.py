"""Whoever may decide a case hears of it once, of grave ones by mail too, and again when its time is over."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum import worker
from forum.content.boards import Publication
from forum.core import clock, jobs
from forum.core.settings import Settings
from forum.features import handlers_of
from forum.http.services import Services
from forum.members.tables import Role, Standing
from moderation import case_alerts
from moderation.case_actions import CLAIM_LASTS
from moderation.case_priority import GRAVITY, Category
from tests.forum.mail.test_outbox import PostOffice, smtp_server, with_mail
from tests.support import mailbox, make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.running import until
from tests.support.scenes import API, DISMISS, WARN

MINE = f"{API}/me/notifications?limit=100"


async def told(app: FastAPI, handle: str) -> list[str]:
    """What somebody was told of cases, newest first."""
    services: Services = app.state.services
    await run_due_jobs(services, clock.now())
    async with make.signed_in(app, handle) as client:
        items = (await client.get(MINE)).json()["items"]
    assert {item["post_id"] for item in items if item["kind"].startswith("case")} <= {None}
    return [item["kind"] for item in items if item["kind"].startswith("case")]


async def look(services: Services, after: timedelta = timedelta()) -> None:
    """What is done each minute, and what comes of it."""
    now = clock.now() + after
    async with services.database.work() as session:
        await case_alerts.watch(session, {}, now)
    await run_due_jobs(services, now)


async def reported(app: FastAPI, post_id: int, by: str = "magpie", **changes: Any) -> None:
    async with make.signed_in(app, by) as client:
        assert (await scenes.report(client, post_id, **changes)).status_code == 201


@pytest.fixture
async def post_id(app: FastAPI, services: Services) -> int:
    """A rude post of Stepdad's on a board; Orla and Suzie moderate, Joan administers."""
    for handle, role in (("orla", Role.MODERATOR), ("suzie", Role.MODERATOR), ("joan", Role.ADMINISTRATOR)):
        await make.member(services, handle, role)
    return (await scenes.a_post(services)).id


async def case_of(client: httpx.AsyncClient, post_id: int) -> dict[str, Any]:
    return await scenes.a_case(client, post_id)


async def test_moderators_hear_of_a_report_once_however_many_come(
    app: FastAPI, services: Services, post_id: int
) -> None:
    await make.member(services, "heather")
    for reporter in ("magpie", "heather", "tern"):
        await reported(app, post_id, reporter)
        assert await told(app, "orla") == await told(app, "suzie") == ["case_waiting"]
    for other in ("joan", "magpie", "stepdad"):
        assert await told(app, other) == []
    assert await mailbox.come(services) == []


async def test_neither_the_accused_nor_who_reported_hears_of_it_but_who_is_left(
    app: FastAPI, services: Services, post_id: int
) -> None:
    thread = await make.thread(services, "heron")
    await reported(app, (await make.post(services, "orla", thread, "You toad.")).id)
    # Joan too: only administrators may warn or sanction somebody who works here.
    assert await told(app, "suzie") == await told(app, "joan") == ["case_waiting"]
    assert await told(app, "orla") == await told(app, "magpie") == []


async def test_moderators_of_another_board_and_silenced_ones_hear_nothing(
    app: FastAPI, services: Services, post_id: int
) -> None:
    await make.board(services, "elsewhere")
    await make.member(services, "bobby", boards=("elsewhere",))
    await make.sanction(services, "suzie", Standing.SILENCED)
    await reported(app, post_id)
    assert await told(app, "orla") == ["case_waiting"]
    assert await told(app, "bobby") == await told(app, "suzie") == []


@pytest.mark.parametrize("category", [Category.RISK, Category.ILLEGAL, Category.INTIMATE_IMAGE])
async def test_what_cannot_wait_is_mailed_too_with_no_word_of_it(
    app: FastAPI, services: Services, post_id: int, category: Category
) -> None:
    await reported(app, post_id, category=category)
    assert await told(app, "orla") == ["case_urgent"]
    letters = await mailbox.come(services)
    assert [letter.to for letter in letters] == ["orla@example.org", "suzie@example.org"]
    for letter in letters:
        everything = f"{letter.subject} {letter.words}".casefold()
        for word in ("toad", "stepdad", "magpie", "risk", "illegal", "image", "forum", "case", "report", "http"):
            assert word not in everything


async def test_a_case_that_grows_graver_is_told_again(app: FastAPI, services: Services, post_id: int) -> None:
    await reported(app, post_id)
    assert await told(app, "orla") == ["case_waiting"]
    await reported(app, post_id, "tern", category="risk", rules=[])
    assert await told(app, "orla") == ["case_urgent", "case_waiting"]
    assert len(await mailbox.come(services)) == 2


async def test_a_held_post_and_words_of_danger_are_told(app: FastAPI, services: Services) -> None:
    await make.board(services, publication=Publication.HOLD_ALL)
    await make.board(services, "open")
    await make.member(services, "orla", Role.MODERATOR)
    async with make.signed_in(app, "wren") as wren:
        for slug, words in (("new-here", "Hello all"), ("open", "I want to end my life tonight.")):
            opening = {"title": "A question", "body_markdown": words}
            assert (await wren.post(f"{API}/boards/{slug}/threads", json=opening)).status_code == 201
    assert sorted(await told(app, "orla")) == ["case_urgent", "case_waiting"]
    assert [letter.to for letter in await mailbox.come(services)] == ["orla@example.org"]


async def test_an_appeal_is_told_to_who_may_hear_it(app: FastAPI, services: Services, post_id: int) -> None:
    async with make.signed_in(app, "suzie") as suzie, make.signed_in(app, "stepdad") as stepdad:
        made = await scenes.decided(app, suzie, post_id, WARN)
        assert await told(app, "orla") == await told(app, "suzie") == []  # decided before anybody looked
        assert (await scenes.appeal(stepdad, made["statement_id"])).status_code == 201
    assert await told(app, "orla") == ["case_waiting"]
    assert await told(app, "suzie") == await told(app, "joan") == []


async def test_what_is_decided_is_no_news_any_more_and_news_again_when_it_is_opened(
    app: FastAPI, services: Services, post_id: int
) -> None:
    await reported(app, post_id)
    assert await told(app, "orla") == ["case_waiting"]
    async with make.signed_in(app, "suzie") as suzie, make.signed_in(app, "stepdad") as stepdad:
        assert (await scenes.decide(suzie, await case_of(suzie, post_id), DISMISS)).status_code == 201
        assert await told(app, "orla") == await told(app, "suzie") == []
        edit = {"revision": 1, "body_markdown": "Toads, all of you."}
        assert (await stepdad.patch(f"{API}/posts/{post_id}", json=edit)).status_code == 200
    await reported(app, post_id, revision=2)
    assert await told(app, "orla") == ["case_waiting"]


async def test_nobody_is_told_of_what_somebody_is_working_on_unless_it_cannot_wait(
    app: FastAPI, services: Services, post_id: int
) -> None:
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie") as suzie:
        assert (await scenes.report(magpie, post_id)).status_code == 201
        case = await case_of(suzie, post_id)
        assert (await suzie.put(f"{API}/moderation/cases/{case['id']}/claim")).status_code == 200
    assert await told(app, "orla") == []
    await reported(app, post_id, "tern", category="risk", rules=[])
    assert await told(app, "orla") == ["case_urgent"]
    assert await told(app, "suzie") == []  # it is on the screen, with a new version


@pytest.mark.parametrize("way", ["claim", "recusal"])
async def test_a_case_that_is_handed_over_is_told_to_the_others(
    app: FastAPI, services: Services, post_id: int, way: str
) -> None:
    await reported(app, post_id)
    assert await told(app, "suzie") == ["case_waiting"]
    async with make.signed_in(app, "suzie") as suzie:
        case = f"{API}/moderation/cases/{(await case_of(suzie, post_id))['id']}"
        for times in range(2):
            assert (await suzie.put(f"{case}/claim")).status_code == (403 if times and way == "recusal" else 200)
            await suzie.request("DELETE" if way == "claim" else "PUT", f"{case}/{way}")
            assert await told(app, "orla") == ["case_handed_over", "case_waiting"]
    assert await told(app, "suzie") == (["case_waiting"] if way == "claim" else [])


async def test_when_the_last_moderator_steps_back_an_administrator_is_told(
    app: FastAPI, services: Services, post_id: int
) -> None:
    await reported(app, post_id)
    for handle in ("orla", "suzie"):
        assert await told(app, "joan") == []
        async with make.signed_in(app, handle) as client:
            case = await case_of(client, post_id)
            assert (await client.put(f"{API}/moderation/cases/{case['id']}/recusal")).status_code == 204
    assert await told(app, "joan") == ["case_handed_over"]
    assert await told(app, "orla") == await told(app, "suzie") == []


async def test_whose_case_is_taken_over_is_told(app: FastAPI, services: Services, post_id: int) -> None:
    await reported(app, post_id)
    async with make.signed_in(app, "suzie") as suzie, make.signed_in(app, "orla") as orla:
        claim = f"{API}/moderation/cases/{(await case_of(suzie, post_id))['id']}/claim"
        await suzie.put(claim)
        for _ in range(2):
            assert (await orla.put(claim, json={"reason": "You fell ill."})).status_code == 200
    assert await told(app, "suzie") == ["case_taken_over"]
    assert await told(app, "orla") == []


async def test_a_claim_that_runs_out_is_told_once(app: FastAPI, services: Services, post_id: int) -> None:
    await reported(app, post_id)
    async with make.signed_in(app, "suzie") as suzie:
        claim = f"{API}/moderation/cases/{(await case_of(suzie, post_id))['id']}/claim"
        await suzie.put(claim)
        await look(services)
        assert await told(app, "orla") == []
        for _ in range(2):
            await look(services, CLAIM_LASTS + timedelta(seconds=1))
            assert await told(app, "orla") == ["case_handed_over"]
    assert await told(app, "suzie") == []


async def test_a_due_time_that_passes_is_told_once_also_to_administrators(
    app: FastAPI, services: Services, post_id: int
) -> None:
    await reported(app, post_id)
    late = GRAVITY[Category.RULE][1] + timedelta(seconds=1)
    await look(services, late - timedelta(minutes=1))
    assert await told(app, "joan") == []
    for _ in range(2):
        await look(services, late)
        assert await told(app, "orla") == ["case_overdue", "case_waiting"]
        assert await told(app, "joan") == ["case_overdue"]
    assert await mailbox.come(services) == []


async def test_a_case_that_nobody_decides_is_told_a_second_and_last_time_to_every_administrator(
    app: FastAPI, services: Services, post_id: int
) -> None:
    span = GRAVITY[Category.RULE][1]
    await make.member(services, "ada", Role.ADMINISTRATOR)
    await reported(app, post_id, "ada")  # who reported it may not decide it, but may ask a colleague
    assert await told(app, "orla") == ["case_waiting"]
    await look(services, span + timedelta(seconds=1))
    assert await told(app, "joan") == ["case_overdue"]
    assert await told(app, "ada") == []
    await scenes.sql(services, "UPDATE notification SET read_at = now()")
    for times, unread in ((2, 4), (2, 0), (3, 0), (9, 0)):  # all four, and then nobody any more
        await look(services, times * span + timedelta(minutes=1))
        assert await told(app, "orla") == ["case_overdue", "case_waiting"]
        assert await told(app, "joan") == ["case_overdue"]
        assert await told(app, "ada") == ["case_overdue"]
        new = await scenes.sql(services, "UPDATE notification SET read_at = now() WHERE read_at IS NULL RETURNING id")
        assert len(new) == unread
    for other in ("stepdad", "magpie"):
        assert await told(app, other) == []


async def test_who_comes_back_after_both_times_is_told_once_and_a_grave_case_is_mailed_once_each_time(
    app: FastAPI, services: Services, post_id: int
) -> None:
    await reported(app, post_id, category="risk", rules=[])
    await told(app, "orla")
    assert len(await mailbox.come(services)) == 2
    span = GRAVITY[Category.RISK][1]
    for _ in range(2):
        await look(services, 3 * span)
    assert [letter.to for letter in await mailbox.come(services)] == [
        f"{handle}@example.org" for handle in ("joan", "orla", "suzie")
    ]


async def test_a_mail_that_waits_is_not_sent_once_the_case_is_decided_or_is_no_longer_theirs(
    app: FastAPI, services: Services, post_id: int
) -> None:
    await reported(app, post_id, category="risk", rules=[])
    assert await told(app, "orla") == ["case_urgent"]
    await make.sanction(services, "orla", Standing.SILENCED)
    assert [letter.to for letter in await mailbox.come(services)] == ["suzie@example.org"]
    await reported(app, (await scenes.a_post(services)).id, category="risk", rules=[])
    assert await told(app, "suzie") == ["case_urgent"] * 2
    async with make.signed_in(app, "suzie") as suzie:
        queue = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        for case in queue:
            seen = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
            assert (await scenes.decide(suzie, seen, DISMISS)).status_code == 201
    assert await mailbox.come(services) == []
    assert await scenes.sql(services, "SELECT id FROM mail") == []


async def test_an_accused_administrator_does_not_see_that_mails_about_them_wait(
    app: FastAPI, services: Services, post_id: int
) -> None:
    await make.member(services, "ada", Role.ADMINISTRATOR)
    thread = await make.thread(services, "heron")
    await reported(app, (await make.post(services, "ada", thread, "Jump.")).id, category="risk", rules=[])
    assert await told(app, "joan") == ["case_urgent"]
    seen = {}
    for handle in ("ada", "joan"):
        async with make.signed_in(app, handle) as client:
            answer = await client.get(f"{API}/unsent-mails")
            seen[handle] = [(mail["kind"], mail["handle"]) for mail in answer.json()["items"]]
    assert seen["ada"] == []
    assert sorted(seen["joan"]) == [("case_urgent", handle) for handle in ("joan", "orla", "suzie")]


async def test_the_mail_of_a_grave_case_leaves_by_itself_as_soon_as_a_worker_looks(
    app: FastAPI, services: Services, settings: Settings, post_id: int
) -> None:
    await reported(app, post_id, category="risk", rules=[])
    # Due from the commit on: a worker, which a new job wakes, takes it and what it enqueues without waiting.
    queue = jobs.SETTINGS.qualified.queue_table
    late = f"SELECT id FROM {queue} WHERE execute_after > now() AND entrypoint <> 'call_next'"
    assert await scenes.sql(services, late) == []
    office, stop = PostOffice(), asyncio.Event()
    async with smtp_server(office) as port:
        posted = with_mail(settings, f"smtp://127.0.0.1:{port}?tls=off")
        handlers = handlers_of(worker.FEATURES, posted)
        working = asyncio.create_task(jobs.work(services.database.autocommit, services.database.work, handlers, stop))
        came = await until(lambda: len(office.came) == 2)
        stop.set()
        await working
    assert came
    assert await scenes.sql(services, late) == []


async def test_where_nobody_can_decide_administrators_hear_that_but_not_the_accused(
    app: FastAPI, services: Services
) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    await make.member(services, "ada", Role.ADMINISTRATOR)
    post = await scenes.a_post(services, author="ada")
    await reported(app, post.id)
    assert await told(app, "joan") == ["case_waiting"]
    async with make.signed_in(app, "joan") as joan:
        case = await case_of(joan, post.id)
        await joan.put(f"{API}/moderation/cases/{case['id']}/recusal")
    assert await told(app, "joan") == ["case_without_decider", "case_waiting"]
    assert await told(app, "ada") == []


async def test_who_has_no_role_any_more_sees_nothing_of_it(app: FastAPI, services: Services, post_id: int) -> None:
    await reported(app, post_id)
    assert await told(app, "orla") == ["case_waiting"]
    await scenes.sql(services, "DELETE FROM role_grant USING member m WHERE m.id = member_id AND m.handle = 'orla'")
    assert await told(app, "orla") == []
    async with make.signed_in(app, "orla") as orla:
        assert (await orla.get(MINE)).json()["unread"] == 0


async def test_a_job_that_runs_twice_tells_and_mails_once(app: FastAPI, services: Services, post_id: int) -> None:
    await reported(app, post_id, category="risk", rules=[])
    [case] = await scenes.sql(services, "SELECT id FROM moderation_case")
    for _ in range(2):
        async with services.database.work() as session:
            await case_alerts.alert(session, {"case": str(case.id)}, clock.now())
    assert await told(app, "orla") == ["case_urgent"]
    assert len(await mailbox.come(services)) == 2
