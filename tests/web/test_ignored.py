"""Ignoring somebody on pages: their posts are folded for this reader, and open without JavaScript."""

from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.web.support import form, parsed, text_of

FOLDED = "A post by somebody whom you ignore"


async def test_one_ignores_somebody_from_their_page_and_stops_in_the_list(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "wren") as wren:
        thread = await make.thread(services, "heron")
        await make.post(services, "magpie", thread, "What a fuss")
        card = await heron.get("/members/magpie")
        assert 'href="/members/magpie/ignore"' in card.text
        done = await form(heron, await heron.get("/members/magpie/ignore"), "/members/magpie/ignore")
        assert done.headers["Location"] == "/me/ignored?done=ignored"
        page = await heron.get(f"/threads/{thread}")
        [fold] = [each for each in parsed(page.text).iter("details") if each.find("article") is not None]
        assert FOLDED in "".join(fold.itertext())
        assert "What a fuss" in "".join(fold.itertext())
        assert FOLDED not in (await wren.get(f"/threads/{thread}")).text
        assert "You ignore them" in text_of((await heron.get("/members/magpie")).text)
        listed = await heron.get(done.headers["Location"])
        assert "Magpie" in text_of(listed.text)
        ended = await form(heron, listed, "/members/magpie/ignore/end")
        assert ended.headers["Location"] == "/me/ignored?done=not-ignored"
        assert FOLDED not in (await heron.get(f"/threads/{thread}")).text


async def test_nobody_is_offered_to_ignore_staff_or_themselves(app: FastAPI, services: Services) -> None:
    await make.member(services, "suzie", Role.ADVISER)
    async with make.signed_in(app, "heron") as heron:
        for handle, why in (("suzie", "They work here"), ("heron", "This is you")):
            assert "/ignore" not in (await heron.get(f"/members/{handle}")).text
            page = await heron.get(f"/members/{handle}/ignore")
            assert why in text_of(page.text)
            assert "<button class=" not in page.text
            headers = {"Sec-Fetch-Site": "same-origin"}
            refused = await heron.post(f"/members/{handle}/ignore", headers=headers)
            assert refused.status_code == 422
            assert why in text_of(refused.text)
        assert (await heron.get("/members/nobody/ignore")).status_code == 404


async def test_whoever_reports_a_post_can_ignore_its_author_instead(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = await make.post(services, "magpie", thread, "What a fuss")
        assert 'href="/members/magpie/ignore"' in (await heron.get(f"/posts/{post.id}/report")).text
