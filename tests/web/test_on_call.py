"""The page of who is on call: written by administrators, read by moderators, who say on it that they are here."""

from datetime import timedelta

from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API
from tests.web.support import form, text_of

PATH = "/moderation/on-call"
SHIFT = {"handle": "suzie", "board": "", "weekdays": "friday", "starts": "22:00", "ends": "07:00"}


async def test_an_administrator_writes_the_rota_on_its_page(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        page = await joan.get(PATH)
        assert "The rota is empty" in text_of(page.text)
        assert f'action="{PATH}/here"' not in page.text
        wrong = await form(joan, page, PATH, **(SHIFT | {"handle": "nobody", "starts": "10 pm"}))
        assert wrong.status_code == 422
        wrong = await form(joan, page, PATH, **(SHIFT | {"handle": "nobody"}))
        assert "Nobody of this name moderates there" in text_of(wrong.text)
        for _ in range(2):
            assert (await form(joan, page, PATH, **SHIFT)).status_code == 303
        shown = await suzie.get(PATH)
        said = text_of(shown.text)
        assert "Friday, 22:00 to 07:00" in said
        assert said.count("22:00 to 07:00") == 1
        assert f'action="{PATH}/remove"' not in shown.text
        assert (await form(joan, await joan.get(PATH), f"{PATH}/remove")).status_code == 303
        assert "The rota is empty" in text_of((await joan.get(PATH)).text)


async def test_a_moderator_is_here_tonight_and_whoever_is_in_danger_reads_so(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        assert (await form(suzie, await suzie.get(PATH), f"{PATH}/here", hours="2")).status_code == 303
        words = {"title": "A question", "body_markdown": "I've taken the tablets"}
        opened = (await wren.post(f"{API}/boards/new-here/threads", json=words)).json()
        post = opened["first_post"]["id"]
        said = text_of((await wren.get(f"/posts/{post}/help")).text)
        assert "Somebody is on call here now, and is told of your words" in said
        await run_due_jobs(services, clock.now())
        [case] = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        screen = text_of((await suzie.get(f"/moderation/cases/{case['id']}")).text)
        assert "Suzie was called: they are on call, by mail too. No answer yet." in screen
        assert (await form(suzie, await suzie.get(PATH), f"{PATH}/gone")).status_code == 303
        assert "Nobody has said that they are here" in text_of((await suzie.get(PATH)).text)
        assert "Nobody is promised" in text_of((await wren.get(f"/posts/{post}/help")).text)


async def test_the_lead_who_is_called_is_led_to_their_own_page(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR),
        make.signed_in(app, "lena", Role.SAFEGUARDING_LEAD) as lena,
    ):
        words = {"title": "A question", "body_markdown": "I've taken the tablets"}
        await wren.post(f"{API}/boards/new-here/threads", json=words)
        await run_due_jobs(services, clock.now())
        await run_due_jobs(services, clock.now() + timedelta(minutes=11))
        [notice] = (await lena.get(f"{API}/me/notifications")).json()["items"]
        assert notice["kind"] == "case_urgent"
        [danger] = (await lena.get(f"{API}/safeguarding/cases")).json()["items"]
        led = await lena.get(f"/moderation/cases/{danger['id']}")
        assert (led.status_code, led.headers["Location"]) == (303, f"/safeguarding/cases/{danger['id']}")
        assert "Lena was called: nobody answered" in text_of((await lena.get(led.headers["Location"])).text)
