"""On call: who is called to danger and when, what is kept of it, and what the help says of who is there."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.core.errors import Conflict, Forbidden, Invalid
from forum.core.weekly_hours import WEEK, Weekday
from forum.http.services import Services
from forum.members.tables import Role, Standing
from moderation import case_calls, on_call
from moderation.on_call import ShiftWish
from tests.support import make, scenes
from tests.support.jobs import clean_up, run_due_jobs
from tests.support.scenes import API

CRY = "I've taken the tablets"
ALWAYS = {"weekdays": [str(day) for day in WEEK], "starts": "00:00", "ends": "00:00"}
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
async def board(services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)


def always(handle: str, **more: Any) -> dict[str, Any]:
    return {"handle": handle, **ALWAYS, **more}


async def write(joan: httpx.AsyncClient, *shifts: dict[str, Any]) -> httpx.Response:
    version = (await joan.get(f"{API}/moderation/on-call")).json()["version"]
    return await joan.put(f"{API}/moderation/on-call", json={"version": version, "items": list(shifts)})


async def cries(client: httpx.AsyncClient, body: str = CRY) -> dict[str, Any]:
    words = {"title": "A question", "body_markdown": body}
    answer = await client.post(f"{API}/boards/new-here/threads", json=words)
    assert answer.status_code == 201, answer.text
    thread: dict[str, Any] = answer.json()
    return thread


async def called(services: Services) -> list[tuple[str, str, bool]]:
    """Who was called, why, and whether they answered, in order."""
    rows = await scenes.sql(
        services,
        "SELECT handle, because, acknowledged_at FROM case_call JOIN member ON member.id = member_id "
        "ORDER BY at, because, handle",
    )
    return [(row.handle, row.because, row.acknowledged_at is not None) for row in rows]


async def only_case(client: httpx.AsyncClient) -> dict[str, Any]:
    [case] = (await client.get(f"{API}/moderation/cases")).json()["items"]
    whole: dict[str, Any] = (await client.get(f"{API}/moderation/cases/{case['id']}")).json()
    return whole


async def kinds(client: httpx.AsyncClient) -> list[str]:
    return sorted(one["kind"] for one in (await client.get(f"{API}/me/notifications")).json()["items"])


# The line


async def test_the_first_is_called_then_the_next_then_everybody(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "bob", Role.MODERATOR),
        make.signed_in(app, "lena", Role.SAFEGUARDING_LEAD) as lena,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        assert (await write(joan, always("suzie"), always("orla"))).status_code == 204
        now = clock.now()
        await cries(wren)
        await run_due_jobs(services, clock.now())
        first = [("suzie", "on_call", False)]
        assert await called(services) == first
        assert await kinds(suzie) == ["case_urgent"]
        assert await kinds(orla) == ["case_waiting"]
        mails = await scenes.sql(services, "SELECT kind FROM mail WHERE kind = 'case_urgent'")
        assert len(mails) == 1
        await run_due_jobs(services, now + 9 * MINUTE)
        assert await called(services) == first
        await run_due_jobs(services, now + 12 * MINUTE)
        second = [*first, ("orla", "on_call", False)]
        assert await called(services) == second
        await run_due_jobs(services, now + 23 * MINUTE)
        late = [(name, "nobody_answered", False) for name in ("bob", "joan", "lena")]
        assert await called(services) == [*second, *late]
        await run_due_jobs(services, now + 60 * MINUTE)
        assert len(await called(services)) == 5
        danger = (await lena.get(f"{API}/safeguarding/cases")).json()["items"][0]["id"]
        whole = (await lena.get(f"{API}/safeguarding/cases/{danger}")).json()
        assert [call["member"]["handle"] for call in whole["calls"]][:2] == ["suzie", "orla"]


async def test_to_take_the_case_is_to_answer(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR),
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie"), always("orla"))
        now = clock.now()
        await cries(wren)
        await run_due_jobs(services, clock.now())
        case = await only_case(suzie)
        assert (case["calls"][0]["because"], case["calls"][0]["acknowledged_at"]) == ("on_call", None)
        assert (await suzie.put(f"{API}/moderation/cases/{case['id']}/claim", json={})).status_code == 200
        await run_due_jobs(services, now + 30 * MINUTE, but=("send_mail", "watch_cases"))
        assert await called(services) == [("suzie", "on_call", True)]


async def test_what_is_handed_over_calls_everybody_anew(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR),
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie"), always("orla"))
        now = clock.now()
        await cries(wren)
        await run_due_jobs(services, clock.now())
        path = f"{API}/moderation/cases/{(await only_case(suzie))['id']}/claim"
        await suzie.put(path, json={})
        assert (await suzie.delete(path)).status_code == 204
        await run_due_jobs(services, clock.now())
        handed = [("suzie", "on_call", True), ("orla", "handed_over", False)]
        assert await called(services) == handed
        await run_due_jobs(services, now + 12 * MINUTE)
        late = [("joan", "nobody_answered", False), ("suzie", "nobody_answered", False)]
        assert await called(services) == [*handed, *late]


async def test_with_nobody_on_call_everybody_who_may_decide_is(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        opened = await cries(wren)
        assert (opened["help"]["watched"]["now"], opened["help"]["watched"]["next_at"]) == (False, None)
        await run_due_jobs(services, clock.now())
        assert await called(services) == [("orla", "everybody", False), ("suzie", "everybody", False)]
        assert await kinds(suzie) == await kinds(orla) == ["case_urgent"]


async def test_a_worry_calls_nobody(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie"))
        opened = await cries(wren, "Nobody would miss me.")
        assert opened["help"]["watched"]["now"] is True
        assert "is told of your words" not in opened["help"]["watched"]["words"]
        await run_due_jobs(services, clock.now())
        assert await called(services) == []
        assert await kinds(suzie) == ["case_waiting"]


@pytest.mark.parametrize("why", ["about", "suspended", "no_longer"])
async def test_who_may_not_decide_is_never_called(app: FastAPI, services: Services, why: str) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie"), always("orla"))
        if why == "suspended":
            await make.sanction(services, "suzie", Standing.SUSPENDED)
        elif why == "no_longer":
            await scenes.sql(
                services,
                "DELETE FROM role_grant USING member WHERE member_id = member.id "
                "AND handle = 'suzie' RETURNING role_grant.id",
            )
        opened = await cries(suzie if why == "about" else wren)
        assert opened["help"]["watched"]["now"] is True  # somebody else is
        await run_due_jobs(services, clock.now())
        assert await called(services) == [("orla", "on_call", False)]
        await run_due_jobs(services, clock.now() + 30 * MINUTE)
        assert "suzie" not in str(await called(services))
        assert (await only_case(orla))["calls"]


async def test_a_new_kind_of_danger_calls_again(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR),
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie"))
        now = clock.now()
        opened = await cries(wren, "I want to die tonight")
        await run_due_jobs(services, clock.now())
        reply = {"body_markdown": CRY}
        await wren.post(f"{API}/threads/{opened['id']}/posts", json=reply)
        await run_due_jobs(services, now + 2 * MINUTE)
        assert [name for name, *_ in await called(services)] == ["suzie", "suzie"]
        await run_due_jobs(services, now + 11 * MINUTE)  # of the first alarm, nothing is left to do
        assert [name for name, *_ in await called(services)] == ["suzie", "suzie"]


async def test_a_worker_that_dies_loses_no_call_and_makes_none_twice(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR),
        make.signed_in(app, "orla", Role.MODERATOR),
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie"), always("orla"))
        now = clock.now()
        await cries(wren)
        await run_due_jobs(services, clock.now())
        [row] = await scenes.sql(services, "SELECT case_id, alarm_id FROM case_call")
        step = {"case": str(row.case_id), "alarm": str(row.alarm_id)}
        async with services.database.work() as session:
            await case_calls.call_next(session, step, now + 11 * MINUTE)
            await session.rollback()  # it is killed before the commit
        assert len(await called(services)) == 1
        await run_due_jobs(services, now + 12 * MINUTE)
        assert await called(services) == [("suzie", "on_call", False), ("orla", "on_call", False)]
        assert len(await scenes.sql(services, "SELECT id FROM mail WHERE kind = 'case_urgent'")) == 2


# Hours


@pytest.mark.parametrize(
    ("now", "is_on_call", "next_at"),
    [
        ("2026-11-27T22:30", True, None),  # a Friday
        ("2026-11-28T06:59", True, None),  # its night ends on Saturday
        ("2026-11-28T07:00", False, "2026-12-04T22:00"),
        ("2026-11-27T21:59", False, "2026-11-27T22:00"),
        ("2026-07-31T21:30", True, None),  # in summer, an hour earlier in UTC
        ("2026-07-31T20:59", False, "2026-07-31T21:00"),
    ],
)
async def test_a_night_goes_over_midnight_by_the_clock_of_its_zone(
    services: Services, now: str, is_on_call: bool, next_at: str | None
) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    await make.member(services, "suzie", Role.MODERATOR)
    joan = await make.viewer(services, "joan")
    async with make.work(services) as work:
        night = ShiftWish("suzie", "new-here", [Weekday.FRIDAY], time(22), time(7), "Europe/London")
        await on_call.add_shift(work, joan, night)
        await on_call.add_shift(work, joan, night)  # once
    [row] = await scenes.sql(services, "SELECT board_id FROM on_call_shift")
    async with make.work(services) as work:
        moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
        found = await on_call.find_attendance(work.session, row.board_id, moment)
        nowhere = await on_call.find_attendance(work.session, None, moment)
    wanted = datetime.fromisoformat(next_at).replace(tzinfo=UTC) if next_at else None
    assert (found.now, found.next_at) == (is_on_call, wanted)
    assert nowhere == (False, None)


# The switch


async def test_who_is_here_tonight_is_called_first_until_the_hour_is_over(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR),
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie"))
        for _ in range(2):
            assert (await orla.put(f"{API}/moderation/on-call/here", json={"hours": 4})).status_code == 200
        shown = (await orla.get(f"{API}/moderation/on-call")).json()
        assert [one["member"]["handle"] for one in shown["here"]] == ["orla"]
        await cries(wren)
        await run_due_jobs(services, clock.now())
        assert await called(services) == [("orla", "on_call", False)]
        for _ in range(2):
            assert (await orla.delete(f"{API}/moderation/on-call/here")).status_code == 204
        await orla.put(f"{API}/moderation/on-call/here", json={"hours": 4})
        async with services.database.work() as session:
            later = clock.now() + timedelta(hours=5)
            assert [one.until > later for one in await on_call.list_on_call(session, None, later)] == [True]
            await clean_up(session, later)
        assert await scenes.sql(services, "SELECT member_id FROM on_call_presence") == []
        assert (await orla.put(f"{API}/moderation/on-call/here", json={"hours": 13})).status_code == 422
        refused = await joan.put(f"{API}/moderation/on-call/here", json={"hours": 4})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_on_a_team")


# The rota


async def test_only_administrators_write_the_rota_and_only_its_newest_version(services: Services) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    await make.member(services, "suzie", Role.MODERATOR)
    await make.member(services, "wren")
    joan, suzie, wren = [await make.viewer(services, name) for name in ("joan", "suzie", "wren")]
    wish = ShiftWish("suzie", None, list(WEEK), time(9), time(17))
    async with make.work(services) as work:
        version = (await on_call.read_rota(work, joan)).version
        with pytest.raises(Forbidden):
            await on_call.write_rota(work, suzie, [wish], version)
        with pytest.raises(Forbidden):
            await on_call.read_rota(work, wren)
        for _ in range(2):  # a second time is the same
            await on_call.write_rota(work, joan, [wish], version)
        with pytest.raises(Conflict):
            await on_call.write_rota(work, joan, [], version)
        shown = await on_call.read_rota(work, suzie)
        assert [(shift.member_handle, shift.board) for shift in shown.shifts] == [("suzie", None)]
        assert (shown.no_change_because is None, shown.not_here_because) == (False, None)
        await on_call.remove_shift(work, joan, shown.shifts[0].id)
        await on_call.remove_shift(work, joan, shown.shifts[0].id)
        assert (await on_call.read_rota(work, suzie)).shifts == []


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"handle": "wren"}, "#/items/0/handle"),
        ({"handle": "nobody"}, "#/items/0/handle"),
        ({"board": "nowhere"}, "#/items/0/board"),
        ({"zone": "Mars/Crater"}, "#/items/0/zone"),
    ],
)
async def test_a_rota_with_a_hole_in_it_is_refused(services: Services, wish: dict[str, Any], pointer: str) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    await make.member(services, "suzie", Role.MODERATOR)
    await make.member(services, "wren")
    joan = await make.viewer(services, "joan")
    asked: dict[str, Any] = {"handle": "suzie", "board": None, "weekdays": WEEK, "starts": time(9), "ends": time(17)}
    async with make.work(services) as work:
        version = (await on_call.read_rota(work, joan)).version
        with pytest.raises(Invalid) as refused:
            await on_call.write_rota(work, joan, [ShiftWish(**(asked | wish))], version)
    assert refused.value.pointer == pointer


async def test_the_help_says_from_when_on_somebody_is_there(app: FastAPI, services: Services) -> None:
    tomorrow = WEEK[(clock.now() + timedelta(days=2)).weekday()]
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie", weekdays=[tomorrow], starts="09:00", ends="17:00"))
        watched = (await cries(wren))["help"]["watched"]
        assert watched["now"] is False
        assert watched["next_at"] is not None
        assert "again later" in watched["words"]
        await write(joan, always("suzie"))
        assert "is told of your words" in (await cries(wren))["help"]["watched"]["words"]
        # Whoever is on call alone is not there for themselves.
        assert (await cries(suzie))["help"]["watched"]["now"] is False


async def test_a_copy_has_when_somebody_was_on_call_and_leaving_ends_it(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        await write(joan, always("suzie"))
        await suzie.put(f"{API}/moderation/on-call/here", json={"hours": 2})
        await cries(wren)
        await run_due_jobs(services, clock.now())
    viewer = await make.viewer(services, "suzie")
    async with services.database.work() as session:
        sections = [
            *await on_call.export_own(session, viewer, clock.now()),
            *await case_calls.export_own(session, viewer, clock.now()),
        ]
        assert [(section.name, len(section.items)) for section in sections] == [
            ("on_call", 1),
            ("here", 1),
            ("calls", 1),
        ]
        await on_call.forget(session, viewer.member_id)
    assert await scenes.sql(services, "SELECT id FROM on_call_shift") == []
