"""Many who join from one network within an hour are marked, and no network is kept for longer than a day."""

import asyncio
from datetime import UTC, datetime, timedelta

from forum.authentication import arrivals, registration
from forum.authentication.registration import Newcomer
from forum.http.services import Services
from tests.support import make
from tests.support.scenes import sql

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
HERE, ELSEWHERE = "81.2.69.142", "81.2.69.160"
MARKED = "SELECT handle FROM arrival JOIN member ON member.id = member_id WHERE is_burst ORDER BY handle"


async def arrive(services: Services, handle: str, address: str, minutes: int = 0) -> None:
    """An account that was made then, from there."""
    member = await make.member(services, handle)
    async with make.work(services, NOON + timedelta(minutes=minutes)) as work:
        await arrivals.note(work, member.id, address)


async def marked(services: Services) -> list[str]:
    return [row.handle for row in await sql(services, MARKED)]


async def forget(services: Services, later: timedelta) -> None:
    async with services.database.work() as session:
        await arrivals.forget(session, NOON + later)


async def test_five_from_one_network_within_an_hour_are_marked_and_nobody_else(services: Services) -> None:
    for handle, minutes in (("early", -61), ("ada", 0), ("ben", 1), ("cleo", 2)):
        await arrive(services, handle, HERE, minutes)
    # Where a proxy is not believed, everybody seems to come from it.
    for handle, address in (("nearby", ELSEWHERE), ("inside", "172.17.0.1"), ("unknown", "")):
        await arrive(services, handle, address)
    assert await marked(services) == []
    # Two at the same moment see each other.
    await asyncio.gather(arrive(services, "dan", HERE, 3), arrive(services, "eve", "::ffff:81.2.69.142", 3))
    assert await marked(services) == ["ada", "ben", "cleo", "dan", "eve"]
    assert {row[0] for row in await sql(services, "SELECT count(*) FROM arrival")} == {7}


async def test_five_across_midnight_are_marked_too(services: Services) -> None:
    before_midnight = 12 * 60 - 20
    for number in range(5):
        await arrive(services, f"guest{number}", HERE, before_midnight + 10 * number)
        await forget(services, timedelta(minutes=before_midnight + 10 * number))
    assert await marked(services) == [f"guest{number}" for number in range(5)]
    assert len(await sql(services, "SELECT 1 FROM network_key")) == 2
    await forget(services, timedelta(hours=13))
    assert len(await sql(services, "SELECT 1 FROM network_key")) == 1


async def test_a_network_is_kept_for_a_day_and_never_as_an_address(services: Services) -> None:
    for number in range(5):
        await arrive(services, f"guest{number}", HERE)
    await arrive(services, "nearby", ELSEWHERE)
    assert len({row.network for row in await sql(services, "SELECT network FROM arrival")}) == 2
    [kept] = await sql(
        services, "SELECT string_agg(a::text, '') || string_agg(k::text, '') FROM arrival a, network_key k"
    )
    assert HERE not in kept[0]
    assert HERE.encode().hex() not in kept[0]
    await forget(services, timedelta(hours=11))  # on the same day
    assert len(await sql(services, "SELECT 1 FROM network_key")) == 1
    await forget(services, timedelta(hours=24))
    assert await sql(services, "SELECT 1 FROM network_key") == []
    assert await sql(services, "SELECT 1 FROM arrival WHERE network IS NOT NULL") == []
    assert await marked(services) == [f"guest{number}" for number in range(5)]
    assert len(await sql(services, "SELECT 1 FROM arrival")) == 5
    await forget(services, timedelta(days=30))
    assert await sql(services, "SELECT 1 FROM arrival") == []


async def test_who_joins_is_noted(services: Services) -> None:
    joining = Newcomer(**make.joining("heron"))
    await registration.register(services.transactions(NOON), joining, HERE)
    [noted] = await sql(services, "SELECT handle, is_burst FROM arrival JOIN member ON member.id = member_id")
    assert tuple(noted) == ("heron", False)
