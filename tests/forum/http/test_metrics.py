"""Metrics: who may read them, that they say what happened, and that they name nobody."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.mail.tables import UNLISTED
from tests.support import make
from tests.support.running import started, until
from tests.support.scenes import sql

DOCS = Path(__file__).parents[3] / "docs"
TOKEN = "a-token-of-at-least-32-characters"
ASKING = {"Authorization": f"Bearer {TOKEN}"}

# Every name of a label, with all that it may say besides the templates of routes.
LABELS = {"method", "route", "status", "le", "pool", "outcome"}


@pytest.fixture
async def app(database_url: str, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """A forum that is told to show them."""
    settings = Settings(database_url=database_url, data=tmp_path, metrics_token=TOKEN, **make.UNTHROTTLED)
    async with make.application(settings) as app:
        yield app


def samples(told: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every number of the answer, by its name and labels."""
    families = text_string_to_metric_families(told)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


async def numbers(http: httpx.AsyncClient) -> dict[str, float]:
    """The numbers that have no label."""
    told = await http.get("/metrics", headers=ASKING)
    assert told.status_code == 200, told.text
    return {name: value for (name, labels), value in samples(told.text).items() if not labels}


async def test_requests_are_counted_by_route_and_no_label_names_anybody(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "quiet-heron")
    thread = await make.thread(services, "quiet-heron")
    async with make.client(app) as guest:
        for path in (f"/api/v1/threads/{thread}", f"/threads/{thread}", "/members/quiet-heron", "/nothing-here"):
            await guest.get(path)
        await guest.request("BREW", f"/api/v1/threads/{thread}")
        told = (await guest.get("/metrics", headers=ASKING)).text
    found = samples(told)
    for route, status in [
        ("/api/v1/threads/{id}", "200"),
        ("/threads/{id}", "200"),
        ("/members/{handle}", "200"),
        ("/{page:path}", "404"),
    ]:
        labels = frozenset({("method", "GET"), ("route", route), ("status", status)})
        assert found["forum_requests_total", labels] == 1, told
        assert found["forum_request_seconds_count", labels - {("status", status)}] == 1
    assert any(("method", "other") in labels for _, labels in found)
    assert {name for _, labels in found for name, _ in labels} <= LABELS
    assert not re.search("heron|BREW|nothing-here", told)


async def test_dashboard_alerts_and_explanation_name_what_there_is(app: FastAPI, guest: httpx.AsyncClient) -> None:
    app.state.metrics.count_cached("hit")
    told = (await guest.get("/metrics", headers=ASKING)).text
    families = {name for name in re.findall(r"# TYPE (forum_\w+)", told) if not name.endswith("_created")}
    for file in ("forum-dashboard.json", "forum-alerts.yml", "running.md"):
        named = set(re.findall(r"\bforum_[a-z_]+\b", (DOCS / file).read_text()))
        assert {re.sub("_(bucket|count|sum)$", "", name) for name in named} <= families, file
    explained = set(re.findall(r"`(forum_\w+)`", (DOCS / "running.md").read_text()))
    assert explained == families
    json.loads((DOCS / "forum-dashboard.json").read_text())
    [group] = yaml.safe_load((DOCS / "forum-alerts.yml").read_text())["groups"]
    assert all(rule["labels"]["severity"] in {"page", "ticket"} for rule in group["rules"])


