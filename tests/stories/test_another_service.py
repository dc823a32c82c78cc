"""A charity has a program of its own told what happens in the forum: from the page to the last word, without a word."""

import html
import json
import re
from datetime import timedelta

from fastapi import FastAPI
from standardwebhooks import Webhook

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.listener import address_of, deliver, headers_of, listening
from tests.support.scenes import API, REMOVE, decided, house_rules
from tests.support.sites import said
from tests.web.support import form, text_of

PAGE = "/admin/webhooks"
WORD = "gobshite"


async def test_from_the_secret_on_the_page_to_the_day_on_which_the_service_is_gone(
    app: FastAPI, services: Services
) -> None:
    await house_rules(services)
    await make.board(services)
    await make.member(services, "heron")
    async with (
        listening() as site,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        # Joan writes down where it listens. What she forgets, the page says, with what she typed.
        page = await joan.get(PAGE)
        assert PAGE in (await joan.get("/admin")).text
        again = await form(joan, page, PAGE, url=address_of(site))
        assert (again.status_code, "Choose at least one of these" in again.text) == (422, True)
        wanted = ["thread.opened", "post.removed", "case.opened"]
        shown = await form(joan, again, PAGE, events=wanted)
        assert shown.headers["Cache-Control"] == "no-store"
        secret = html.unescape(re.findall(r"<code>(whsec_[^<]+)</code>", shown.text)[0])
        [place] = set(re.findall(rf'href="({PAGE}/[^"]+)"', shown.text))
        assert secret not in (await joan.get(place)).text
        twice = await form(joan, page, PAGE, url=address_of(site), events=wanted)  # as a double tap would
        assert (twice.status_code, "told already" in text_of(twice.text)) == (422, True)
        # She has a test sent, and it arrives.
        tested = await form(joan, await joan.get(place), f"{place}/test")
        await deliver(services)
        assert "Arrived" in text_of((await joan.get(tested.headers["Location"])).text)
        # Somebody asks, somebody insults, a moderator takes that away.
        thread = await make.thread(services, "heron", title=f"Is he a {WORD}?", body=f"He is a {WORD}, I say.")
        post = await make.post(services, "heron", thread, f"You {WORD}!")
        await decided(app, suzie, post.id, REMOVE)
        await deliver(services, clock.now() + timedelta(minutes=1))
        told = [request.partition(b"\r\n\r\n")[2] for request in site.heard]
        for request, body in zip(site.heard, told, strict=True):
            Webhook(secret).verify(body, headers_of(request))
            assert WORD.encode() not in request
        kinds = [json.loads(body)["type"] for body in told]
        assert sorted(kinds) == ["case.opened", "forum.test", "post.removed", "thread.opened"]
        # Whoever follows a link sees what they may see here.
        gone = json.loads(told[kinds.index("post.removed")])["data"]
        async with make.client(app) as guest:
            followed = await guest.get(f"/posts/{gone['post_id']}", follow_redirects=True)
        assert WORD not in followed.text.partition("post-2")[2]
        # Somebody else changed it meanwhile: what Joan sends is not lost, and not saved.
        old = await joan.get(place)
        assert (await form(joan, old, place, events=["thread.opened"])).status_code == 303
        stale = await form(joan, old, place, events=["case.waiting"])
        assert (stale.status_code, "Somebody else changed this webhook" in stale.text) == (422, True)
        # A new secret: the old one is not shown again, and both count for a day.
        renewed = await form(joan, await joan.get(place), f"{place}/secret")
        assert secret not in html.unescape(renewed.text)
        # One day the program is no more, and says so.
        site.paths["hook"] = said(b"", status="410 Gone")
        await make.thread(services, "heron", title="Another one")
        await deliver(services, clock.now() + timedelta(minutes=2))
        assert "wants nothing more" in text_of((await joan.get(place)).text)
        await run_due_jobs(services, clock.now())
        notices = (await joan.get(f"{API}/me/notifications")).json()["items"]
        assert [one["kind"] for one in notices] == ["webhook_off"]
        assert "is not told any more" in text_of((await joan.get("/me/notices")).text)
        log = text_of((await joan.get("/moderation/log")).text)
        assert "gave another service a new secret" in log
        assert (await form(joan, await joan.get(place), f"{place}/remove")).status_code == 303
        assert (await joan.get(place)).status_code == 404
