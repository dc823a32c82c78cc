"""Webhooks: other services hear of ids and links, signed, once each, and never a word of anybody."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from standardwebhooks import Webhook, WebhookVerificationError

from forum import worker
from forum.administration.webhooks import actions
from forum.administration.webhooks.actions import WebhookChanges
from forum.administration.webhooks.jobs import DEAD_AFTER, PAUSES, end_dead
from forum.administration.webhooks.tables import KEPT_FOR, MOST, WebhookEvent
from forum.core import clock, nightly_backups
from forum.core.errors import SignInAgain
from forum.features import handlers_of
from forum.http.services import Services
from forum.members.tables import Role
from moderation import case_alerts
from moderation.case_alerts import severity_of
from moderation.case_priority import Category
from tests.support import make
from tests.support.jobs import clean_up, run_due_jobs
from tests.support.listener import address_of, deliver, headers_of, listening, queued, sender, told_of
from tests.support.scenes import API, REMOVE, a_post, decided, house_rules, report, sql
from tests.support.sites import said

HOOKS = f"{API}/administration/webhooks"
ALL = [str(event) for event in WebhookEvent if event != WebhookEvent.TEST]
HOOK = {"url": "https://hook.test/forum", "events": ["thread.opened"]}
MARKER = "xylographer"  # in all that anybody writes here
DOWN, GONE = said(b"", status="500 Down"), said(b"", status="410 Gone")


@pytest.fixture
async def joan(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as client:
        yield client


async def made(joan: httpx.AsyncClient, url: str = HOOK["url"], *events: str) -> dict[str, Any]:
    answer = await joan.post(HOOKS, json={"url": url, "events": list(events or ALL)})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def a_thread(services: Services, title: str = "A question") -> int:
    if not await sql(services, "SELECT 1 FROM board"):
        await make.board(services)
        await make.member(services, "heron")
    return await make.thread(services, "heron", title=title, body=f"Dear {title}")


async def test_a_service_hears_ids_and_links_signed_and_no_word(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await house_rules(services)
    async with listening() as site, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        hook = await made(joan, address_of(site))
        thread = await a_thread(services, f"About {MARKER}")
        post = await make.post(services, "heron", thread, f"You {MARKER}!")
        case = (await decided(app, suzie, post.id, REMOVE))["case_id"]
        await deliver(services)
        told: dict[str, list[Any]] = {}
        for request in site.heard:
            said = json.loads(request.partition(b"\r\n\r\n")[2])
            assert set(said) == {"type", "timestamp", "data"}
            told.setdefault(said["type"], []).append(said["data"])
        place = {"thread_id": thread, "post_id": post.id, "number": 2, "board": "new-here"}
        there, here = {**place, "url": f"{services.settings.public_url}/posts/{post.id}"}, services.settings.public_url
        assert [one["url"] for one in told["thread.opened"]] == [f"{here}/threads/{thread}"]
        assert told["post.published"][1:] == told["post.removed"] == [there]
        assert told["case.opened"] == [{"severity": "normal", "url": f"{here}/moderation"}]
        for request in site.heard:
            for word in (MARKER, "heron", "suzie", str(case)):
                assert word.encode() not in request.lower()
            # The library of Standard Webhooks believes it: not a few minutes later, nor with anything changed.
            body, headers = request.partition(b"\r\n\r\n")[2], headers_of(request)
            Webhook(hook["secret"]).verify(body, headers)
        for other_headers, other_body in (
            ({"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}, body),
            ({"webhook-id": "another"}, body),
            ({}, body.replace(b"normal", b"low!!!") + b" "),
        ):
            with pytest.raises(WebhookVerificationError):
                Webhook(hook["secret"]).verify(other_body, headers | other_headers)


async def test_what_does_not_arrive_is_tried_ten_times_and_after_five_days_no_more(
    services: Services, joan: httpx.AsyncClient
) -> None:
    async with listening(DOWN) as site:
        hook = await made(joan, address_of(site), "thread.opened")
        await a_thread(services)
        now = clock.now() + timedelta(seconds=1)
        for tries, pause in enumerate(PAUSES, 1):
            if tries > 1:
                assert await deliver(services, now + pause - timedelta(seconds=1)) == 0
            now += pause
            assert await deliver(services, now) == 1
            assert len(site.heard) == tries
        assert len({headers_of(request)["webhook-id"] for request in site.heard}) == 1
        assert len({headers_of(request)["webhook-timestamp"] for request in site.heard}) == len(PAUSES)
        assert await deliver(services, now + timedelta(days=1)) == 0
        [delivery] = (await joan.get(f"{HOOKS}/{hook['id']}/deliveries")).json()["items"]
        assert (delivery["tries"], delivery["status"], delivery["failure"]) == (10, 500, "status")
        assert delivery["ended_at"]
        # Only then is it dead, and those who look after the forum are told.
        for later, is_on in ((timedelta(0), True), (DEAD_AFTER, False)):
            async with services.database.work() as session:
                await end_dead(session, {}, clock.now() + later + timedelta(seconds=2))
            await run_due_jobs(services, clock.now() + timedelta(seconds=2))
            assert (await joan.get(f"{HOOKS}/{hook['id']}")).json()["is_on"] is is_on
    assert (await joan.get(f"{HOOKS}/{hook['id']}")).json()["off_because"] == "dead"
    kinds = [item["kind"] for item in (await joan.get(f"{API}/me/notifications")).json()["items"]]
    assert kinds == ["webhook_off"]
    async with services.database.work() as session:
        await clean_up(session, clock.now() + KEPT_FOR + timedelta(days=1))
    assert await sql(services, "SELECT 1 FROM webhook_delivery") == []


async def test_who_is_gone_hears_nothing_more_and_who_asks_for_time_gets_it(
    services: Services, joan: httpx.AsyncClient
) -> None:
    async with listening(GONE) as site, listening(said(b"", "Retry-After: 600", status="429 Slowly")) as busy:
        gone = await made(joan, address_of(site), "thread.opened")
        await made(joan, address_of(busy), "thread.opened")
        for title in ("One", "Two", "Three"):
            await a_thread(services, title)
        now = clock.now()
        await deliver(services, now)
        assert (len(site.heard), len(busy.heard)) == (1, 3)
        now += timedelta(seconds=300)
        await deliver(services, now)
        assert len(busy.heard) == 3
        await deliver(services, now + timedelta(seconds=310))
        assert len(busy.heard) == 6
    found = (await joan.get(f"{HOOKS}/{gone['id']}")).json()
    assert (found["is_on"], found["off_because"], found["last_status"]) == (False, "gone", 410)
    assert len((await joan.get(f"{HOOKS}/{gone['id']}/deliveries")).json()["items"]) == 1
    # Turned on again, it hears what happens from then on.
    change = {"version": found["version"], "is_on": True}
    assert (await joan.patch(f"{HOOKS}/{gone['id']}", json=change)).json()["off_because"] is None


async def test_a_worker_that_dies_on_the_way_sends_it_again_under_the_same_id(
    services: Services, joan: httpx.AsyncClient
) -> None:
    async with listening() as site:
        await made(joan, address_of(site), "thread.opened")
        await a_thread(services)
        by, now = sender(services), clock.now() + timedelta(seconds=1)
        [payload] = await queued(services, now)
        async with services.database.work() as session:
            prepared = await by.prepare(session, payload, now)
        assert prepared
        assert not (await by.go(prepared)).failure  # and here it dies
        assert await queued(services, now + timedelta(minutes=5)) == []  # its job is there still
        async with services.database.work() as session:
            again = await by.prepare(session, payload, now)
        assert again
        outcome = await by.go(again)
        async with services.database.work() as session:
            await by.settle(session, again, outcome, now)
        assert await deliver(services, now + timedelta(days=1)) == 0
    first, second = map(headers_of, site.heard)
    assert first["webhook-id"] == second["webhook-id"]


async def test_for_a_day_two_secrets_sign_and_renewed_twice_the_old_one_does_not(
    services: Services, joan: httpx.AsyncClient
) -> None:
    async with listening() as site:
        first = await made(joan, address_of(site), "thread.opened")
        renewals = f"{HOOKS}/{first['id']}/secret"
        second = (await joan.post(renewals, json={"version": first["version"]})).json()
        assert (await joan.post(renewals, json={"version": first["version"]})).json()["code"] == "webhook_changed"

        async def believes(**later: int) -> list[bool]:
            """Whether what is sent now, or then, is believed with each secret."""
            await joan.post(f"{HOOKS}/{first['id']}/tests")
            await deliver(services, clock.now() + timedelta(**later))
            headers, body = headers_of(site.heard[-1]), site.heard[-1].partition(b"\r\n\r\n")[2]
            return [_verifies(hook["secret"], headers, body) for hook in hooks]

        hooks = [first, second]
        assert await believes(seconds=1) == [True, True]
        hooks.append((await joan.post(renewals, json={"version": second["version"]})).json())
        assert await believes(minutes=1) == [False, True, True]
        assert await believes(hours=24) == [False, False, True]
        assert len({hook["secret"] for hook in hooks}) == 3
    every = str(await sql(services, "SELECT t::text FROM webhook AS t"))
    assert not any(hook["secret"][6:20] in every for hook in hooks)


def _verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(headers["webhook-id"], at, body.decode())
    return expected in headers["webhook-signature"].split(" ")


async def test_no_inner_address_is_asked_whatever_a_name_says(services: Services, joan: httpx.AsyncClient) -> None:
    for url, code in (
        ("https://169.254.169.254/latest/meta-data", "webhook_address_not_public"),
        ("https://[::ffff:127.0.0.1]/", "webhook_address_not_public"),
        ("https://localhost/", "webhook_address_not_public"),
        ("http://hook.test/", "webhook_address_unusable"),
        ("https://joan:secret@hook.test/", "webhook_address_unusable"),
        ("https:///hook", "webhook_address_unusable"),
        ("https://xn--a/", "webhook_address_unusable"),
        ("ftp://hook.test/", "webhook_address_unusable"),
        ("hook", "webhook_address_unusable"),
    ):
        refused = await joan.post(HOOKS, json={"url": url, "events": ["thread.opened"]})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, code), url
    async with listening() as site:
        hook = await made(joan, address_of(site), "thread.opened")
        await a_thread(services)
        now = clock.now() + timedelta(seconds=1)
        for address in ("169.254.169.254", "127.0.0.1 10.0.0.1"):  # it led elsewhere when it was typed in
            await deliver(services, now, sender(services, hook_test=address))
            now += timedelta(minutes=10)
        assert site.heard == []
        [delivery] = (await joan.get(f"{HOOKS}/{hook['id']}/deliveries")).json()["items"]
        assert (delivery["failure"], delivery["status"], delivery["tries"]) == ("refused", None, 2)
        await deliver(services, now + timedelta(hours=1), sender(services, nobody="127.0.0.1"))
        [delivery] = (await joan.get(f"{HOOKS}/{hook['id']}/deliveries")).json()["items"]
        assert (delivery["failure"], delivery["tries"]) == ("unreachable", 3)


async def test_administrators_who_signed_in_a_moment_ago_make_and_change_them(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    key = {"Idempotency-Key": "one"}
    first = (await joan.post(HOOKS, json=HOOK, headers=key)).json()
    again = await joan.post(HOOKS, json=HOOK, headers=key)
    assert again.json() == first  # the secret too, though no row has it
    one = f"{HOOKS}/{first['id']}"
    assert "secret" not in (await joan.get(one)).json()
    assert (await joan.post(HOOKS, json=HOOK)).json()["code"] == "webhook_exists"
    assert (await joan.post(HOOKS, json={"url": "https://a.test/", "events": ["forum.test"]})).status_code == 422
    changed = await joan.patch(one, json={"version": 1, "events": ["post.removed", "thread.opened"], "is_on": False})
    assert (changed.json()["events"], changed.json()["version"]) == (["thread.opened", "post.removed"], 2)
    stale = await joan.patch(one, json={"version": 1, "is_on": True})
    assert (stale.status_code, stale.json()["code"], stale.json()["current"]) == (409, "webhook_changed", 2)
    assert (await joan.post(f"{one}/tests")).json()["code"] == "webhook_off"
    for number in range(1, MOST):
        await made(joan, f"https://hook.test/{number}", "case.opened")
    one_more = await joan.post(HOOKS, json={**HOOK, "url": "https://hook.test/more"})
    assert one_more.json()["code"] == "too_many_webhooks"
    # What is turned off hears nothing, and a removed one is not there.
    await a_thread(services)
    assert await sql(services, "SELECT 1 FROM webhook_delivery") == []
    late = replace(await make.viewer(services, "joan"), signed_in_at=clock.now() - timedelta(minutes=16))
    async with make.work(services) as work:
        for refused in (
            actions.make_webhook(work, late, "https://a.test/", [WebhookEvent.CASE_OPENED]),
            actions.change_webhook(work, late, UUID(first["id"]), 2, WebhookChanges(is_on=True)),
            actions.renew_secret(work, late, UUID(first["id"]), 2),
            actions.send_test(work, late, UUID(first["id"])),
            actions.remove_webhook(work, late, UUID(first["id"])),
        ):
            with pytest.raises(SignInAgain):
                await refused
    assert (await joan.delete(one)).status_code == 204
    assert (await joan.get(one)).json()["code"] == "webhook_not_found"
    record = await sql(services, "SELECT act, details::text FROM audit_entry WHERE subject_kind = 'webhook'")
    assert {row.act for row in record} == {"webhook.made", "webhook.changed", "webhook.removed"}
    assert "hook.test" not in str(record)


async def test_what_is_rolled_back_is_told_to_nobody_and_no_writer_waits_for_a_removal(
    services: Services, joan: httpx.AsyncClient
) -> None:
    await made(joan)
    await made(joan, "https://hook.test/other", "case.waiting")
    thread = await a_thread(services)
    assert len(await sql(services, "SELECT 1 FROM webhook_delivery")) == 2
    async with make.work(services) as work:
        await actions.announce(work.session, WebhookEvent.CASE_WAITING, work.now)
        await work.session.rollback()
    async with make.work(services) as removing:
        viewer = await make.viewer(services, "joan")
        [row] = await sql(services, f"SELECT id FROM webhook WHERE url = '{HOOK['url']}'")
        await actions.remove_webhook(removing, replace(viewer, signed_in_at=removing.now), row.id)
        await removing.session.flush()
        await make.post(services, "heron", thread)
        async with make.work(services) as work:
            await actions.announce(work.session, WebhookEvent.CASE_WAITING, work.now)
    assert [row.event for row in await sql(services, "SELECT event FROM webhook_delivery")] == ["case.waiting"]


async def test_what_fails_and_what_waits_too_long_is_told_too(app: FastAPI, services: Services) -> None:
    await told_of(services, WebhookEvent.BACKUP_FAILED, WebhookEvent.CASE_WAITING)
    handler = handlers_of(worker.FEATURES, services.settings)[nightly_backups.TELL_BACKUP_FAILED]
    assert callable(handler)
    async with services.database.work() as session:
        await handler(session, {}, clock.now())
    post = await a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        assert (await report(magpie, post.id)).status_code == 201
    for days in (1, 3, 3):
        async with services.database.work() as session:
            await case_alerts.watch(session, {}, clock.now() + timedelta(days=days))
    told = await sql(services, "SELECT event, severity FROM webhook_delivery ORDER BY at")
    assert [tuple(row) for row in told] == [("backup.failed", None), ("case.waiting", "normal")]


async def test_how_grave_a_case_is_means_the_same_wherever_it_is_told(
    services: Services, joan: httpx.AsyncClient
) -> None:
    await made(joan, HOOK["url"], "case.opened")
    post = await a_post(services)
    await sql(services, "DELETE FROM webhook_delivery")
    for category in Category:
        await sql(
            services,
            "INSERT INTO moderation_case (id, kind, post_id, state, category, reports, priority, version, opened_at, "
            "due_at, changed_at) VALUES (gen_random_uuid(), 'post', :post, 'open', :category, 0, 0, 1, now(), now(), "
            "now())",
            post=post.id,
            category=category,
        )
        await sql(services, "DELETE FROM moderation_case")
        [row] = await sql(services, "DELETE FROM webhook_delivery RETURNING severity")
        assert row.severity == severity_of(category), category
