"""The report of a year: numbers that give nobody away."""

from datetime import timedelta

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation.transparency import Count, Counted, find_report, make_keeper, section_of
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS


def test_a_number_under_five_is_hidden_and_no_total_gives_it_away() -> None:
    table = {
        (): ((), 0, 0),
        (("rule", 5),): ((5,), 5, 5),
        (("rule", 0), ("spam", 7)): ((7,), 7, 7),
        (("rule", 4),): ((None,), 1, 4),
        (("rule", 1), ("spam", 12)): ((None, 12), 13, 16),
        (("rule", 4), ("spam", 12)): ((None, 12), 13, 16),  # the same as with one: the total says no more
        (("rule", 2), ("risk", 3), ("spam", 20)): ((None, None, 20), 22, 28),
    }
    for numbers, (shown, least, most) in table.items():
        section = section_of(Counted.REPORTS, numbers)
        assert (tuple(count.number for count in section.counts), section.least, section.most) == (shown, least, most)


async def test_a_year_that_is_over_is_told_to_everybody_and_no_other(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    for handle in ("magpie", "robin", "wren", "rook", "finch"):
        async with make.signed_in(app, handle) as member:
            assert (await scenes.report(member, post.id)).status_code == 201
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decide(suzie, await scenes.a_case(suzie, post.id), DISMISS)
    now = clock.now()
    async with make.work(services) as work:
        report = await find_report(work.session, services.settings, now.year)
    said = {section.counted: section for section in report.sections}
    assert said[Counted.REPORTS].counts == [Count("rule", 5)]
    assert said[Counted.CASES].counts == [Count("rule", None)]
    assert said[Counted.MEASURES].counts == [Count("dismiss", None)]
    assert said[Counted.RULES].counts == [Count("10", None)]
    assert said[Counted.APPEALS].counts == []
    assert report.median_minutes is None
    for year in (now.year, now.year + 1, 1999):
        assert (await guest.get(f"{API}/transparency/{year}")).status_code in {404, 422}
    last = (await guest.get(f"{API}/transparency/{(now - timedelta(days=366)).year}")).json()
    assert [section["most"] for section in last["sections"]] == [0] * len(Counted)
    # A year that is over stays as it was told, whatever is decided or deleted since.
    async with services.database.work() as session:
        for days in (366, 367):
            await make_keeper(services.settings)(session, {}, now + timedelta(days=days))
        await session.execute(text("UPDATE report SET category = 'spam'"))
    async with make.work(services) as work:
        kept = await find_report(work.session, services.settings, now.year)
    assert (kept.year, kept.median_minutes) == (now.year, None)
    assert [(one.counted, list(one.counts), one.least, one.most) for one in kept.sections] == [
        (one.counted, list(one.counts), one.least, one.most) for one in report.sections
    ]
