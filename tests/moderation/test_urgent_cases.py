"""What cannot wait stands on the first page of those who may decide it, and of nobody else."""

import httpx
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import API, DISMISS, a_case, a_post, decide, report
from tests.web.support import text_of


async def urgent(client: httpx.AsyncClient) -> int | None:
    found: int | None = (await client.get(f"{API}/home")).json()["urgent_cases"]
    return found


async def test_urgent_cases_wait_on_the_first_page_of_who_may_decide_them(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    rude = await a_post(services, author="uncle")
    await make.board(services, "court")
    await make.member(services, "wanda", boards=("court",))
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "suzie", boards=("new-here",)) as suzie,
        make.signed_in(app, "wanda") as wanda,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        assert [await urgent(who) for who in (orla, suzie, wanda, joan)] == [0, 0, 0, 0]
        assert [await urgent(who) for who in (magpie, guest)] == [None, None]
        await report(magpie, rude.id)  # of a rule: it can wait
        await report(magpie, post.id, category="risk", rules=[])
        assert [await urgent(who) for who in (orla, suzie, wanda, joan)] == [1, 1, 0, 0]
        assert [await urgent(who) for who in (magpie, guest)] == [None, None]
        assert "One urgent case waits" in text_of((await orla.get("/")).text)
        assert "urgent" not in text_of((await magpie.get("/")).text)
        # Who steps back cannot decide it any more.
        case = await a_case(suzie, post.id)
        assert (await suzie.put(f"{API}/moderation/cases/{case['id']}/recusal", json={})).status_code < 300
        assert [await urgent(who) for who in (orla, suzie)] == [1, 0]
        assert (await decide(orla, await a_case(orla, post.id), DISMISS, rules=[])).status_code == 201
        assert await urgent(orla) == 0
        assert "urgent" not in text_of((await orla.get("/")).text)


async def test_a_moderator_sees_nothing_of_an_urgent_case_about_themselves(app: FastAPI, services: Services) -> None:
    await make.member(services, "orla", Role.MODERATOR)
    post = await a_post(services, author="orla")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "orla") as orla:
        before = (await orla.get(f"{API}/home")).content, (await orla.get("/")).content
        await report(magpie, post.id, category="risk", rules=[])
        assert ((await orla.get(f"{API}/home")).content, (await orla.get("/")).content) == before