async def test_what_waits_is_told_and_a_concern_is_not_counted(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    before = await numbers(guest)
    await make.member(services, "heron")
    late, now = clock.now() - timedelta(hours=1), clock.now()
    [mail] = UNLISTED
    for kind, given_up in [("news", None), ("news", now), (str(mail), None)]:
        await sql(
            services,
            "INSERT INTO mail (id, kind, email, put_down_at, failures, given_up_at) "
            "VALUES (gen_random_uuid(), :kind, 'heron@example.org', :now, 0, :given_up)",
            kind=kind,
            now=now,
            given_up=given_up,
        )
    await sql(
        services,
        "INSERT INTO moderation_case (id, kind, subject_persona_id, state, category, reports, priority, version, "
        "opened_at, due_at, changed_at) SELECT gen_random_uuid(), 'member', id, 'open', 'rule', 1, 5, 1, :late, :late, "
        ":late FROM persona",
        late=late,
    )
    await sql(
        services,
        "INSERT INTO case_call (id, case_id, alarm_id, member_id, because, how, at) SELECT gen_random_uuid(), "
        "moderation_case.id, gen_random_uuid(), member.id, 'on_call', 'mail', :late FROM moderation_case, member",
        late=late,
    )
    after = await numbers(guest)
    changed = {name: after[name] - before[name] for name in after if name.startswith("forum_")}
    told = {name: changed[name] for name in ("forum_cases_open", "forum_cases_overdue", "forum_calls_unanswered")}
    assert set(told.values()) == {1}, told
    assert (changed["forum_mails_waiting"], changed["forum_mails_given_up"]) == (1, 1)
    assert (after["forum_database_up"], after["forum_jobs_failed"]) == (1, 0)
    assert after["forum_database_bytes"] > 1_000_000
    await sql(services, "UPDATE case_call SET acknowledged_at = :now", now=now)
    assert (await numbers(guest))["forum_calls_unanswered"] == 0


@pytest.mark.parametrize(
    ("said", "client", "headers", "status"),
    [
        ({}, "127.0.0.1", ASKING, 404),
        ({"metrics_token": TOKEN}, "192.0.2.7", ASKING, 200),
        ({"metrics_token": TOKEN}, "127.0.0.1", {}, 404),
        ({"metrics_token": TOKEN}, "192.0.2.7", {"Authorization": f"Bearer {TOKEN}x"}, 404),
        ({"metrics_token": TOKEN}, "192.0.2.7", {"Authorization": f"Basic {TOKEN}"}, 404),
        ({"metrics": "loopback"}, "127.0.0.1", {}, 200),
        ({"metrics": "loopback"}, "::1", {}, 200),
        ({"metrics": "loopback"}, "192.0.2.7", ASKING, 404),
        # A proxy on the same machine asks for somebody else.
        ({"metrics": "loopback"}, "127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 404),
        ({"metrics": "loopback"}, "127.0.0.1", {"Forwarded": "for=192.0.2.7"}, 404),
    ],
)
async def test_to_everybody_else_there_is_nothing_here(
    database_url: str, tmp_path: Path, said: dict[str, Any], client: str, headers: dict[str, str], status: int
) -> None:
    async with make.application(Settings(database_url=database_url, data=tmp_path, **said)) as app:
        transport = httpx.ASGITransport(app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="https://forum.test") as http:
            answer = await http.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == "not_found"


async def test_each_of_two_processes_answers_for_both(tmp_path: Path) -> None:
    wanted = {"FORUM_METRICS": "loopback", "FORUM_PAGES": "off"}
    async with started(tmp_path, "serve", "--no-worker", "--workers", 2, **wanted) as forum:
        await forum.ready()
        for _ in range(20):  # each over a connection of its own: the kernel gives them to both
            async with forum.client({}) as http:
                await http.get("/api/v1/boards")
        told = samples((await forum.http.get("/metrics")).text)
        listed = frozenset({("method", "GET"), ("route", "/api/v1/boards"), ("status", "200")})
        assert told["forum_requests_total", listed] == 20
        old = set(forum.workers())
        for worker in old:
            worker.kill()
        assert await until(lambda: len(set(forum.workers()) - old) == 2)
        await forum.ready()
        told = samples((await forum.http.get("/metrics")).text)
        assert told["forum_requests_total", listed] == 20  # what the dead ones counted stays
        files = {path.name for path in (forum.data / "metrics").iterdir()}
        assert not [name for worker in old for name in files if f"livesum_{worker.pid}" in name]
