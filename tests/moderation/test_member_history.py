"""Records: what a moderator knows of a member, and what is none of their business."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, REMOVE, WARN


async def record(client: httpx.AsyncClient, handle: str = "stepdad") -> dict[str, Any]:
    answer = await client.get(f"{API}/moderation/members/{handle}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def silenced(app: FastAPI, moderator: httpx.AsyncClient, post_id: int) -> dict[str, Any]:
    """A decision that removes a post and silences its author for a week."""
    until = (clock.now() + timedelta(days=7)).isoformat()
    return await scenes.decided(app, moderator, post_id, REMOVE, {"kind": "silence", "until": until})


@pytest.mark.parametrize(
    ("handle", "roles", "boards", "status"),
    [
        ("robin", (), (), 403),
        ("ada", (Role.ADVISER,), (), 403),
        ("lead", (Role.SAFEGUARDING_LEAD,), (), 403),
        ("suzie", (Role.MODERATOR,), (), 200),
        ("here", (), ("new-here",), 200),
        ("boss", (Role.ADMINISTRATOR,), (), 200),
    ],
)
async def test_who_reads_records(
    app: FastAPI, services: Services, handle: str, roles: tuple[Role, ...], boards: tuple[str, ...], status: int
) -> None:
    await scenes.a_post(services)
    async with make.signed_in(app, handle, *roles, boards=boards) as client:
        assert (await client.get(f"{API}/moderation/members/stepdad")).status_code == status
        nobody = await client.get(f"{API}/moderation/members/nobody-here")
    assert nobody.status_code == (404 if status == 200 else 403)


async def test_a_guest_and_a_silenced_moderator_read_no_record(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "orla", Role.MODERATOR)
    await make.sanction(services, "orla", Standing.SILENCED)
    assert (await guest.get(f"{API}/moderation/members/orla")).status_code == 401
    async with make.signed_in(app, "orla") as orla:
        assert (await orla.get(f"{API}/moderation/members/orla")).status_code == 403


async def test_a_member_of_whom_nothing_is_known(app: FastAPI, services: Services) -> None:
    await make.member(services, "wren")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        known = await record(suzie, "WREN")
    assert known.pop("joined_at")
    assert known == {
        "member": {"handle": "wren", "name": "Wren", "title": None},
        "posts": 0,
        "standing": "active",
        "standing_until": None,
        "measures": {},
        "sanctions": [],
        "decided": [],
        "open_cases": [],
        "reports": {"upheld": 0, "dismissed": 0, "waiting": 0},
        "past_warnings": [],
    }


async def test_what_was_decided_is_told_with_its_rules_and_by_whom(app: FastAPI, services: Services) -> None:
    first = await scenes.a_post(services)
    second = await make.post(services, "stepdad", first.thread_id, "You toad")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        await scenes.decided(app, suzie, second.id, DISMISS)
        made = await silenced(app, suzie, first.id)
        await scenes.report(magpie, (await make.post(services, "stepdad", first.thread_id, "Toads!")).id)
        known = await record(suzie)
        case = await scenes.a_case(suzie, known["open_cases"][0]["post_id"])
    assert [one["kind"] for one in known["decided"]] == ["silence", "remove"]
    assert known["measures"] == {"silence": 1, "remove": 1}
    silence = known["decided"][0]
    assert (silence["rules"], silence["by"]["handle"], silence["undone_at"]) == ([10], "suzie", None)
    assert (silence["case_id"], silence["decision_id"]) == (made["case_id"], made["id"])
    assert (silence["statement_id"], silence["post_id"]) == (made["statement_id"], first.id)
    assert (known["standing"], known["standing_until"]) == ("silenced", silence["until"])
    assert known["sanctions"] == [{"standing": "silenced", "since": silence["at"], "until": silence["until"]}]
    assert known["posts"] == 2
    # The case screen reads the same record.
    assert case["record"] == {name: known[name] for name in case["record"]}


async def test_what_was_undone_says_so_and_no_longer_counts(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        made = await silenced(app, suzie, post.id)
        await scenes.appeal(stepdad, made["statement_id"])
        hearing = await scenes.a_case(orla, post.id, "appeal")
        assert [one["id"] for one in (await record(orla))["open_cases"]] == [hearing["id"]]
        assert (await scenes.hear(orla, hearing["id"], "overturn")).status_code == 201
        known = await record(suzie)
    assert [one["undone_at"] is not None for one in known["decided"]] == [True, True]
    assert (known["measures"], known["sanctions"], known["standing"]) == ({}, [], "active")
    assert known["open_cases"] == []


@pytest.mark.parametrize(
    ("given", "standing", "days"),
    [
        ([], "active", None),
        ([(Standing.SILENCED, 3), (Standing.SILENCED, 5)], "silenced", 5),
        ([(Standing.SILENCED, None), (Standing.SILENCED, 5)], "silenced", None),
        ([(Standing.SILENCED, 9), (Standing.SUSPENDED, 2)], "suspended", 2),
        ([(Standing.SUSPENDED, 2), (Standing.BANNED, None)], "banned", None),
    ],
)
async def test_the_gravest_standing_is_told_and_until_when(
    app: FastAPI, services: Services, given: list[tuple[Standing, int | None]], standing: str, days: int | None
) -> None:
    await make.member(services, "wren")
    now = clock.now()
    for one, length in given:
        await make.sanction(services, "wren", one, None if length is None else now + timedelta(days=length))
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        known = await record(suzie, "wren")
    until = None if days is None else (now + timedelta(days=days)).isoformat().replace("+00:00", "Z")
    assert (known["standing"], known["standing_until"]) == (standing, until)
    assert len(known["sanctions"]) == len(given)


async def test_how_a_members_reports_fared(app: FastAPI, services: Services) -> None:
    first = await scenes.a_post(services)
    others = [await make.post(services, "stepdad", first.thread_id, f"Number {n}") for n in range(3)]
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        for post, measure in zip([first, *others], (WARN, WARN, DISMISS), strict=False):
            await scenes.decided(app, suzie, post.id, measure)
        await scenes.report(magpie, others[-1].id)
        assert (await record(suzie, "magpie"))["reports"] == {"upheld": 2, "dismissed": 1, "waiting": 1}


async def test_a_moderator_does_not_learn_from_a_record_who_reported_them(app: FastAPI, services: Services) -> None:
    await make.member(services, "ada", Role.MODERATOR)
    post = await scenes.a_post(services, author="ada")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "ada") as ada:
        before = await record(ada, "magpie")
        await scenes.report(magpie, post.id)
        assert await record(ada, "magpie") == before


async def test_a_moderator_of_one_board_reads_what_concerns_that_board_only(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    there = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "other", boards=("court",)) as other,
        make.signed_in(app, "here", boards=("new-here",)) as here,
        make.signed_in(app, "magpie") as magpie,
    ):
        await silenced(app, suzie, there.id)
        await scenes.report(magpie, (await make.post(services, "heron", there.thread_id, "Hm")).id)
        stepdad = await record(other)
        assert (stepdad["decided"], stepdad["measures"], stepdad["open_cases"]) == ([], {}, [])
        # That he is silenced holds on their board too.
        assert (stepdad["standing"], len(stepdad["sanctions"])) == ("silenced", 1)
        assert (await record(other, "heron"))["open_cases"] == []
        assert (await record(other, "magpie"))["reports"] == {"upheld": 0, "dismissed": 0, "waiting": 0}

        assert [one["kind"] for one in (await record(here))["decided"]] == ["silence", "remove"]
        assert len((await record(here, "heron"))["open_cases"]) == 1
        assert (await record(here, "magpie"))["reports"] == {"upheld": 1, "dismissed": 0, "waiting": 1}
