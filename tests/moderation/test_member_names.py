"""Names and handles pass the gate as posts do; what moderators took does not come back by its member's hand."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.authentication.handles import give_neutral_handle
from forum.core import clock
from forum.http.services import Services
from forum.members import names
from forum.members.queries import lock_member_row
from forum.members.tables import Role
from moderation import cases
from tests.support import make
from tests.support.jobs import run_due_jobs, run_hourly_jobs
from tests.support.scenes import API, a_post, appeal, decide, hear, house_rules, sql

RENAME = {"kind": "rename", "name": "A swift"}
NEUTRAL = {"kind": "rename", "handle": "neutral"}
OLD = "jamie-smiths-mum"
MADE = re.compile(r"member-[a-z2-9]{4}")


async def name_of(services: Services, handle: str) -> str:
    [[name]] = await sql(services, "SELECT name FROM member WHERE handle = :handle", handle=handle)
    return str(name)


async def the_case(client: httpx.AsyncClient, kind: str = "member") -> dict[str, object]:
    [found] = [case for case in (await client.get(f"{API}/moderation/cases")).json()["items"] if case["kind"] == kind]
    screen: dict[str, object] = (await client.get(f"{API}/moderation/cases/{found['id']}")).json()
    return screen


async def test_a_name_that_gives_away_a_number_is_renamed_and_does_not_come_back(
    app: FastAPI, services: Services
) -> None:
    await house_rules(services)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        telling = {"name": "Ring 020 7946 0018"}
        assert (await magpie.patch(f"{API}/me", json=telling)).status_code == 200
        case = await the_case(suzie)
        assert case["category"] == "personal_information"
        made = await decide(suzie, case, RENAME)
        assert made.status_code == 201, made.text
        assert await name_of(services, "magpie") == "A swift"

        for name in (telling["name"], "RING 020 7946\u20090018"):
            refused = await magpie.patch(f"{API}/me", json={"name": name})
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "name_held")
        assert (await magpie.patch(f"{API}/me", json={"name": "Another bird"})).status_code == 200
        assert (await magpie.patch(f"{API}/me", json={"name": "A swift"})).status_code == 200

        assert (await appeal(magpie, made.json()["statement_id"])).status_code == 201
        heard = await hear(orla, str((await the_case(orla, "appeal"))["id"]), "overturn")
        assert heard.status_code == 201, heard.text
        assert await name_of(services, "magpie") == telling["name"]


async def test_what_is_harmless_opens_no_case(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    assert (await guest.post(f"{API}/members", json=make.joining("quiet-heron", name="Heron 7"))).status_code == 201
    assert await sql(services, "SELECT 1 FROM moderation_case") == []


async def test_a_telling_name_is_found_when_somebody_joins(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    joining = make.joining("quiet-heron", name="heron@example.org")
    assert (await guest.post(f"{API}/members", json=joining)).status_code == 201
    assert await sql(services, "SELECT kind, category FROM moderation_case") == [("member", "personal_information")]


# Handles that moderators take


async def open_case(moderator: httpx.AsyncClient, handle: str) -> dict[str, Any]:
    opened = await moderator.post(f"{API}/moderation/members/{handle}/case", json={"note": "It names her son."})
    assert opened.is_success, opened.text
    screen: dict[str, Any] = (await moderator.get(f"{API}/moderation/cases/{opened.json()['id']}")).json()
    return screen


async def handle_of(member: httpx.AsyncClient) -> str:
    return str((await member.get(f"{API}/me")).json()["handle"])


async def test_a_handle_is_taken_mentions_follow_and_an_appeal_gives_it_back(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    async with (
        make.signed_in(app, OLD) as member,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        # A change of their own, a moment ago, is no obstacle.
        await sql(services, "UPDATE member SET handle_changed_at = now() WHERE handle = :old", old=OLD)
        written = await make.post(services, "heron", post.thread_id, f"Thank you, @{OLD}")
        made = await decide(suzie, await open_case(suzie, OLD), {**NEUTRAL, "name": "A swift"})
        assert made.status_code == 201, made.text
        neutral = await handle_of(member)
        assert MADE.fullmatch(neutral)
        assert (await guest.get(f"{API}/members/{OLD}")).status_code == 404
        joining = make.joining(OLD.replace("-", "_"), email="another@example.org")
        assert (await guest.post(f"{API}/members", json=joining)).json()["code"] == "handle_taken"
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))
        assert (await guest.get(f"{API}/posts/{written.id}")).json()["body_markdown"] == f"Thank you, @{neutral}"

        told = (await member.get(f"{API}/statements/{made.json()['statement_id']}")).json()
        renamed = {
            "name_was": OLD.title(),
            "name_became": "A swift",
            "handle_was": OLD,
            "handle_became": neutral,
        }
        assert (told["measures"], told["excerpts"], told["renamed"]) == (
            [{"kind": "rename", "until": None}],
            [],
            renamed,
        )

        assert (await appeal(member, made.json()["statement_id"])).status_code == 201
        screen = await the_case(orla, "appeal")
        assert screen["appeal"] is not None
        heard = await hear(orla, str(screen["id"]), "overturn")
        assert heard.status_code == 201, heard.text
        assert (await handle_of(member), await name_of(services, OLD)) == (OLD, OLD.title())
        await run_due_jobs(services, clock.now() + timedelta(minutes=2))
        assert (await guest.get(f"{API}/posts/{written.id}")).json()["body_markdown"] == f"Thank you, @{OLD}"
        assert (await guest.get(f"{API}/members/{neutral}")).status_code == 404
        # Nobody else can have it, and the member can still change it.
        assert (await guest.post(f"{API}/members", json=joining)).status_code == 409
        assert (await member.put(f"{API}/me/handle", json={"handle": "quiet-tern"})).status_code == 200


async def test_a_member_whose_handle_was_taken_chooses_another_at_once_and_keeps_it(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    async with (
        make.signed_in(app, OLD) as member,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        written = await make.post(services, "heron", post.thread_id, f"Thank you, @{OLD}")
        made = await decide(suzie, await open_case(suzie, OLD), NEUTRAL)
        assert (await member.put(f"{API}/me/handle", json={"handle": OLD})).json()["code"] == "handle_taken"
        # Before a job has replaced the first.
        assert (await member.put(f"{API}/me/handle", json={"handle": "quiet-tern"})).status_code == 200
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))
        assert (await guest.get(f"{API}/posts/{written.id}")).json()["body_markdown"] == "Thank you, @quiet-tern"
        await run_due_jobs(services, clock.now() + timedelta(minutes=3))
        assert await sql(services, "SELECT 1 FROM handle_change") == []
        await appeal(member, made.json()["statement_id"])
        heard = await hear(orla, str((await the_case(orla, "appeal"))["id"]), "overturn")
        assert heard.status_code == 201, heard.text
        assert await handle_of(member) == "quiet-tern"
        [told] = (await member.get(f"{API}/me/statements")).json()["items"]
        assert told["appeal"]["message"] == "I looked at it again."


async def test_a_handle_that_looks_like_somebody_elses_by_now_does_not_come_back_and_the_appeal_says_so(
    app: FastAPI, services: Services
) -> None:
    await house_rules(services)
    async with (
        make.signed_in(app, OLD) as member,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        made = await decide(suzie, await open_case(suzie, OLD), {**NEUTRAL, "name": "A swift"})
        neutral = await handle_of(member)
        await sql(services, "UPDATE member SET name = 'Jamie Smith''s Mum' WHERE handle = 'suzie'")
        looks = names.skeleton(OLD)
        await sql(services, "UPDATE member SET name_skeleton = :looks WHERE handle = 'suzie'", looks=looks)
        await appeal(member, made.json()["statement_id"])
        heard = await hear(orla, str((await the_case(orla, "appeal"))["id"]), "overturn")
        assert heard.status_code == 201, heard.text
        # The display name comes back all the same.
        assert (await handle_of(member), await name_of(services, neutral)) == (neutral, OLD.title())
        [told] = (await member.get(f"{API}/me/statements")).json()["items"]
        assert told["appeal"]["message"].startswith("I looked at it again.\n\nFrom the forum: your earlier handle ")


async def test_of_two_renamings_the_last_undo_gives_back_what_was_before_both(app: FastAPI, services: Services) -> None:
    await house_rules(services)
    async with (
        make.signed_in(app, OLD) as member,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        first = await decide(suzie, await open_case(suzie, OLD), NEUTRAL)
        between = await handle_of(member)
        second = await decide(suzie, await open_case(suzie, between), NEUTRAL)
        last = await handle_of(member)
        assert len({OLD, between, last}) == 3
        for made, handle in ((first, last), (second, OLD)):
            await appeal(member, made.json()["statement_id"])
            heard = await hear(orla, str((await the_case(orla, "appeal"))["id"]), "overturn")
            assert heard.status_code == 201, heard.text
            assert await handle_of(member) == handle


@pytest.mark.parametrize(
    ("measure", "code"),
    [
        ({"kind": "rename"}, "measure_field_missing"),
        ({"kind": "warn", "handle": "neutral"}, None),
        ({"kind": "rename", "handle": "quiet-tern"}, None),
    ],
)
async def test_a_renaming_needs_a_name_or_a_handle_that_says_nothing(
    app: FastAPI, services: Services, measure: dict[str, Any], code: str | None
) -> None:
    await house_rules(services)
    await make.member(services, OLD)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        refused = await decide(suzie, await open_case(suzie, OLD), measure)
        assert refused.status_code == 422
        if code:
            assert refused.json()["errors"][0]["code"] == code


async def test_who_has_left_has_no_name_to_take(app: FastAPI, services: Services) -> None:
    await house_rules(services)
    async with make.signed_in(app, OLD) as member, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await open_case(suzie, OLD)
        await member.put(f"{API}/me/departure", json={"kind": "leave"})
        await run_hourly_jobs(services, clock.now() + timedelta(days=14, minutes=1))
        await suzie.put(f"{API}/moderation/cases/{case['id']}/claim")
        for measure in (RENAME, NEUTRAL):
            refused = await decide(suzie, case, measure)
            assert (refused.status_code, refused.json()["code"]) == (409, "member_left")


async def test_who_leaves_is_forgotten_under_every_name_that_moderators_took_or_gave(
    app: FastAPI, services: Services
) -> None:
    await house_rules(services)
    async with make.signed_in(app, OLD) as member, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await decide(suzie, await open_case(suzie, OLD), {**NEUTRAL, "name": "A swift"})).status_code == 201
        marks = {OLD, OLD.title(), "A swift", await handle_of(member)}
        await member.put(f"{API}/me/departure", json={"kind": "leave"})
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))
        await run_hourly_jobs(services, clock.now() + timedelta(days=14, minutes=1))
        await run_hourly_jobs(services, clock.now() + timedelta(days=14, minutes=3))
    named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    rows = [await sql(services, f'SELECT t::text FROM "{table}" AS t') for [table] in await sql(services, named)]
    assert {mark for mark in marks if mark.casefold() in str(rows).casefold()} == set()


async def test_a_neutral_handle_is_nobodys_and_was_nobodys(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody = await make.member(services, OLD)
    await make.member(services, "member-2cdf")
    drawn = iter("2cdf2cdf3chj")
    monkeypatch.setattr("forum.authentication.handles.secrets.choice", lambda _letters: next(drawn))
    async with services.transactions(clock.now()).begin() as work:
        await give_neutral_handle(work, await lock_member_row(work.session, somebody.id))
    assert await sql(services, "SELECT handle FROM member ORDER BY handle") == [("member-2cdf",), ("member-3chj",)]


async def test_who_takes_another_name_and_who_takes_it_from_them_do_not_wait_for_each_other(
    app: FastAPI, services: Services
) -> None:
    await house_rules(services)
    somebody = await make.member(services, OLD)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await open_case(suzie, OLD)
        async with services.transactions(clock.now()).begin() as work:
            await lock_member_row(work.session, somebody.id)
            deciding = asyncio.create_task(decide(suzie, case, NEUTRAL))
            await asyncio.sleep(0.3)
            assert not deciding.done()
            # As screening does, where it finds something in the new name.
            assert await cases.lock_open_case_of_member(work.session, somebody.id) is not None
        assert (await deciding).status_code == 201
