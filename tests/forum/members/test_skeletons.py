"""Stored skeletons follow the code, and nobody loses their handle by it."""

from sqlalchemy import text

from forum.core import clock
from forum.http.services import Services
from forum.members import names
from forum.members.skeletons import renew_skeletons
from tests.support import make

STORE = text("UPDATE member SET skeleton = :skeleton, name_skeleton = :skeleton WHERE handle = :handle")
READ = text("SELECT handle, skeleton, name_skeleton FROM member")


async def test_skeletons_of_an_earlier_release_are_renewed(services: Services) -> None:
    for handle in ("h3ron", "heron", "bjørn", "kate"):
        await make.member(services, handle)
        async with services.database.work() as session:
            await session.execute(STORE, {"handle": handle, "skeleton": names.plain_skeleton(handle)})
    for _ in range(2):
        async with services.database.work() as session:
            await renew_skeletons(session, {}, clock.now())
    async with services.database.work() as session:
        stored = {handle: looks for handle, *looks in (await session.execute(READ)).all()}
    assert stored == {
        "h3ron": ["h3ron", "heron"],  # it looks like another: both stay, and nobody else can look like them
        "heron": ["heron", "heron"],
        "bjørn": ["bjorn", "bjorn"],
        "kate": ["kate", "kate"],
    }


async def test_those_who_left_have_none(services: Services) -> None:
    await make.member(services, "heron")
    async with services.database.work() as session:
        await session.execute(
            text(
                "UPDATE member SET handle = NULL, skeleton = NULL, email = NULL, email_verified_at = NULL, "
                "name = '', name_skeleton = '', password_hash = '', left_at = now()"
            )
        )
        await renew_skeletons(session, {}, clock.now())
